//! Anything may arrive, on either side: whatever it is, the engine neither panics nor loses a chunk nor loses count, and
//! what it sends is well-formed.

mod support;

use contract::stats::{PortCounter, WorkerCounter};
use contract::wire::{Ipv4, Rewrite4, Sum};
use proptest::prelude::*;
use support::{POD, Rig, UNDERLAY, UPLINK, golden_tables, kernel_frames};
use zerocopy::FromBytes;

/// A frame that the engine would accept, then damaged: bytes changed, the end cut or grown.
fn damaged() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let frames = kernel_frames();
    let changes = proptest::collection::vec((0..110usize, any::<u8>()), 0..6);
    (
        0..frames.len(),
        0..3u8,
        changes,
        proptest::option::of(0..1700usize),
    )
        .prop_map(move |(which, port, changes, len)| {
            let mut frame = frames[which].clone();
            if port != UNDERLAY {
                frame.drain(..50);
            }
            if let Some(len) = len {
                frame.resize(len, 0x5a);
            }
            for (at, value) in changes {
                if let Some(byte) = frame.get_mut(at) {
                    *byte = value;
                }
            }
            (port, frame)
        })
}

/// Bytes without any plan.
fn random() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (0..3u8, proptest::collection::vec(any::<u8>(), 0..1700))
}

/// What every frame that leaves must be.
fn check_sent(port: u8, frame: &[u8]) {
    let outer = if port == UNDERLAY { 50 } else { 0 };
    let (ip, _) = Ipv4::read_from_prefix(&frame[outer + 14..]).expect("an IPv4 packet");
    let header_len = ip.header_len().expect("a possible header");
    assert_eq!(
        usize::from(ip.total_len.get()),
        frame.len() - outer - 14,
        "no padding, nothing cut"
    );
    assert!(Sum::of(&frame[outer + 14..][..header_len]).is_valid());
    if port == UNDERLAY {
        let (head, _) = Rewrite4::read_from_prefix(frame).unwrap();
        assert!(Sum::of(&frame[14..34]).is_valid());
        assert_eq!(usize::from(head.ip.total_len.get()), frame.len() - 14);
        assert_eq!(usize::from(head.udp.len.get()), frame.len() - 34);
        assert_ne!(head.udp.checksum, [0, 0]);
    }
}

fn run(frames: Vec<(u8, Vec<u8>)>) {
    let mut rig = Rig::new(&golden_tables());
    let (mut arrived, mut left) = (0u64, 0u64);
    for burst in frames.chunks(40) {
        for (port, frame) in burst {
            rig.deliver(*port, frame);
            arrived += 1;
        }
        rig.settle();
        for port in [UNDERLAY, UPLINK, POD] {
            for frame in rig.sent(port) {
                check_sent(port, &frame);
                left += 1;
            }
        }
    }
    let all: Vec<_> = [UNDERLAY, UPLINK, POD]
        .map(|port| rig.counters(port))
        .to_vec();
    let sum = |counter| all.iter().map(|port| port.count(counter)).sum::<u64>();
    assert_eq!(sum(PortCounter::RxPackets), arrived);
    assert_eq!(sum(PortCounter::TxPackets), left);
    assert_eq!(
        sum(PortCounter::TxPackets),
        sum(PortCounter::Forwarded) + sum(PortCounter::Originated)
    );
    let worker = rig.stats().snapshot().workers[0].counters;
    let chunks =
        worker.count(WorkerCounter::FramesFree) + worker.count(WorkerCounter::FramesInRings);
    assert_eq!(chunks, worker.count(WorkerCounter::Frames));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_frames_are_forwarded_or_counted(frames in proptest::collection::vec(damaged(), 1..400)) {
        run(frames);
    }

    #[test]
    fn random_bytes_are_counted(frames in proptest::collection::vec(random(), 1..200)) {
        run(frames);
    }
}
