//! XDP live frames over a veth pair: what arrives is, byte for byte, what the frame builder makes; the rate, the count
//! and the stop hold; what cannot work is refused with its remedy.
//!
//! ```text
//! namespace near                   namespace far
//!   Live -> near0 ==== veth ==== far0 (GRO on) <- tcpdump
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use perf::lab::capture::{Capture, Pcap};
use perf::lab::{Namespace, name::Prefix, wait_until};
use pktgen::frame::build::{Builder, Macs, body};
use pktgen::frame::classify::{Seen, classify};
use pktgen::frame::interleave::interleave;
use pktgen::frame::signature::{Lane, SIGNATURE_LEN, Signature};
use pktgen::frame::template::Template;
use pktgen::io::Interface;
use pktgen::io::live::{Live, LivePlan};
use pktgen::profile::*;

const RUN: u16 = 0x1234;
const WORKER: u8 = 3;
const SEED: u64 = 42;
const VXLAN_PORT: u16 = 8472;

/// Two namespaces and a veth between them.
struct Wire {
    near: Namespace,
    far: Namespace,
}

impl Wire {
    fn new() -> Self {
        let lab = Prefix::unique();
        std::fs::create_dir_all(lab.directory()).unwrap();
        let wire = Wire {
            near: Namespace::create(&lab, "near").unwrap(),
            far: Namespace::create(&lab, "far").unwrap(),
        };
        let far = wire.far.name();
        wire.near
            .ip(&format!(
                "link add near0 type veth peer name far0 netns {far}"
            ))
            .unwrap();
        wire.near.ip("link set near0 mtu 3500 up").unwrap();
        wire.far.ip("link set far0 mtu 3500 up").unwrap();
        wire.far.run("ethtool -K far0 gro on").unwrap();
        wire
    }

    fn interface(&self) -> Interface {
        Interface {
            name: "near0".into(),
            netns: Some(self.near.name().into()),
        }
    }

    fn load(&self, plan: &LivePlan) -> Live {
        Live::load(&self.interface(), plan).unwrap()
    }

    /// What arrives of a plan that ends by itself.
    fn capture(&self, plan: &LivePlan) -> (Vec<Vec<u8>>, Pcap) {
        // tcpdump's files are where the lab says. The log of an earlier one would tell that this one listens.
        let path = (self.far.directory()).join(format!("{}-far0.pcap", self.far.name()));
        let _ = std::fs::remove_file(path.with_extension("txt"));
        let capture = Capture::start(&self.far, "far0", "").unwrap();
        let mut live = self.load(plan);
        live.run(&AtomicBool::new(false)).unwrap();
        let counts = live.counts().read().unwrap();
        let sent: u64 = counts.streams.iter().map(|(frames, _)| frames).sum();
        assert_eq!(Some(sent), plan.count);
        // What tcpdump has not read when it is told to end is lost.
        let written = || frames(&path).len() as u64 >= sent;
        let _ = wait_until("tcpdump to write", 5, written);
        let pcap = capture.stop().unwrap();
        (frames(pcap.path()), pcap)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.near.directory());
    }
}

/// The frames of a capture, up to one that is not written yet.
fn frames(path: &Path) -> Vec<Vec<u8>> {
    let file = std::fs::File::open(path).unwrap();
    let mut reader = pcap_file::pcap::PcapReader::new(file).unwrap();
    let mut frames = Vec::new();
    while let Some(Ok(packet)) = reader.next_packet() {
        assert_eq!(packet.data.len(), packet.orig_len as usize);
        frames.push(packet.data.into_owned());
    }
    frames
}

fn macs() -> Macs {
    Macs {
        src: Mac([2, 0, 0, 0, 0, 1]),
        dst: Mac([2, 0, 0, 0, 0, 2]),
    }
}

fn v4() -> Ip {
    let address = |a, b, last| Ipv4Addr::new(10, a, b, last);
    Ip::V4 {
        src: address(1, 2, 250)..=address(1, 3, 9),
        dst: address(9, 0, 0)..=address(9, 0, 6),
    }
}

fn v6() -> Ip {
    let address = |low| Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 1, low);
    Ip::V6 {
        src: address(0xfff0)..=address(0xffff),
        dst: address(1)..=address(3),
    }
}

const SPORTS: RangeInclusive<u16> = 65_530..=65_535;
const DPORTS: RangeInclusive<u16> = 9..=99;

