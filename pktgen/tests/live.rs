//! XDP live frames over a veth pair: what arrives is, byte for byte, what the frame builder makes; the rate, the count
//! and the stop hold; what cannot work is refused with its remedy.
//!
//! ```text
//! namespace near                   namespace far
//!   Live -> near0 ==== veth ==== far0 (GRO on) <- tcpdump
//! ```

#[path = "live/plans.rs"]
mod plans;

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
use plans::{RUN, VXLAN_PORT, plan, plans, stream, udp, v4};

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
        let capture = Capture::start(&self.far, "far0", "").unwrap();
        let mut live = self.load(plan);
        live.run(&AtomicBool::new(false)).unwrap();
        let counts = live.counts().read().unwrap();
        let sent: u64 = counts.streams.iter().map(|(frames, _)| frames).sum();
        assert_eq!(Some(sent), plan.count);
        // What tcpdump has not read when it is told to end is lost.
        let written = || frames(capture.path()).len() as u64 >= sent;
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
