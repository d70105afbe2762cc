//! Whether an engine is behind the numbers: the same answer for everyone who looks.

use rustix::process::{Pid, test_kill_process};
use serde::Serialize;

use super::Snapshot;

/// The main thread beats some twenty times a second; three seconds without a beat are no accident, even where a machine
/// has more to do than it can.
pub const SILENT_AFTER_NS: u64 = 3_000_000_000;

/// After this long without a beat it is asked whether there still is such a process: a death is told within a second.
/// Not at once, for an engine in another PID namespace has no process to be seen, and beats.
const GONE_AFTER_NS: u64 = 1_000_000_000;

/// Whether an engine is behind the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// It beats.
    Running,
    /// Its process exists and does not beat: stopped by a signal, or stuck.
    Silent,
    /// Its process is gone; the numbers are its last.
    Gone,
}

impl Life {
    /// Name for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Life::Running => "running",
            Life::Silent => "silent",
            Life::Gone => "gone",
        }
    }

    /// Of the engine whose segment this is.
    pub fn of(snapshot: &Snapshot) -> Self {
        match snapshot.silent_ns {
            0..GONE_AFTER_NS => Life::Running,
            _ if !process_exists(snapshot.pid) => Life::Gone,
            GONE_AFTER_NS..SILENT_AFTER_NS => Life::Running,
            _ => Life::Silent,
        }
    }
}

/// Whether there is such a process in our PID namespace, ours to signal or not.
fn process_exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_is_told_sooner_than_a_silence() {
        let nobody = u32::MAX;
        for (silent_ms, pid, life) in [
            (999, nobody, Life::Running),
            (1000, nobody, Life::Gone),
            (2999, std::process::id(), Life::Running),
            (3000, std::process::id(), Life::Silent),
            (3000, nobody, Life::Gone),
        ] {
            let snapshot = Snapshot {
                taken_ns: 0,
                pid,
                started_ns: 0,
                silent_ns: silent_ms * 1_000_000,
                tsc_hz: 1,
                ports: Vec::new(),
                workers: Vec::new(),
            };
            assert_eq!(Life::of(&snapshot), life, "{silent_ms} ms, process {pid}");
        }
    }

    #[test]
    fn our_own_process_exists_and_nobody_is_number_zero() {
        assert!(process_exists(std::process::id()));
        assert!(!process_exists(0));
        assert!(!process_exists(u32::MAX));
    }
}
