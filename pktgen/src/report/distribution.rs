//! Distributions: from an HDR histogram to the report, and back for plots.
//!
//! The report carries the whole histogram besides the usual percentiles: HdrHistogram's V2 format, deflated, in base64,
//! which the tools around HdrHistogram read (its log format has the same text in its last column).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use super::Distribution;

/// Longest text that is read as a histogram. Ours have a few kilobytes.
const LONGEST: usize = 1 << 20;

/// An empty histogram for [`Distribution::of`]: 1 ns to 18 minutes, exact to three digits.
pub fn nanoseconds() -> Histogram<u64> {
    // The bounds are constants that its documentation allows.
    Histogram::new_with_bounds(1, 1 << 40, 3).unwrap_or_else(|_| unreachable!())
}

impl Distribution {
    /// Of a histogram of nanoseconds. Of an empty one, all zeros.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let mut bytes = Vec::new();
        let written = V2DeflateSerializer::new().serialize(histogram, &mut bytes);
        let at = |quantile| histogram.value_at_quantile(quantile);
        Distribution {
            count: histogram.len(),
            min: histogram.min(),
            mean: histogram.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            p99_999: at(0.99999),
            max: histogram.max(),
            // Writing to memory fails only for bounds beyond the format's, which ours are not.
            histogram: written.map(|_| STANDARD.encode(bytes)).unwrap_or_default(),
        }
    }

    /// The histogram; `None` if the text is damaged or not a plausible one.
    pub fn decode(&self) -> Option<Histogram<u64>> {
        if self.histogram.len() > LONGEST {
            return None;
        }
        let bytes = STANDARD.decode(&self.histogram).ok()?;
        Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
    }

    /// The percentiles by name, each with its quantile: 0.5 for the median.
    pub fn percentiles(&self) -> [(&'static str, f64, u64); 7] {
        [
            ("p50", 0.5, self.p50),
            ("p90", 0.9, self.p90),
            ("p99", 0.99, self.p99),
            ("p99.9", 0.999, self.p99_9),
            ("p99.99", 0.9999, self.p99_99),
            ("p99.999", 0.99999, self.p99_999),
            ("max", 1.0, self.max),
        ]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some() -> Histogram<u64> {
        let mut histogram = nanoseconds();
        for ns in 1..=1000u64 {
            histogram.record(ns * 100).unwrap();
        }
        histogram
    }

    #[test]
    fn a_histogram_survives_the_text() {
        let distribution = Distribution::of(&some());
        assert_eq!(distribution.decode().unwrap(), some());
        // What every HdrHistogram text of this format begins with: the cookie 0x1c849314 in base64.
        assert!(
            distribution.histogram.starts_with("HISTF"),
            "{}",
            distribution.histogram
        );
        assert!(
            distribution.p50.abs_diff(50_000) <= 50 && distribution.max.abs_diff(100_000) <= 100
        );
    }

    #[test]
    fn an_empty_one_is_zeros() {
        let empty = Distribution::of(&Histogram::new_with_bounds(1, 1 << 40, 3).unwrap());
        assert_eq!(
            (empty.count, empty.min, empty.max, empty.mean),
            (0, 0, 0, 0.0)
        );
    }

    proptest! {
        /// A damaged text is refused or read as something; it never panics.
        #[test]
        fn damage_is_survived(at in 0usize..1 << 16, byte: u8) {
            let mut bytes = STANDARD.decode(Distribution::of(&some()).histogram).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = Distribution { histogram: STANDARD.encode(bytes), ..Distribution::default() }.decode();
        }
    }
}
