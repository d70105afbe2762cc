//! Whether the worker's CPU has another program that does not sleep.
//!
//! A program that waits for the CPU may be the very one that the worker waits for, so an idle worker gives way by
//! sched_yield(2): 0.3 us when nobody is there, and a few when somebody has an answer to write. But one that never sleeps then
//! takes the rest of his slice, which is milliseconds. While there is such a one the worker sleeps in poll(2) instead, from which
//! a packet wakes it before others; after a while it looks again, and where it finds him again and again, seldom.

use crate::clock::tsc;

/// A program that keeps the CPU for so long when the worker gives way is one that does not sleep, microseconds.
const HOG_US: u64 = 500;

/// Who keeps the CPU when he may.
pub struct Hog {
    /// Cycles that nobody takes who has only an answer to write.
    patience: u64,
    /// Cycles after which a second meeting has nothing to do with the first.
    near: u64,
    /// When he was met last.
    met: u64,
    shortest: u64,
    pause: u64,
    until: u64,
}

impl Hog {
    /// None was met yet; `tsc_hz` is the clock's rate.
    pub fn new(tsc_hz: u64) -> Self {
        Hog {
            patience: tsc_hz / 1_000_000 * HOG_US,
            near: tsc_hz / 100,
            met: 0,
            shortest: tsc_hz / 10,
            pause: 0,
            until: 0,
        }
    }

    /// Whether he would take the CPU if he were let.
    #[inline]
    pub fn is_expected(&self, now: u64) -> bool {
        self.pause > 0 && self.until.wrapping_sub(now) <= self.pause
    }

    /// Lets others run, and sees how long they do.
    pub fn give_way(&mut self) {
        let before = tsc();
        rustix::thread::sched_yield();
        let after = tsc();
        self.took(after.wrapping_sub(before), after);
    }

    fn took(&mut self, cycles: u64, now: u64) {
        if cycles <= self.patience {
            if now.wrapping_sub(self.until) > self.near {
                self.pause = 0;
            }
            return;
        }
        // One alone may be an interrupt, or a thread of the kernel.
        let again = now.wrapping_sub(self.met) <= self.near + cycles;
        self.met = now;
        if again {
            self.pause = (2 * self.pause).clamp(self.shortest, 32 * self.shortest);
            self.until = now.wrapping_add(self.pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hog_is_expected_for_longer_each_time_it_is_met_and_not_after_it_left() {
        let mut hog = Hog::new(1_000_000);
        let (long, near) = (HOG_US + 1, 10_000);
        let mut now = 1 << 30;
        hog.took(long, now);
        now += near + long + 1;
        hog.took(long, now);
        hog.took(HOG_US, now + 1);
        assert!(!hog.is_expected(now), "seldom, or briefly");
        for times in [1, 2, 4, 8, 16, 32, 32] {
            now += near;
            hog.took(long, now);
            assert!(hog.is_expected(now) && hog.is_expected(now + times * 100_000));
            now += times * 100_000 + 1;
            assert!(!hog.is_expected(now));
            hog.took(long, now);
        }
        now += near + long + 1;
        hog.took(1, now);
        hog.took(long, now);
        hog.took(long, now + 1);
        assert!(hog.is_expected(now + 1));
        assert!(!hog.is_expected(now + 100_002), "from the start again");
    }
}
