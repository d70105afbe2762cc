//! The ICMP errors that pods get: from the gateway's address, valid, about the right packet, and only where one is due.

mod support;

use contract::stats::{DropReason, PortCounter};
use contract::wire::{Ipv4, Protocol, Sum};
use support::{OWN_VTEP, POD, POD_MAC, Rig, UNDERLAY, UPLINK, UPLINK_MAC, golden_tables};
use zerocopy::{FromBytes, IntoBytes};

const POD_IP: [u8; 4] = [10, 244, 1, 10];
const GATEWAY: [u8; 4] = [10, 244, 1, 1];

/// A pod's packet of `len` bytes: UDP unless `protocol` says otherwise.
fn packet(src: [u8; 4], dst: [u8; 4], len: usize, change: impl FnOnce(&mut Ipv4)) -> Vec<u8> {
    let mut frame = vec![0x0a; 12];
    frame.extend([0x08, 0x00]);
    let mut ip = Ipv4 {
        version_ihl: Ipv4::VERSION_IHL,
        tos: 0,
        total_len: (len as u16).into(),
        id: 7.into(),
        flags_offset: Ipv4::DF.into(),
        ttl: 64,
        protocol: Protocol::UDP,
        checksum: [0; 2],
        src,
        dst,
    };
    change(&mut ip);
    ip.checksum = Sum::of(ip.as_bytes()).checksum();
    frame.extend(ip.as_bytes());
    frame.extend((0..len - 20).map(|n| n as u8));
    frame
}

struct Error<'a> {
    ip: Ipv4,
    kind: u8,
    code: u8,
    mtu: u16,
    quote: &'a [u8],
}

/// Takes an ICMP error apart after checking both of its checksums.
fn parse(packet: &[u8]) -> Error<'_> {
    let (ip, icmp) = Ipv4::read_from_prefix(packet).unwrap();
    assert!(Sum::of(&packet[..20]).is_valid());
    assert!(Sum::of(icmp).is_valid());
    assert_eq!(usize::from(ip.total_len.get()), packet.len());
    assert_eq!((ip.protocol, ip.ttl), (Protocol::ICMP, 64));
    Error {
        ip,
        kind: icmp[0],
        code: icmp[1],
        mtu: u16::from_be_bytes([icmp[6], icmp[7]]),
        quote: &icmp[8..],
    }
}

/// One packet into the uplink; the error that comes back to it.
fn error_for(frame: &[u8]) -> Vec<u8> {
    let mut rig = Rig::new(&golden_tables());
    let sent = rig.pass(UPLINK, frame);
    let [(UPLINK, answer)] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!(
        (&answer[..6], &answer[6..12]),
        (&OWN_VTEP.0[..], &UPLINK_MAC.0[..])
    );
    assert_eq!(rig.counters(UPLINK).count(PortCounter::Originated), 1);
    answer[14..].to_vec()
}

#[test]
fn too_big_names_the_mtu_of_the_path() {
    let frame = packet(POD_IP, [10, 244, 4, 4], 1400, |_| {});
    let answer = error_for(&frame);
    let error = parse(&answer);
    assert_eq!((error.kind, error.code, error.mtu), (3, 4, 1350));
    assert_eq!((error.ip.src, error.ip.dst), (GATEWAY, POD_IP));
    assert_eq!(
        error.quote,
        &frame[14..][..548],
        "as much as fits in 576 bytes"
    );
}

#[test]
fn no_way_there_is_net_or_host_unreachable() {
    let nowhere = packet(POD_IP, [10, 244, 200, 1], 100, |_| {});
    let answer = error_for(&nowhere);
    let error = parse(&answer);
    assert_eq!((error.kind, error.code, error.mtu), (3, 0, 0));
    assert_eq!(error.quote, &nowhere[14..]);
    let answer = error_for(&packet(POD_IP, [10, 244, 3, 1], 100, |_| {}));
    assert_eq!((parse(&answer).kind, parse(&answer).code), (3, 1));
}

#[test]
fn time_exceeded_goes_back_to_the_pod() {
    let mut rig = Rig::new(&golden_tables());
    let sent = rig.pass(
        POD,
        &packet([10, 244, 1, 99], [10, 244, 2, 10], 60, |ip| ip.ttl = 1),
    );
    let [(POD, answer)] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!(answer[..6], POD_MAC.0);
    let error = parse(&answer[14..]);
    assert_eq!((error.kind, error.code), (11, 0));
    assert_eq!((error.ip.src, error.ip.dst), (GATEWAY, [10, 244, 1, 99]));
}

