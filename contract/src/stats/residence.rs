//! How long the engine holds a burst: a histogram of TSC cycles, log-linear as an HDR histogram is.
//!
//! ```text
//!  cycles  0 1 2 .. 15 | 16 17 .. 31 | 32 34 .. 62 | 64 68 .. 124 | ...  up to 2^40
//!  bucket  0 1 2 .. 15 | 16 17 .. 31 | 32 33 .. 47 | 48 49 .. 63  | ...  591
//! ```
//!
//! Invariant: a value of bucket *b* is at least its lower bound and at most a sixteenth above it. The writer stores one word
//! per sample; count, mean and quantiles are all computed from the buckets, so they cannot contradict each other. The layout
//! is that of <https://hdrhistogram.github.io/HdrHistogram/> with four bits of precision.

use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets per octave: 16, so that a quantile is at most 6.25 % off.
const SUB_BITS: u32 = 4;
/// 2^40 cycles are some minutes: what is longer is told as that.
const TOP: u32 = 40;
/// Of how many bursts that received anything one is timed, in the mean.
pub const RESIDENCE_BURSTS: u32 = 1024;
/// Buckets of a worker's histogram.
pub const RESIDENCE_BUCKETS: usize = ((TOP - SUB_BITS + 1) << SUB_BITS) as usize;

/// The shared words.
#[repr(C, align(64))]
pub(super) struct CycleHistogram([AtomicU64; RESIDENCE_BUCKETS]);

impl CycleHistogram {
    /// Counts one sample. One writer: a plain addition.
    #[inline]
    pub fn record(&self, cycles: u64) {
        if let Some(count) = self.0.get(bucket(cycles)) {
            let more = count.load(Ordering::Relaxed).wrapping_add(1);
            count.store(more, Ordering::Relaxed);
        }
    }

    pub fn read(&self, tsc_hz: u64) -> Residence {
        let mut residence = Residence::new(tsc_hz);
        for (count, shared) in residence.counts.iter_mut().zip(&self.0) {
            *count = shared.load(Ordering::Relaxed);
        }
        residence
    }
}

#[inline]
fn bucket(cycles: u64) -> usize {
    let octave = 63 - (cycles | 1).leading_zeros();
    if octave < SUB_BITS {
        return cycles as usize;
    }
    if octave >= TOP {
        return RESIDENCE_BUCKETS - 1;
    }
    // The octave's first sixteen: the leading one and the four bits behind it, counted on from the octave before.
    ((octave - SUB_BITS) << SUB_BITS) as usize + (cycles >> (octave - SUB_BITS)) as usize
}

/// The least value of a bucket; of the one behind the last, where the histogram ends.
fn lower(bucket: usize) -> u64 {
    let (octave, sub) = (bucket >> SUB_BITS, bucket as u64 & ((1 << SUB_BITS) - 1));
    match octave {
        0 => sub,
        _ => (sub | 1 << SUB_BITS) << (octave - 1),
    }
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    lower(bucket + 1) - 1
}

/// Residence times of a worker's sampled bursts: from the moment its frames were off the rx ring until all that came of them
/// was given to transmit rings. See docs/counters.md for what that contains and what it does not.
///
/// Totals since the engine's start; [`since`](Self::since) makes an interval of two of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Residence {
    tsc_hz: u64,
    counts: Box<[u64; RESIDENCE_BUCKETS]>,
}

impl Residence {
    /// No sample, on a counter of `tsc_hz` cycles per second.
    pub fn new(tsc_hz: u64) -> Self {
        Residence {
            tsc_hz,
            counts: Box::new([0; RESIDENCE_BUCKETS]),
        }
    }

    /// Samples.
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, n| sum.wrapping_add(*n))
    }

    /// The time that a share `q` of the samples (0 to 1) did not exceed, nanoseconds. At most a sixteenth more than the exact
    /// one, and never less, as long as that is below 2^40 cycles. `None` without samples.
    pub fn quantile_ns(&self, q: f64) -> Option<f64> {
        let count = self.count();
        let rank = ((q.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0u64;
        let counts = self.counts.iter().enumerate();
        for (bucket, n) in counts.filter(|(_, n)| **n > 0) {
            seen = seen.saturating_add(*n);
            if seen >= rank {
                return Some(self.ns(upper(bucket) as f64));
            }
        }
        None
    }

    /// Mean, nanoseconds: each sample counts as the middle of its bucket, which is at most a thirty-second off.
    pub fn mean_ns(&self) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        for (bucket, n) in self.counts.iter().enumerate() {
            sum += *n as f64 * (lower(bucket) as f64 + upper(bucket) as f64) / 2.0;
            count += *n as f64;
        }
        (count > 0.0).then(|| self.ns(sum / count))
    }

    /// The longest, nanoseconds: the upper bound of the last bucket that has a sample.
    pub fn max_ns(&self) -> Option<f64> {
        let last = self.counts.iter().rposition(|n| *n > 0)?;
        Some(self.ns(upper(last) as f64))
    }

    /// Buckets with samples, in order: the largest time that counts to it, nanoseconds, and how many did. What a Prometheus
    /// histogram or a plot is made of.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let counts = self.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        counts.map(|(bucket, n)| (self.ns(upper(bucket) as f64), *n))
    }

    /// What was added after `earlier`, an older reading of the same engine.
    pub fn since(&self, earlier: &Residence) -> Residence {
        let mut change = self.clone();
        for (count, before) in change.counts.iter_mut().zip(earlier.counts.iter()) {
            *count = count.wrapping_sub(*before);
        }
        change
    }

    /// Adds another worker's samples.
    pub fn merge(&mut self, other: &Residence) {
        for (sum, n) in self.counts.iter_mut().zip(other.counts.iter()) {
            *sum = sum.wrapping_add(*n);
        }
    }

    fn ns(&self, cycles: f64) -> f64 {
        cycles * 1e9 / self.tsc_hz.max(1) as f64
    }
}

