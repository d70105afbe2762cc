//! When frames leave, in terms of the program: it compares the clock with a schedule in whole nanoseconds and 2^-32 of
//! them, and gives back what is not due.
//!
//! The kernel sends what the program returns in groups, *batches*, of a size that is fixed for a run: frames of a batch
//! leave when all of it was made. A batch of one burst is the exact thing, but costs more per frame.

use crate::error::{Failure, Result};

/// Frames in a batch when there is no schedule: measured here, 64 was as fast as 256, and twice as fast as 1.
const FULL: u32 = 64;

/// Above this rate, frames a second, leaving in groups is the price of keeping the rate: a batch of one costs the
/// kernel some 300 ns besides the frame.
const SINGLE: f64 = 1_000_000.0;

/// A schedule for the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// Nanoseconds between bursts, in 2^-32; `None`: as fast as it goes.
    interval: Option<u128>,
    burst: u16,
    batch: u32,
}

impl Pace {
    /// Of `pps` frames a second in bursts of `burst`.
    ///
    /// # Errors
    /// [`Failure::Usage`]: a rate that is no rate.
    pub fn new(pps: Option<f64>, burst: u16) -> Result<Self> {
        let burst = burst.max(1);
        let Some(pps) = pps else {
            return Ok(Pace {
                interval: None,
                burst,
                batch: FULL,
            });
        };
        // The slowest is a frame in 17 minutes, that no interval overflows.
        if !(1e-3..=1e9).contains(&pps) {
            return Err(Failure::Usage(format!(
                "rate: {pps} frames a second for a worker; 0.001 to 1000000000"
            )));
        }
        let single = if pps <= SINGLE { 1 } else { FULL };
        Ok(Pace {
            interval: Some((f64::from(burst) * 1e9 / pps * 2f64.powi(32)) as u128),
            burst,
            batch: u32::from(burst).max(single).min(FULL),
        })
    }

    /// Frames in a batch.
    pub fn batch(&self) -> u32 {
        self.batch
    }

    /// Whether the program gives back frames that are not due.
    pub fn is_paced(&self) -> bool {
        self.interval.is_some()
    }

    /// The words of `struct plan` that are about it.
    pub fn words(&self) -> [u64; 5] {
        let interval = self.interval.unwrap_or(0);
        [
            self.is_paced().into(),
            (interval >> 32) as u64,
            (interval & 0xffff_ffff) as u64,
            self.burst.into(),
            self.batch.into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_as_fine_as_the_rate() {
        assert_eq!(
            Pace::new(Some(10_000.0), 1).unwrap().words(),
            [1, 100_000, 0, 1, 1]
        );
        assert_eq!(
            Pace::new(Some(10_000.0), 8).unwrap().words(),
            [1, 800_000, 0, 8, 8]
        );
        let [_, ns, fraction, ..] = Pace::new(Some(3_000_000.0), 1).unwrap().words();
        let third = (1u64 << 32) / 3;
        assert_eq!((ns, fraction.abs_diff(third) <= 1), (333, true));
        assert_eq!(Pace::new(None, 1).unwrap().words()[0], 0);
    }

    #[test]
    fn a_long_burst_is_sent_in_parts() {
        assert_eq!(Pace::new(Some(10_000.0), 1_000).unwrap().batch(), FULL);
    }

    #[test]
    fn no_rate_at_all_is_told() {
        for pps in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e10] {
            let told = Pace::new(Some(pps), 1).unwrap_err().to_string();
            assert!(told.starts_with("rate: "), "{told}");
        }
    }
}
