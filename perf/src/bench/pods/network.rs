//! A way to get packets from one pod to another.

use crate::lab::{Pod, Result};

/// What is compared: the same two pods, another network between them.
pub trait Network {
    /// Its name in tables: [`crate::bench::model::Entrant::name`].
    fn name(&self) -> &'static str;

    /// What it is, one line.
    fn what(&self) -> &'static str;

    /// The pod of node 1, which sends, and that of node 2, which receives.
    fn pods(&self) -> [&Pod; 2];

    /// Gets ready; returns once a ping goes through. What is in the kernel is always ready.
    fn start(&mut self) -> Result<()> {
        Ok(())
    }

    /// Stops what `start` began, so that others have the machine to themselves; an error when that did not end well.
    fn stop(&mut self) -> Result<()> {
        Ok(())
    }

    /// Counters along the way from pod 1 to pod 2, in its order, all since the device or the daemon was made. The generator's own
    /// count stands before them and the sink's behind.
    fn stations(&self) -> Result<Vec<Station>>;
}

/// Counters at one place of the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Station {
    /// `node 1: overlay port of the engine`.
    pub place: String,
    /// Packets that came this far.
    pub packets: u64,
    /// Packets lost since the station before or here, by the name of the counter.
    pub lost: Vec<(String, u64)>,
}
