//! The engine's TSC as the time of day.
//!
//! Each commit of a worker stores both clocks: an anchor. The rate is the one that the engine measured, good to 0.01 %, until
//! two anchors a second apart tell a better one; from the newest anchor on, errors stay below a microsecond or so.

use std::time::{SystemTime, UNIX_EPOCH};

use contract::stats::{Snapshot, WorkerCounter, WorkerCounters, monotonic_ns};

/// Nanoseconds between anchors that a rate is taken from.
const APART_NS: u64 = 1_000_000_000;

/// One worker's clock.
#[derive(Clone, Debug)]
pub struct TscClock {
    first: Anchor,
    last: Anchor,
    ns_per_cycle: f64,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    tsc: u64,
    ns: u64,
}

impl Anchor {
    fn of(counters: &WorkerCounters) -> Self {
        Anchor {
            tsc: counters.count(WorkerCounter::HeartbeatTsc),
            ns: counters.count(WorkerCounter::HeartbeatNs),
        }
    }
}

impl TscClock {
    /// A clock of a worker that counts `tsc_hz`.
    pub fn new(counters: &WorkerCounters, tsc_hz: u64) -> Self {
        let first = Anchor::of(counters);
        TscClock {
            first,
            last: first,
            ns_per_cycle: 1e9 / tsc_hz.max(1) as f64,
        }
    }

    /// Takes a newer anchor.
    pub fn update(&mut self, counters: &WorkerCounters) {
        self.last = Anchor::of(counters);
        let ns = self.last.ns.wrapping_sub(self.first.ns);
        let cycles = self.last.tsc.wrapping_sub(self.first.tsc);
        if (APART_NS..u64::MAX / 2).contains(&ns) && cycles > 0 {
            self.ns_per_cycle = ns as f64 / cycles as f64;
        }
    }

    /// CLOCK_MONOTONIC at a value of the counter, nanoseconds.
    pub fn monotonic_ns(&self, tsc: u64) -> u64 {
        // Records are older than the anchor or a little newer.
        let cycles = tsc.wrapping_sub(self.last.tsc) as i64;
        let ns = (cycles as f64 * self.ns_per_cycle) as i64;
        self.last.ns.saturating_add_signed(ns)
    }
}

/// What to add to CLOCK_MONOTONIC for the time of day now: the wall clock may be set.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    offset_ns: u64,
}

impl WallClock {
    /// Reads both clocks.
    pub fn now() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall_ns = wall.map_or(0, |since| since.as_nanos() as u64);
        WallClock {
            offset_ns: wall_ns.wrapping_sub(monotonic_ns()),
        }
    }

    /// Nanoseconds since 1970 of a monotonic time.
    pub fn unix_ns(self, monotonic_ns: u64) -> u64 {
        monotonic_ns.wrapping_add(self.offset_ns)
    }

    /// When the engine was last heard of.
    pub fn last_beat(self, snapshot: &Snapshot) -> u64 {
        self.unix_ns(snapshot.taken_ns.saturating_sub(snapshot.silent_ns))
    }
}

/// `14:03:18.123456`, UTC.
pub fn time_of_day(unix_ns: u64) -> String {
    let (seconds, us) = (unix_ns / 1_000_000_000, unix_ns / 1000 % 1_000_000);
    let [h, m, s] = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
    format!("{h:02}:{m:02}:{s:02}.{us:06}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(tsc: u64, ns: u64) -> WorkerCounters {
        let mut counters = WorkerCounters::default();
        counters.set(WorkerCounter::HeartbeatTsc, tsc);
        counters.set(WorkerCounter::HeartbeatNs, ns);
        counters
    }

    #[test]
    fn anchors_tell_the_rate_better_than_the_header() {
        // It counts 2.5 GHz and says 2.
        let mut clock = TscClock::new(&counters(1_000, 500), 2_000_000_000);
        assert_eq!(clock.monotonic_ns(1_200), 600);
        clock.update(&counters(1_000 + 2_500_000_000, 500 + 1_000_000_000));
        assert_eq!(
            clock.monotonic_ns(1_000 + 2_500_000_000 - 250),
            1_000_000_400
        );
        assert_eq!(
            clock.monotonic_ns(1_000 + 2_500_000_000 + 250),
            1_000_000_600
        );
    }

    #[test]
    fn mangled_anchors_are_times_not_panics() {
        let mut clock = TscClock::new(&counters(u64::MAX, u64::MAX), 0);
        clock.update(&counters(0, 0));
        let _ = (
            clock.monotonic_ns(u64::MAX / 2),
            WallClock::now().unix_ns(u64::MAX),
        );
    }

    #[test]
    fn times_read_as_clocks_do() {
        assert_eq!(time_of_day(0), "00:00:00.000000");
        assert_eq!(
            time_of_day((86_400 + 3_661) * 1_000_000_000 + 7_999),
            "01:01:01.000007"
        );
    }
}
