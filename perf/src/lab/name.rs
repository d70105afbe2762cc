//! Names of what the lab puts on the machine: `tw-<pid>-<lab>-<what>`.
//!
//! The pid says whose it is, so that a later lab can tell litter (the owner is dead) from a neighbour's running topology;
//! the lab number keeps two labs of one process apart.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The common part of all names of one lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// A prefix that nothing else on this machine has.
    pub fn unique() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let lab = NEXT.fetch_add(1, Ordering::Relaxed);
        Prefix(format!("tw-{}-{lab}", std::process::id()))
    }

    /// Where this lab's files are.
    pub fn directory(&self) -> PathBuf {
        base_directory().join(&self.0)
    }

    /// The name of one thing of this lab.
    pub fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.0)
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where labs keep their directories. On a tmpfs, for the daemons' segments are written in place and etcd syncs every write.
pub fn base_directory() -> PathBuf {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() {
        shm.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// The pid in a name, or `None` when the name is not of our making.
pub fn owner(name: &str) -> Option<u32> {
    let mut parts = name.strip_prefix("tw-")?.split('-');
    let pid = parts.next()?.parse().ok()?;
    parts.next()?.parse::<u32>().ok()?;
    Some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner() {
        let prefix = Prefix::unique();
        assert_eq!(owner(&prefix.name("n1-p10")), Some(std::process::id()));
        assert_eq!(owner(&prefix.to_string()), Some(std::process::id()));
    }

    #[test]
    fn two_labs_of_one_process_differ() {
        assert_ne!(Prefix::unique(), Prefix::unique());
    }

    #[test]
    fn names_of_others_have_no_owner() {
        for name in ["tw-", "tw-x-0-a", "tw-12", "tw-12-mine", "cni-12-0", ""] {
            assert_eq!(owner(name), None, "{name}");
        }
    }
}
