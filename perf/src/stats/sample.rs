//! What is read at one moment: the engine's segment, and the counters of those peers that are worth asking for.

use std::collections::BTreeMap;

use contract::stats::{Life, PeerCounters, Snapshot, StatsReader};
use contract::tables::MAX_ADJACENCIES;

use super::control::ControlStatus;

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
