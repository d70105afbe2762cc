//! Who may have the queue that we cannot have. The kernel tells it only where it has CONFIG_XDP_SOCKETS_DIAG, and
//! distributions differ; but whoever has an AF_XDP socket has its rings mapped, and /proc/PID/maps shows mappings of
//! sockets. AF_PACKET rings look the same, so these are candidates.

use std::path::Path;

/// Most processes that an error names.
const NAMED: usize = 5;

/// Processes with mapped socket rings, as `name (pid N)`; `None` when there is none that we may look at.
pub(super) fn candidates() -> Option<String> {
    let mut found: Vec<_> = std::fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| candidate(&entry.path()))
        .collect();
    found.sort();
    found.truncate(NAMED);
    (!found.is_empty()).then(|| found.join(", "))
}

/// A process by its directory in /proc, if it has such a mapping.
fn candidate(directory: &Path) -> Option<String> {
    let pid: u32 = directory.file_name()?.to_str()?.parse().ok()?;
    let maps = std::fs::read_to_string(directory.join("maps")).ok()?;
    let name = std::fs::read_to_string(directory.join("comm")).ok()?;
    has_rings(&maps).then(|| format!("{} (pid {pid})", name.trim()))
}

fn has_rings(maps: &str) -> bool {
    maps.lines().any(|line| line.contains(" socket:["))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_are_told_from_other_mappings() {
        let rings = "7f00-7f01 rw-s 00000000 00:08 36189                 socket:[36189]\n";
        assert!(has_rings(rings));
        assert!(!has_rings(
            "7f00-7f01 rw-p 00000000 00:00 0          [heap]\n"
        ));
        assert!(!has_rings(""));
    }

    #[test]
    fn what_is_no_process_is_passed_over() {
        assert_eq!(candidate(Path::new("/proc/meminfo")), None);
        assert_eq!(candidate(Path::new("/proc/self")), None);
    }
}
