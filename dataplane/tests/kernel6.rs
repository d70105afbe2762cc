//! Our frames beside the kernel's wherever IPv6 takes part: inside, outside, both. The capture holds ICMP, TCP, UDP with and
//! without a checksum, every ECN field, fragments and extension headers; `data/kernel-vxlan6.py` wrote it.

mod support;

use std::collections::{HashMap, HashSet};

use contract::wire::{Rewrite4, Rewrite6, Sum, update};
use support::dual::{Over, dual_tables, kernel6_frames, pod_side, sender};
use support::{OWN_NIC, PEER_NIC, Rig, UNDERLAY, UPLINK};
use zerocopy::FromBytes;

/// The three combinations that the other capture has not, each with its frames of one node.
fn sent_by(node: u8) -> Vec<(Over, Vec<Vec<u8>>)> {
    let of = |over, ethertype: [u8; 2]| {
        let mut frames = kernel6_frames();
        frames.retain(|frame| {
            let inner = Over::of(frame).overhead() + 12;
            Over::of(frame) == over && frame[inner..inner + 2] == ethertype && sender(frame) == node
        });
        assert!(frames.len() >= 20, "the capture shrank");
        (over, frames)
    };
    vec![
        of(Over::V6, [0x86, 0xdd]),
        of(Over::V6, [0x08, 0x00]),
        of(Over::V4, [0x86, 0xdd]),
    ]
}

/// Our frame with the kernel's id, source port and MACs, its checksums updated for just these.
fn as_the_kernel(frame: &[u8], kernel: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    match Over::of(kernel) {
        Over::V4 => {
            let (theirs, _) = Rewrite4::read_from_prefix(kernel).unwrap();
            let (ours, _) = Rewrite4::mut_from_prefix(&mut frame).unwrap();
            assert_ne!(ours.ip.id.get(), 0);
            let (id, sport) = (ours.ip.id.to_bytes(), ours.udp.sport.to_bytes());
            ours.ip.checksum = update(ours.ip.checksum, id, theirs.ip.id.to_bytes());
            ours.udp.checksum = update(ours.udp.checksum, sport, theirs.udp.sport.to_bytes());
            assert!((32768..60999).contains(&ours.udp.sport.get()));
            (ours.ip.id, ours.udp.sport) = (theirs.ip.id, theirs.udp.sport);
            ours.ethernet = theirs.ethernet;
        }
        Over::V6 => {
            let (theirs, _) = Rewrite6::read_from_prefix(kernel).unwrap();
            let (ours, _) = Rewrite6::mut_from_prefix(&mut frame).unwrap();
            let sport = ours.udp.sport.to_bytes();
            ours.udp.checksum = update(ours.udp.checksum, sport, theirs.udp.sport.to_bytes());
            assert!((32768..60999).contains(&ours.udp.sport.get()));
            ours.udp.sport = theirs.udp.sport;
            ours.ethernet = theirs.ethernet;
        }
    }
    frame
}

#[test]
fn encap_emits_the_kernels_frames_but_for_id_and_source_port() {
    for (over, kernel) in sent_by(1) {
        let mut rig = Rig::new(&dual_tables(1, over));
        for expected in &kernel {
            let sent = rig.pass(UPLINK, &pod_side(expected));
            let [(UNDERLAY, frame)] = sent.as_slice() else {
                panic!("{over:?}: {sent:?} {:?}", rig.drops(UPLINK))
            };
            assert_eq!(
                (&frame[..6], &frame[6..12]),
                (&PEER_NIC.0[..], &OWN_NIC.0[..])
            );
            assert_eq!(&as_the_kernel(frame, expected), expected, "{over:?}");
        }
        assert_eq!(rig.drops(UPLINK), []);
    }
}

#[test]
fn decap_accepts_the_kernels_frames_and_delivers_the_inner_packet_untouched() {
    for (over, kernel) in sent_by(2) {
        let mut rig = Rig::new(&dual_tables(1, over));
        for frame in &kernel {
            let sent = rig.pass(UNDERLAY, frame);
            let [(UPLINK, delivered)] = sent.as_slice() else {
                panic!("{over:?}: {sent:?} {:?}", rig.drops(UNDERLAY))
            };
            assert_eq!(delivered[..6], support::OWN_VTEP.0);
            assert_eq!(delivered[6..12], support::UPLINK_MAC.0);
            assert_eq!(delivered[12..], frame[over.overhead() + 12..]);
        }
        assert_eq!(rig.drops(UNDERLAY), []);
    }
}

#[test]
fn what_we_emit_we_accept_at_the_other_node() {
    for (over, kernel) in sent_by(1) {
        let mut one = Rig::new(&dual_tables(1, over));
        let mut two = Rig::new(&dual_tables(2, over));
        for frame in &kernel {
            let packet = pod_side(frame);
            let [(UNDERLAY, wire)] = &one.pass(UPLINK, &packet)[..] else {
                panic!("not sent")
            };
            let [(UPLINK, delivered)] = &two.pass(UNDERLAY, wire)[..] else {
                panic!("{over:?}: {:?}", two.drops(UNDERLAY))
            };
            assert_eq!(delivered[12..], packet[12..]);
        }
    }
}

#[test]
fn the_outer_checksum_is_the_sum_of_every_byte() {
    for (over, kernel) in sent_by(1) {
        let mut rig = Rig::new(&dual_tables(1, over));
        let addresses = match over {
            Over::V4 => 26..34,
            Over::V6 => 22..54,
        };
        for expected in &kernel {
            let (_, frame) = &rig.pass(UPLINK, &pod_side(expected))[0];
            let datagram = &frame[addresses.end..];
            let pseudo = Sum::of(&frame[addresses.clone()])
                .plus(Sum::word(17))
                .plus(Sum::word(datagram.len() as u16));
            assert!(pseudo.plus(Sum::of(datagram)).is_valid());
            assert_ne!(datagram[6..8], [0, 0]);
        }
    }
}

/// What our source port is to depend on: addresses and protocol, and the ports of a whole TCP segment or UDP datagram that
/// follows the IP header at once.
fn flow(frame: &[u8]) -> (u8, Option<[u8; 4]>) {
    let packet = &frame[Over::of(frame).overhead() + 14..];
    let (protocol, whole, header) = match packet[0] >> 4 {
        4 => (packet[9], packet[6] & 0x3f == 0 && packet[7] == 0, 20),
        _ => (packet[6], true, 40),
    };
    let ports = || packet[header..header + 4].try_into().unwrap();
    (protocol, (matches!(protocol, 6 | 17) && whole).then(ports))
}

#[test]
fn a_flow_keeps_its_source_port_and_others_have_others() {
    for (over, kernel) in sent_by(1) {
        let mut rig = Rig::new(&dual_tables(1, over));
        let udp = over.overhead() - 16;
        let mut sports = HashMap::<_, HashSet<[u8; 2]>>::new();
        for frame in &kernel {
            let (_, ours) = &rig.pass(UPLINK, &pod_side(frame))[0];
            let sport = ours[udp..udp + 2].try_into().unwrap();
            sports.entry(flow(frame)).or_default().insert(sport);
        }
        assert!(sports.len() >= 10, "{over:?}: {} flows", sports.len());
        assert!(sports.values().all(|of_flow| of_flow.len() == 1));
        let all: HashSet<_> = sports.values().flatten().collect();
        // Of some twenty flows and 28,231 ports; were it one pair, it would still be no fault.
        assert!(all.len() + 1 >= sports.len(), "{over:?}: {sports:?}");
    }
}
