//! flannel's backends other than vxlan: our frames beside scapy's, which were made from the facts (data/backends.py), and what
//! is refused by which name. Bare packets of host-gw have no bytes of their own to compare but an Ethernet header.

mod support;

use std::path::Path;

use contract::stats::DropReason;
use contract::tables::{Adjacency, Encap, Tables, Tunnel};
use contract::wire::Sum;
use support::mend::mend_ip;
use support::{
    OWN_NIC, OWN_VTEP, PEER_NIC, POD, Rig, UNDERLAY, UPLINK, UPLINK_MAC, golden_tables,
    kernel_frames, read_pcap,
};

/// The node of the golden tables in a cluster of another backend, with the largest packets that it leaves.
fn tables(encap: Encap, tunnel: Tunnel) -> Tables {
    let mut tables = golden_tables();
    tables.node.tunnel = tunnel;
    tables.node.tunnel_dport = 8285;
    let mtu = 1500 - encap.overhead() as u16;
    for adjacency in &mut tables.adjacencies {
        if let Adjacency::Peer {
            encap: by,
            mtu: path,
            ..
        } = adjacency
        {
            *by = encap;
            // Of VXLAN's they have 1450 and 1350.
            *path = *path + mtu - 1450;
        }
    }
    tables.ports[usize::from(UPLINK)].mtu = mtu;
    tables.ports[usize::from(POD)].mtu = mtu;
    tables
}

fn ipip() -> Tables {
    tables(Encap::Ipip, Tunnel::Ipip)
}

fn udp() -> Tables {
    tables(Encap::Udp, Tunnel::Udp)
}

fn host_gw() -> Tables {
    tables(Encap::HostGw, Tunnel::None)
}

/// What arrives, and what shall leave.
fn pairs(name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let frames = read_pcap(&data.join(name));
    let (pairs, []) = frames.as_chunks::<2>() else {
        panic!("{name} holds pairs")
    };
    assert_eq!(pairs.len(), 19, "nine packets each way, and a mark");
    let pair = |[arrived, leaves]: &[Vec<u8>; 2]| (arrived.clone(), leaves.clone());
    pairs.iter().map(pair).collect()
}

#[track_caller]
fn is_as_scapy_has_it(tables: &Tables, name: &str) {
    for (arrived, leaves) in pairs(name) {
        let (from, to) = match arrived[..6] == OWN_NIC.0 {
            true => (UNDERLAY, UPLINK),
            false => (UPLINK, UNDERLAY),
        };
        // A worker each, for the identification counts on.
        let mut rig = Rig::new(tables);
        assert_eq!(rig.pass(from, &arrived), [(to, leaves)]);
        assert_eq!(rig.drops(from), []);
        let trace = rig.trace();
        assert!(
            trace.iter().all(|record| record.meta.peer == 2),
            "{trace:?}"
        );
    }
}

#[test]
fn ipip_is_as_scapy_has_it() {
    is_as_scapy_has_it(&ipip(), "backend-ipip.pcap");
}

#[test]
fn udp_is_as_scapy_has_it() {
    is_as_scapy_has_it(&udp(), "backend-udp.pcap");
}

/// A frame of a capture: the first out, or the first in.
fn ping(name: &str, inbound: bool) -> Vec<u8> {
    pairs(name)[if inbound { 9 } else { 0 }].0.clone()
}

fn out() -> Vec<u8> {
    ping("backend-ipip.pcap", false)
}

/// An IPv4 header's field that is changed in the packet at `at`, with a checksum that is right again.
fn changed(mut frame: Vec<u8>, at: usize, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    change(&mut frame[at..]);
    mend_ip(&mut frame[at..]);
    frame
}

fn ttl(frame: Vec<u8>, at: usize, ttl: u8) -> Vec<u8> {
    changed(frame, at, |ip| ip[8] = ttl)
}

