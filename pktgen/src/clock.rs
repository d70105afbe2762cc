//! Time: nanoseconds of CLOCK_MONOTONIC, read through the time stamp counter.
//!
//! One time for all: senders and receivers in any process of this machine, and BPF programs (`bpf_ktime_get_ns`), speak
//! CLOCK_MONOTONIC, so a stamp made by one can be compared by another. Reading the counter costs a fraction of asking the
//! kernel's clock. The line from counter to nanoseconds is drawn anew ten times a second; how far the old one had strayed by
//! then is kept, and reported as the error of a reading. A clock that was fast does not step back, it waits for the time on a flatter
//! line: of two readings of a thread the later one is never less, so that a difference of two cannot be below zero. The counter is used only where the CPU says that it ticks evenly in all
//! states of sleep (invariant TSC), which quanta checks; elsewhere every reading asks the kernel.

use rustix::time::{ClockId, clock_gettime};

use crate::report;

/// Nanoseconds between two corrections. A TSC line drawn over 100 ms strays by some tens of nanoseconds in the next 100.
const CORRECT_EVERY: u64 = 100_000_000;

/// A pair of readings further apart than this was interrupted, and tells nothing.
const TIGHT_NS: u64 = 1_000;

/// A counter that is this close to the kernel's clock is that clock, and no TSC.
const SAME_NS: u64 = 1_000_000;

/// Bits behind the point of [`Line::rate`].
const RATE_SHIFT: u32 = 32;

/// A clock of one thread.
#[derive(Clone, Debug)]
pub struct Clock {
    counter: quanta::Clock,
    line: Line,
    /// The last correction: counter and nanoseconds of the kernel, not what our line made of them.
    seen: (u64, u64),
    /// Counter value at which it is time to correct.
    correct_at: u64,
    error_ns: u64,
}

/// From counter to nanoseconds: a point and a slope.
#[derive(Clone, Copy, Debug)]
struct Line {
    ticks: u64,
    ns: u64,
    /// Nanoseconds a tick, with [`RATE_SHIFT`] bits behind the point.
    rate: u64,
}

impl Line {
    #[inline]
    fn at(self, ticks: u64) -> u64 {
        // Of a CPU whose counter is behind by a few ticks, the line has not begun yet.
        let passed = u128::from(ticks.saturating_sub(self.ticks)) * u128::from(self.rate);
        self.ns + (passed >> RATE_SHIFT) as u64
    }

    fn through(from: (u64, u64), to: (u64, u64)) -> Self {
        let (ticks, ns) = (
            to.0.saturating_sub(from.0).max(1),
            to.1.saturating_sub(from.1),
        );
        Line {
            ticks: to.0,
            ns: to.1,
            rate: ((u128::from(ns) << RATE_SHIFT) / u128::from(ticks)) as u64,
        }
    }

    /// Goes on from what `self` says at `ticks`, where the truth is `ns` and runs at `rate`. What `self` is ahead is made up
    /// for until the next correction, or at half the speed if it is too much for that.
    fn corrected(self, (ticks, ns): (u64, u64), rate: u64) -> Self {
        let ahead = self.at(ticks).saturating_sub(ns);
        let slower = CORRECT_EVERY - ahead.min(CORRECT_EVERY / 2);
        Line {
            ticks,
            ns: ns + ahead,
            rate: (u128::from(rate) * u128::from(slower) / u128::from(CORRECT_EVERY)) as u64,
        }
    }

    fn ticks_in(self, ns: u64) -> u64 {
        ((u128::from(ns) << RATE_SHIFT) / u128::from(self.rate.max(1))) as u64
    }
}

impl Clock {
    /// Finds the counter's rate. Takes up to 200 ms the first time in a process, then 20.
    pub fn start() -> Self {
        let counter = quanta::Clock::new();
        let first = tight_pair(&counter);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let second = tight_pair(&counter);
        let line = Line::through((first.ticks, first.ns), (second.ticks, second.ns));
        Clock {
            counter,
            line,
            seen: (second.ticks, second.ns),
            correct_at: line.ticks + line.ticks_in(CORRECT_EVERY),
            error_ns: 0,
        }
    }

    /// Now, nanoseconds of CLOCK_MONOTONIC.
    #[inline]
    pub fn now(&mut self) -> u64 {
        let ticks = self.counter.raw();
        if ticks >= self.correct_at {
            return self.correct();
        }
        self.line.at(ticks)
    }

    /// The largest error seen at a correction so far, nanoseconds.
    pub fn error_ns(&self) -> u64 {
        self.error_ns
    }

