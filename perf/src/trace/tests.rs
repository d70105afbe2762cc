//! From a real segment, written as the engine writes it, to what is printed.

use std::path::Path;

use clap::Parser;
use contract::stats::{
    BoundMode, DropReason, EngineStats, PortState, PortStatus, TraceMeta, TraceVerdict,
    WorkerCounter, WorkerCounters, WorkerStats, monotonic_ns,
};
use contract::tables::PortKind;
use etherparse::PacketBuilder;
use serde_json::Value;

use super::frame::Frame;
use super::output::Output;
use super::source::{Event, Source};
use super::{Options, json, line};
use crate::style::Style;

const CONTROL: &str = r#"{"peers": [
    {"slot": 2, "public_ip": "192.168.77.2", "subnets": ["10.244.2.0/24"]},
    {"slot": 3, "public_ip": "192.168.77.3", "subnets": ["10.244.3.0/24"]}
]}"#;

/// An engine of one worker whose TSC counts nanoseconds.
fn engine(dir: &Path) -> (EngineStats, WorkerStats) {
    let engine = EngineStats::create(&dir.join("stats"), 1, 1_000_000_000).unwrap();
    for (number, name, kind) in [
        (0, "eth0", PortKind::Underlay),
        (1, "tweed0x\x1b[2J", PortKind::Uplink),
    ] {
        let status = PortStatus {
            state: PortState::Up,
            kind: Some(kind),
            mode: BoundMode::Copy,
            ifindex: 7,
            queues: 1,
            name: name.into(),
            error: String::new(),
        };
        engine.set_port(number, &status);
    }
    std::fs::write(dir.join("control.json"), CONTROL).unwrap();
    let mut worker = engine.worker(0);
    commit(&mut worker, 0);
    (engine, worker)
}

fn commit(worker: &mut WorkerStats, skipped: u64) {
    let mut counters = WorkerCounters::default();
    let now = monotonic_ns();
    counters.set(WorkerCounter::HeartbeatNs, now);
    counters.set(WorkerCounter::HeartbeatTsc, now);
    counters.set(WorkerCounter::TraceSkipped, skipped);
    worker.commit(&counters);
}

fn udp(dport: u16) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([10, 244, 1, 10], [10, 244, 2, 10], 63)
        .udp(40_000, dport)
        .write(&mut frame, b"hello")
        .unwrap();
    frame
}

fn encapsulated(src: [u8; 4], frame: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(src, [192, 168, 77, 1], 64)
        .udp(50_000, 8472)
        .write(&mut datagram, &[&[8, 0, 0, 0, 0, 0, 9, 0], frame].concat())
        .unwrap();
    datagram
}

fn write(
    worker: &mut WorkerStats,
    ports: [Option<u8>; 2],
    verdict: TraceVerdict,
    peer: u16,
    frame: &[u8],
) {
    let meta = TraceMeta {
        tsc: monotonic_ns(),
        port_in: ports[0],
        port_out: ports[1],
        verdict,
        peer,
        len: frame.len() as u16,
    };
    worker.trace(&meta, frame);
}

/// A forwarded datagram to node 2, a drop of a foreign VNI from node 3, and a runt from nobody.
fn three(worker: &mut WorkerStats) {
    let out = encapsulated([192, 168, 77, 1], &udp(53));
    write(worker, [Some(1), Some(0)], TraceVerdict::Forwarded, 2, &out);
    let foreign = encapsulated([192, 168, 77, 3], &udp(80));
    write(
        worker,
        [Some(0), None],
        TraceVerdict::Dropped(DropReason::Vni),
        0,
        &foreign,
    );
    write(
        worker,
        [Some(1), None],
        TraceVerdict::Dropped(DropReason::Truncated),
        0,
        &[1, 2, 3],
    );
}

