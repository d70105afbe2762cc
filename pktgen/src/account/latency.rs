//! How long packets were on their way: an HDR histogram per stream, and the delay variation between neighbours.
//!
//! Three significant digits from 1 ns to [`HIGHEST_NS`], fixed, so that recording never allocates. Jitter is the mean
//! of |IPDV| (RFC 3393: the difference between the delays of two packets), the pairs being first copies that follow
//! each other as they arrive at one worker. Invariant: every first copy is recorded or from the future.

use hdrhistogram::Histogram;

use crate::frame::signature::STAMP_BITS;
use crate::report::Distribution;

/// The longest delay that a stamp can tell is half its range: nine minutes.
pub const HIGHEST_NS: u64 = 1 << STAMP_BITS;

/// Latencies of a stream.
#[derive(Debug)]
pub struct Latency {
    histogram: Histogram<u64>,
    /// Of the packet before.
    last_ns: Option<u64>,
    /// Sum and number of differences between neighbours.
    variation_ns: u128,
    pairs: u64,
    future: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Latency {
            histogram: Histogram::new_with_bounds(1, HIGHEST_NS, 3).expect("bounds that are valid"),
            last_ns: None,
            variation_ns: 0,
            pairs: 0,
            future: 0,
        }
    }
}

impl Latency {
    /// A packet that took `ns`.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.histogram.saturating_record(ns);
        if let Some(last) = self.last_ns.replace(ns) {
            self.variation_ns += u128::from(ns.abs_diff(last));
            self.pairs += 1;
        }
    }

    /// A packet from the future.
    pub fn record_future(&mut self) {
        self.future += 1;
    }

    /// Adds another worker's. Pairs stay what they were at each worker: between workers there is no "next".
    pub fn merge(&mut self, other: &Latency) {
        self.histogram
            .add(&other.histogram)
            .expect("the same bounds");
        self.variation_ns += other.variation_ns;
        self.pairs += other.pairs;
        self.future += other.future;
    }

    /// The distribution; `None` if nothing was recorded.
    pub fn distribution(&self) -> Option<Distribution> {
        (!self.histogram.is_empty()).then(|| Distribution::of(&self.histogram))
    }

    /// Mean absolute difference between packets that follow each other, nanoseconds.
    pub fn jitter_ns(&self) -> f64 {
        match self.pairs {
            0 => 0.0,
            pairs => self.variation_ns as f64 / pairs as f64,
        }
    }

    /// Packets from the future.
    pub fn future(&self) -> u64 {
        self.future
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(delays: &[u64]) -> Latency {
        let mut latency = Latency::default();
        for ns in delays {
            latency.record(*ns);
        }
        latency
    }

    #[test]
    fn jitter_is_the_mean_difference_of_neighbours() {
        assert_eq!(of(&[100, 150, 120, 120]).jitter_ns(), (50.0 + 30.0) / 3.0);
        assert_eq!(of(&[7]).jitter_ns(), 0.0);
        // 1 pair of 10 ns and 3 pairs of 2 ns.
        let mut merged = of(&[0, 10]);
        merged.merge(&of(&[5, 7, 5, 7]));
        assert_eq!(merged.jitter_ns(), 16.0 / 4.0);
    }

    #[test]
    fn nothing_has_no_distribution() {
        let mut latency = Latency::default();
        latency.record_future();
        assert_eq!(latency.distribution(), None);
        assert_eq!(latency.future(), 1);
    }

    proptest! {
        /// Percentiles against the sorted list, within the three digits.
        #[test]
        fn percentiles_are_those_of_the_list(mut delays in prop::collection::vec(0u64..1 << 39, 1..300)) {
            let found = of(&delays).distribution().unwrap();
            delays.sort_unstable();
            let rank = |share: f64| delays[((share * delays.len() as f64).ceil() as usize).clamp(1, delays.len()) - 1];
            prop_assert_eq!(found.count, delays.len() as u64);
            for (name, value, expected) in [
                ("min", found.min, delays[0]),
                ("p50", found.p50, rank(0.5)),
                ("p90", found.p90, rank(0.9)),
                ("p99", found.p99, rank(0.99)),
                ("p99.999", found.p99_999, rank(0.99999)),
                ("max", found.max, delays[delays.len() - 1]),
            ] {
                prop_assert!(value.abs_diff(expected) as f64 <= expected as f64 / 1000.0 + 1.0, "{}: {} for {}", name, value, expected);
            }
        }

        #[test]
        fn merging_is_recording_all(first in prop::collection::vec(0u64..1 << 39, 0..50), second in prop::collection::vec(0u64..1 << 39, 0..50)) {
            let mut merged = of(&first);
            merged.merge(&of(&second));
            let all: Vec<u64> = first.iter().chain(&second).copied().collect();
            prop_assert_eq!(merged.distribution(), of(&all).distribution());
        }
    }
}