fn udp() -> Transport {
    Transport::Udp {
        sport: SPORTS,
        dport: DPORTS,
    }
}

fn tcp() -> Transport {
    Transport::Tcp {
        sport: SPORTS,
        dport: DPORTS,
    }
}

fn icmp() -> Transport {
    Transport::Icmp { id: 0..=9_999 }
}

fn vxlan(checksum: bool) -> Option<Vxlan> {
    Some(Vxlan {
        vni: 0xabcdef,
        src: Ipv4Addr::new(172, 16, 0, 1),
        dst: Ipv4Addr::new(172, 16, 0, 2),
        port: VXLAN_PORT,
        inner_src_mac: Mac([2, 1, 0, 0, 0, 1]),
        inner_dst_mac: Mac([2, 1, 0, 0, 0, 2]),
        checksum,
    })
}

fn stream(ip: Ip, transport: Transport, size: Size) -> Stream {
    Stream {
        name: "one".into(),
        weight: 1,
        src_mac: None,
        dst_mac: None,
        ip,
        ttl: 64,
        tos: 0xb8,
        transport,
        flows: Flows {
            count: 1_000,
            order: Order::RoundRobin,
        },
        size,
        vxlan: None,
    }
}

fn random(stream: Stream) -> Stream {
    let flows = Flows {
        order: Order::Random,
        ..stream.flows
    };
    Stream { flows, ..stream }
}

fn plan(streams: impl IntoIterator<Item = Stream>) -> LivePlan {
    LivePlan {
        streams: streams.into_iter().map(|stream| (stream, macs())).collect(),
        payload: Payload::Random,
        run: RUN,
        worker: WORKER,
        seed: SEED,
        // Slow enough for tcpdump on a busy machine.
        pps: Some(20_000.0),
        burst: 1,
        count: Some(1_100),
        intended: false,
    }
}

fn imix() -> Size {
    Size::Mix(vec![(64, 7), (594, 4), (1518, 1)])
}

/// One row is one plan.
fn plans() -> Vec<(&'static str, LivePlan)> {
    let fixed = Size::Fixed;
    let inside = |checksum, stream| Stream {
        vxlan: vxlan(checksum),
        ..stream
    };
    let weigh = |weight, stream| Stream { weight, ..stream };
    let burst = |burst, plan| LivePlan { burst, ..plan };
    let full = |plan| LivePlan {
        // As fast as it goes: few enough for tcpdump's buffer.
        pps: None,
        count: Some(100),
        ..plan
    };
    let payload = |payload, plan| LivePlan { payload, ..plan };
    vec![
        ("smallest", plan([stream(v4(), udp(), fixed(64))])),
        (
            "as fast as it goes",
            full(plan([stream(v4(), udp(), fixed(64))])),
        ),
        ("bursts", burst(8, plan([stream(v4(), udp(), fixed(64))]))),
        (
            "long bursts",
            burst(100, plan([stream(v4(), udp(), fixed(64))])),
        ),
        (
            "random flows",
            plan([random(stream(v4(), udp(), fixed(65)))]),
        ),
        (
            "TCP, IMIX",
            plan([stream(v4(), tcp(), Size::Mix(vec![(78, 3), (1517, 2)]))]),
        ),
        (
            "ICMP, a range",
            plan([stream(v4(), icmp(), Size::Range(64..=300))]),
        ),
        (
            "UDP over IPv6",
            plan([random(stream(v6(), udp(), Size::Range(84..=91)))]),
        ),
        ("TCP over IPv6", plan([stream(v6(), tcp(), fixed(1500))])),
        ("ICMPv6", plan([stream(v6(), icmp(), fixed(333))])),
        (
            "the longest",
            plan([stream(v4(), udp(), Size::Range(3_400..=3_412))]),
        ),
        (
            "a tunnel",
            plan([inside(false, stream(v4(), udp(), fixed(114)))]),
        ),
        (
            "a tunnel with checksum",
            plan([inside(
                true,
                random(stream(v4(), udp(), Size::Range(114..=120))),
            )]),
        ),
        (
            "TCP in a tunnel",
            plan([inside(true, stream(v4(), tcp(), fixed(201)))]),
        ),
        (
            "ICMP in a tunnel",
            plan([inside(true, stream(v4(), icmp(), fixed(200)))]),
        ),
        (
            "IPv6 in a tunnel",
            plan([inside(true, stream(v6(), udp(), imix_of(134)))]),
        ),
        (
            "ICMPv6 in a tunnel",
            plan([inside(true, stream(v6(), icmp(), fixed(135)))]),
        ),
        (
            "streams by weight, long heads beside short ones",
            payload(
                Payload::Increment,
                plan([
                    weigh(3, stream(v4(), udp(), Size::Range(64..=67))),
                    weigh(2, inside(true, stream(v6(), tcp(), fixed(146)))),
                    weigh(1, random(stream(v6(), icmp(), Size::Range(84..=200)))),
                    weigh(1, stream(v4(), udp(), imix())),
                ]),
            ),
        ),
    ]
}

