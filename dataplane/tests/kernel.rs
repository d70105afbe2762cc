//! Our frames beside the kernel's: what Linux's vxlan device emitted for flannel, we emit; what it emitted, we accept.

mod support;

use contract::wire::{Rewrite4, Sum, update};
use support::{
    OWN_VTEP, PEER_VTEP, Rig, UNDERLAY, UPLINK, UPLINK_MAC, golden_tables, kernel_frames,
};
use zerocopy::{FromBytes, IntoBytes};

/// Frames of node 1 (sent by the kernel we stand in for) and of node 2 (sent to it).
fn split() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (ours, theirs): (Vec<_>, Vec<_>) = kernel_frames()
        .into_iter()
        .partition(|frame| frame[29] == 1);
    assert!(ours.len() >= 10 && theirs.len() >= 10, "the capture shrank");
    (ours, theirs)
}

/// What the pod side saw: the inner packet under some Ethernet header.
fn pod_frame(vxlan_frame: &[u8]) -> Vec<u8> {
    [&[0x0a; 12], &vxlan_frame[62..]].concat()
}

#[test]
fn encap_emits_the_kernels_frames_but_for_id_and_source_port() {
    let (kernel, _) = split();
    let mut rig = Rig::new(&golden_tables());
    for expected in &kernel {
        let sent = rig.pass(UPLINK, &pod_frame(expected));
        let [(UNDERLAY, frame)] = sent.as_slice() else {
            panic!("{sent:?}")
        };
        let mut frame = frame.clone();
        let (theirs, _) = Rewrite4::read_from_prefix(expected).unwrap();
        let (ours, _) = Rewrite4::mut_from_prefix(&mut frame).unwrap();
        assert!((32768..60999).contains(&ours.udp.sport.get()));
        assert_ne!(ours.ip.id.get(), 0);
        // With the kernel's id and source port in place of ours, and the checksums updated for just these two words,
        // nothing may differ.
        ours.ip.checksum = update(
            ours.ip.checksum,
            ours.ip.id.to_bytes(),
            theirs.ip.id.to_bytes(),
        );
        ours.udp.checksum = update(
            ours.udp.checksum,
            ours.udp.sport.to_bytes(),
            theirs.udp.sport.to_bytes(),
        );
        (ours.ip.id, ours.udp.sport) = (theirs.ip.id, theirs.udp.sport);
        ours.ethernet = theirs.ethernet;
        assert_eq!(&frame, expected);
    }
    assert_eq!(rig.drops(UPLINK), []);
}

#[test]
fn fragments_of_a_datagram_share_a_source_port() {
    let (kernel, _) = split();
    let fragments: Vec<_> = kernel
        .iter()
        .filter(|f| u16::from_be_bytes([f[70], f[71]]) & 0x3fff != 0)
        .collect();
    assert!(
        fragments.len() >= 2,
        "the capture holds a fragmented datagram"
    );
    let mut rig = Rig::new(&golden_tables());
    let mut sports = fragments
        .iter()
        .map(|f| rig.pass(UPLINK, &pod_frame(f))[0].1[34..36].to_vec());
    let first = sports.next().unwrap();
    assert!(sports.all(|sport| sport == first));
}

#[test]
fn decap_accepts_the_kernels_frames_and_delivers_the_inner_packet_untouched() {
    let (_, kernel) = split();
    let mut rig = Rig::new(&golden_tables());
    for frame in &kernel {
        let sent = rig.pass(UNDERLAY, frame);
        let [(UPLINK, delivered)] = sent.as_slice() else {
            panic!("{sent:?}")
        };
        assert_eq!(delivered[..6], OWN_VTEP.0);
        assert_eq!(delivered[6..12], UPLINK_MAC.0);
        assert_eq!(delivered[12..], frame[62..]);
    }
    assert_eq!(rig.drops(UNDERLAY), []);
}

#[test]
fn what_we_emit_we_accept_at_the_other_node() {
    let (kernel, _) = split();
    let mut tables = golden_tables();
    let mut one = Rig::new(&tables);
    // Node 2: the same cluster with the roles swapped.
    tables.node.vtep_mac = PEER_VTEP;
    tables.node.vtep_ip4 = [192, 168, 77, 2].into();
    tables.routes[0].adjacency = 2;
    tables.routes[1].adjacency = 1;
    let contract::tables::Adjacency::Peer { peer, src, .. } = &mut tables.adjacencies[2] else {
        unreachable!()
    };
    std::mem::swap(peer, src);
    let mut two = Rig::new(&tables);
    for frame in &kernel {
        let packet = pod_frame(frame);
        let [(UNDERLAY, wire)] = &one.pass(UPLINK, &packet)[..] else {
            panic!("not sent")
        };
        let [(UPLINK, delivered)] = &two.pass(UNDERLAY, wire)[..] else {
            panic!("{:?}", two.drops(UNDERLAY))
        };
        assert_eq!(delivered[14..], packet[14..]);
    }
}

#[test]
fn the_outer_checksum_is_the_sum_of_every_byte() {
    let (kernel, _) = split();
    let mut rig = Rig::new(&golden_tables());
    for expected in &kernel {
        let sent = rig.pass(UPLINK, &pod_frame(expected));
        let frame = &sent[0].1;
        let (head, _) = Rewrite4::read_from_prefix(frame).unwrap();
        let pseudo = Sum::of(&frame[26..34])
            .plus(Sum::word(17))
            .plus(Sum::word(head.udp.len.get()));
        assert!(pseudo.plus(Sum::of(&frame[34..])).is_valid());
        assert!(Sum::of(head.ip.as_bytes()).is_valid());
    }
}