#[track_caller]
fn refused(tables: &Tables, port: u8, frame: &[u8], reason: DropReason) {
    let mut rig = Rig::new(tables);
    assert_eq!(rig.pass(port, frame), [], "nobody is told");
    assert_eq!(rig.drops(port), [(reason.name(), 1)]);
}

/// The answer to a packet that is lost: by which port, and its bytes.
#[track_caller]
fn answered(tables: &Tables, port: u8, frame: &[u8], reason: DropReason) -> (u8, Vec<u8>) {
    let mut rig = Rig::new(tables);
    let [answer] = rig.pass(port, frame).try_into().unwrap();
    assert_eq!(rig.drops(port), [(reason.name(), 1)]);
    answer
}

#[test]
fn a_bare_packet_leaves_under_the_ethernet_header_of_the_next_hop() {
    let mut rig = Rig::new(&host_gw());
    let padded = [out(), vec![0; 6]].concat();
    let expected = [&PEER_NIC.0[..], &OWN_NIC.0, &[8, 0], &out()[14..98]].concat();
    assert_eq!(rig.pass(UPLINK, &padded), [(UNDERLAY, expected)]);
}

/// From the uplink the kernel has routed it, and the kernel's host-gw takes one hop in all.
#[test]
fn a_bare_packet_of_a_pod_behind_the_engine_has_one_hop_less() {
    let mut rig = Rig::new(&host_gw());
    let [(UNDERLAY, frame)] = &rig.pass(POD, &out())[..] else {
        panic!("not sent")
    };
    assert_eq!(frame[14..], ttl(out(), 14, 62)[14..98]);
    let (port, error) = answered(&host_gw(), POD, &ttl(out(), 14, 1), DropReason::TtlExceeded);
    assert_eq!((port, error[34], error[35]), (POD, 11, 0));
}

#[test]
fn the_proxy_of_udp_takes_a_hop_each_way_and_tells_nobody() {
    refused(&udp(), UPLINK, &ttl(out(), 14, 1), DropReason::ProxyTtl);
    assert_eq!(Rig::new(&udp()).pass(UPLINK, &ttl(out(), 14, 2)).len(), 1);
    // The engine as router comes first, and tells.
    let (port, error) = answered(&udp(), POD, &ttl(out(), 14, 1), DropReason::TtlExceeded);
    assert_eq!((port, error[34]), (POD, 11));
    refused(&udp(), POD, &ttl(out(), 14, 2), DropReason::ProxyTtl);
    let sent = Rig::new(&udp()).pass(POD, &ttl(out(), 14, 3));
    assert_eq!(sent[0].1[42 + 8], 1);

    let inbound = |hops| without_udp_checksum(ttl(ping("backend-udp.pcap", true), 42, hops));
    refused(&udp(), UNDERLAY, &inbound(1), DropReason::ProxyTtl);
    let [(UPLINK, delivered)] = &Rig::new(&udp()).pass(UNDERLAY, &inbound(2))[..] else {
        panic!("not delivered")
    };
    assert_eq!(delivered[14 + 8], 1);
}

#[test]
fn the_proxy_of_udp_tells_of_no_route_as_flannels_does() {
    let mut nowhere = changed(sized(1000, 200, true), 14, |ip| ip[9] = 17);
    let (port, error) = answered(&udp(), UPLINK, &nowhere, DropReason::NoRoute);
    assert_eq!((port, error.len()), (UPLINK, 14 + 20 + 8 + 28));
    assert_eq!(error[22], 8, "TTL");
    assert_eq!(error[26..30], [10, 244, 1, 0], "the address of the TUN");
    assert_eq!(error[30..34], [10, 244, 1, 10]);
    assert_eq!((error[34], error[35]), (3, 0));
    assert_eq!(error[42..], nowhere[14..42]);
    assert!(Sum::of(&error[14..34]).is_valid() && Sum::of(&error[34..]).is_valid());
    // Others are a router's.
    let (_, error) = answered(&ipip(), UPLINK, &nowhere, DropReason::NoRoute);
    assert_eq!((error[22], &error[26..30]), (64, &[10, 244, 1, 1][..]));
    // Of an echo request a router would tell.
    nowhere = changed(out(), 14, |ip| ip[18] = 200);
    refused(&udp(), UPLINK, &nowhere, DropReason::NoRoute);
    answered(&ipip(), UPLINK, &nowhere, DropReason::NoRoute);
}

