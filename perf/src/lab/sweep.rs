//! Removing what a killed lab left behind.
//!
//! A lab removes itself when it is dropped, also by a panic; only SIGKILL (or an abort) leaves something. Litter is known by
//! the dead pid in its name. A pid that was given to a new process hides litter until that process ends: harmless, and
//! better than removing a topology in use.

use std::path::Path;

use super::name;
use super::namespace;

/// Removes what dead processes left. Returns how many namespaces that were.
pub fn sweep_dead() -> usize {
    sweep(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

/// Removes everything of this process: for a signal handler's thread, when no destructor will run.
pub fn sweep_own() -> usize {
    sweep(|pid| pid == std::process::id())
}

fn sweep(theirs: impl Fn(u32) -> bool) -> usize {
    let litter = |name: &str| name::owner(name).is_some_and(&theirs);
    let namespaces: Vec<_> = namespace::names()
        .into_iter()
        .filter(|n| litter(n))
        .collect();
    for name in &namespaces {
        namespace::remove(name);
    }
    if let Ok(entries) = std::fs::read_dir(name::base_directory()) {
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(litter) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
    namespaces.len()
}
