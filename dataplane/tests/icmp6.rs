//! The ICMPv6 errors that pods get: from the gateway's address, valid, about the right packet, and only where one is due.

mod support;

use contract::stats::{DropReason, PortCounter};
use contract::wire::{Ipv6, Protocol, Sum};
use support::dual::{Over, dual_tables, pod6};
use support::{OWN_VTEP, POD, POD_MAC, Rig, UNDERLAY, UPLINK, UPLINK_MAC};
use zerocopy::{FromBytes, IntoBytes};

/// A packet with 40 bytes of header and what follows.
fn packet(src: [u8; 16], dst: [u8; 16], next: u8, hops: u8, payload: &[u8]) -> Vec<u8> {
    let ip = Ipv6 {
        version_class_label: 0x6b8a_bcde.into(),
        payload_len: (payload.len() as u16).into(),
        next_header: next,
        hop_limit: hops,
        src,
        dst,
    };
    [&[0x0a; 12], &[0x86, 0xdd][..], ip.as_bytes(), payload].concat()
}

/// UDP-like bytes.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| n as u8).collect()
}

fn from_pod(dst: [u8; 16], next: u8, payload: &[u8]) -> Vec<u8> {
    packet(pod6(1, 0x10).octets(), dst, next, 64, payload)
}

fn nowhere() -> [u8; 16] {
    pod6(200, 1).octets()
}

struct Error<'a> {
    ip: Ipv6,
    kind: u8,
    code: u8,
    mtu: u32,
    quote: &'a [u8],
}

/// Takes an error apart after checking its checksum, pseudo header included.
#[track_caller]
fn parse(packet: &[u8]) -> Error<'_> {
    let (ip, icmp) = Ipv6::read_from_prefix(packet).unwrap();
    let pseudo = Sum::of(&packet[8..40])
        .plus(Sum::word(icmp.len() as u16))
        .plus(Sum::word(58));
    assert!(pseudo.plus(Sum::of(icmp)).is_valid());
    assert_eq!(usize::from(ip.payload_len.get()), icmp.len());
    assert_eq!((ip.next_header, ip.hop_limit), (Protocol::ICMPV6, 64));
    assert_eq!(ip.version_class_label.get(), 6 << 28);
    Error {
        ip,
        kind: icmp[0],
        code: icmp[1],
        mtu: u32::from_be_bytes(icmp[4..8].try_into().unwrap()),
        quote: &icmp[8..],
    }
}

/// One packet into the uplink; the error that comes back to it.
#[track_caller]
fn error_for(over: Over, frame: &[u8]) -> Vec<u8> {
    let mut rig = Rig::new(&dual_tables(1, over));
    let sent = rig.pass(UPLINK, frame);
    let [(UPLINK, answer)] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!(
        (&answer[..6], &answer[6..12], &answer[12..14]),
        (&OWN_VTEP.0[..], &UPLINK_MAC.0[..], &[0x86, 0xdd][..])
    );
    assert_eq!(rig.counters(UPLINK).count(PortCounter::Originated), 1);
    answer[14..].to_vec()
}

#[test]
fn too_big_names_the_mtu_of_the_path() {
    for (over, narrow) in [(Over::V4, 1350), (Over::V6, 1330)] {
        let frame = from_pod(pod6(4, 4).octets(), 17, &bytes(1400 - 40));
        let answer = error_for(over, &frame);
        let error = parse(&answer);
        assert_eq!((error.kind, error.code, error.mtu), (2, 0, narrow));
        assert_eq!(error.ip.src, pod6(1, 1).octets(), "the gateway");
        assert_eq!(error.ip.dst, pod6(1, 0x10).octets());
        assert_eq!(error.quote, &frame[14..][..1280 - 48]);
        // One byte less than too big is not.
        let mut rig = Rig::new(&dual_tables(1, over));
        let fits = from_pod(pod6(4, 4).octets(), 17, &bytes(narrow as usize - 40));
        assert!(matches!(rig.pass(UPLINK, &fits)[..], [(UNDERLAY, _)]));
    }
}

