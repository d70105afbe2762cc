//! What fuzzing of the packet path has ever found or reached, again, in every test run: see `fuzz/src/lib.rs`. And, by the same
//! checks, every bit of every golden frame's headers.

#[path = "../../fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../fuzz/src/decap.rs"]
mod decap;
#[path = "../../fuzz/src/encap.rs"]
mod encap;
#[path = "../../fuzz/src/offload.rs"]
mod offload;
mod support;
#[path = "../../fuzz/src/turn.rs"]
mod turn;

use support::dual::{Over, carried};

#[test]
fn sequences_of_frames_through_a_worker() {
    corpus::replay("turn", turn::check);
}

#[test]
fn frames_from_the_wire() {
    corpus::replay("decap", decap::check);
}

#[test]
fn frames_from_pods() {
    corpus::replay("encap", encap::check);
}

#[test]
fn packets_from_a_tun() {
    corpus::replay("offload", offload::check);
}

/// Both as it is and with the checksums mended, so that the bit itself is judged.
fn flip_every_bit(head: &[u8], frame: &[u8], check: impl Fn(&[u8])) {
    for bit in 0..frame.len().min(128) * 8 {
        for flags in [0, turn::MEND, turn::MEND | turn::MEND_TRANSPORT] {
            let mut input = [head, frame].concat();
            input[0] |= flags;
            input[head.len() + bit / 8] ^= 1 << (bit % 8);
            check(&input);
        }
    }
}

#[test]
fn every_bit_of_the_headers() {
    for frame in support::kernel_frames() {
        flip_every_bit(&[0], &frame, decap::check);
        for from in 0..3 {
            flip_every_bit(&[from, 0], &frame[support::model::OUTER..], encap::check);
        }
    }
}

/// One frame of each kind is enough: of a protocol, under some headers.
#[test]
fn every_bit_of_the_headers_with_ipv6() {
    let mut seen = std::collections::HashSet::new();
    for frame in support::dual::kernel6_frames() {
        let (over, packet) = (Over::of(&frame), &carried(&frame)[14..]);
        let kind = (over, packet[0], packet[6], packet[9], packet.len() < 200);
        if !seen.insert(kind) {
            continue;
        }
        let underlay = match over {
            Over::V4 => 0,
            Over::V6 => turn::OVER_IPV6,
        };
        flip_every_bit(&[underlay], &frame, decap::check);
        for from in 0..3 {
            flip_every_bit(&[from | underlay, 0], carried(&frame), encap::check);
        }
    }
    assert!(seen.len() >= 10);
}
