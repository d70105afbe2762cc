//! From a real segment, written as the engine writes it, to what is printed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use contract::stats::{
    BoundMode, DropReason, EngineStats, Life, PortCounter, PortCounters, PortState, PortStatus,
    StatsReader, WorkerCounter, WorkerCounters, WorkerStats,
};
use contract::tables::PortKind;
use serde_json::Value;
use tempfile::TempDir;

use super::control::ControlStatus;
use super::grid::WIDTH;
use super::report::Report;
use super::sample::Sample;
use super::table;
use crate::style::Style;

const PLAIN: Style = Style::new(false);

/// A run directory with an engine of one worker and two ports in it, and control's status.
struct Node {
    dir: TempDir,
    engine: EngineStats,
    worker: WorkerStats,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = EngineStats::create(&dir.path().join("stats"), 1, 1_000_000_000).unwrap();
        engine.set_port(0, &port("eth0", PortKind::Underlay, BoundMode::ZeroCopy));
        engine.set_port(1, &port("tweed0x", PortKind::Uplink, BoundMode::Copy));
        let worker = engine.worker(0);
        std::fs::write(dir.path().join("control.json"), CONTROL).unwrap();
        Node {
            dir,
            engine,
            worker,
        }
    }

    /// Commits the engine's counters after `n` thousand packets, a tenth of them dropped on the underlay.
    fn count(&mut self, n: u64) {
        let mut underlay = PortCounters::default();
        underlay.add(PortCounter::RxPackets, 1000 * n);
        underlay.add(PortCounter::RxBytes, 100_000 * n);
        underlay.add(PortCounter::Forwarded, 900 * n);
        for _ in 0..100 * n {
            underlay.drop(DropReason::InnerSource);
        }
        let mut uplink = PortCounters::default();
        uplink.add(PortCounter::TxPackets, 900 * n);
        self.worker.commit_port(0, &underlay);
        self.worker.commit_port(1, &uplink);
        let mut own = WorkerCounters::default();
        own.add(WorkerCounter::Turns, n);
        own.add(WorkerCounter::BusyCycles, 30 * n);
        own.add(WorkerCounter::IdleCycles, 60 * n);
        own.add(WorkerCounter::SleepCycles, 10 * n);
        own.set(WorkerCounter::Generation, 7);
        own.set(WorkerCounter::HeartbeatNs, self.sample().snapshot.taken_ns);
        own.set(WorkerCounter::Frames, 16384);
        own.set(WorkerCounter::FramesFree, 12288);
        own.set(WorkerCounter::FramesInRings, 4096);
        self.worker.commit(&own);
    }

    fn control(&self) -> ControlStatus {
        ControlStatus::read(self.dir.path()).unwrap()
    }

    fn sample(&self) -> Sample {
        sample(self.dir.path(), Some(&self.control()))
    }

    fn report(&self) -> Report {
        Report::new(&self.sample(), None, Some(&self.control()))
    }
}

/// As tweed-control writes it, and a key of a later one.
const CONTROL: &str = r#"{
    "generation": 7, "network": "10.244.0.0/16", "underlay": "eth0", "mtu": 1450, "from the future": [1],
    "trouble": "etcd does not answer",
    "own": {"state": "held", "public_ip": "192.168.77.1", "vtep_mac": "02:00:00:00:00:01",
            "subnet": "10.244.1.0/24"},
    "peers": [
        {"slot": 2, "public_ip": "192.168.77.2", "subnets": ["10.244.2.0/24"]},
        {"slot": 3, "public_ip": "192.168.77.3", "subnets": ["10.244.3.0/24"],
         "obstacle": "next hop 192.168.77.3 does not answer ARP"}
    ],
    "skipped": [{"key": "/coreos.com/network/subnets/x", "reason": "not a subnet"}]
}"#;

fn port(name: &str, kind: PortKind, mode: BoundMode) -> PortStatus {
    PortStatus {
        state: PortState::Up,
        kind: Some(kind),
        mode,
        ifindex: 7,
        queues: 1,
        name: name.into(),
        error: String::new(),
    }
}

