//! What is seen of a run while it goes on: a line each second.

use crate::account::Interval;
use crate::profile::Stop;
use crate::report::Second;
use crate::report::line::{self, Progress};
use crate::report::save;
use crate::run::session::Run;

/// Gets each second of a run.
pub trait Watch {
    /// A second has passed.
    fn second(&mut self, moment: &Moment, run: &Run);
}

/// A second, and the sums so far.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// The second.
    pub second: Second,
    /// Frames sent so far.
    pub sent: u64,
    /// First copies received so far.
    pub received: u64,
    /// Duplicates, reordered and corrupted so far.
    pub faults: u64,
}

/// Watches nothing.
pub struct Silent;

impl Watch for Silent {
    fn second(&mut self, _: &Moment, _: &Run) {}
}

/// Prints lines to stderr, for stdout may be a report's.
pub struct Lines {
    /// With colours.
    pub coloured: bool,
    /// Whether both ends are ours, so that the difference is loss.
    pub both: bool,
}

impl Lines {
    /// Coloured where stderr is a terminal that wants it (no-color.org).
    pub fn new(both: bool) -> Self {
        Lines {
            coloured: save::wants_colours(&std::io::stderr()),
            both,
        }
    }
}

impl Watch for Lines {
    fn second(&mut self, moment: &Moment, run: &Run) {
        let progress = Progress {
            elapsed: moment.second.at,
            total: match run.stop {
                Stop::After(ns) => Some(ns as f64 / 1e9),
                _ => None,
            },
            count: match run.stop {
                Stop::Count(count) => Some((count, moment.sent.max(moment.received))),
                _ => None,
            },
            last: moment.second.clone(),
            lost: self
                .both
                .then(|| moment.sent.saturating_sub(moment.received)),
            faults: moment.faults,
        };
        eprintln!("{}", line::render(&progress, self.coloured));
    }
}

/// Cuts a run into seconds.
pub struct Tick {
    start_ns: u64,
    next_ns: u64,
    before: Sums,
    faults: u64,
}

/// Sums over a run so far: frames, and bytes with FCS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    /// Frames sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// First copies received.
    pub received: u64,
    /// Bytes of all of ours that was received.
    pub received_bytes: u64,
}

/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;

impl Tick {
    /// From `start_ns` on.
    pub fn new(start_ns: u64) -> Self {
        Tick {
            start_ns,
            next_ns: start_ns + SECOND,
            before: Sums::default(),
            faults: 0,
        }
    }

    /// The second that has just passed, if one has. `sums` are those so far; `intervals` what the receivers told since.
    pub fn take(
        &mut self,
        now: u64,
        sums: Sums,
        intervals: impl FnOnce() -> Vec<Interval>,
    ) -> Option<Moment> {
        if now < self.next_ns {
            return None;
        }
        self.next_ns = now + SECOND - (now - self.start_ns) % SECOND;
        let intervals = intervals();
        let mut interval = Interval::default();
        intervals.iter().for_each(|other| interval.merge(other));
        self.faults += interval.faults;
        let second = Second {
            sent: sums.sent - self.before.sent,
            sent_bytes: sums.sent_bytes - self.before.sent_bytes,
            received: sums.received - self.before.received,
            received_bytes: sums.received_bytes - self.before.received_bytes,
            ..interval.second((now - self.start_ns) as f64 / 1e9)
        };
        self.before = sums;
        Some(Moment {
            second,
            sent: sums.sent,
            received: sums.received,
            faults: self.faults,
        })
    }
}