fn frames(source: &mut Source) -> Vec<Frame> {
    let events = source.poll().into_iter();
    events
        .map(|event| match event {
            Event::Frame(frame) => *frame,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

fn matching(frames: &[Frame], words: &str) -> Vec<u64> {
    let words = ["trace"].into_iter().chain(words.split_whitespace());
    let filter = Line::try_parse_from(words).unwrap().options.filter;
    let found = frames.iter().filter(|frame| filter.matches(frame));
    found.map(|frame| frame.record.number).collect()
}

#[test]
fn filters_are_about_the_pods_packet_and_all_must_hold() {
    let dir = tempfile::tempdir().unwrap();
    let (_engine, mut worker) = engine(dir.path());
    let mut source = Source::open(dir.path(), false).unwrap();
    three(&mut worker);
    let frames = frames(&mut source);
    for (words, expected) in [
        ("", &[0, 1, 2][..]),
        ("--src 10.244.1.10", &[0, 1]),
        ("--src 10.244.1.0/24 --dst 10.244.2.0/24 --dport 53", &[0]),
        ("--src 192.168.77.3", &[]),
        ("--proto udp --sport 40000", &[0, 1]),
        ("--proto 6", &[]),
        ("--peer 192.168.77.2", &[0]),
        ("--peer 10.244.2.0/24", &[0]),
        ("--peer 2", &[0]),
        ("--peer 192.168.77.3", &[1]),
        ("--verdict dropped", &[1, 2]),
        ("--verdict forwarded", &[0]),
        ("--reason vni", &[1]),
        ("--reason vni --reason truncated", &[1, 2]),
        ("--port eth0", &[0, 1]),
        ("--port 1", &[0, 2]),
        ("--worker 0 --verdict dropped --port eth0", &[1]),
        ("--worker 1", &[]),
    ] {
        assert_eq!(matching(&frames, words), expected, "{words}");
    }
    for wrong in [
        "--src 10.244.1",
        "--proto ospf-ish",
        "--reason no-such",
        "--count 0",
        "--duration -1",
    ] {
        let words = ["trace"].into_iter().chain(wrong.split_whitespace());
        assert!(Line::try_parse_from(words).is_err(), "{wrong}");
    }
}

/// The whole lines, so that a change of them is seen by whoever makes it.
#[test]
fn lines_read_like_this() {
    let dir = tempfile::tempdir().unwrap();
    let (_engine, mut worker) = engine(dir.path());
    let mut source = Source::open(dir.path(), false).unwrap();
    three(&mut worker);
    let lines: Vec<String> = frames(&mut source)
        .iter()
        .map(|frame| line::line(frame, Style::new(false)))
        .collect();
    // What a segment says is not trusted with the terminal.
    let expected = [
        "w0 tweed0x?[2J > eth0 ok peer 10.244.2.0/24 | 192.168.77.1 > 192.168.77.1:8472 vni 9 | \
         10.244.1.10:40000 > 10.244.2.10:53 udp ttl 63 len 33 | 97 bytes",
        "w0 eth0 > - DROP vni peer 10.244.3.0/24 | 192.168.77.3 > 192.168.77.1:8472 vni 9 | \
         10.244.1.10:40000 > 10.244.2.10:80 udp ttl 63 len 33 | 97 bytes",
        "w0 tweed0x?[2J > - DROP truncated | 3 bytes",
    ];
    for (line, expected) in lines.iter().zip(expected) {
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!((time.len(), rest), (15, expected));
    }
}

/// Programs read these keys.
#[test]
fn json_objects_have_these_keys() {
    let dir = tempfile::tempdir().unwrap();
    let (_engine, mut worker) = engine(dir.path());
    let mut source = Source::open(dir.path(), false).unwrap();
    three(&mut worker);
    let frames = frames(&mut source);
    let object: Value = serde_json::from_str(&json::frame(&frames[1])).unwrap();
    let keys: Vec<&str> = object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "ethertype",
            "event",
            "inner",
            "length",
            "number",
            "outer",
            "peer",
            "port_in",
            "port_out",
            "reason",
            "time_ns",
            "verdict",
            "vni",
            "worker"
        ]
    );
    assert_eq!(
        (&object["event"], &object["reason"]),
        (&"frame".into(), &"vni".into())
    );
    assert_eq!(
        (&object["port_out"], &object["peer"]["slot"]),
        (&Value::Null, &3.into())
    );
    assert_eq!(
        (&object["inner"]["dport"], &object["outer"]["protocol"]),
        (&80.into(), &"udp".into())
    );
    let wall = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let age = wall.as_nanos() as i128 - i128::from(object["time_ns"].as_u64().unwrap());
    assert!((0..60_000_000_000).contains(&age), "{age} ns ago");
}

#[test]
fn a_capture_holds_what_was_recorded_and_the_length_of_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (_engine, mut worker) = engine(dir.path());
    let mut source = Source::open(dir.path(), false).unwrap();
    let long = [udp(53), vec![0; 1000]].concat();
    write(
        &mut worker,
        [Some(1), None],
        TraceVerdict::Dropped(DropReason::NoRoute),
        0,
        &long,
    );
    let path = dir.path().join("trace.pcap");
    let mut output = Output::new(true, Some(&path), Box::new(std::io::sink())).unwrap();
    let frames = frames(&mut source);
    output.frame(&frames[0]).unwrap();
    output.flush().unwrap();
    // Whole while it is still being written.
    let mut reader = pcap_file::pcap::PcapReader::new(std::fs::File::open(&path).unwrap()).unwrap();
    let packet = reader.next_packet().unwrap().unwrap();
    assert_eq!(
        (packet.orig_len as usize, &packet.data[..]),
        (long.len(), &long[..232])
    );
    assert_eq!(packet.timestamp.as_nanos(), u128::from(frames[0].unix_ns));
    assert!(reader.next_packet().is_none());
}