fn sample(dir: &Path, control: Option<&ControlStatus>) -> Sample {
    Sample::take(&StatsReader::open(&dir.join("stats")).unwrap(), control)
}

/// The whole page, so that a change of it is seen by whoever makes it.
#[test]
fn the_table_reads_like_this() {
    let mut node = Node::new();
    node.count(20);
    node.worker.peer_tx(2, 1400);
    node.engine.beat();
    let text = table::render(&node.report(), PLAIN);
    let (engine, rest) = text.split_once('\n').unwrap();
    let running = format!("engine   running, process {}, up ", std::process::id());
    assert!(engine.starts_with(&running), "{engine}");
    assert_eq!(
        rest,
        "\
control  lease 10.244.1.0/24 held, generation 7, 2 peers, 1 of them unreachable
         etcd does not answer
         /coreos.com/network/subnets/x is not used: not a subnet

workers  totals since the engine's start
  #  cpu  queue    busy  asleep  turns  generation  frames   free  in rings
  0    0      0  30.0 %  10.0 %     20           7   16384  12288      4096

ports  totals since the engine's start
  #  name     side      mode          rx  rx bytes     tx  tx bytes  drops
  0  eth0     underlay  zero-copy  20.0k     2.00M      0         0   2000
  1  tweed0x  uplink    copy           0         0  18.0k         0      0

drops  totals since the engine's start
  eth0         2000  inner-source       The inner source lies outside the subnet
                                        leased to the outer source.

peers  totals since the engine's start
  slot  subnet         public ip     tx  tx bytes  rx  rx bytes
  2     10.244.2.0/24  192.168.77.2   1      1400   0         0
  3     10.244.3.0/24  192.168.77.3   0         0   0         0
  10.244.3.0/24 is not sent to: next hop 192.168.77.3 does not answer ARP

received 20,000 = forwarded 18,000 + dropped 2,000
"
    );
}

/// The longest of everything still fits; only a worker's or a peer's numbers could push further, and they are short.
#[test]
fn nothing_is_wider_than_a_terminal() {
    let mut node = Node::new();
    let mut failed = port("a-long-name.100", PortKind::Underlay, BoundMode::ZeroCopy);
    failed.state = PortState::Failed;
    failed.error = "cannot bind AF_XDP to a-long-name.100 queue 31: it has 4 queues; see ".into();
    node.engine.set_port(62, &failed);
    let mut full = PortCounters::default();
    for counter in PortCounter::ALL {
        full.add(*counter, u64::MAX / 3);
    }
    full.drops.fill(u64::MAX / 100);
    node.worker.commit_port(62, &full);
    let mut own = WorkerCounters::default();
    for counter in WorkerCounter::ALL {
        own.set(*counter, 65_536);
    }
    node.worker.commit(&own);
    let mut control = node.control();
    control.peers[0].slot = Some(65_535);
    control.peers[0].subnets = vec!["100.244.222.0/24".into(); 3];
    control.peers[0].public_ip = Some("192.168.177.222".into());
    let sample = sample(node.dir.path(), Some(&control));
    let text = table::render(&Report::new(&sample, None, Some(&control)), PLAIN);
    for line in text.lines() {
        assert!(line.chars().count() <= WIDTH, "{line}");
    }
    for reason in DropReason::ALL {
        assert!(text.contains(reason.name()), "{} is missing", reason.name());
    }
    let words: Vec<_> = text.split_whitespace().collect();
    assert!(words.join(" ").contains("it has 4 queues"), "{text}");
}

#[test]
fn colour_changes_no_character_but_its_own() {
    let mut node = Node::new();
    node.count(1);
    let report = node.report();
    let coloured = table::render(&report, Style::new(true));
    let mut bare = coloured.clone();
    for code in ["\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m"] {
        bare = bare.replace(code, "");
    }
    assert_ne!(coloured, bare);
    assert_eq!(bare, table::render(&report, PLAIN));
}

