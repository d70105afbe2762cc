//! One moment as rows: the report that `stats` prints as well, and what only a dashboard asks for.

use contract::stats::{DropReason, WorkerCounter, WorkerSnapshot};
use contract::stats::{PortCounter, PortCounters};

use super::watch::{Generation, Watch};
use crate::stats::{ControlStatus, Report, Since, printable};

/// Packets and bits a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flow {
    /// Frames a second.
    pub packets: f64,
    /// Bits a second, from the Ethernet header on.
    pub bits: f64,
}

/// A worker, as a row.
#[derive(Clone, Debug)]
pub struct WorkerRow {
    /// Its place in `node.toml`.
    pub index: usize,
    /// CPU it is pinned to.
    pub cpu: u64,
    /// Queue of every port that it owns.
    pub queue: u64,
    /// Share of its time in turns that received frames, 0 to 1.
    pub busy: f64,
    /// Share of its time asleep, 0 to 1.
    pub asleep: f64,
    /// Its main thread lives and it does not commit.
    pub silent: bool,
    /// Received and sent; `None` before there are rates.
    pub flows: Option<[Flow; 2]>,
    /// Frames received per turn that received any.
    pub burst: Option<f64>,
    /// Residence times that half and 99 % of the timed bursts did not exceed, nanoseconds.
    pub residence_ns: Option<[f64; 2]>,
    /// Passes of the loop per second.
    pub turns: Option<f64>,
    /// Generation of its tables.
    pub generation: u64,
    /// Chunks in its pool.
    pub frames_free: u64,
}

/// A drop reason at a port, as a row.
#[derive(Clone, Debug)]
pub struct DropRow {
    /// The port, by name.
    pub port: String,
    /// Why.
    pub reason: DropReason,
    /// Frames a second.
    pub per_second: Option<f64>,
    /// Frames since the engine's start.
    pub total: u64,
    /// It took frames lately.
    pub moves: bool,
}

/// All rows.
pub struct View {
    /// What `stats` shows.
    pub report: Report,
    /// By index.
    pub workers: Vec<WorkerRow>,
    /// Reasons that ever took a frame, the fastest first.
    pub drops: Vec<DropRow>,
    /// Sent by underlay ports.
    pub out: Flow,
    /// Received by underlay ports.
    pub into: Flow,
    /// Frames a second dropped.
    pub dropped: f64,
    /// The busiest worker and its busy share.
    pub busiest: Option<(usize, f64)>,
    /// The tables in use.
    pub generation: Generation,
    /// The tables that control says stand.
    pub published: Option<u64>,
}

impl View {
    /// What is known now; `None` before the first sample.
    pub fn new(watch: &Watch, control: Option<&ControlStatus>) -> Option<Self> {
        let (now, before) = watch.samples();
        let now = now?;
        let report = Report::new(now, before, control);
        let since = Since::new(now, before);
        let workers: Vec<WorkerRow> = report
            .workers
            .iter()
            .zip(&now.snapshot.workers)
            .map(|(worker, snapshot)| {
                let earlier = since.before.and_then(|sample| {
                    let mut workers = sample.snapshot.workers.iter();
                    workers.find(|earlier| earlier.index == worker.index)
                });
                let residence = watch.residence().of(worker.index, &snapshot.residence);
                let quantile = |q| residence.quantile_ns(q);
                WorkerRow {
                    index: worker.index,
                    cpu: worker.counters.count(WorkerCounter::Cpu),
                    queue: worker.counters.count(WorkerCounter::Queue),
                    busy: worker.busy,
                    asleep: worker.asleep,
                    silent: worker.is_silent(),
                    flows: earlier.map(|earlier| flows(snapshot, earlier, &since)),
                    burst: burst(snapshot, earlier),
                    residence_ns: quantile(0.5).zip(quantile(0.99)).map(|(a, b)| [a, b]),
                    turns: worker.turns_per_s,
                    generation: worker.counters.count(WorkerCounter::Generation),
                    frames_free: worker.counters.count(WorkerCounter::FramesFree),
                }
            })
            .collect();
        let rates = || {
            let ports = report.ports.iter();
            ports.filter_map(|port| Some((port.side, port.per_second.as_ref()?)))
        };
        let underlay = || rates().filter(|(side, _)| *side == "underlay");
        Some(View {
            drops: drops(&report, &since, watch),
            out: Flow {
                packets: underlay().map(|(_, rate)| rate.tx_packets).sum(),
                bits: underlay().map(|(_, rate)| rate.tx_bits).sum(),
            },
            into: Flow {
                packets: underlay().map(|(_, rate)| rate.rx_packets).sum(),
                bits: underlay().map(|(_, rate)| rate.rx_bits).sum(),
            },
            dropped: rates().map(|(_, rate)| rate.dropped).sum(),
            busiest: workers
                .iter()
                .map(|worker| (worker.index, worker.busy))
                .max_by(|a, b| a.1.total_cmp(&b.1)),
            generation: watch.generation(),
            published: control.map(|status| status.generation),
            workers,
            report,
        })
    }