fn imix_of(least: u16) -> Size {
    Size::Mix(vec![(least, 7), (594, 4), (1518, 1)])
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn frames_are_those_of_the_builder() {
    let wire = Wire::new();
    for (name, plan) in plans() {
        let start = monotonic_ns();
        let (frames, pcap) = wire.capture(&plan);
        let end = monotonic_ns();
        let count = plan.count.unwrap();
        assert_eq!(frames.len() as u64, count, "{name}");
        expect_built(name, &plan, &frames, start..=end);
        pcap.expect_good_checksums(0).unwrap();
        let icmpv6 = pcap.select("icmpv6.checksum.status==0").unwrap();
        assert!(icmpv6.is_empty(), "{name}: {icmpv6:?}");
    }
}

/// Each frame is the one that a builder makes with the same time stamp; the time is that of the run, and never goes
/// back.
fn expect_built(name: &str, plan: &LivePlan, frames: &[Vec<u8>], run: RangeInclusive<u64>) {
    let builder = |(index, (stream, macs)): (usize, &(Stream, Macs))| {
        let lane = Lane::new(index as u8, plan.worker);
        Builder::new(stream, *macs, plan.run, lane, plan.payload, plan.seed)
    };
    let mut builders: Vec<_> = plan.streams.iter().enumerate().map(builder).collect();
    let template =
        |(stream, macs): &(Stream, Macs)| Template::new(stream, *macs, plan.payload, plan.seed);
    let templates: Vec<_> = plan.streams.iter().map(template).collect();
    let weights: Vec<_> = plan
        .streams
        .iter()
        .map(|(stream, _)| stream.weight)
        .collect();
    let order = interleave(&weights);
    let mut wanted = body(plan.payload, plan.seed);
    let mut last = *run.start() & 0xff_ffff_ffff;
    for (i, frame) in frames.iter().enumerate() {
        let index = usize::from(order[i % order.len()]);
        let at = templates[index].signature;
        let bytes: &[u8; SIGNATURE_LEN] = frame[at..].first_chunk().unwrap();
        let signature = Signature::from_bytes(bytes)
            .unwrap_or_else(|| panic!("{name}: frame {i}: {frame:02x?}"));
        let len = builders[index].write(&mut wanted, signature.stamp);
        assert_eq!(frame[..], wanted[..len], "{name}: frame {i}");
        assert!(signature.stamp >= last, "{name}: frame {i}");
        assert!(
            signature.stamp <= run.end() & 0xff_ffff_ffff,
            "{name}: frame {i}"
        );
        last = signature.stamp;
        assert_eq!(
            classify(frame, Some(RUN), &[VXLAN_PORT]),
            Seen::Intact(signature),
            "{name}: frame {i}"
        );
    }
}

fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The schedule is in the frames: with intended times, they are exactly an interval apart.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn intended_times_are_the_schedule() {
    let wire = Wire::new();
    let plan = LivePlan {
        pps: Some(30_000.0),
        burst: 3,
        intended: true,
        ..plan([stream(v4(), udp(), Size::Fixed(64))])
    };
    let (frames, _) = wire.capture(&plan);
    let stamps: Vec<u64> = frames
        .iter()
        .map(|frame| match classify(frame, Some(RUN), &[]) {
            Seen::Intact(signature) => signature.stamp,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(stamps.len(), 1_100);
    for (i, stamp) in stamps.iter().enumerate() {
        assert_eq!(stamp - stamps[0], i as u64 / 3 * 100_000, "frame {i}");
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn rate_and_stop() {
    let wire = Wire::new();
    let plan = LivePlan {
        pps: Some(10_000.0),
        count: None,
        ..plan([stream(v4(), udp(), Size::Fixed(64))])
    };
    let mut live = wire.load(&plan);
    let view = live.counts();
    let stop = AtomicBool::new(false);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let runner = scope.spawn(|| live.run(&stop));
        while view.read().unwrap().streams[0].0 < 10_000 {
            std::thread::sleep(Duration::from_millis(10));
            assert!(!runner.is_finished());
        }
        stop.store(true, Ordering::Relaxed);
        runner.join().unwrap().unwrap();
    });
    let wanted = begin.elapsed().as_secs_f64() * 10_000.0;
    let (frames, bytes) = view.read().unwrap().streams[0];
    assert_eq!(bytes, frames * 64);
    // Never too many. Too few by what it took to start: on a busy machine that may be long.
    assert!(frames as f64 <= wanted + 1.0, "{frames} of {wanted}");
    assert!(frames as f64 >= wanted * 0.5, "{frames} of {wanted}");
    // Told to stop before it begins, it sends nothing.
    let stop = AtomicBool::new(true);
    live.run(&stop).unwrap();
    assert_eq!(view.read().unwrap().streams[0].0, frames);
}

/// Frames that the far end has no room for are told, exactly: here those longer than its MTU, and their neighbours in
/// the groups of 16 in which the kernel hands them over.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn refused_frames_are_counted() {
    let wire = Wire::new();
    wire.far.ip("link set far0 mtu 1000").unwrap();
    let plan = LivePlan {
        pps: None,
        worker: 0,
        count: Some(100_001),
        ..plan([stream(v4(), udp(), Size::Mix(vec![(64, 5), (1518, 1)]))])
    };
    let before = received(&wire);
    let mut live = wire.load(&plan);
    live.run(&AtomicBool::new(false)).unwrap();
    let counts = live.counts().read().unwrap();
    let arrived = received(&wire) - before;
    assert_eq!(counts.streams[0].0, 100_001);
    assert!(counts.refused >= 100_001 / 6, "{counts:?}");
    assert!(arrived > 0);
    assert_eq!(counts.refused + arrived, 100_001);
}

/// Packets that the far end has received.
fn received(wire: &Wire) -> u64 {
    let statistics = wire
        .far
        .run("ip -json -statistics link show dev far0")
        .unwrap();
    let statistics: serde_json::Value = serde_json::from_str(&statistics).unwrap();
    statistics[0]["stats64"]["rx"]["packets"].as_u64().unwrap()
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_far_end_that_takes_nothing_is_refused_with_the_remedy() {
    let wire = Wire::new();
    wire.far.run("ethtool -K far0 gro off").unwrap();
    let plan = plan([stream(v4(), udp(), Size::Fixed(64))]);
    let mut live = wire.load(&plan);
    let told = live.run(&AtomicBool::new(false)).unwrap_err().to_string();
    assert!(
        told.starts_with("near0: ") && told.contains("ethtool -K PEER gro on"),
        "{told}"
    );
    assert_eq!(live.counts().read().unwrap().streams, [(0, 0)]);
    // The remedy helps.
    wire.far.run("ethtool -K far0 gro on").unwrap();
    live.run(&AtomicBool::new(false)).unwrap();
    assert_eq!(live.counts().read().unwrap().streams, [(1_100, 1_100 * 64)]);
}

#[test]
fn what_the_program_cannot_do_is_refused_by_its_key() {
    let interface = Interface {
        name: "lo".into(),
        netns: None,
    };
    let one = stream(v4(), udp(), Size::Fixed(64));
    let flows = |count| Stream {
        flows: Flows {
            count,
            order: Order::Random,
        },
        ..one.clone()
    };
    let size = |size| Stream {
        size,
        ..one.clone()
    };
    let rate = |pps| LivePlan {
        pps: Some(pps),
        ..plan([one.clone()])
    };
    let rows = [
        (
            plan([size(Size::Fixed(3_413))]),
            "size of stream one: 3413 bytes",
        ),
        (
            plan([size(Size::Range(64..=3_524))]),
            "size of stream one: 3524 bytes",
        ),
        (plan([flows(0)]), "flows of stream one: 0; 1 to"),
        (
            plan([flows(2_000_000)]),
            "flows of stream one: 2000000; 1 to",
        ),
        (plan([]), "stream: 0 streams; 1 to 16"),
        (rate(0.0), "rate: 0 frames a second"),
    ];
    for (plan, wanted) in rows {
        let Err(told) = Live::load(&interface, &plan) else {
            panic!("{wanted}: accepted");
        };
        assert!(told.to_string().starts_with(wanted), "{told}");
    }
}
