//! What is read at one moment: the engine's segment, and the counters of those peers that are worth asking for.

use std::collections::BTreeMap;

use contract::stats::{PeerCounters, Snapshot, StatsReader};
use contract::tables::MAX_ADJACENCIES;
use rustix::process::{Pid, test_kill_process};

use super::control::ControlStatus;

/// The main thread beats some twenty times a second; three seconds without a beat are no accident, even where a machine
/// has more to do than it can.
pub const SILENT_AFTER_NS: u64 = 3_000_000_000;

/// After this long without a beat it is asked whether there still is such a process: a death is told within a second.
/// Not at once, for an engine in another PID namespace has no process to be seen, and beats.
const GONE_AFTER_NS: u64 = 1_000_000_000;

/// Whether an engine is behind the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
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
    /// Of the engine whose segment this is.
    pub fn of(snapshot: &Snapshot) -> Self {
        match snapshot.silent_ns {
            0..GONE_AFTER_NS => Life::Running,
            _ if !exists(snapshot.pid) => Life::Gone,
            GONE_AFTER_NS..SILENT_AFTER_NS => Life::Running,
            _ => Life::Silent,
        }
    }
}

/// Everything read from the segment at about one moment.
pub struct Sample {
    /// Engine, workers and ports.
    pub snapshot: Snapshot,
    /// Whether the engine lives.
    pub life: Life,
    /// By slot; those without traffic are left out.
    pub peers: BTreeMap<u16, PeerCounters>,
}

impl Sample {
    /// Reads all there is. With control's status only the slots it names are asked for: the peers' part of the segment is
    /// sparse, and to look at a page of it is to fill it. Without, all of them.
    pub fn take(reader: &StatsReader, control: Option<&ControlStatus>) -> Self {
        let snapshot = reader.snapshot();
        let life = Life::of(&snapshot);
        let slots: Vec<u16> = match control {
            Some(control) => control.peers.iter().filter_map(|peer| peer.slot).collect(),
            None => (0..MAX_ADJACENCIES).map(|slot| slot as u16).collect(),
        };
        let peers = slots
            .into_iter()
            .map(|slot| (slot, reader.peer(slot)))
            .filter(|(_, counters)| *counters != PeerCounters::default())
            .collect();
        Sample {
            snapshot,
            life,
            peers,
        }
    }
}

/// Whether there is such a process, ours to signal or not.
fn exists(pid: u32) -> bool {
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
        assert!(exists(std::process::id()));
        assert!(!exists(0));
        assert!(!exists(u32::MAX));
    }
}
