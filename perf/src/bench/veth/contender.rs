//! What stands between the generator and the counter.

use std::collections::BTreeMap;

use super::plan::Leg;
use super::rig::Rig;
use crate::bench::Result;
use crate::lab::Process;

/// Counts by reason.
pub type Drops = BTreeMap<&'static str, u64>;

/// A way to get frames from one veth to the other.
pub trait Contender {
    /// Its name in the report.
    fn name(&self) -> &'static str;

    /// Its surroundings.
    fn rig(&self) -> &Rig;

    /// Bytes of the frames that arrive when the pods' frames have `size`.
    fn arrives_len(&self, leg: Leg, size: usize) -> usize;

    /// Gets ready for a leg; returns once frames would pass. A contender in the kernel is always ready and has no process.
    fn start(&mut self, leg: Leg) -> Result<Option<Process>>;

    /// Frames that it dropped and counted since its start, by reason; nothing if it does not tell.
    fn drops(&self) -> Drops {
        Drops::default()
    }

    /// Stops what `start` gave; an error when that does not end well.
    fn stop(&mut self, running: Option<Process>) -> Result<()>;
}
