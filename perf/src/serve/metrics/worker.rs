//! Families of workers: one for each [`WorkerCounter`], cycles told as seconds, and the histogram of residence times.

use contract::stats::{Residence, WorkerCounter};
use prometheus_client::registry::Unit;

use super::family::{Family, Kind, Value};
use crate::stats::{Sample, seconds};

/// Upper bounds of the histogram, seconds. Fixed, for a bucket that comes and goes has no rate; from a burst that was
/// passed on at once to what a user notices.
const BOUNDS: [f64; 16] = [
    1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 1e-1, 1.0,
];

/// How a counter is told.
enum As {
    /// As it is.
    Count(&'static str),
    /// TSC cycles, told as seconds.
    Cycles(&'static str),
    /// A value that goes both ways.
    Gauge(&'static str),
    /// A moment of CLOCK_MONOTONIC, which means nothing elsewhere: told as its age.
    Age(&'static str),
    /// Not told.
    Not,
}

fn told(counter: WorkerCounter) -> As {
    match counter {
        WorkerCounter::Turns => As::Count("worker_turns"),
        WorkerCounter::BusyTurns => As::Count("worker_busy_turns"),
        WorkerCounter::BusyCycles => As::Cycles("worker_busy"),
        WorkerCounter::IdleCycles => As::Cycles("worker_idle"),
        WorkerCounter::Sleeps => As::Count("worker_sleeps"),
        WorkerCounter::SleepCycles => As::Cycles("worker_sleep"),
        WorkerCounter::Generation => As::Gauge("worker_tables_generation"),
        WorkerCounter::HeartbeatNs => As::Age("worker_heartbeat_age"),
        WorkerCounter::Frames => As::Gauge("worker_frames"),
        WorkerCounter::FramesFree => As::Gauge("worker_free_frames"),
        WorkerCounter::FramesInRings => As::Gauge("worker_ring_frames"),
        WorkerCounter::Cpu => As::Gauge("worker_cpu"),
        WorkerCounter::Queue => As::Gauge("worker_queue"),
        WorkerCounter::Hugepages => As::Gauge("worker_hugepages"),
        // The same moment as the heartbeat, on another clock.
        WorkerCounter::HeartbeatTsc => As::Not,
        WorkerCounter::TraceSkipped => As::Count("worker_trace_skipped_packets"),
    }
}

/// What cycles and moments are told as needs other words than the counter's own.
fn help(counter: WorkerCounter) -> &'static str {
    match counter {
        WorkerCounter::BusyCycles => "Time in turns that received frames.",
        WorkerCounter::IdleCycles => "Time in turns that received none, sleeping not included.",
        WorkerCounter::SleepCycles => "Time asleep.",
        WorkerCounter::HeartbeatNs => {
            "Since the worker's last commit; an idle one commits as well."
        }
        other => other.meaning(),
    }
}

pub fn families(sample: Option<&Sample>) -> Vec<Family> {
    let mut families: Vec<Family> = WorkerCounter::ALL
        .iter()
        .filter_map(|c| family(*c, sample))
        .collect();
    families.push(residence(sample));
    families
}

/// The name of what a counter is told as, without prefix and suffix; `None` when it is not told.
#[cfg(test)]
pub fn name(counter: WorkerCounter) -> Option<&'static str> {
    family(counter, None).map(|family| family.name)
}

fn family(counter: WorkerCounter, sample: Option<&Sample>) -> Option<Family> {
    let (kind, name, unit) = match told(counter) {
        As::Count(name) => (Kind::Counter, name, None),
        As::Cycles(name) => (Kind::Counter, name, Some(Unit::Seconds)),
        As::Gauge(name) => (Kind::Gauge, name, None),
        As::Age(name) => (Kind::Gauge, name, Some(Unit::Seconds)),
        As::Not => return None,
    };
    let mut family = Family::new(kind, name, unit, help(counter));
    for (sample, worker) in sample
        .iter()
        .flat_map(|s| s.snapshot.workers.iter().map(move |w| (s, w)))
    {
        let count = worker.counters.count(counter);
        let value = match told(counter) {
            As::Cycles(_) => Value::Real(count as f64 / sample.snapshot.tsc_hz.max(1) as f64),
            As::Age(_) => Value::Real(seconds(sample.snapshot.taken_ns.saturating_sub(count))),
            As::Count(_) | As::Gauge(_) | As::Not => Value::Whole(count),
        };
        family.push([("worker", &worker.index.to_string())], value);
    }
    Some(family)
}

fn residence(sample: Option<&Sample>) -> Family {
    let help =
        "How long sampled bursts were held, from off the rx ring until given to transmit rings.";
    let mut family = Family::new(
        Kind::Histogram,
        "worker_residence",
        Some(Unit::Seconds),
        help,
    );
    for worker in sample.iter().flat_map(|sample| &sample.snapshot.workers) {
        family.push(
            [("worker", &worker.index.to_string())],
            buckets(&worker.residence),
        );
    }
    family
}

/// The engine's fine buckets put into ours: each goes whole to the first bound that none of its times exceeds, so a
/// quantile read here may be too long and is never too short.
pub fn buckets(residence: &Residence) -> Value {
    let mut counts: Vec<(f64, u64)> = BOUNDS.iter().map(|bound| (*bound, 0)).collect();
    counts.push((f64::INFINITY, 0));
    for (ns, n) in residence.buckets() {
        let at = counts.partition_point(|(bound, _)| *bound < ns / 1e9);
        let last = counts.len() - 1;
        // A mangled segment must not make the encoder's sum overflow.
        counts[at.min(last)].1 += n.min(1 << 48);
    }
    Value::Buckets {
        sum: residence.mean_ns().unwrap_or(0.0) / 1e9 * residence.count() as f64,
        counts,
    }
}