#[test]
fn a_new_engine_is_followed_from_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let (old, mut worker) = engine(dir.path());
    three(&mut worker);
    let mut source = Source::open(dir.path(), false).unwrap();
    assert!(
        frames(&mut source).is_empty(),
        "what was before is not asked for"
    );
    three(&mut worker);
    commit(&mut worker, 5);
    drop((old, worker));
    let (_new, mut worker) = engine(dir.path());
    three(&mut worker);
    commit(&mut worker, 2);
    let events = source.poll();
    let is_up: Vec<bool> = events
        .iter()
        .map(|event| matches!(event, Event::Up { .. }))
        .collect();
    // The last of the old one, then the word, then all of the new one.
    assert_eq!(is_up, [false, false, false, true, false, false, false]);
    assert!(source.is_running() && source.poll().is_empty());
    assert_eq!(
        (source.missed().overwritten, source.missed().skipped),
        (0, 7)
    );
    assert_eq!(
        frames(&mut Source::open(dir.path(), true).unwrap()).len(),
        3
    );
}

#[test]
fn an_engine_that_stops_and_goes_on_is_told_once_each() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, _worker) = engine(dir.path());
    let mut source = Source::open(dir.path(), false).unwrap();
    // The heartbeat, as an engine that hangs leaves it.
    let file = std::fs::File::options()
        .write(true)
        .open(dir.path().join("stats"))
        .unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &1u64.to_ne_bytes(), 5 * 8).unwrap();
    assert!(matches!(source.poll()[..], [Event::Down { .. }]));
    assert!(!source.is_running() && source.poll().is_empty());
    engine.beat();
    std::thread::sleep(super::source::SURVEY);
    assert!(matches!(source.poll()[..], [Event::Up { .. }]));
}

#[test]
fn what_was_overwritten_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (_engine, mut worker) = engine(dir.path());
    let mut source = Source::open(dir.path(), false).unwrap();
    for _ in 0..1000 {
        three(&mut worker);
    }
    assert_eq!(frames(&mut source).len(), 1024);
    assert_eq!(source.missed().overwritten, 3000 - 1024);
}
