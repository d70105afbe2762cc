//! Which bursts are looked at more closely: timed, or one frame of them recorded.
//!
//! Gaps between looks are random around their mean. A fixed one, and 1,024 above all, would meet the same port every time
//! while two ports take turns. Most bursts cost two decrements here; nothing is drawn, and no clock is read, but for a look.
//! A record costs some hundred cycles, of the 4,000 of a burst of 64: one burst in 64 that is recorded is not to be measured.

use contract::stats::{RESIDENCE_BURSTS, TRACE_BURSTS};

use crate::budget::Budget;

/// Bursts a second that may have a frame recorded because the worker had nothing to do just before: on a quiet node every
/// packet is seen, and only at peak, when it matters, does the gap above hold.
const TRACED_AT_REST_PER_S: u32 = 10_000;

/// What is done about a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing, as about almost all.
    Pass,
    /// Its time until submission is taken.
    Time,
    /// One of its frames is recorded.
    Record,
}

/// A worker's choice of bursts.
pub struct Sampler {
    timed: Gap,
    traced: Gap,
    at_rest: Budget,
    rested: bool,
}

impl Sampler {
    /// On a counter of `tsc_hz`.
    pub fn new(tsc_hz: u64) -> Self {
        Sampler {
            timed: Gap::new(RESIDENCE_BURSTS, 0x2545_f491),
            traced: Gap::new(TRACE_BURSTS, 0x9e37_79b9),
            at_rest: Budget::new(TRACED_AT_REST_PER_S, tsc_hz),
            rested: true,
        }
    }

    /// Decides about a burst that received something in a turn that started at `now`. A burst that is timed is not recorded,
    /// for recording takes time.
    #[inline(always)]
    pub fn look(&mut self, now: u64) -> Look {
        let (timed, traced) = (self.timed.is_over(), self.traced.is_over());
        if timed {
            Look::Time
        } else if traced || (self.rested && self.at_rest.take(now)) {
            Look::Record
        } else {
            Look::Pass
        }
    }

    /// Says whether the turn that ended received nothing.
    #[inline(always)]
    pub fn rested(&mut self, idle: bool) {
        self.rested = idle;
    }

    /// A number below `n`, to choose a frame by; 0 if `n` is.
    pub fn below(&mut self, n: usize) -> usize {
        self.traced.random.below(n as u32) as usize
    }
}

/// A countdown from a random number.
struct Gap {
    left: u32,
    mean: u32,
    random: Random,
}

impl Gap {
    fn new(mean: u32, seed: u32) -> Self {
        Gap {
            left: mean,
            mean,
            random: Random(seed),
        }
    }

    #[inline(always)]
    fn is_over(&mut self) -> bool {
        self.left -= 1;
        if self.left > 0 {
            return false;
        }
        // 1 to 2 * mean - 1, all equally likely.
        self.left = 1 + self.random.below(2 * self.mean - 1);
        true
    }
}

/// xorshift32 (Marsaglia 2003): period 2^32 - 1, three shifts a number.
struct Random(u32);

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        ((u64::from(self.0) * u64::from(n)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks of `bursts` bursts at a clock that stands still, port by port in turns.
    fn looks(sampler: &mut Sampler, bursts: usize, ports: usize) -> Vec<[usize; 2]> {
        let mut seen = vec![[0; 2]; ports];
        for burst in 0..bursts {
            match sampler.look(0) {
                Look::Pass => {}
                Look::Time => seen[burst % ports][0] += 1,
                Look::Record => seen[burst % ports][1] += 1,
            }
        }
        seen
    }

    #[test]
    fn at_peak_the_gaps_hold_and_ports_that_take_turns_are_all_seen() {
        for ports in [1, 2, 3, 4] {
            let mut sampler = Sampler::new(1);
            sampler.rested(false);
            let bursts = 1 << 21;
            for [timed, recorded] in looks(&mut sampler, bursts, ports) {
                let (timed, recorded) = (timed * ports, recorded * ports);
                let (want_timed, want_recorded) = (bursts / 1024, bursts / 64 - bursts / 64 / 1024);
                assert!(
                    timed.abs_diff(want_timed) < want_timed / 5,
                    "{timed} timed of {want_timed}"
                );
                assert!(
                    recorded.abs_diff(want_recorded) < want_recorded / 20,
                    "{recorded} recorded of {want_recorded}"
                );
            }
        }
    }

    #[test]
    fn at_rest_each_burst_is_recorded_within_a_budget() {
        let mut sampler = Sampler::new(u64::from(TRACED_AT_REST_PER_S));
        let first = looks(&mut sampler, 200, 1)[0];
        assert!(first[1] >= 199, "{first:?}");
        let flood = looks(&mut sampler, 100_000, 1)[0];
        assert!(flood[1] < 1_000 + 100_000 / 50, "{flood:?}");
        sampler.rested(false);
        assert!(looks(&mut sampler, 63, 1)[0][1] <= 3);
    }
}