    #[cold]
    fn correct(&mut self) -> u64 {
        let pair = pair(&self.counter);
        if pair.width_ns > TIGHT_NS {
            // Interrupted every time: the old line is better than a bad point. Soon again.
            self.correct_at = pair.ticks + self.line.ticks_in(CORRECT_EVERY / 100);
            return self.line.at(pair.ticks);
        }
        self.error_ns = self
            .error_ns
            .max(self.line.at(pair.ticks).abs_diff(pair.ns));
        let seen = (pair.ticks, pair.ns);
        let truth = Line::through(self.seen, seen);
        self.line = self.line.corrected(seen, truth.rate);
        self.seen = seen;
        self.correct_at = pair.ticks + truth.ticks_in(CORRECT_EVERY);
        self.line.ns
    }

    /// For the report: the worst of all clocks of a run, `errors` being what [`Clock::error_ns`] said of each.
    pub fn describe(&mut self, errors: impl IntoIterator<Item = u64>) -> report::Clock {
        const READINGS: u64 = 1_000;
        let from = self.now();
        for _ in 0..READINGS {
            std::hint::black_box(self.now());
        }
        let read_ns = (self.now() - from) / READINGS;
        // Where the counter is no TSC, quanta gives the kernel's clock itself.
        let is_tsc = self.seen.0.abs_diff(self.seen.1) > SAME_NS;
        let tsc = is_tsc.then(|| self.line.ticks_in(1_000_000_000));
        report::Clock {
            source: match tsc {
                Some(_) => "CLOCK_MONOTONIC by TSC".into(),
                None => "CLOCK_MONOTONIC".into(),
            },
            tsc_hz: tsc,
            error_ns: errors.into_iter().fold(self.error_ns, u64::max),
            read_ns,
        }
    }
}

/// The kernel's clock and the counter at the same time.
struct Pair {
    ticks: u64,
    ns: u64,
    /// The time that the pair may be off by, nanoseconds.
    width_ns: u64,
}

/// The tightest of a few readings of the kernel's clock between two of the counter. On a busy machine any of them may be
/// interrupted in the middle.
fn pair(counter: &quanta::Clock) -> Pair {
    let read = || {
        let before = counter.raw();
        let ns = kernel_ns();
        let after = counter.raw();
        (before, ns, after)
    };
    let (before, ns, after) = (0..8)
        .map(|_| read())
        .min_by_key(|(before, _, after)| after.wrapping_sub(*before))
        .unwrap_or_else(read);
    Pair {
        ticks: before + (after - before) / 2,
        ns,
        width_ns: counter.delta_as_nanos(before, after),
    }
}

/// A tight one, with patience; on a machine that does not grant one, what there is.
fn tight_pair(counter: &quanta::Clock) -> Pair {
    (0..100)
        .map(|_| pair(counter))
        .find(|pair| pair.width_ns <= TIGHT_NS)
        .unwrap_or_else(|| pair(counter))
}

fn kernel_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Between two readings of the kernel's clock lies one of ours, give or take the error that it admits.
    #[test]
    fn it_agrees_with_the_kernel() {
        let mut clock = Clock::start();
        for _ in 0..30 {
            let before = kernel_ns();
            let ours = clock.now();
            let after = kernel_ns();
            let slack = clock.error_ns() + TIGHT_NS;
            assert!(
                before <= ours + slack && ours <= after + slack,
                "{before} {ours} {after}, error {}",
                clock.error_ns()
            );
            std::thread::sleep(std::time::Duration::from_millis(11));
        }
    }

    #[test]
    fn a_line_goes_through_its_points_and_on() {
        let line = Line::through((1_000, 500), (3_000, 1_500));
        assert_eq!(line.at(3_000), 1_500);
        assert_eq!(line.at(7_000), 3_500);
        assert_eq!(line.ticks_in(1_000), 2_000);
    }

    proptest! {
        /// However fast or slow a line was, after a correction it goes on where it was or where the truth is, whichever is
        /// later, and has met the truth by the next if it was ahead by no more than half of the time until then.
        #[test]
        fn no_correction_turns_time_back(
            ahead in -1_000_000i64..60_000_000,
            rate in 1u64 << 30..1 << 33,
            ticks in 1u64 << 40..1 << 50,
        ) {
            let truth = 1u64 << 45;
            let old = Line { ticks, ns: truth.saturating_add_signed(ahead), rate };
            let new = old.corrected((ticks, truth), rate);
            prop_assert_eq!(new.at(ticks), old.at(ticks).max(truth));
            prop_assert!(new.at(ticks + 1) >= new.at(ticks));
            if ahead <= CORRECT_EVERY as i64 / 2 {
                let next = ticks + old.ticks_in(CORRECT_EVERY);
                prop_assert!(new.at(next).abs_diff(truth + CORRECT_EVERY) <= 10, "{}", new.at(next));
            }
            // A CPU whose counter is a little behind.
            prop_assert_eq!(new.at(ticks - 3), new.at(ticks));
        }
    }

    #[test]
    fn it_never_goes_back() {
        let mut clock = Clock::start();
        let mut before = clock.now();
        // Over several corrections.
        let end = before + 4 * CORRECT_EVERY;
        while before < end {
            let now = clock.now();
            assert!(now >= before, "{now} after {before}");
            before = now;
        }
    }
}
