//! Workers in the view.

use contract::stats::{SILENT_AFTER_NS, WorkerCounter, WorkerCounters};
use serde::{Serialize, Serializer};

use super::report::{Since, seconds};
use super::sample::Sample;

/// A worker's thread.
#[derive(Debug, Serialize)]
pub struct Worker {
    /// Its place in `node.toml`.
    pub index: usize,
    /// Since its last commit, seconds; an idle worker commits as well.
    pub silent_s: f64,
    /// Share of its time in turns that received frames, 0 to 1.
    pub busy: f64,
    /// Share of its time asleep, 0 to 1.
    pub asleep: f64,
    /// Passes of the loop per second.
    pub turns_per_s: Option<f64>,
    /// By [`WorkerCounter`].
    #[serde(serialize_with = "worker_counts")]
    pub counters: WorkerCounters,
}

impl Worker {
    /// Whether it hangs while its process lives.
    pub fn is_silent(&self) -> bool {
        self.silent_s > seconds(SILENT_AFTER_NS)
    }
}

/// The workers of `now`.
pub fn workers(now: &Sample, since: &Since) -> Vec<Worker> {
    now.snapshot
        .workers
        .iter()
        .map(|worker| {
            let before = since.before.and_then(|sample| {
                let mut workers = sample.snapshot.workers.iter();
                workers.find(|earlier| earlier.index == worker.index)
            });
            let change = |counter| {
                let earlier = before.map_or(0, |earlier| earlier.counters.count(counter));
                worker.counters.count(counter).wrapping_sub(earlier) as f64
            };
            let busy = change(WorkerCounter::BusyCycles);
            let asleep = change(WorkerCounter::SleepCycles);
            let all = busy + asleep + change(WorkerCounter::IdleCycles);
            let share = |part: f64| if all > 0.0 { part / all } else { 0.0 };
            Worker {
                index: worker.index,
                silent_s: seconds(
                    now.snapshot
                        .taken_ns
                        .saturating_sub(worker.counters.count(WorkerCounter::HeartbeatNs)),
                ),
                busy: share(busy),
                asleep: share(asleep),
                turns_per_s: before.map(|before| {
                    let turns = WorkerCounter::Turns;
                    since.per_second(worker.counters.count(turns), before.counters.count(turns))
                }),
                counters: worker.counters,
            }
        })
        .collect()
}

fn worker_counts<S: Serializer>(counters: &WorkerCounters, to: S) -> Result<S::Ok, S::Error> {
    let all = WorkerCounter::ALL.iter();
    to.collect_map(all.map(|counter| (counter.name(), counters.count(*counter))))
}
