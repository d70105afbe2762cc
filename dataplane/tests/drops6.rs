//! The reasons to drop once more where IPv6 takes part: a kernel frame that is accepted, one change, the reason.

mod support;

use contract::stats::DropReason;
use support::dual::{OWN_VTEP6, Over, dual_tables, kernel6_frames, pod_side, pod6, sender};
use support::mend::mend;
use support::{OWN_VTEP, Rig, UNDERLAY, UPLINK};

/// A frame of node 2 with IPv6 inside, the first that `wanted` likes.
fn from_two(over: Over, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let inner = over.overhead() + 12;
    let fits = |frame: &&Vec<u8>| {
        let six = frame[inner..inner + 2] == [0x86, 0xdd];
        Over::of(frame) == over && six && sender(frame) == 2 && wanted(frame)
    };
    kernel6_frames().iter().find(fits).unwrap().clone()
}

/// An ICMPv6 echo reply from node 2.
fn echo(over: Over) -> Vec<u8> {
    from_two(over, |frame| frame[over.overhead() + 20] == 58)
}

#[track_caller]
fn refused(over: Over, port: u8, frame: &[u8], reason: DropReason) {
    let mut rig = Rig::new(&dual_tables(1, over));
    rig.pass(port, frame);
    assert_eq!(rig.drops(port), [(reason.name(), 1)]);
}

/// The change with the checksum over it, so that the change itself is judged.
#[track_caller]
fn mended(over: Over, reason: DropReason, change: impl Fn(&mut Vec<u8>)) {
    let mut frame = echo(over);
    change(&mut frame);
    mend(&mut frame);
    refused(over, UNDERLAY, &frame, reason);
}

#[track_caller]
fn over_ipv6(reason: DropReason, change: impl Fn(&mut Vec<u8>)) {
    mended(Over::V6, reason, change);
}

#[test]
fn outer_headers_must_hold_together() {
    for len in [14, 40, 53, 54, 61, 62, 70, 83] {
        let frame = &echo(Over::V6)[..len];
        refused(Over::V6, UNDERLAY, frame, DropReason::OuterHeader);
    }
    over_ipv6(DropReason::OuterHeader, |f| f[13] = 0xde);
    over_ipv6(DropReason::OuterHeader, |f| f[14] = 0x40);
    over_ipv6(DropReason::OuterHeader, |f| f[20] = 0); // hop-by-hop options
    over_ipv6(DropReason::OuterHeader, |f| f[20] = 44); // a fragment
    over_ipv6(DropReason::OuterHeader, |f| f[18] = 0xff);
    over_ipv6(DropReason::OuterHeader, |f| f[58] = 0xff);
    over_ipv6(DropReason::OuterHeader, |f| {
        f[58..60].copy_from_slice(&29u16.to_be_bytes());
    });
}

#[test]
fn a_datagram_over_ipv6_needs_its_checksum() {
    let mut frame = echo(Over::V6);
    frame[61] ^= 1;
    refused(Over::V6, UNDERLAY, &frame, DropReason::OuterUdpChecksum);
    frame[60..62].fill(0);
    refused(Over::V6, UNDERLAY, &frame, DropReason::OuterUdpChecksumZero);
    // Over IPv4 it may do without.
    let mut frame = echo(Over::V4);
    frame[40..42].fill(0);
    let mut rig = Rig::new(&dual_tables(1, Over::V4));
    assert!(matches!(rig.pass(UNDERLAY, &frame)[..], [(UPLINK, _)]));
}

#[test]
fn every_bit_under_the_outer_checksum_but_the_inner_payload_is_found() {
    // What the inner checksum covers is its receiver's to find; so are the addresses inside, which are under it, too.
    let good = echo(Over::V6);
    let inner = Over::V6.overhead() + 14;
    let mut rig = Rig::new(&dual_tables(1, Over::V6));
    for byte in 22..inner + 8 {
        for bit in 0..8 {
            let mut frame = good.clone();
            frame[byte] ^= 1 << bit;
            let sent = rig.pass(UNDERLAY, &frame);
            assert!(sent.is_empty(), "bit {bit} of byte {byte}");
        }
    }
}