/// No checksum was computed, which is accepted.
fn without_udp_checksum(mut frame: Vec<u8>) -> Vec<u8> {
    frame[40..42].fill(0);
    frame
}

/// The tunnel's packets to the pod that is behind the engine.
fn to_pod(frame: Vec<u8>, at: usize, hops: u8) -> Vec<u8> {
    changed(frame, at, |ip| (ip[8], ip[19]) = (hops, 99))
}

#[test]
fn the_error_for_a_peers_packet_goes_back_by_its_tunnel() {
    let frame = to_pod(ping("backend-ipip.pcap", true), 34, 1);
    let (port, error) = answered(&ipip(), UNDERLAY, &frame, DropReason::TtlExceeded);
    assert_eq!(
        (port, error[23], &error[30..34]),
        (UNDERLAY, 4, &[192, 168, 77, 2][..])
    );
    assert_eq!(
        (&error[46..50], error[54], error[55]),
        (&[10, 244, 1, 1][..], 11, 0)
    );

    let frame = without_udp_checksum(to_pod(ping("backend-udp.pcap", true), 42, 2));
    let (port, error) = answered(&udp(), UNDERLAY, &frame, DropReason::TtlExceeded);
    assert_eq!(
        (port, error[23], &error[30..34]),
        (UNDERLAY, 17, &[192, 168, 77, 2][..])
    );
    assert_eq!(
        (&error[54..58], error[62], error[63]),
        (&[10, 244, 1, 1][..], 11, 0)
    );
    let pseudo = Sum::of(&error[26..34])
        .plus(Sum::word(17))
        .plus(Sum::of(&error[38..40]));
    assert!(pseudo.plus(Sum::of(&error[34..])).is_valid());
}

