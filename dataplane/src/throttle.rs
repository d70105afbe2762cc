//! When to ask the kernel again for what it did not have.
//!
//! An AF_XDP ring is looked at for the price of a cache line. A plain socket or a TUN queue is looked at by a system call,
//! 100 to 300 ns for the answer "nothing", which in a worker that polls would be most of its idle turns, and at a port that
//! seldom has anything a share of every busy one. So an empty answer buys a pause, twice as long after each, up to a limit
//! that is the price in delay: what comes in the pause waits for its end, unless the worker sleeps, for poll(2) ends both.

use crate::clock::tsc;

/// The first pause: some 1.5 µs, which is 5 to 20 % of a worker that has nothing else to do.
const FIRST: u64 = 1 << 12;

/// The pauses between questions to one device.
#[derive(Clone, Debug)]
pub struct Throttle {
    longest: u64,
    pause: u64,
    since: u64,
}

impl Throttle {
    /// For a device that packets are expected from: a pause is 6 µs at most.
    pub fn short() -> Self {
        Self::up_to(4 * FIRST)
    }

    /// For a device that seldom has anything: 400 µs at most, so that asking costs a busy worker nothing that could be measured.
    pub fn long() -> Self {
        Self::up_to(256 * FIRST)
    }

    fn up_to(longest: u64) -> Self {
        Throttle {
            longest,
            pause: 0,
            since: 0,
        }
    }

    /// Whether to ask now. Reads the time stamp counter, unless the last answer was something.
    #[inline(always)]
    pub fn is_due(&self) -> bool {
        self.pause == 0 || tsc().wrapping_sub(self.since) >= self.pause
    }

    /// The answer was nothing, or there is nothing left.
    pub fn empty(&mut self) {
        self.pause = (2 * self.pause).clamp(FIRST, self.longest);
        self.since = tsc();
    }

    /// There was something, or a poll(2) says that there is.
    #[inline(always)]
    pub fn end(&mut self) {
        self.pause = 0;
    }

    /// A pause of some minutes.
    #[cfg(test)]
    pub fn hold(&mut self) {
        (self.pause, self.since) = (1 << 40, tsc());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_end_with_an_answer() {
        let mut throttle = Throttle::short();
        assert!(throttle.is_due());
        let pauses: Vec<u64> = (0..4)
            .map(|_| {
                throttle.empty();
                throttle.pause
            })
            .collect();
        assert_eq!(pauses, [FIRST, 2 * FIRST, 4 * FIRST, 4 * FIRST]);
        throttle.hold();
        assert!(!throttle.is_due());
        throttle.end();
        assert!(throttle.is_due());
        throttle.empty();
        assert_eq!(throttle.pause, FIRST);
    }
}