impl std::fmt::Debug for Residence {
    /// The buckets that have samples; the others would drown a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.buckets()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A counter of 1 GHz: cycles are nanoseconds.
    const GHZ: u64 = 1_000_000_000;

    fn histogram(samples: &[u64]) -> Residence {
        let shared = CycleHistogram([const { AtomicU64::new(0) }; RESIDENCE_BUCKETS]);
        samples.iter().for_each(|cycles| shared.record(*cycles));
        shared.read(GHZ)
    }

    /// Of all magnitudes, as times are.
    fn samples() -> impl Strategy<Value = Vec<u64>> {
        let sample = (any::<u64>(), 24..60u32).prop_map(|(bits, shift)| bits >> shift);
        proptest::collection::vec(sample, 1..300)
    }

    #[test]
    fn buckets_follow_each_other_without_gap_or_overlap() {
        for bucket_number in 0..RESIDENCE_BUCKETS {
            let (low, high) = (lower(bucket_number), upper(bucket_number));
            assert_eq!((bucket(low), bucket(high)), (bucket_number, bucket_number));
            assert!(high - low <= low / 16, "{low}..={high}");
        }
        assert_eq!(lower(RESIDENCE_BUCKETS), 1 << TOP);
        assert_eq!(bucket(u64::MAX), RESIDENCE_BUCKETS - 1);
    }

    #[test]
    fn nothing_has_no_quantile() {
        let none = histogram(&[]);
        assert_eq!((none.count(), none.quantile_ns(0.5)), (0, None));
        assert_eq!((none.mean_ns(), none.max_ns()), (None, None));
        // A mangled rate and mangled counts are numbers, not panics.
        let mut mangled = Residence::new(0);
        mangled.counts.fill(u64::MAX);
        assert!(mangled.quantile_ns(f64::NAN).is_some() && mangled.mean_ns().is_some());
    }

    proptest! {
        #[test]
        fn quantiles_are_exact_but_for_the_width_of_a_bucket(mut samples in samples(), q in 0.0..=1.0f64) {
            let histogram = histogram(&samples);
            samples.sort_unstable();
            prop_assert_eq!(histogram.count(), samples.len() as u64);
            let rank = (q * samples.len() as f64).ceil().max(1.0) as usize;
            for (told, exact) in [
                (histogram.quantile_ns(q), samples[rank - 1]),
                (histogram.max_ns(), samples[samples.len() - 1]),
            ] {
                let (told, exact) = (told.unwrap(), exact as f64);
                // Beyond 2^53 cycles a float has no units; samples end far below.
                prop_assert!(told >= exact && told <= exact * (1.0 + 1.0 / 16.0), "{told} for {exact}");
            }
            let mean = samples.iter().map(|n| *n as f64).sum::<f64>() / samples.len() as f64;
            let told = histogram.mean_ns().unwrap();
            prop_assert!((told - mean).abs() <= mean / 32.0 + 1e-9, "mean {told} for {mean}");
        }

        #[test]
        fn an_interval_has_what_came_in_it_and_workers_add_up(first in samples(), second in samples()) {
            let both: Vec<u64> = first.iter().chain(&second).copied().collect();
            let mut sum = histogram(&first);
            let change = histogram(&both).since(&sum);
            prop_assert_eq!(&change, &histogram(&second));
            sum.merge(&change);
            prop_assert_eq!(&sum, &histogram(&both));
            prop_assert_eq!(sum.buckets().map(|(_, n)| n).sum::<u64>(), both.len() as u64);
            let bounds: Vec<f64> = sum.buckets().map(|(upper, _)| upper).collect();
            prop_assert!(bounds.is_sorted());
        }
    }
}