#[test]
fn the_outer_destination_must_be_ours() {
    over_ipv6(DropReason::OuterDestination, |f| f[53] = 9);
    over_ipv6(DropReason::OuterDestination, |f| f[57] ^= 1);
    // A node without an address over IPv6 has none to be reached at, not even ::.
    let mut tables = dual_tables(1, Over::V6);
    tables.node.vtep_ip6 = std::net::Ipv6Addr::UNSPECIFIED;
    let mut frame = echo(Over::V6);
    frame[38..54].fill(0);
    mend(&mut frame);
    let mut rig = Rig::new(&tables);
    assert!(rig.pass(UNDERLAY, &frame).is_empty());
    assert_eq!(rig.drops(UNDERLAY), [("outer-destination", 1)]);
}

#[test]
fn vxlan_must_be_exactly_ours() {
    for byte in [62, 63, 64, 65, 69] {
        over_ipv6(DropReason::VxlanHeader, |f| f[byte] ^= 1);
    }
    over_ipv6(DropReason::Vni, |f| f[68] ^= 2);
    // The device over IPv6 has an address of its own.
    over_ipv6(DropReason::InnerMac, |f| {
        f[70..76].copy_from_slice(&OWN_VTEP.0);
    });
    mended(Over::V4, DropReason::InnerMac, |f| {
        f[50..56].copy_from_slice(&OWN_VTEP6.0);
    });
    over_ipv6(DropReason::InnerMacOwn, |f| {
        f[76..82].copy_from_slice(&OWN_VTEP6.0);
    });
    over_ipv6(DropReason::NotIp, |f| f[82..84].copy_from_slice(&[8, 6]));
}

#[test]
fn a_source_must_stay_in_its_lease() {
    for over in [Over::V4, Over::V6] {
        let inner = over.overhead() + 14;
        // Node 2 sends from node 3's subnet, from ours, from nobody's.
        for subnet in [3, 1, 0x77] {
            mended(over, DropReason::InnerSource, |f| f[inner + 15] = subnet);
        }
        let outer = if over == Over::V6 { 37 } else { 29 };
        // Node 4 and one that is not yet resolved are nodes, but not this subnet's; 200 and we ourselves are none.
        for (node, reason) in [
            (3, DropReason::InnerSource),
            (4, DropReason::InnerSource),
            (200, DropReason::OuterSource),
            (1, DropReason::OuterSource),
        ] {
            mended(over, reason, |f| f[outer] = node);
        }
    }
    // A lease is of the underlay that its adjacency is: the same node over the other one is a stranger to it.
    refused(Over::V4, UNDERLAY, &echo(Over::V6), DropReason::OuterSource);
    refused(Over::V6, UNDERLAY, &echo(Over::V4), DropReason::OuterSource);
}

#[test]
fn a_node_that_is_not_resolved_is_still_heard() {
    let mut frame = echo(Over::V6);
    frame[37] = 3;
    frame[84 + 15] = 3;
    mend(&mut frame);
    let mut rig = Rig::new(&dual_tables(1, Over::V6));
    assert!(matches!(rig.pass(UNDERLAY, &frame)[..], [(UPLINK, _)]));
}