#[test]
fn no_path_is_told_to_be_narrower_than_ipv6_allows() {
    let mut tables = dual_tables(1, Over::V6);
    let contract::tables::Adjacency::Peer { mtu, .. } = &mut tables.adjacencies[4] else {
        unreachable!()
    };
    *mtu = 1000;
    let sent = Rig::new(&tables).pass(UPLINK, &from_pod(pod6(4, 4).octets(), 17, &bytes(1300)));
    assert_eq!(parse(&sent[0].1[14..]).mtu, 1280);
}

#[test]
fn an_ipv4_packet_too_big_for_a_path_over_ipv6_is_answered_in_its_own_tongue() {
    let mut frame = vec![0x0a; 12];
    frame.extend([0x08, 0x00, 0x45, 0, 5, 0x97, 0, 7, 0x40, 0, 64, 17, 0, 0]);
    frame.extend([10, 244, 1, 10, 10, 244, 2, 10]);
    frame.resize(14 + 1431, 0);
    support::mend::mend_ip(&mut frame[14..]);
    let mut rig = Rig::new(&dual_tables(1, Over::V6));
    let sent = rig.pass(UPLINK, &frame);
    let [(UPLINK, answer)] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    // Fragmentation needed, 1430.
    assert_eq!(
        (&answer[34..36], &answer[40..42]),
        (&[3, 4][..], &[5, 0x96][..])
    );
    // Without DF it is lost all the same: nobody fragments IPv6 on its way.
    frame[20] = 0;
    support::mend::mend_ip(&mut frame[14..]);
    assert!(rig.pass(UPLINK, &frame).is_empty());
    assert_eq!(rig.drops(UPLINK), [(DropReason::TooBig.name(), 2)]);
}

#[test]
fn no_way_there_is_no_route_or_an_unreachable_address() {
    let frame = from_pod(nowhere(), 17, &bytes(60));
    let answer = error_for(Over::V6, &frame);
    let error = parse(&answer);
    assert_eq!((error.kind, error.code, error.mtu), (1, 0, 0));
    assert_eq!(error.quote, &frame[14..]);
    let answer = error_for(Over::V6, &from_pod(pod6(3, 3).octets(), 17, &bytes(60)));
    assert_eq!((parse(&answer).kind, parse(&answer).code), (1, 3));
}

#[test]
fn time_exceeded_goes_back_to_the_pod() {
    let mut rig = Rig::new(&dual_tables(1, Over::V6));
    let (src, dst) = (pod6(1, 0x99).octets(), pod6(2, 0x10).octets());
    let sent = rig.pass(POD, &packet(src, dst, 17, 1, &bytes(60)));
    let [(POD, answer)] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!(answer[..6], POD_MAC.0);
    let error = parse(&answer[14..]);
    assert_eq!((error.kind, error.code), (3, 0));
    assert_eq!((error.ip.src, error.ip.dst), (pod6(1, 1).octets(), src));
}

#[test]
fn time_exceeded_goes_back_through_the_tunnel() {
    for over in [Over::V4, Over::V6] {
        let (src, dst) = (pod6(1, 0x10).octets(), pod6(2, 0x99).octets());
        let frame = packet(src, dst, 17, 1, &bytes(60));
        let wire = Rig::new(&dual_tables(1, over)).pass(UPLINK, &frame);
        let mut two = Rig::new(&dual_tables(2, over));
        let sent = two.pass(UNDERLAY, &wire[0].1);
        let [(UNDERLAY, answer)] = sent.as_slice() else {
            panic!("{sent:?} {:?}", two.drops(UNDERLAY))
        };
        assert_eq!(two.drops(UNDERLAY), [("ttl-exceeded", 1)]);
        assert_eq!(two.counters(UNDERLAY).count(PortCounter::Originated), 1);
        let error = parse(&answer[over.overhead() + 14..]);
        assert_eq!(
            (error.kind, error.ip.src, error.ip.dst),
            (3, pod6(2, 1).octets(), src)
        );
        // And node 1 hands it to the pod.
        let mut one = Rig::new(&dual_tables(1, over));
        assert!(matches!(one.pass(UNDERLAY, answer)[..], [(UPLINK, _)]));
    }
}

