//! How long packets were on their way.

use crate::report::Distribution;

/// Latencies of a stream.
#[derive(Debug, Default)]
pub struct Latency {}

impl Latency {
    /// A packet that took `ns`.
    pub fn record(&mut self, ns: u64) {
        let _ = ns;
        todo!()
    }

    /// A packet from the future.
    pub fn record_future(&mut self) {
        todo!()
    }

    /// Adds another worker's.
    pub fn merge(&mut self, other: &Latency) {
        let _ = other;
        todo!()
    }

    /// The distribution; `None` if nothing was recorded.
    pub fn distribution(&self) -> Option<Distribution> {
        todo!()
    }

    /// Mean absolute difference between packets that follow each other, nanoseconds.
    pub fn jitter_ns(&self) -> f64 {
        todo!()
    }

    /// Packets from the future.
    pub fn future(&self) -> u64 {
        todo!()
    }
}
