//! When frames leave: a schedule fixed in advance, which nothing that happens on the way can shift.
//!
//! Frame `i` of a worker is wanted at `start + burst_of(i) * interval`, computed from `i` and not from the frame before, so that
//! errors do not add up. A sender that was held up (by a full ring, by the scheduler) sends what is overdue at once: the load
//! stays the one that was asked for, and the delay is charged to the packets that had it ([`crate::run::plan::Stamp`]).

/// The departures of one worker.
#[derive(Clone, Debug)]
pub struct Schedule {
    start_ns: u64,
    /// Nanoseconds between bursts.
    interval: f64,
    burst: u64,
    /// Frames that left.
    gone: u64,
}

impl Schedule {
    /// `pps` frames a second in bursts of `burst`, the first at `start_ns`.
    pub fn new(start_ns: u64, pps: f64, burst: u16) -> Self {
        let burst = u64::from(burst.max(1));
        Schedule {
            start_ns,
            interval: burst as f64 * 1e9 / pps,
            burst,
            gone: 0,
        }
    }

    /// Frames that should have left by `now` and have not.
    #[inline]
    pub fn due(&self, now: u64) -> u64 {
        if now < self.start_ns {
            return 0;
        }
        let bursts = ((now - self.start_ns) as f64 / self.interval) as u64 + 1;
        (bursts * self.burst).saturating_sub(self.gone)
    }

    /// When the next frame is wanted, nanoseconds.
    #[inline]
    pub fn next_ns(&self) -> u64 {
        // At the lowest rates the next burst may lie beyond what 64 bits can tell: then it never comes.
        (self.start_ns).saturating_add(((self.gone / self.burst) as f64 * self.interval) as u64)
    }

    /// The next frame leaves; when it was wanted.
    #[inline]
    pub fn pop(&mut self) -> u64 {
        let wanted = self.next_ns();
        self.gone += 1;
        wanted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However irregularly the sender comes by, after a time t exactly the frames of that time have left, each not before
        /// it was wanted.
        #[test]
        fn the_rate_is_kept(pps in 1.0f64..2e7, burst in 1u16..=64, steps in prop::collection::vec(1u64..2_000_000, 1..200)) {
            let start = 1_000_000_000;
            let mut schedule = Schedule::new(start, pps, burst);
            let (mut now, mut sent) = (start, 0u64);
            for step in steps {
                now += step;
                for _ in 0..schedule.due(now) {
                    // One nanosecond of rounding.
                    prop_assert!(schedule.pop() <= now + 1);
                    sent += 1;
                }
                prop_assert_eq!(schedule.due(now), 0);
            }
            let wanted = (now - start) as f64 * pps / 1e9;
            prop_assert!(sent as f64 + 1.0 >= wanted && sent as f64 <= wanted + f64::from(burst) + 1.0, "{} of {}", sent, wanted);
        }
    }

    #[test]
    fn nothing_is_due_before_the_start() {
        assert_eq!(Schedule::new(1_000, 1e6, 1).due(999), 0);
        assert_eq!(Schedule::new(1_000, 1e6, 4).due(1_000), 4);
    }

    #[test]
    fn what_lies_beyond_the_clock_never_comes() {
        let mut schedule = Schedule::new(u64::MAX / 2, 1e-6, 65_535);
        for _ in 0..65_535 {
            schedule.pop();
        }
        assert_eq!(schedule.next_ns(), u64::MAX);
        assert_eq!(schedule.due(u64::MAX / 2 + 1), 0);
    }
}
