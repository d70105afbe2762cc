//! What came since the last look: the live line and the timeline of the report, second by second.
//!
//! A worker gives its interval away and begins a new one; intervals of several workers are merged by who shows them.
//! The histogram is a small one (two digits, 16 KiB), for it is made anew each second.

use hdrhistogram::Histogram;

use super::latency::HIGHEST_NS;
use crate::frame::signature::Lane;
use crate::report::Second;

/// What one worker received in a while.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Intact frames of ours, duplicates included.
    pub received: u64,
    /// Their bytes with FCS.
    pub bytes: u64,
    /// Duplicates, reordered and corrupted ones.
    pub faults: u64,
    /// How far each lane is since the start (not in this interval only).
    pub lanes: Vec<LaneState>,
    latency: Histogram<u32>,
}

/// How far a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneState {
    /// Which.
    pub lane: Lane,
    /// Lowest number seen.
    pub first: u64,
    /// One more than the highest number seen.
    pub end: u64,
    /// First copies.
    pub received: u64,
}

/// Latencies of an interval, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// Median.
    pub p50: u64,
    /// 99 %.
    pub p99: u64,
    /// Largest.
    pub max: u64,
}

impl Default for Interval {
    fn default() -> Self {
        Interval {
            received: 0,
            bytes: 0,
            faults: 0,
            lanes: Vec::new(),
            latency: Histogram::new_with_bounds(1, HIGHEST_NS, 2).expect("bounds that are valid"),
        }
    }
}

impl Interval {
    #[inline]
    pub(super) fn record(&mut self, ns: u64) {
        self.latency.saturating_record(ns);
    }

    /// Adds another worker's.
    pub fn merge(&mut self, other: &Interval) {
        self.received += other.received;
        self.bytes += other.bytes;
        self.faults += other.faults;
        self.latency.add(&other.latency).expect("the same bounds");
        for theirs in &other.lanes {
            match self.lanes.iter_mut().find(|lane| lane.lane == theirs.lane) {
                Some(lane) => {
                    lane.first = lane.first.min(theirs.first);
                    lane.end = lane.end.max(theirs.end);
                    lane.received += theirs.received;
                }
                None => self.lanes.push(*theirs),
            }
        }
    }

    /// Latencies, two digits; `None` if there were none.
    pub fn quantiles(&self) -> Option<Quantiles> {
        (!self.latency.is_empty()).then(|| Quantiles {
            p50: self.latency.value_at_quantile(0.5),
            p99: self.latency.value_at_quantile(0.99),
            max: self.latency.max(),
        })
    }

    /// Missing since the start, below the highest numbers seen: a figure for the live line. Packets on their way
    /// through a slower queue count as lost until they are there, and a copy that came by two queues hides a loss until
    /// the end.
    pub fn missing(&self, join: bool) -> u64 {
        let missing = |lane: &LaneState| {
            (lane.end - if join { lane.first } else { 0 }).saturating_sub(lane.received)
        };
        self.lanes.iter().map(missing).sum()
    }

    /// First copies since the start.
    pub fn received_so_far(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.received).sum()
    }

    /// The receiver's part of a second that ends `at` seconds after the start.
    pub fn second(&self, at: f64) -> Second {
        let quantiles = self.quantiles();
        Second {
            at,
            received: self.received,
            received_bytes: self.bytes,
            p50: quantiles.map(|q| q.p50),
            p99: quantiles.map(|q| q.p99),
            max: quantiles.map(|q| q.max),
            ..Second::default()
        }
    }
}