#[test]
fn time_exceeded_goes_back_through_the_tunnel() {
    let mut tables = golden_tables();
    let mut one = Rig::new(&tables);
    let wire = one.pass(
        UPLINK,
        &packet(POD_IP, [10, 244, 2, 99], 60, |ip| ip.ttl = 1),
    );
    // Node 2, where 10.244.2.99 is a pod attached to the engine.
    tables.node.vtep_mac = support::PEER_VTEP;
    tables.node.vtep_ip4 = [192, 168, 77, 2].into();
    tables.node.gateway_ip4 = [10, 244, 2, 1].into();
    tables.routes[0].adjacency = 2;
    tables.routes[1].adjacency = 1;
    tables.routes[4].prefix = std::net::Ipv4Addr::new(10, 244, 2, 99).into();
    let contract::tables::Adjacency::Peer { peer, src, .. } = &mut tables.adjacencies[2] else {
        unreachable!()
    };
    std::mem::swap(peer, src);
    let mut two = Rig::new(&tables);
    let sent = two.pass(UNDERLAY, &wire[0].1);
    let [(UNDERLAY, answer)] = sent.as_slice() else {
        panic!("{sent:?} {:?}", two.drops(UNDERLAY))
    };
    assert_eq!(two.drops(UNDERLAY), [("ttl-exceeded", 1)]);
    assert_eq!(two.counters(UNDERLAY).count(PortCounter::Originated), 1);
    let error = parse(&answer[64..]);
    assert_eq!(
        (error.kind, error.ip.src, error.ip.dst),
        (11, [10, 244, 2, 1], POD_IP)
    );
}

#[test]
fn nobody_is_answered_who_must_not_be() {
    let nowhere = [10, 244, 200, 1];
    let echo_reply = |kind: u8| {
        let mut frame = packet(POD_IP, nowhere, 60, |ip| ip.protocol = Protocol::ICMP);
        frame[34] = kind;
        frame
    };
    let suppressed = [
        (
            "a later fragment",
            packet(POD_IP, nowhere, 60, |ip| ip.flags_offset = 10.into()),
        ),
        ("an ICMP error", echo_reply(3)),
        ("an ICMP error", echo_reply(11)),
        (
            "an ICMP message without a type",
            packet(POD_IP, nowhere, 20, |ip| ip.protocol = Protocol::ICMP),
        ),
        (
            "a multicast destination",
            packet(POD_IP, [224, 0, 0, 251], 60, |_| {}),
        ),
        (
            "the broadcast address",
            packet(POD_IP, [255; 4], 60, |_| {}),
        ),
        ("no source", packet([0; 4], nowhere, 60, |_| {})),
        (
            "a loopback source",
            packet([127, 0, 0, 1], nowhere, 60, |_| {}),
        ),
        (
            "a multicast source",
            packet([239, 1, 1, 1], nowhere, 60, |_| {}),
        ),
        (
            "too big for our own device, but may be fragmented",
            packet(POD_IP, [10, 244, 2, 2], 1460, |ip| {
                ip.flags_offset = 0.into()
            }),
        ),
    ];
    for (what, frame) in suppressed {
        let mut rig = Rig::new(&golden_tables());
        assert!(rig.pass(UPLINK, &frame).is_empty(), "{what} was answered");
        assert_eq!(
            rig.counters(UPLINK).count(PortCounter::IcmpSuppressed),
            1,
            "{what}"
        );
    }
    assert_eq!(
        parse(&error_for(&echo_reply(8))).kind,
        3,
        "an echo request is answered"
    );
    assert_eq!(
        parse(&error_for(&packet(POD_IP, nowhere, 60, |ip| ip
            .flags_offset =
            Ipv4::MF.into())))
        .kind,
        3
    );
}

#[test]
fn without_a_gateway_address_there_is_nobody_to_answer() {
    let mut tables = golden_tables();
    tables.node.gateway_ip4 = [0, 0, 0, 0].into();
    let mut rig = Rig::new(&tables);
    assert!(
        rig.pass(UPLINK, &packet(POD_IP, [10, 244, 200, 1], 60, |_| {}))
            .is_empty()
    );
    assert_eq!(rig.drops(UPLINK), [(DropReason::NoRoute.name(), 1)]);
}
