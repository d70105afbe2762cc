//! Counting what arrives: every frame of a receiver is exactly one of received, duplicate, corrupted, foreign; of the
//! received some are reordered; what is missing is lost.
//!
//! One [`Account`] per receiving worker, without locks; at the end they are merged, which is exact: a duplicate that
//! arrived on another queue is found then. For the live line each worker gives its [`Interval`] away once a second.

pub mod block;
pub mod chunk;
pub mod interval;
pub mod latency;
pub mod order;
pub mod outcome;
pub mod sequence;

pub use interval::Interval;

use crate::frame::FCS_LEN;
use crate::frame::classify::Seen;
use crate::frame::signature::{Lane, Signature, age_ns};
use latency::Latency;
use sequence::{Arrival, Sequences};

/// What one worker received.
#[derive(Debug, Default)]
pub struct Account {
    /// By stream, as far as streams were seen.
    pub streams: Vec<StreamAccount>,
    /// Damaged, and not even the lane could be read with certainty.
    pub corrupted: u64,
    /// Not ours, or of another run.
    pub foreign: u64,
    /// Frames received in all, and their bytes with FCS.
    pub frames: u64,
    /// Bytes with FCS.
    pub bytes: u64,
    /// The run locked on: that of the first intact packet, or the one given.
    pub run: Option<u16>,
    /// Frames of `foreign` that were intact and of another run than the one locked on.
    pub other_runs: u64,
    interval: Interval,
}

/// What one worker received of one stream.
#[derive(Debug, Default)]
pub struct StreamAccount {
    /// One per sending worker.
    pub lanes: Vec<(Lane, Sequences)>,
    /// Damaged.
    pub corrupted: u64,
    /// Bytes with FCS of the intact ones, duplicates included.
    pub bytes: u64,
    /// Time on the way, of every first copy.
    pub latency: Latency,
}

impl StreamAccount {
    /// The lane, from its first packet on.
    #[inline]
    fn lane(&mut self, lane: Lane) -> &mut Sequences {
        let place = match self.lanes.iter().position(|(known, _)| *known == lane) {
            Some(place) => place,
            None => {
                self.lanes.push((lane, Sequences::default()));
                self.lanes.len() - 1
            }
        };
        &mut self.lanes[place].1
    }

    fn sum(&self, what: impl Fn(&Sequences) -> u64) -> u64 {
        self.lanes
            .iter()
            .map(|(_, sequences)| what(sequences))
            .sum()
    }

    /// First copies.
    pub fn received(&self) -> u64 {
        self.sum(Sequences::received)
    }

    /// Further copies.
    pub fn duplicates(&self) -> u64 {
        self.sum(Sequences::duplicates)
    }

    /// Reordered first copies.
    pub fn reordered(&self) -> u64 {
        self.sum(Sequences::reordered)
    }

    /// Packets far from all others of their lane; they count as foreign.
    pub fn strays(&self) -> u64 {
        self.sum(Sequences::strays)
    }

    fn merge(&mut self, other: &StreamAccount) {
        for (lane, sequences) in &other.lanes {
            self.lane(*lane).merge(sequences);
        }
        self.corrupted += other.corrupted;
        self.bytes += other.bytes;
        self.latency.merge(&other.latency);
    }
}

impl Account {
    /// Of run `run`; `None`: that of the first intact packet.
    pub fn of(run: Option<u16>) -> Self {
        Account {
            run,
            ..Account::default()
        }
    }

    /// Counts a frame of `frame_len` bytes (without FCS) that was received at `now_ns`. Latencies are those of first
    /// copies: a copy says how long copying takes.
    #[inline]
    pub fn record(&mut self, seen: Seen, frame_len: usize, now_ns: u64) {
        let bytes = (frame_len + FCS_LEN) as u64;
        self.frames += 1;
        self.bytes += bytes;
        match seen {
            Seen::Intact(signature) if *self.run.get_or_insert(signature.run) == signature.run => {
                self.intact(signature, bytes, now_ns);
            }
            Seen::Intact(_) => {
                self.foreign += 1;
                self.other_runs += 1;
            }
            Seen::Corrupted(lane) => {
                self.interval.faults += 1;
                match lane {
                    Some(lane) => self.stream(lane).corrupted += 1,
                    None => self.corrupted += 1,
                }
            }
            Seen::Foreign => self.foreign += 1,
        }
    }

