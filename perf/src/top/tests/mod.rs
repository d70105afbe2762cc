//! The dashboard from samples to screens, on made-up engines.

mod keys;
mod properties;
mod screens;

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::stats::{
    BoundMode, DropReason, PeerCounters, PortCounter, PortCounters, PortState, PortStatus,
    Residence, Snapshot, WorkerCounter, WorkerCounters, WorkerSnapshot,
};
use contract::tables::PortKind;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::app::App;
use super::render::render;
use super::theme::Theme;
use crate::stats::{ControlStatus, Life, Sample};

const PLAIN: Theme = Theme {
    coloured: false,
    unicode: true,
};
const SECOND: u64 = 1_000_000_000;
/// CLOCK_MONOTONIC of second 0 of these tests, and the time of day then: 14:00:00 UTC.
const START: u64 = 100_000 * SECOND;
const FOURTEEN: u64 = 14 * 3600 * SECOND;

/// An hour, a minute and a half ago: a test may take half a minute before another minute is shown.
static STARTED: LazyLock<u64> = LazyLock::new(|| {
    let started = SystemTime::now() - Duration::from_secs(3690);
    started.duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
});

/// A node whose counters are a function of time.
struct Node {
    pid: u32,
    /// When its engine began to count, seconds.
    born: u64,
    /// When it died.
    died: Option<u64>,
    peers: u16,
}

impl Node {
    fn new() -> Self {
        Node {
            pid: 4711,
            born: 0,
            died: None,
            peers: 3,
        }
    }

    /// What is read at second `at`. Worker 0 has 100 busy turns a second with 12.5 frames each, worker 1 a tenth of
    /// them.
    fn sample(&self, at: u64) -> Sample {
        let until = self.died.unwrap_or(at).min(at);
        let age = until - self.born;
        let workers = (0..2u64)
            .map(|index| worker(index, [10, 1][index as usize] * age, START + until * SECOND))
            .collect();
        let silent_ns = (at - until) * SECOND + 12_000_000;
        Sample {
            snapshot: Snapshot {
                taken_ns: START + at * SECOND,
                pid: self.pid,
                started_ns: *STARTED,
                silent_ns,
                tsc_hz: SECOND,
                ports: vec![
                    (0, port("eth0", PortKind::Underlay)),
                    (1, port("tweed0x", PortKind::Uplink)),
                ],
                workers,
            },
            life: match silent_ns / SECOND {
                0..3 => Life::Running,
                _ => Life::Gone,
            },
            peers: (0..self.peers)
                .map(|slot| (slot, peer(age * u64::from(slot + 1))))
                .collect(),
        }
    }
}

fn port(name: &str, kind: PortKind) -> PortStatus {
    PortStatus {
        state: PortState::Up,
        kind: Some(kind),
        mode: BoundMode::Copy,
        ifindex: 7,
        queues: 2,
        name: name.into(),
        error: String::new(),
    }
}

fn peer(n: u64) -> PeerCounters {
    PeerCounters {
        tx_packets: 100 * n,
        tx_bytes: 100_000 * n,
        rx_packets: 50 * n,
        rx_bytes: 5_000 * n,
    }
}

fn worker(index: u64, n: u64, heartbeat_ns: u64) -> WorkerSnapshot {
    let mut underlay = PortCounters::default();
    underlay.add(PortCounter::RxPackets, 25 * n);
    underlay.add(PortCounter::RxBytes, 2_500 * n);
    underlay.add(PortCounter::Forwarded, 24 * n);
    underlay.drops[DropReason::InnerSource as usize] = n;
    underlay.add(PortCounter::TxPackets, 100 * n);
    underlay.add(PortCounter::TxBytes, 100_000 * n);
    let mut uplink = PortCounters::default();
    uplink.add(PortCounter::RxPackets, 7);
    uplink.drops[DropReason::NotIp as usize] = 7;
    uplink.add(PortCounter::RxPackets, 100 * n);
    uplink.add(PortCounter::Forwarded, 100 * n);
    uplink.add(PortCounter::TxPackets, 24 * n);
    let mut own = WorkerCounters::default();
    own.set(WorkerCounter::Cpu, 2 + index);
    own.set(WorkerCounter::Queue, index);
    own.set(WorkerCounter::Turns, 100 * n);
    own.set(WorkerCounter::BusyTurns, 10 * n);
    own.set(WorkerCounter::BusyCycles, 451 * n * (2 - index));
    own.set(WorkerCounter::IdleCycles, 549 * n);
    own.set(WorkerCounter::Generation, 7);
    own.set(WorkerCounter::HeartbeatNs, heartbeat_ns);
    WorkerSnapshot {
        index: index as usize,
        counters: own,
        ports: vec![(0, underlay), (1, uplink)],
        residence: Residence::new(SECOND),
    }
}

/// Control's word on so many peers, the second of which nothing is sent to.
fn control(peers: u16) -> ControlStatus {
    let peers: Vec<_> = (0..peers)
        .map(|slot| {
            let [high, low] = slot.to_be_bytes();
            let mut peer = serde_json::json!({
                "slot": slot,
                "public_ip": format!("192.168.{}.{}", 77 + high, low),
                "subnets": [format!("10.{}.{}.0/24", 100 + high, low)],
            });
            if slot == 1 {
                peer["obstacle"] = "next hop does not answer ARP".into();
            }
            peer
        })
        .collect();
    serde_json::from_value(serde_json::json!({
        "generation": 7, "own": {"state": "held", "subnet": "10.244.1.0/24"}, "peers": peers,
    }))
    .unwrap()
}

fn show(app: &mut App, node: &Node, seconds: impl IntoIterator<Item = u64>) {
    for at in seconds {
        app.sample(
            node.sample(at),
            Some(control(node.peers)),
            FOURTEEN + at * SECOND,
        );
    }
}

fn app() -> App {
    App::new(PLAIN, Duration::from_secs(1))
}

/// The screen as text; `App::height` follows as in a terminal.
fn screen(app: &mut App, width: u16, height: u16) -> String {
    app.height = height;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| render(app, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..height {
        let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}
