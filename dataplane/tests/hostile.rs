//! Anything may arrive, on either side: whatever it is, the engine neither panics nor loses a chunk nor loses count, and
//! what it sends is well-formed.

mod support;

use fastrand::Rng;
use proptest::prelude::*;
use support::audit::Audit;
use support::dual::{Over, carried, kernel6_frames};
use support::mend::{mend, mend_ip, mend_transport};
use support::{POD, UNDERLAY, UPLINK, kernel_frames};

/// What the kernel sent, all combinations of families.
fn every_frame() -> Vec<Vec<u8>> {
    [kernel_frames(), kernel6_frames()].concat()
}

/// A frame that the engine would accept, then damaged: bytes changed, the end cut or grown.
fn damaged() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let frames = every_frame();
    let changes = proptest::collection::vec((0..150usize, any::<u8>()), 0..6);
    (
        0..frames.len(),
        0..3u8,
        changes,
        proptest::option::of(0..1700usize),
    )
        .prop_map(move |(which, port, changes, len)| {
            let mut frame = frames[which].clone();
            if port != UNDERLAY {
                frame = carried(&frame).to_vec();
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

fn over() -> impl Strategy<Value = Over> {
    prop_oneof![Just(Over::V4), Just(Over::V6)]
}

fn run(over: Over, frames: Vec<(u8, Vec<u8>)>) {
    let mut audit = Audit::new(over);
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
    fn damaged_frames_are_forwarded_or_counted(over in over(), frames in proptest::collection::vec(damaged(), 1..400)) {
        run(over, frames);
    }

    #[test]
    fn random_bytes_are_counted(over in over(), frames in proptest::collection::vec(random(), 1..200)) {
        run(over, frames);
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
    let inner: Vec<_> = every_frame()
        .iter()
        .map(|frame| carried(frame).to_vec())
        .collect();
    // Two nodes in the same weather, one over each underlay, and what suits them.
    let mut nodes = [Over::V4, Over::V6].map(|over| {
        let mut outer = every_frame();
        outer.retain(|frame| Over::of(frame) == over);
        (Audit::new(over), outer)
    });
    let mut mutant = Vec::with_capacity(2048);
    let (mut thrown, mut blocked) = (0, 0);
    while thrown < frames {
        // Three in four over IPv4, as in life.
        let (audit, outer) = &mut nodes[usize::from(rng.u8(..4) == 0)];
        for _ in 0..60 {
            let port = [UNDERLAY, UNDERLAY, UPLINK, POD][rng.usize(..4)];
            let seeds = if port == UNDERLAY { &*outer } else { &inner };
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
    nodes.iter_mut().for_each(|(audit, _)| audit.balance());
    let left = nodes.iter().map(|(audit, _)| audit.left()).sum::<u64>();
    assert!(
        left > thrown / 8,
        "{left} of {thrown} left: the storm tests refusals alone"
    );
    println!("{thrown} frames, of which {left} led to one that left");
}

/// Where things are in the header of the packet inside, by its version: offsets from its start, and what to put there.
struct Places {
    /// The byte that names the node, of both addresses.
    node: [usize; 2],
    /// The last byte of both.
    host: [usize; 2],
    /// Class, what follows, hops, version.
    others: [(usize, u8); 6],
    /// Lengths, and what of the packet they do not count.
    len: (usize, u16),
}

const IPV4: Places = Places {
    node: [14, 18],
    host: [15, 19],
    others: [(1, 3), (6, 0x40), (6, 0x20), (8, 1), (9, 17), (0, 0x46)],
    len: (2, 0),
};
const IPV6: Places = Places {
    node: [15, 31],
    host: [23, 39],
    others: [(1, 0x30), (6, 44), (6, 17), (7, 1), (6, 0), (0, 0x65)],
    len: (4, 40),
};

/// Changes of all kinds, from none to a frame of noise.
fn mutate(frame: &mut Vec<u8>, port: u8, rng: &mut Rng) {
    let outer = (port == UNDERLAY).then(|| Over::of(frame));
    let ip = outer.map_or(0, Over::overhead) + 14;
    let places = match frame[ip] >> 4 {
        4 => &IPV4,
        _ => &IPV6,
    };
    for _ in 0..rng.u8(..4) {
        let len = frame.len().max(1);
        match rng.u8(..10) {
            // Anywhere in the headers; anywhere at all.
            0 | 1 => set(frame, rng.usize(..len.min(140)), rng.u8(..)),
            2 => flip(frame, rng.usize(..len), 1 << rng.u8(..8)),
            // Another source, another destination, other pods of the same nodes.
            3 => set(frame, ip + places.node[rng.usize(..2)], rng.u8(..6)),
            4 => set(
                frame,
                ip + places.host[rng.usize(..2)],
                [0, 1, 10, 0x10, 99, 0x99, 255][rng.usize(..7)],
            ),
            5 => match outer {
                Some(Over::V6) => set(frame, [37, 53][rng.usize(..2)], rng.u8(..6)),
                _ => set(frame, [29, 33][rng.usize(..2)], rng.u8(..6)),
            },
            // TOS, flags, TTL, protocol, header length.
            6 => {
                let (at, value) = places.others[rng.usize(..6)];
                set(frame, ip + at, value);
                match outer {
                    Some(Over::V6) => set(frame, 15, rng.u8(..4) << 4),
                    _ => set(frame, 15, rng.u8(..4)),
                }
            }
            // Another length, which the headers know of or not.
            7 => {
                let mtu = [1330, 1350, 1430, 1450, 1500][rng.usize(..5)] + rng.usize(..2);
                let len = [rng.usize(..1720), ip + mtu][rng.usize(..2)];
                frame.resize(len, 0xa5);
                if rng.bool() {
                    fit(frame, ip, places, outer);
                }
            }
            8 => {
                let outer = match outer {
                    Some(Over::V6) => [18, 58],
                    _ => [16, 38],
                };
                let at = [ip + places.len.0, outer[0], outer[1]][rng.usize(..3)];
                set_word(frame, at, rng.u16(..));
            }
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
fn fit(frame: &mut [u8], ip: usize, places: &Places, outer: Option<Over>) {
    let len = frame.len() as u16;
    let (at, uncounted) = places.len;
    set_word(frame, ip + at, len.saturating_sub(ip as u16 + uncounted));
    match outer {
        Some(Over::V4) => {
            set_word(frame, 16, len.saturating_sub(14));
            set_word(frame, 38, len.saturating_sub(34));
        }
        Some(Over::V6) => {
            set_word(frame, 18, len.saturating_sub(54));
            set_word(frame, 58, len.saturating_sub(54));
        }
        None => {}
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
