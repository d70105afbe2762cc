//! What stands between the generator and the counter.

use super::Result;
use super::plan::Leg;
use super::rig::Rig;
use crate::lab::Process;

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

    /// Stops what `start` gave. What it can tell about frames that it lost comes back: a reason and a count each.
    fn stop(&mut self, running: Option<Process>) -> Result<Vec<(String, u64)>>;
}
