//! Anything may arrive, on either side: whatever it is, the engine neither panics nor loses a chunk nor loses count, and
//! what it sends is well-formed.

mod support;

use fastrand::Rng;
use proptest::prelude::*;
use support::audit::Audit;
use support::mend::{mend, mend_ip, mend_transport};
use support::model::OUTER;
use support::{POD, UNDERLAY, UPLINK, kernel_frames};

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
                frame.drain(..OUTER);
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

fn run(frames: Vec<(u8, Vec<u8>)>) {
    let mut audit = Audit::default();
    for burst in frames.chunks(40) {
        for (port, frame) in burst {
            audit.deliver(*port, frame);
        }
        audit.settle();
        audit.collect();
    }
    audit.balance();
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

/// Frames of the storm, unless `TWEED_STORM` says how many.
const STORM: u64 = 4_000_000;

/// Two in three have their checksums mended, so that the change is judged and not the checksum over it.
#[test]
fn a_storm_of_mutants_is_forwarded_or_counted() {
    let frames = std::env::var("TWEED_STORM").map_or(STORM, |frames| {
        frames.parse().expect("TWEED_STORM is a number of frames")
    });
    let mut rng = Rng::with_seed(0x7eed);
    let mut audit = Audit::default();
    let outer = kernel_frames();
    let inner: Vec<_> = outer.iter().map(|frame| frame[OUTER..].to_vec()).collect();
    let mut mutant = Vec::with_capacity(2048);
    let (mut thrown, mut blocked) = (0, 0);
    while thrown < frames {
        for _ in 0..60 {
            let port = [UNDERLAY, UNDERLAY, UPLINK, POD][rng.usize(..4)];
            let seeds = if port == UNDERLAY { &outer } else { &inner };
            mutant.clear();
            mutant.extend_from_slice(&seeds[rng.usize(..seeds.len())]);
            mutate(&mut mutant, port, &mut rng);
            audit.deliver(port, &mutant);
            thrown += 1;
        }
        audit.settle();
        // Now and then nobody takes frames for so long that the transmit rings are full.
        blocked = match blocked {
            0 if rng.u8(..) == 0 => 20,
            _ => u8::saturating_sub(blocked, 1),
        };
        if blocked == 0 {
            audit.collect();
        }
    }
    audit.balance();
    let left = audit.left();
    assert!(
        left > thrown / 8,
        "{left} of {thrown} left: the storm tests refusals alone"
    );
    println!("{thrown} frames, of which {left} led to one that left");
}

/// Changes of all kinds, from none to a frame of noise.
fn mutate(frame: &mut Vec<u8>, port: u8, rng: &mut Rng) {
    let ip = if port == UNDERLAY { OUTER + 14 } else { 14 };
    for _ in 0..rng.u8(..4) {
        let len = frame.len().max(1);
        match rng.u8(..10) {
            // Anywhere in the headers; anywhere at all.
            0 | 1 => set(frame, rng.usize(..len.min(100)), rng.u8(..)),
            2 => flip(frame, rng.usize(..len), 1 << rng.u8(..8)),
            // Another source, another destination, other pods of the same nodes.
            3 => set(frame, ip + [14, 18][rng.usize(..2)], rng.u8(..6)),
            4 => set(
                frame,
                ip + [15, 19][rng.usize(..2)],
                [0, 1, 10, 99, 255][rng.usize(..5)],
            ),
            5 => set(frame, [29, 33][rng.usize(..2)], rng.u8(..6)),
            // TOS, flags, TTL, protocol, header length.
            6 => {
                let (at, value) =
                    [(1, 3), (6, 0x40), (6, 0x20), (8, 1), (9, 17), (0, 0x46)][rng.usize(..6)];
                set(frame, ip + at, value);
                set(frame, 15, rng.u8(..4));
            }
            // Another length, which the headers know of or not.
            7 => {
                let mtu = [1350, 1450, 1500][rng.usize(..3)] + rng.usize(..2);
                let len = [rng.usize(..1720), ip + mtu][rng.usize(..2)];
                frame.resize(len, 0xa5);
                if rng.bool() {
                    fit(frame, ip, port);
                }
            }
            8 => set_word(frame, [ip + 2, 16, 38][rng.usize(..3)], rng.u16(..)),
            _ if rng.u8(..20) == 0 => rng.fill(frame),
            _ => {}
        }
    }
    match rng.u8(..3) {
        0 => {}
        1 => {
            if let Some(packet) = frame.get_mut(ip..) {
                mend_ip(packet);
                mend_transport(packet);
            }
            repair(frame, port);
        }
        _ => repair(frame, port),
    }
}

fn repair(frame: &mut [u8], port: u8) {
    if port == UNDERLAY {
        mend(frame);
    } else if let Some(packet) = frame.get_mut(14..) {
        mend_ip(packet);
    }
}

/// Lengths in the headers that agree with the frame's.
fn fit(frame: &mut [u8], ip: usize, port: u8) {
    let len = frame.len() as u16;
    set_word(frame, ip + 2, len.saturating_sub(ip as u16));
    if port == UNDERLAY {
        set_word(frame, 16, len.saturating_sub(14));
        set_word(frame, 38, len.saturating_sub(34));
    }
}

fn set(frame: &mut [u8], at: usize, value: u8) {
    if let Some(byte) = frame.get_mut(at) {
        *byte = value;
    }
}

fn set_word(frame: &mut [u8], at: usize, value: u16) {
    let [high, low] = value.to_be_bytes();
    set(frame, at, high);
    set(frame, at + 1, low);
}

fn flip(frame: &mut [u8], at: usize, bits: u8) {
    if let Some(byte) = frame.get_mut(at) {
        *byte ^= bits;
    }
}