/// A packet of `len` bytes for 10.244.`third`.10.
fn sized(len: usize, third: u8, dont_fragment: bool) -> Vec<u8> {
    let mut frame = out();
    frame.resize(14 + len, 0x5a);
    changed(frame, 14, |ip| {
        ip[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        ip[6] = u8::from(dont_fragment) << 6;
        ip[9] = 253;
        ip[18] = third;
    })
}

/// The second peer of the golden tables is behind a path that is 100 bytes narrower.
#[test]
fn a_packet_beyond_its_path_is_refused_by_its_mtu_or_left_to_routers_to_fragment() {
    for (tables, mtu) in [(ipip(), 1480), (udp(), 1472), (host_gw(), 1500)] {
        let overhead = 1500 - mtu;
        for (third, mtu) in [(2, mtu), (4, mtu - 100)] {
            let sent = Rig::new(&tables).pass(UPLINK, &sized(mtu, third, true));
            let [(UNDERLAY, frame)] = &sent[..] else {
                panic!("{mtu} bytes were not sent: {sent:?}")
            };
            assert_eq!(frame.len(), 14 + overhead + mtu);
            assert_eq!(frame[20], 0x40);
            let too_big = sized(mtu + 1, third, true);
            let (port, error) = answered(&tables, UPLINK, &too_big, DropReason::TooBig);
            assert_eq!((port, &error[34..36]), (UPLINK, &[3, 4][..]));
            assert_eq!(usize::from(u16::from_be_bytes([error[40], error[41]])), mtu);
        }
        let sent = Rig::new(&tables).pass(UPLINK, &sized(mtu, 4, false));
        assert_eq!(sent[0].1.len(), 14 + 1500);
        assert_eq!(sent[0].1[20], 0, "routers may fragment it");
        refused(
            &tables,
            UPLINK,
            &sized(mtu + 1, 4, false),
            DropReason::TooBig,
        );
    }
}

/// Each check of what arrives, for both tunnels: a frame that is accepted, one change, the reason.
#[test]
fn what_arrives_is_checked() {
    for (tables, name, inner) in [
        (ipip(), "backend-ipip.pcap", 34),
        (udp(), "backend-udp.pcap", 42),
    ] {
        let good = || without_udp_checksum_if(inner == 42, ping(name, true));
        assert_eq!(Rig::new(&tables).pass(UNDERLAY, &good()).len(), 1, "{name}");
        let not = |reason, frame: Vec<u8>| refused(&tables, UNDERLAY, &frame, reason);
        for len in [0, 13, 14, 33, 34, 53] {
            let mut cut = good();
            cut.truncate(len);
            not(DropReason::OuterHeader, cut);
        }
        let outer = |change: fn(&mut [u8])| changed(good(), 14, change);
        let mut odd = good();
        odd[12] = 0x86;
        not(DropReason::OuterHeader, odd);
        let mut damaged = good();
        damaged[24] ^= 1;
        not(DropReason::OuterIpChecksum, damaged);
        not(DropReason::OuterHeader, outer(|ip| ip[0] = 0x46));
        not(DropReason::OuterHeader, outer(|ip| ip[9] = 6));
        not(DropReason::OuterHeader, outer(|ip| ip[6] = 0x20));
        not(DropReason::OuterHeader, outer(|ip| ip[7] = 1));
        not(DropReason::OuterHeader, outer(|ip| ip[2] = 0xff));
        not(
            DropReason::OuterHeader,
            outer(|ip| ip[2..4].copy_from_slice(&[0, 19])),
        );
        not(DropReason::OuterDestination, outer(|ip| ip[19] = 9));
        not(DropReason::OuterSource, outer(|ip| ip[15] = 200));
        not(DropReason::InnerSource, outer(|ip| ip[15] = 4));
        let packet = |change: fn(&mut [u8])| changed(good(), inner, change);
        not(DropReason::InnerSource, packet(|ip| ip[14] = 4));
        not(
            DropReason::OuterSource,
            changed(outer(|ip| ip[15] = 200), inner, |_| {}),
        );
        not(DropReason::InnerDestination, packet(|ip| ip[18] = 2));
        not(DropReason::IpHeader, packet(|ip| ip[3] = 19));
        not(DropReason::Truncated, packet(|ip| ip[2] = 0xff));
        let mut rig = Rig::new(&tables);
        rig.pass(UNDERLAY, &packet(|ip| ip[18] = 2));
        assert_eq!(rig.trace()[0].meta.peer, 2, "a loss is its peer's");
        let mut damaged = good();
        damaged[inner + 10] ^= 1;
        not(DropReason::IpChecksum, damaged);
    }
}

fn without_udp_checksum_if(is_udp: bool, frame: Vec<u8>) -> Vec<u8> {
    match is_udp {
        true => without_udp_checksum(frame),
        false => frame,
    }
}

#[test]
fn the_datagram_of_udp_is_checked() {
    let good = ping("backend-udp.pcap", true);
    let with = |change: fn(&mut Vec<u8>)| {
        let mut frame = good.clone();
        change(&mut frame);
        frame
    };
    let not = |reason, frame: Vec<u8>| refused(&udp(), UNDERLAY, &frame, reason);
    not(DropReason::OuterDestination, with(|f| f[37] ^= 1));
    not(DropReason::OuterUdpChecksum, with(|f| f[41] ^= 1));
    not(DropReason::OuterUdpChecksum, with(|f| f[35] ^= 1));
    not(DropReason::OuterHeader, with(|f| f[38] = 0xff));
    not(
        DropReason::OuterHeader,
        with(|f| f[38..40].copy_from_slice(&[0, 7])),
    );
    not(
        DropReason::Truncated,
        with(|f| f[38..40].copy_from_slice(&[0, 8])),
    );
    // Whoever sends: flannel's receiver does not look at the source port.
    let from = without_udp_checksum(with(|f| f[34..36].copy_from_slice(&[1, 1])));
    assert_eq!(Rig::new(&udp()).pass(UNDERLAY, &from).len(), 1);
}

#[test]
fn congestion_that_a_flow_does_not_understand_is_a_loss() {
    let marked = changed(ping("backend-ipip.pcap", true), 14, |ip| ip[1] = 3);
    refused(&ipip(), UNDERLAY, &marked, DropReason::EcnNotCapable);
    let marked = changed(ping("backend-udp.pcap", true), 14, |ip| ip[1] = 3);
    assert_eq!(Rig::new(&udp()).pass(UNDERLAY, &marked).len(), 1);
}

#[test]
fn a_node_takes_the_tunnel_of_its_own_backend_only() {
    let vxlan = kernel_frames().into_iter().find(|frame| frame[29] == 2);
    let vxlan = vxlan.unwrap();
    let (ipip_frame, udp_frame) = (
        ping("backend-ipip.pcap", true),
        ping("backend-udp.pcap", true),
    );
    refused(
        &golden_tables(),
        UNDERLAY,
        &ipip_frame,
        DropReason::OuterHeader,
    );
    refused(
        &golden_tables(),
        UNDERLAY,
        &udp_frame,
        DropReason::OuterDestination,
    );
    refused(&ipip(), UNDERLAY, &vxlan, DropReason::OuterHeader);
    refused(&ipip(), UNDERLAY, &udp_frame, DropReason::OuterHeader);
    refused(&udp(), UNDERLAY, &vxlan, DropReason::OuterDestination);
    refused(&udp(), UNDERLAY, &ipip_frame, DropReason::OuterHeader);
    for frame in [vxlan, ipip_frame, udp_frame] {
        refused(&host_gw(), UNDERLAY, &frame, DropReason::OuterDestination);
    }
}

/// DirectRouting: what we send to a peer and what it sends us need not be alike.
#[test]
fn a_peer_that_gets_bare_packets_may_send_vxlan() {
    let mut tables = golden_tables();
    if let Adjacency::Peer { encap, .. } = &mut tables.adjacencies[2] {
        *encap = Encap::HostGw;
    }
    let mut rig = Rig::new(&tables);
    let [(UNDERLAY, bare)] = &rig.pass(UPLINK, &out())[..] else {
        panic!("not sent")
    };
    assert_eq!(bare[14..], out()[14..98]);
    let theirs = kernel_frames().into_iter().find(|frame| frame[29] == 2);
    let theirs = theirs.unwrap();
    let expected = [&OWN_VTEP.0[..], &UPLINK_MAC.0, &theirs[62..]].concat();
    assert_eq!(rig.pass(UNDERLAY, &theirs), [(UPLINK, expected)]);
}

/// FLANNEL.md 3.8, read as Linux reads it: with GBP on, the first word is the extension's but for the VNI's flag.
#[test]
fn a_group_policy_id_is_accepted_where_the_cluster_has_them() {
    let mut gbp = golden_tables();
    gbp.node.tunnel = Tunnel::VxlanGbp;
    let theirs = kernel_frames().into_iter().find(|frame| frame[29] == 2);
    let theirs = without_udp_checksum(theirs.unwrap());
    let with = |word: [u8; 4], last| {
        let mut frame = theirs.clone();
        frame[42..46].copy_from_slice(&word);
        frame[49] = last;
        frame
    };
    let plain = Rig::new(&golden_tables()).pass(UNDERLAY, &theirs);
    assert_eq!(plain.len(), 1);
    for word in [
        [8, 0, 0, 0],
        [0x88, 0, 0x12, 0x34],
        [0x88, 0x48, 0, 1],
        [8, 0, 0, 1],
    ] {
        let passed = Rig::new(&gbp).pass(UNDERLAY, &with(word, 0));
        assert_eq!(passed, plain, "{word:x?}");
        if word != [8, 0, 0, 0] {
            let frame = with(word, 0);
            refused(&golden_tables(), UNDERLAY, &frame, DropReason::VxlanHeader);
        }
    }
    for (word, last) in [
        ([0x80, 0, 0, 1], 0),
        ([0x98, 0, 0, 1], 0),
        ([0x88, 0, 0, 1], 1),
    ] {
        refused(&gbp, UNDERLAY, &with(word, last), DropReason::VxlanHeader);
    }
    // What we send has none.
    let sent = Rig::new(&gbp).pass(UPLINK, &out());
    assert_eq!(sent[0].1[42..46], [8, 0, 0, 0]);
}

/// Whatever the packet: what one node sends, the other delivers, but for the proxy's two hops.
#[test]
fn what_we_emit_we_accept_at_the_other_node() {
    let mut random = fastrand::Rng::with_seed(4);
    for (tables, hops) in [(ipip(), 0), (udp(), 2)] {
        let mut one = Rig::new(&tables);
        let mut two = Rig::new(&swapped(&tables));
        for _ in 0..500 {
            let packet = random_packet(&mut random);
            let [(UNDERLAY, wire)] = &one.pass(UPLINK, &packet)[..] else {
                panic!("not sent: {:?}", one.drops(UPLINK))
            };
            let [(UPLINK, delivered)] = &two.pass(UNDERLAY, wire)[..] else {
                panic!("not delivered: {:?}", two.drops(UNDERLAY))
            };
            let left = packet[14 + 8] - hops;
            assert_eq!(delivered[14..], ttl(packet, 14, left)[14..]);
        }
    }
}

/// Node 2: the same cluster with the roles swapped.
fn swapped(tables: &Tables) -> Tables {
    let mut tables = tables.clone();
    tables.node.vtep_ip4 = [192, 168, 77, 2].into();
    (tables.routes[0].adjacency, tables.routes[1].adjacency) = (2, 1);
    if let Adjacency::Peer { peer, src, .. } = &mut tables.adjacencies[2] {
        std::mem::swap(peer, src);
    }
    tables
}

/// Of any protocol, length, flags and TTL that can cross, with whatever behind its header.
fn random_packet(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut frame = sized(random.usize(20..=1472), 2, random.bool());
    frame[34..].fill_with(|| random.u8(..));
    changed(frame, 14, |ip| {
        ip[1] = random.u8(..);
        ip[6] = [0, 0x40, 0x20][random.usize(..3)];
        ip[8] = random.u8(3..);
        ip[9] = *random.choice([1, 6, 17, 132].iter()).unwrap();
    })
}

/// Whatever arrives: every frame is accounted for, and what passes is a packet from the peer's pods to ours.
#[test]
fn damaged_frames_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(5);
    for (tables, name) in [(ipip(), "backend-ipip.pcap"), (udp(), "backend-udp.pcap")] {
        let mut rig = Rig::new(&tables);
        let (pairs, mut passed) = (pairs(name), 0);
        for _ in 0..20_000 {
            let (mut frame, _) = pairs[random.usize(..pairs.len())].clone();
            for _ in 0..random.usize(..4) {
                let at = random.usize(..frame.len().min(90));
                frame[at] = random.u8(..);
            }
            if random.bool() {
                frame.truncate(random.usize(..=frame.len()));
            }
            // So that not every change ends at the first checksum.
            for at in [14, 34, 42] {
                if random.bool() && frame.len() >= at + 20 {
                    mend_ip(&mut frame[at..]);
                }
            }
            let from = [UNDERLAY, UPLINK][random.usize(..2)];
            for (to, bytes) in rig.pass(from, &frame) {
                if (from, to) == (UNDERLAY, UPLINK) {
                    assert!(Sum::of(&bytes[14..][..usize::from(bytes[14] & 15) * 4]).is_valid());
                    assert!(bytes[26..29] == [10, 244, 2] || bytes[26..29] == [10, 244, 4]);
                    assert_eq!(bytes[30..33], [10, 244, 1]);
                    passed += 1;
                }
            }
        }
        assert!(passed > 300, "{passed} of {name}");
        rig.counters(UNDERLAY);
        rig.counters(UPLINK);
    }
}