/// Programs read these paths. When this fails and the change is meant: adding keys is fine, anything else raises `SCHEMA`.
#[test]
fn the_json_object_has_the_keys_of_its_schema() {
    let mut node = Node::new();
    node.count(1);
    let before = node.sample();
    node.count(2);
    let control = node.control();
    let report = Report::new(&node.sample(), Some(&before), Some(&control));
    let json: Value = serde_json::from_str(&report.to_json()).unwrap();
    let keys = |pointer: &str| -> Vec<String> {
        let object = json.pointer(pointer).and_then(Value::as_object);
        let object = object.unwrap_or_else(|| panic!("no object at {pointer:?} in {json:#}"));
        object.keys().cloned().collect()
    };
    assert_eq!(json["schema"], 1);
    let expected: [(&str, &[&str]); 9] = [
        (
            "",
            &[
                "conservation",
                "control",
                "engine",
                "interval_s",
                "peers",
                "ports",
                "schema",
                "workers",
            ],
        ),
        (
            "/engine",
            &["pid", "silent_s", "state", "tsc_hz", "uptime_s"],
        ),
        (
            "/workers/0",
            &[
                "asleep",
                "busy",
                "counters",
                "index",
                "silent_s",
                "turns_per_s",
            ],
        ),
        (
            "/ports/0",
            &[
                "counters",
                "dropped",
                "drops",
                "error",
                "ifindex",
                "index",
                "mode",
                "name",
                "per_second",
                "queues",
                "side",
                "state",
            ],
        ),
        (
            "/ports/0/per_second",
            &["dropped", "rx_bits", "rx_packets", "tx_bits", "tx_packets"],
        ),
        (
            "/conservation",
            &["dropped", "forwarded", "holds", "received"],
        ),
        (
            "/control",
            &[
                "alive",
                "generation",
                "lease",
                "peers",
                "silent_s",
                "skipped",
                "trouble",
                "unreachable",
            ],
        ),
        (
            "/peers/0",
            &[
                "counters",
                "obstacle",
                "per_second",
                "public_ip",
                "slot",
                "subnets",
            ],
        ),
        (
            "/peers/0/counters",
            &["rx_bytes", "rx_packets", "tx_bytes", "tx_packets"],
        ),
    ];
    for (pointer, expected) in expected {
        assert_eq!(keys(pointer), expected, "at {pointer:?}");
    }
    let named = |names: &mut dyn Iterator<Item = &'static str>| {
        let mut names: Vec<_> = names.map(str::to_owned).collect();
        names.sort();
        names
    };
    let counters = &mut PortCounter::ALL.iter().map(|c| c.name());
    assert_eq!(keys("/ports/0/counters"), named(counters));
    let counters = &mut WorkerCounter::ALL.iter().map(|c| c.name());
    assert_eq!(keys("/workers/0/counters"), named(counters));
    let reasons = &mut DropReason::ALL.iter().map(|r| r.name());
    assert_eq!(keys("/ports/0/drops"), named(reasons));
    assert_eq!(json["ports"][0]["drops"]["inner-source"], 200);
    assert_eq!(json["engine"]["state"], "running");
}

#[test]
fn rates_are_changes_over_the_interval() {
    let mut node = Node::new();
    node.count(1);
    let mut before = node.sample();
    node.count(3);
    node.worker.peer_rx(3, 1000);
    let now = node.sample();
    before.snapshot.taken_ns = now.snapshot.taken_ns - 500_000_000;
    let report = Report::new(&now, Some(&before), Some(&node.control()));
    assert_eq!(report.interval_s, Some(0.5));
    let underlay = report.ports[0].per_second.as_ref().unwrap();
    assert_eq!((underlay.rx_packets, underlay.dropped), (4000.0, 400.0));
    assert_eq!(underlay.rx_bits, 8.0 * 400_000.0);
    assert_eq!(report.workers[0].turns_per_s, Some(4.0));
    assert_eq!(report.workers[0].busy, 0.3);
    // The busiest first.
    assert_eq!(report.peers[0].slot, Some(3));
    assert_eq!(
        report.peers[0].per_second.as_ref().unwrap().rx_bits,
        16_000.0
    );
    let text = table::render(&report, PLAIN);
    assert!(text.contains("per second, over the last 0.5 s"), "{text}");
}

