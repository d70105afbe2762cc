//! The view as a value: what the table shows and `--json` prints, so that the two cannot disagree.
//!
//! Counters are totals since the engine's start. With two samples of one engine there are rates as well, and the shares of
//! a worker's time are those of the interval between them.

use std::time::{SystemTime, UNIX_EPOCH};

use contract::stats::{Life, PortCounter, WorkerCounter};
use serde::Serialize;

use super::control::{ControlStatus, Skipped};
use super::peer::{self, Peer};
use super::port::{self, Port};
use super::sample::Sample;
use super::worker::{self, Worker};

/// Version of the JSON object. Adding a key keeps it; renaming or removing one, or changing its meaning, raises it.
pub const SCHEMA: u32 = 1;

/// Everything there is to see.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this object: 1.
    pub schema: u32,
    /// The engine's process.
    pub engine: Engine,
    /// Seconds between the two samples that rates are of; `null` when there are only totals.
    pub interval_s: Option<f64>,
    /// By index.
    pub workers: Vec<Worker>,
    /// By number in the tables; closed ports that counted something included.
    pub ports: Vec<Port>,
    /// Whether every received frame is accounted for.
    pub conservation: Conservation,
    /// What control says of itself; `null` when there is no `control.json`.
    pub control: Option<Control>,
    /// The busiest first. Without control's status those that had traffic; with it, all.
    pub peers: Vec<Peer>,
}

/// The engine's process.
#[derive(Debug, Serialize)]
pub struct Engine {
    /// `running`, `silent` or `gone`.
    pub state: Life,
    /// Process id.
    pub pid: u32,
    /// Since its start, seconds.
    pub uptime_s: f64,
    /// Since its last heartbeat, seconds.
    pub silent_s: f64,
    /// Rate of the cycle counters.
    pub tsc_hz: u64,
}

/// received = forwarded + dropped, over all ports.
#[derive(Debug, Serialize)]
pub struct Conservation {
    /// Frames received.
    pub received: u64,
    /// Frames given to a transmit ring.
    pub forwarded: u64,
    /// Frames dropped for a reason.
    pub dropped: u64,
    /// Whether the equation holds at every port and each worker's chunks are all in its pool or in its rings.
    pub holds: bool,
}

/// Control's own word.
#[derive(Debug, Serialize)]
pub struct Control {
    /// Whether it gave a sign of life lately; what follows is its last word.
    pub alive: bool,
    /// Since that sign, seconds.
    pub silent_s: f64,
    /// Our subnet, or the state of our lease in words.
    pub lease: String,
    /// Generation of the tables that control published last; 0: none.
    pub generation: u64,
    /// What is wrong now, in control's words; `null` when all is well.
    pub trouble: Option<String>,
    /// Other nodes with a lease.
    pub peers: usize,
    /// Those of them that nothing is sent to.
    pub unreachable: usize,
    /// Keys of the lease source that are not used, and why.
    pub skipped: Vec<Skipped>,
}

impl Report {
    /// The view of `now`, with rates if there is an earlier sample of the same engine.
    pub fn new(now: &Sample, before: Option<&Sample>, control: Option<&ControlStatus>) -> Self {
        let since = Since::new(now, before);
        let ports = port::ports(now, &since);
        Report {
            schema: SCHEMA,
            engine: engine(now),
            interval_s: since.interval_s,
            workers: worker::workers(now, &since),
            conservation: conservation(now, &ports),
            ports,
            control: control.map(|status| Control {
                alive: status.is_alive(),
                silent_s: status.silent.as_secs_f64(),
                lease: status.lease(),
                generation: status.generation,
                trouble: status.trouble.clone(),
                peers: status.peers.len(),
                unreachable: status.unreachable().count(),
                skipped: status.skipped.clone(),
            }),
            peers: peer::peers(now, &since, control),
        }
    }

    /// One line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and finite numbers always serialize")
    }
}

/// The earlier sample that changes are counted from.
pub struct Since<'a> {
    /// `None`: totals only.
    pub before: Option<&'a Sample>,
    /// Seconds between the two.
    interval_s: Option<f64>,
}

impl<'a> Since<'a> {
    /// From `before` to `now`, if both are of one engine.
    pub fn new(now: &Sample, before: Option<&'a Sample>) -> Self {
        let before = before.filter(|before| same_engine(before, now));
        let interval_s =
            before.map(|before| seconds(now.snapshot.taken_ns - before.snapshot.taken_ns));
        Since { before, interval_s }
    }

    /// Change of a counter per second; an interval of nothing has no rate, and counters wrap by design.
    pub fn per_second(&self, now: u64, before: u64) -> f64 {
        match self.interval_s {
            Some(interval) if interval > 0.0 => now.wrapping_sub(before) as f64 / interval,
            _ => 0.0,
        }
    }
}

fn same_engine(a: &Sample, b: &Sample) -> bool {
    let identity = |sample: &Sample| (sample.snapshot.pid, sample.snapshot.started_ns);
    identity(a) == identity(b) && a.snapshot.taken_ns < b.snapshot.taken_ns
}

/// Nanoseconds as seconds.
pub fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn engine(now: &Sample) -> Engine {
    let realtime = SystemTime::now().duration_since(UNIX_EPOCH);
    let realtime_ns = realtime.map_or(0, |since| since.as_nanos() as u64);
    let age = seconds(realtime_ns.saturating_sub(now.snapshot.started_ns));
    let silent_s = seconds(now.snapshot.silent_ns);
    Engine {
        state: now.life,
        pid: now.snapshot.pid,
        // It was up until it was last heard of.
        uptime_s: if now.life == Life::Running {
            age
        } else {
            (age - silent_s).max(0.0)
        },
        silent_s,
        tsc_hz: now.snapshot.tsc_hz,
    }
}

fn conservation(now: &Sample, ports: &[Port]) -> Conservation {
    let sum = |count: &dyn Fn(&Port) -> u64| {
        let add = |sum: u64, port| sum.wrapping_add(count(port));
        ports.iter().fold(0, add)
    };
    let at_ports = ports.iter().all(|port| {
        let accounted = port
            .counters
            .count(PortCounter::Forwarded)
            .wrapping_add(port.dropped);
        port.counters.count(PortCounter::RxPackets) == accounted
    });
    let in_workers = now.snapshot.workers.iter().all(|worker| {
        let count = |counter| worker.counters.count(counter);
        let placed =
            count(WorkerCounter::FramesFree).wrapping_add(count(WorkerCounter::FramesInRings));
        count(WorkerCounter::Frames) == placed
    });
    Conservation {
        received: sum(&|port| port.counters.count(PortCounter::RxPackets)),
        forwarded: sum(&|port| port.counters.count(PortCounter::Forwarded)),
        dropped: sum(&|port| port.dropped),
        holds: at_ports && in_workers,
    }
}