    /// By [`Series`](super::history::Series).
    pub fn series(&self) -> [f64; 4] {
        let busy = self.busiest.map_or(0.0, |(_, busy)| busy);
        [self.out.packets, self.into.packets, self.dropped, busy]
    }
}

/// A port as people call it.
pub fn port_name(name: &str, index: usize) -> String {
    match name {
        "" => format!("port {index}"),
        name => printable(name),
    }
}

fn ports(worker: &WorkerSnapshot) -> PortCounters {
    let mut sum = PortCounters::default();
    worker
        .ports
        .iter()
        .for_each(|(_, counters)| sum.merge(counters));
    sum
}

fn flows(now: &WorkerSnapshot, before: &WorkerSnapshot, since: &Since) -> [Flow; 2] {
    let (now, before) = (ports(now), ports(before));
    let rate = |counter| since.per_second(now.count(counter), before.count(counter));
    [
        Flow {
            packets: rate(PortCounter::RxPackets),
            bits: 8.0 * rate(PortCounter::RxBytes),
        },
        Flow {
            packets: rate(PortCounter::TxPackets),
            bits: 8.0 * rate(PortCounter::TxBytes),
        },
    ]
}

/// Of the interval; without an earlier sample of all time. `None` when no turn received anything.
fn burst(now: &WorkerSnapshot, before: Option<&WorkerSnapshot>) -> Option<f64> {
    let frames = |worker: &WorkerSnapshot| ports(worker).count(PortCounter::RxPackets);
    let turns = |worker: &WorkerSnapshot| worker.counters.count(WorkerCounter::BusyTurns);
    let change = |count: &dyn Fn(&WorkerSnapshot) -> u64| {
        count(now).wrapping_sub(before.map_or(0, count)) as f64
    };
    let turns = change(&turns);
    (turns > 0.0).then(|| change(&frames) / turns)
}

fn drops(report: &Report, since: &Since, watch: &Watch) -> Vec<DropRow> {
    let mut rows = Vec::new();
    for port in &report.ports {
        let before = since.before.map(|sample| sample.snapshot.port(port.index));
        for (reason, total) in port.drops.iter().filter(|(_, total)| *total > 0) {
            let earlier = before.map(|before| before.drops[*reason as usize]);
            rows.push(DropRow {
                port: port_name(&port.name, port.index),
                reason: *reason,
                per_second: earlier.map(|earlier| since.per_second(*total, earlier)),
                total: *total,
                moves: watch.moves(port.index, *reason),
            });
        }
    }
    let speed = |row: &DropRow| row.per_second.unwrap_or(0.0);
    rows.sort_by(|a, b| {
        let by_speed = speed(b).total_cmp(&speed(a));
        by_speed.then(b.total.cmp(&a.total))
    });
    rows
}
