//! Time: nanoseconds of CLOCK_MONOTONIC, read through the time stamp counter.
//!
//! One time for all: senders and receivers in any process of this machine, and BPF programs (`bpf_ktime_get_ns`), speak
//! CLOCK_MONOTONIC, so a stamp made by one can be compared by another. Reading the counter costs a fraction of asking the
//! kernel's clock. The line from counter to nanoseconds is drawn anew ten times a second; how far the old one had strayed by
//! then is kept, and reported as the error of a reading. The counter is used only where the CPU says that it ticks evenly in all
//! states of sleep (invariant TSC), which quanta checks; elsewhere every reading asks the kernel.

use rustix::time::{ClockId, clock_gettime};

use crate::report;

/// Nanoseconds between two corrections. A TSC line drawn over 100 ms strays by some tens of nanoseconds in the next 100.
const CORRECT_EVERY: u64 = 100_000_000;

/// A pair of readings further apart than this was interrupted, and tells nothing.
const TIGHT_NS: u64 = 1_000;

/// Bits behind the point of [`Line::rate`].
const RATE_SHIFT: u32 = 32;

/// A clock of one thread.
#[derive(Clone, Debug)]
pub struct Clock {
    counter: quanta::Clock,
    line: Line,
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
        let passed = u128::from(ticks.wrapping_sub(self.ticks)) * u128::from(self.rate);
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
        self.line = Line::through((self.line.ticks, self.line.ns), (pair.ticks, pair.ns));
        self.correct_at = pair.ticks + self.line.ticks_in(CORRECT_EVERY);
        pair.ns
    }

    /// For the report: the worst of all clocks of a run, `errors` being what [`Clock::error_ns`] said of each.
    pub fn describe(&mut self, errors: impl IntoIterator<Item = u64>) -> report::Clock {
        const READINGS: u64 = 1_000;
        let from = self.now();
        for _ in 0..READINGS {
            std::hint::black_box(self.now());
        }
        let read_ns = (self.now() - from) / READINGS;
        let tsc = (self.line.rate != 1 << RATE_SHIFT).then(|| self.line.ticks_in(1_000_000_000));
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
}