#[test]
fn inner_headers_must_hold_together_on_both_sides() {
    for over in [Over::V4, Over::V6] {
        let inner = over.overhead() + 14;
        mended(over, DropReason::IpHeader, |f| f[inner] = 0x45);
        mended(over, DropReason::Truncated, |f| f[inner + 4] = 1);
        mended(over, DropReason::TtlExceeded, |f| f[inner + 7] = 0);
        mended(over, DropReason::InnerDestination, |f| f[inner + 31] = 3);
        mended(over, DropReason::InnerDestination, |f| f[inner + 24] = 0xff);
        // No room for a whole header.
        mended(over, DropReason::Truncated, |f| {
            f.truncate(inner + 39);
            let len = (f.len() - inner + 30) as u16;
            let (ip, udp) = match over {
                Over::V4 => (16, 38),
                Over::V6 => (18, 58),
            };
            let more = if over == Over::V4 { 20 } else { 0 };
            f[ip..ip + 2].copy_from_slice(&(len + more).to_be_bytes());
            f[udp..udp + 2].copy_from_slice(&len.to_be_bytes());
        });
    }
    let good = pod_side(&kernel6_frames()[0]);
    let change = |at: usize, value: u8| {
        let mut frame = good.clone();
        frame[at] = value;
        frame
    };
    for len in [14, 53, good.len() - 1] {
        refused(Over::V6, UPLINK, &good[..len], DropReason::Truncated);
    }
    refused(Over::V6, UPLINK, &change(14, 0x70), DropReason::IpHeader);
    refused(Over::V6, UPLINK, &change(21, 0), DropReason::TtlExceeded);
    refused(
        Over::V6,
        UPLINK,
        &change(54 - 16 + 7, 1),
        DropReason::Hairpin,
    );
    // A jumbogram says nothing of its length.
    let mut jumbo = change(20, 0);
    jumbo[18..20].fill(0);
    refused(Over::V6, UPLINK, &jumbo, DropReason::IpHeader);
}

#[test]
fn a_packet_needs_a_way_to_its_destination() {
    let to = |dst: std::net::Ipv6Addr| {
        let mut frame = pod_side(&kernel6_frames()[0]);
        frame[38..54].copy_from_slice(&dst.octets());
        frame
    };
    refused(Over::V6, UPLINK, &to(pod6(9, 9)), DropReason::NoRoute);
    refused(Over::V6, UPLINK, &to(pod6(3, 9)), DropReason::Unresolved);
    for link in ["ff02::1", "ff0e::1", "fe80::1", "febf::1"] {
        refused(
            Over::V6,
            UPLINK,
            &to(link.parse().unwrap()),
            DropReason::LinkScope,
        );
    }
    refused(
        Over::V6,
        UPLINK,
        &to("fec0::1".parse().unwrap()),
        DropReason::NoRoute,
    );
}

#[test]
fn congestion_marks_cross_both_ways() {
    // Outer, inner, what the pod gets: RFC 6040 section 4.2, figure 4.
    let cases = [
        (3, 0, None),
        (3, 1, Some(3)),
        (3, 2, Some(3)),
        (3, 3, Some(3)),
        (1, 2, Some(1)),
        (2, 1, Some(1)),
        (1, 0, Some(0)),
        (0, 3, Some(3)),
    ];
    for over in [Over::V4, Over::V6] {
        let inner = over.overhead() + 14;
        for (outer, mark, expected) in cases {
            let mut frame = echo(over);
            match over {
                Over::V4 => frame[15] = outer,
                Over::V6 => frame[15] = frame[15] & 0xcf | outer << 4,
            }
            // DSCP 46 stays as it is.
            frame[inner] = 0x6b;
            frame[inner + 1] = 0x80 | mark << 4 | frame[inner + 1] & 0x0f;
            mend(&mut frame);
            let mut rig = Rig::new(&dual_tables(1, over));
            let sent = rig.pass(UNDERLAY, &frame);
            match expected {
                None => assert_eq!(rig.drops(UNDERLAY), [("ecn-not-capable", 1)]),
                Some(expected) => {
                    let (_, delivered) = &sent[0];
                    assert_eq!(delivered[14], 0x6b);
                    assert_eq!(delivered[15] & 0xf0, 0x80 | expected << 4, "{outer} {mark}");
                    assert_eq!(delivered[15] & 0x0f, frame[inner + 1] & 0x0f);
                    assert_eq!(delivered[16..], frame[inner + 2..]);
                }
            }
        }
    }
}