#[test]
fn another_engine_shows_totals_not_rates() {
    let mut node = Node::new();
    node.count(5);
    let mut before = node.sample();
    before.snapshot.started_ns -= 1;
    let report = Report::new(&node.sample(), Some(&before), None);
    assert!(report.interval_s.is_none() && report.ports[0].per_second.is_none());
}

/// Words of the segment's header (contract::stats, ABI 5), overwritten from outside as no engine would.
fn overwrite(node: &Node, word: u64, value: u64) {
    let path = node.dir.path().join("stats");
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(&value.to_ne_bytes(), 8 * word).unwrap();
}

#[test]
fn a_silent_engine_and_a_gone_one_are_told_apart() {
    const PID: u64 = 3;
    const HEARTBEAT: u64 = 5;
    let node = Node::new();
    let words = |node: &Node| table::life(&node.report());
    assert!(words(&node).starts_with("running, process"));
    overwrite(&node, HEARTBEAT, 1);
    assert_eq!(node.sample().life, Life::Silent);
    assert!(words(&node).ends_with("exists, but is stopped or stuck"));
    // Above the largest process id that Linux gives out.
    overwrite(&node, PID, 1 << 30);
    assert_eq!(node.sample().life, Life::Gone);
    assert!(words(&node).starts_with("not running: process 1073741824 is gone"));
}

#[test]
fn a_worker_that_hangs_is_told_by_its_number() {
    let mut node = Node::new();
    node.count(1);
    let words = "worker 0 has been silent for";
    assert!(!table::render(&node.report(), PLAIN).contains(words));
    let mut stuck = WorkerCounters::default();
    stuck.set(WorkerCounter::HeartbeatNs, 1);
    node.worker.commit(&stuck);
    node.engine.beat();
    assert!(table::render(&node.report(), PLAIN).contains(words));
}

#[test]
fn a_frame_that_is_nowhere_is_said_loudly() {
    let mut node = Node::new();
    node.count(1);
    assert!(node.report().conservation.holds);
    let mut leaking = PortCounters::default();
    leaking.add(PortCounter::RxPackets, 10);
    leaking.add(PortCounter::Forwarded, 9);
    node.worker.commit_port(0, &leaking);
    let report = node.report();
    assert!(!report.conservation.holds);
    assert!(table::render(&report, PLAIN).contains("does NOT hold"));
}

#[test]
fn a_chunk_that_is_nowhere_is_said_as_well() {
    let mut node = Node::new();
    node.count(1);
    let mut own = WorkerCounters::default();
    own.set(WorkerCounter::Frames, 100);
    own.set(WorkerCounter::FramesFree, 99);
    node.worker.commit(&own);
    assert!(!node.report().conservation.holds);
}

#[test]
fn a_control_that_is_gone_is_not_taken_for_one_without_news() {
    let node = Node::new();
    assert!(!table::render(&node.report(), PLAIN).contains("start tweed-control"));
    let file = File::options()
        .write(true)
        .open(node.dir.path().join("control.json"))
        .unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(90))
        .unwrap();
    let text = table::render(&node.report(), PLAIN);
    assert!(
        text.contains("1 min 30 s ago: start tweed-control"),
        "{text}"
    );
}

#[test]
fn without_control_peers_are_numbers() {
    let mut node = Node::new();
    node.worker.peer_tx(4000, 10);
    for text in ["", "not json", "[1, 2]"] {
        std::fs::write(node.dir.path().join("control.json"), text).unwrap();
        assert!(ControlStatus::read(node.dir.path()).is_none(), "{text:?}");
    }
    let report = Report::new(&sample(node.dir.path(), None), None, None);
    assert_eq!(report.peers.len(), 1);
    assert_eq!(report.peers[0].slot, Some(4000));
    assert!(table::render(&report, PLAIN).contains("4000  -"));
}

#[test]
fn an_engine_without_ports_says_whom_to_ask() {
    let dir = tempfile::tempdir().unwrap();
    let _engine = EngineStats::create(&dir.path().join("stats"), 1, 1).unwrap();
    let report = Report::new(&sample(dir.path(), None), None, None);
    assert!(table::render(&report, PLAIN).contains("is tweed-control running?"));
}
