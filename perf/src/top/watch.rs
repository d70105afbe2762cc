//! From samples to what is known: which two of them rates are of, since when the tables stand, which drops move.
//!
//! Invariant: `last` is the last sample in which the engine beat anew. Of an engine that is gone the same counters can
//! be read again and again; taking them for news would show rates of zero where the truth is that nobody counts.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::stats::{DropReason, WorkerCounter};

use super::residence::Recent;
use crate::stats::{Life, Sample};

/// How long a reason that took a frame counts as one that moves.
const MOVES: u64 = Duration::from_secs(60).as_nanos() as u64;

/// Whether the engine lives, as of the last look.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    /// Running, silent or gone.
    pub life: Life,
    /// Its process.
    pub pid: u32,
    /// Since its last beat, nanoseconds.
    pub silent_ns: u64,
    /// The same moment in nanoseconds since 1970.
    pub unix_ns: u64,
}

impl Pulse {
    /// When it last beat, nanoseconds since 1970.
    pub fn last_beat_ns(&self) -> u64 {
        self.unix_ns.saturating_sub(self.silent_ns)
    }
}

/// The tables that the workers use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Generation {
    /// The newest of them; 0: none.
    pub number: u64,
    /// Since it was first seen, nanoseconds. It may be older: the segment does not say.
    pub age_ns: u64,
}

/// What follows the samples.
#[derive(Default)]
pub struct Watch {
    previous: Option<Sample>,
    last: Option<Sample>,
    generation: Option<(u64, u64)>,
    /// By port and reason: the total, and when it was last seen to change.
    drops: BTreeMap<(usize, usize), (u64, Option<u64>)>,
    residence: Recent,
}

impl Watch {
    /// Takes a sample in; whether it is news.
    pub fn look(&mut self, sample: Sample) -> bool {
        if let Some(last) = &self.last {
            if !same_engine(last, &sample) {
                *self = Watch::default();
            } else if beat(last) == beat(&sample)
                || last.snapshot.taken_ns >= sample.snapshot.taken_ns
            {
                return false;
            }
        }
        self.previous = self.last.take();
        self.note(&sample);
        self.last = Some(sample);
        true
    }

    fn note(&mut self, sample: &Sample) {
        let now = sample.snapshot.taken_ns;
        let number = generation(sample);
        if self.generation.is_none_or(|(known, _)| known != number) {
            self.generation = Some((number, now));
        }
        let first = self.previous.is_none();
        for worker in &sample.snapshot.workers {
            for (port, _) in &worker.ports {
                let counters = sample.snapshot.port(*port);
                for (reason, total) in counters.drops.iter().enumerate() {
                    let known = self.drops.entry((*port, reason)).or_default();
                    if known.0 != *total {
                        // What the first sample has may have been lost long ago.
                        *known = (*total, (!first).then_some(now));
                    }
                }
            }
        }
        self.residence.update(&sample.snapshot);
    }

    /// The last sample that was news, and the one that rates are counted from.
    pub fn samples(&self) -> (Option<&Sample>, Option<&Sample>) {
        (self.last.as_ref(), self.previous.as_ref())
    }

    /// Residence times.
    pub fn residence(&self) -> &Recent {
        &self.residence
    }

    /// Whether this reason took frames at this port lately, while we looked.
    pub fn moves(&self, port: usize, reason: DropReason) -> bool {
        let now = self.last.as_ref().map_or(0, |last| last.snapshot.taken_ns);
        let changed = self.drops.get(&(port, reason as usize));
        changed.is_some_and(|(_, at)| at.is_some_and(|at| now.saturating_sub(at) < MOVES))
    }

    /// The tables in use.
    pub fn generation(&self) -> Generation {
        let now = self.last.as_ref().map_or(0, |last| last.snapshot.taken_ns);
        self.generation
            .map_or(Generation::default(), |(number, since)| Generation {
                number,
                age_ns: now.saturating_sub(since),
            })
    }
}

/// A pulse of this sample, taken at this time of day.
pub fn pulse(sample: &Sample, unix_ns: u64) -> Pulse {
    Pulse {
        life: sample.life,
        pid: sample.snapshot.pid,
        silent_ns: sample.snapshot.silent_ns,
        unix_ns,
    }
}

fn generation(sample: &Sample) -> u64 {
    let workers = sample.snapshot.workers.iter();
    let numbers = workers.map(|worker| worker.counters.count(WorkerCounter::Generation));
    numbers.max().unwrap_or(0)
}

fn same_engine(a: &Sample, b: &Sample) -> bool {
    let identity = |sample: &Sample| (sample.snapshot.pid, sample.snapshot.started_ns);
    identity(a) == identity(b)
}

fn beat(sample: &Sample) -> u64 {
    let snapshot = &sample.snapshot;
    snapshot.taken_ns.saturating_sub(snapshot.silent_ns)
}
