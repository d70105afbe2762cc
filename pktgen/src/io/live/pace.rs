//! When frames leave, in terms of the program: it compares the clock with a schedule in whole nanoseconds and 2^-32 of
//! them, and gives back what is not due.
//!
//! The kernel sends what the program returns in groups, *batches*, of a size that is fixed for a run: frames of a batch
//! leave when all of it was made. A batch of one burst is the exact thing, but costs more a frame.

use crate::error::{Failure, Result};

/// Frames in a batch when there is no schedule. More are no faster, and fill the 256 places of a veth's ring.
const FULL: u32 = 64;

/// Frames in a batch up to a rate, frames a second: with twice the room that was measured here (a veth pair, 64-byte
/// frames, XDP_DROP at the far end, million frames in a second of CPU time: batches of 1 made 1.6, of 4 3.3, of 16 4.6,
/// of 64 5.0). A paced frame waits while the rest of its batch is given back, some 50 ns each, and never for a frame
/// that is not due.
const BATCHES: [(f64, u32); 3] = [(500_000.0, 1), (1_000_000.0, 4), (2_000_000.0, 16)];

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
        let least = BATCHES.iter().find(|(most, _)| pps <= *most);
        let least = least.map_or(FULL, |(_, batch)| *batch);
        Ok(Pace {
            interval: Some((f64::from(burst) * 1e9 / pps * 2f64.powi(32)) as u128),
            burst,
            batch: u32::from(burst).clamp(least, FULL),
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
    fn a_high_rate_leaves_in_groups() {
        let batch = |pps| Pace::new(Some(pps), 1).unwrap().batch();
        assert_eq!([1e5, 1e6, 2e6, 3e6].map(batch), [1, 4, 16, FULL]);
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