    #[inline]
    fn intact(&mut self, signature: Signature, bytes: u64, now_ns: u64) {
        let stream = self.stream(signature.lane);
        let arrival = stream
            .lane(signature.lane)
            .insert(signature.flow, signature.sequence);
        if arrival == Arrival::Stray {
            return;
        }
        stream.bytes += bytes;
        let age = match arrival {
            Arrival::Duplicate => None,
            _ => {
                let age = age_ns(signature.stamp, now_ns);
                match age {
                    Some(ns) => stream.latency.record(ns),
                    None => stream.latency.record_future(),
                }
                age
            }
        };
        self.interval.received += 1;
        self.interval.bytes += bytes;
        self.interval.faults += u64::from(arrival != Arrival::InOrder);
        if let Some(ns) = age {
            self.interval.record(ns);
        }
    }

    #[inline]
    fn stream(&mut self, lane: Lane) -> &mut StreamAccount {
        let index = lane.stream();
        if index >= self.streams.len() {
            self.streams.resize_with(index + 1, StreamAccount::default);
        }
        &mut self.streams[index]
    }

    /// Frames of ours so far, intact, duplicates included: cheap, for a worker that wants to know after each burst
    /// whether anything came. Counts since the last [`Account::take_interval`].
    pub fn received_in_interval(&self) -> u64 {
        self.interval.received
    }

    /// What came since the last call.
    pub fn take_interval(&mut self) -> Interval {
        let mut taken = std::mem::take(&mut self.interval);
        taken.lanes = (self.streams.iter().flat_map(|stream| &stream.lanes))
            .map(|(lane, sequences)| interval::LaneState {
                lane: *lane,
                first: sequences.first(),
                end: sequences.end(),
                received: sequences.received(),
            })
            .collect();
        taken
    }

    /// First copies, all streams.
    pub fn received(&self) -> u64 {
        self.streams.iter().map(StreamAccount::received).sum()
    }

    /// Adds another worker's. If each locked on to another run, the one that received more is the run; the other's
    /// frames are foreign to it.
    pub fn merge(&mut self, other: &Account) {
        self.frames += other.frames;
        self.bytes += other.bytes;
        self.foreign += other.foreign;
        self.other_runs += other.other_runs;
        match (self.run, other.run) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                if other.received() > self.received() {
                    self.forget_ours();
                    self.run = other.run;
                } else {
                    let frames = other.frames - other.foreign;
                    self.foreign += frames;
                    self.other_runs += frames;
                    return;
                }
            }
            _ => self.run = self.run.or(other.run),
        }
        self.corrupted += other.corrupted;
        if self.streams.len() < other.streams.len() {
            self.streams
                .resize_with(other.streams.len(), StreamAccount::default);
        }
        for (stream, theirs) in self.streams.iter_mut().zip(&other.streams) {
            stream.merge(theirs);
        }
    }

    /// All workers' accounts in one. The first is taken as it is, which spares a copy of its chunks.
    pub fn merged(accounts: impl IntoIterator<Item = Account>) -> Account {
        accounts
            .into_iter()
            .reduce(|mut sum, account| {
                sum.merge(&account);
                sum
            })
            .unwrap_or_default()
    }

    /// What we counted was of a run that is not the one.
    fn forget_ours(&mut self) {
        let count = |stream: &StreamAccount| {
            stream.received() + stream.duplicates() + stream.strays() + stream.corrupted
        };
        let frames = self.corrupted + self.streams.iter().map(count).sum::<u64>();
        self.foreign += frames;
        self.other_runs += frames;
        self.corrupted = 0;
        self.streams.clear();
    }
}