#[test]
fn nobody_is_answered_who_must_not_be() {
    let icmp = |kind: u8| from_pod(nowhere(), 58, &[kind, 0, 0, 0, 0, 0, 0, 0]);
    let behind = |count: usize, last: &[u8]| {
        let mut payload = Vec::new();
        for n in 0..count {
            let next = if n + 1 == count { last[0] } else { 60 };
            payload.extend([next, 0, 1, 4, 0, 0, 0, 0]);
        }
        payload.extend(&last[1..]);
        from_pod(nowhere(), 60, &payload)
    };
    let unicast = pod6(1, 0x10).octets();
    let suppressed = [
        ("an ICMPv6 error", icmp(1)),
        ("an ICMPv6 error", icmp(127)),
        ("a redirect", icmp(137)),
        ("ICMPv6 without a type", from_pod(nowhere(), 58, &[])),
        ("an error behind options", behind(2, &[58, 1, 0, 0, 0])),
        ("too many options", behind(9, &[58, 128, 0, 0, 0])),
        (
            "options that do not end",
            from_pod(nowhere(), 60, &[60, 9, 0, 0, 0, 0, 0, 0]),
        ),
        ("options cut short", from_pod(nowhere(), 60, &[60])),
        (
            "a later fragment",
            from_pod(nowhere(), 44, &[17, 0, 0, 8, 0, 0, 0, 1, 9, 9]),
        ),
        (
            "a much later fragment",
            from_pod(nowhere(), 44, &[17, 0, 1, 0, 0, 0, 0, 1, 9, 9]),
        ),
        ("no source", packet([0; 16], nowhere(), 17, 64, &bytes(20))),
        (
            "a loopback source",
            packet(1u128.to_be_bytes(), nowhere(), 17, 64, &bytes(20)),
        ),
        (
            "a group as source",
            packet([0xff; 16], nowhere(), 17, 64, &bytes(20)),
        ),
        (
            "no destination",
            packet(unicast, [0; 16], 17, 64, &bytes(20)),
        ),
    ];
    for (what, frame) in suppressed {
        let mut rig = Rig::new(&dual_tables(1, Over::V6));
        assert!(rig.pass(UPLINK, &frame).is_empty(), "{what} was answered");
        let counters = rig.counters(UPLINK);
        assert_eq!(counters.count(PortCounter::IcmpSuppressed), 1, "{what}");
        assert_eq!(rig.drops(UPLINK), [("no-route", 1)], "{what}");
    }
    for (what, frame) in [
        ("an echo request", icmp(128)),
        ("one behind options", behind(8, &[58, 128, 0, 0, 0])),
        (
            "a first fragment",
            from_pod(nowhere(), 44, &[17, 0, 0, 1, 0, 0, 0, 1, 9, 9]),
        ),
        (
            "behind an authentication header",
            from_pod(
                nowhere(),
                51,
                &[[17, 1].as_slice(), &[0; 10], &[9; 8]].concat(),
            ),
        ),
        ("a protocol without a name", from_pod(nowhere(), 253, &[1])),
    ] {
        assert_eq!(parse(&error_for(Over::V6, &frame)).kind, 1, "{what}");
    }
}

#[test]
fn what_is_for_the_link_is_lost_in_silence_under_its_own_name() {
    let mut rig = Rig::new(&dual_tables(1, Over::V6));
    let link_local = "fe80::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
    let group = "ff02::1:ff00:1"
        .parse::<std::net::Ipv6Addr>()
        .unwrap()
        .octets();
    for dst in [link_local, group] {
        let solicitation = packet(link_local, dst, 58, 255, &[135; 24]);
        assert!(rig.pass(UPLINK, &solicitation).is_empty());
    }
    assert_eq!(rig.drops(UPLINK), [("link-scope", 2)]);
    assert_eq!(rig.counters(UPLINK).count(PortCounter::IcmpSuppressed), 0);
}

#[test]
fn without_a_gateway_address_there_is_nobody_to_answer() {
    let mut tables = dual_tables(1, Over::V6);
    tables.node.gateway_ip6 = std::net::Ipv6Addr::UNSPECIFIED;
    let mut rig = Rig::new(&tables);
    assert!(
        rig.pass(UPLINK, &from_pod(nowhere(), 17, &bytes(60)))
            .is_empty()
    );
    assert_eq!(rig.drops(UPLINK), [(DropReason::NoRoute.name(), 1)]);
}
