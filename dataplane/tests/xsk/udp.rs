//! UDP sockets as a port: what stands on the wire, and what comes in from there.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use contract::wire::{EtherType, Ethernet, Ipv4, Mac, Protocol, Sum, Udp as UdpHeader};
use dataplane::udp::Udp;
use dataplane::xsk::{Burst, Pool};
use rustix::net::sockopt;
use zerocopy::{FromBytes, IntoBytes};

use crate::lab::{Lab, ip};
use crate::{eventually, region};

/// The node's and the peer's address on the pair `a`: see `Lab`.
const NODE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 10), 8472);
const PEER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 11), 8472);
/// Ethernet, IPv4, UDP.
const HEADERS: usize = 42;

fn open(lab: &Lab) -> Udp {
    lab.in_node(|| {
        let socket = Udp::bind(NODE, 1).unwrap().remove(0);
        Udp::underlay(socket, NODE, 3, 1450).unwrap()
    })
}

/// A frame to the peer.
fn stage(burst: &mut Burst, pool: &mut Pool, tos: u8, payload: &[u8]) {
    stage_to(PEER, burst, pool, tos, payload);
}

/// A frame with nothing but what a UDP port reads of it.
fn stage_to(dst: SocketAddrV4, burst: &mut Burst, pool: &mut Pool, tos: u8, payload: &[u8]) {
    let udp_len = (UdpHeader::LEN + payload.len()) as u16;
    let ethernet = Ethernet {
        dst: Mac::default(),
        src: Mac::default(),
        ethertype: EtherType::IPV4,
    };
    let header = Ipv4 {
        version_ihl: Ipv4::VERSION_IHL,
        tos,
        total_len: (udp_len + 20).into(),
        id: 0.into(),
        flags_offset: 0.into(),
        ttl: 64,
        protocol: Protocol::UDP,
        checksum: [0; 2],
        src: NODE.ip().octets(),
        dst: dst.ip().octets(),
    };
    let udp = UdpHeader {
        sport: 40_000.into(),
        dport: dst.port().into(),
        len: udp_len.into(),
        checksum: [0; 2],
    };
    let mut frame = pool.alloc().unwrap();
    for part in [
        ethernet.as_bytes(),
        header.as_bytes(),
        udp.as_bytes(),
        payload,
    ] {
        frame.append(part).unwrap();
    }
    assert!(burst.push(frame).is_ok());
}

fn is_udp(frame: &[u8]) -> bool {
    frame[12..14] == [8, 0] && frame[23] == Protocol::UDP
}

fn payload(n: usize) -> Vec<u8> {
    (0..1430).map(|at| (at * 7 + n * 31) as u8).collect()
}

#[test]
#[ignore = "needs root and network namespaces: make namespaces runs it"]
fn segments_on_the_wire_have_headers_as_the_kernels_vxlan_makes_them() {
    let lab = Lab::new(1);
    // As a real wire: what leaves is whole, and so are its checksums.
    ip(&format!(
        "netns exec {} ethtool -K a0 tx off gso off",
        lab.node()
    ));
    let mut udp = open(&lab);
    let (wire, (_, mut pool)) = (lab.wire("a1"), region());
    let (free, mut burst) = (pool.len(), Burst::new());
    (0..30).for_each(|n| stage(&mut burst, &mut pool, 0x02, &payload(n)));
    stage(&mut burst, &mut pool, 0x02, &payload(30)[..77]);
    assert_eq!(udp.transmit(&mut burst, &mut pool), 31);
    assert_eq!((udp.wakeups().syscalls, pool.len()), (1, free));

    let mut frames = Vec::new();
    eventually("31 datagrams on the wire", || {
        // What the peer's kernel, which has no such port, says to it is not ours.
        frames.extend(wire.received().into_iter().filter(|f| is_udp(f)));
        frames.len() >= 31
    });
    let mut ids = Vec::new();
    for (n, frame) in frames.iter().enumerate() {
        let (header, rest) = Ipv4::ref_from_prefix(&frame[Ethernet::LEN..]).unwrap();
        let (header_of_udp, got) = UdpHeader::ref_from_prefix(rest).unwrap();
        assert_eq!(got, &payload(n)[..got.len()], "datagram {n}");
        assert_eq!(got.len(), if n == 30 { 77 } else { 1430 });
        assert_eq!((header.tos, header.ttl), (0x02, 64));
        assert_eq!(header.flags_offset.get(), 0, "narrow paths may fragment it");
        assert_eq!(
            (header.src, header.dst),
            (NODE.ip().octets(), PEER.ip().octets())
        );
        assert_eq!(header_of_udp.dport.get(), 8472);
        assert!(header_of_udp.sport.get() >= 32_768, "a flow's port");
        assert!(Sum::of(header.as_bytes()).is_valid());
        assert_ne!(header_of_udp.checksum, [0; 2], "GRO takes none without");
        let pseudo = Sum::of(&frame[26..34])
            .plus(Sum::word(17))
            .plus(Sum::word(header_of_udp.len.get()));
        assert!(
            pseudo.plus(Sum::of(rest)).is_valid(),
            "checksum of datagram {n}"
        );
        ids.push(header.id.get());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 31, "fragments of two datagrams would mix");
}

#[test]
#[ignore = "needs root and network namespaces: make namespaces runs it"]
fn where_datagrams_must_be_fragmented_they_go_one_by_one_from_then_on() {
    let lab = Lab::new(1);
    ip(&format!(
        "-n {} route add 192.0.2.11/32 dev a0 mtu 1400",
        lab.node()
    ));
    let mut udp = open(&lab);
    let peer = lab.in_peer(|| UdpSocket::bind(PEER).unwrap());
    let (_, mut pool) = region();
    let mut burst = Burst::new();
    for failures in [1, 1] {
        (0..8).for_each(|n| stage(&mut burst, &mut pool, 0, &payload(n)));
        assert_eq!(udp.transmit(&mut burst, &mut pool), 8);
        assert_eq!(udp.wakeups().failed, failures, "remembered");
        let mut buffer = [0; 2048];
        for n in 0..8 {
            let (len, _) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!(buffer[..len], payload(n));
        }
    }
    // One call that was refused, and one for each eight.
    assert_eq!(udp.wakeups().syscalls, 3);
}

#[test]
#[ignore = "needs root and network namespaces: make namespaces runs it"]
fn what_the_kernel_reassembled_comes_with_its_ecn_field() {
    let lab = Lab::new(1);
    ip(&format!("-n {} link set a1 mtu 1000", lab.peer()));
    let mut udp = open(&lab);
    let seen = lab.kernel("a0");
    let peer = lab.in_peer(|| UdpSocket::bind((*PEER.ip(), 51_246)).unwrap());
    sockopt::set_ip_mtu_discover(&peer, sockopt::Ipv4PathMtuDiscovery::DONT).unwrap();
    sockopt::set_ip_tos(&peer, 0x03).unwrap();
    peer.send_to(&payload(1), NODE).unwrap();
    let (_, mut pool) = region();
    let mut burst = Burst::new();
    eventually("a datagram", || {
        udp.wake();
        udp.receive(&mut burst, &mut pool) > 0
    });
    let fragments = seen.received();
    let fragments = fragments
        .iter()
        .filter(|f| is_udp(f) && f[20..22] != [0, 0]);
    assert_eq!(fragments.count(), 2, "the test tested nothing");
    let frame = burst.pop().unwrap();
    let (header, _) = Ipv4::ref_from_prefix(&frame.bytes()[Ethernet::LEN..]).unwrap();
    assert_eq!((header.tos, header.src), (0x03, PEER.ip().octets()));
    assert_eq!(header.flags_offset.get(), 0);
    assert!(Sum::of(header.as_bytes()).is_valid());
    assert_eq!(
        frame.bytes()[HEADERS - 8..HEADERS - 6],
        51_246u16.to_be_bytes()
    );
    assert_eq!(frame.bytes()[HEADERS..], payload(1));
    assert_eq!(frame.port(), 3);
    pool.free(frame);
}

#[test]
#[ignore = "needs root and network namespaces: make namespaces runs it"]
fn datagrams_that_a_kernels_vxlan_left_to_a_card_are_cut_as_they_were_sent() {
    let lab = Lab::new(1);
    let (us, pod) = (Ipv4Addr::new(10, 9, 0, 1), Ipv4Addr::new(10, 9, 0, 2));
    for line in [
        "link add vx0 mtu 1450 type vxlan id 1 dev a1 local 192.0.2.11 remote 192.0.2.10 dstport 8472",
        "addr add 10.9.0.2/24 dev vx0",
        "link set vx0 addrgenmode none up",
        "neigh add 10.9.0.1 lladdr 02:00:00:00:00:01 dev vx0",
    ] {
        ip(&format!("-n {} {line}", lab.peer()));
    }
    let mut udp = open(&lab);
    // A pod that sends super-packets: a port of ours, whose sockets do.
    let mut sender = lab.in_peer(|| {
        let own = SocketAddrV4::new(pod, 7);
        let socket = Udp::bind(own, 1).unwrap().remove(0);
        Udp::underlay(socket, own, 0, 1450).unwrap()
    });
    let (_, mut pool) = region();
    let (free, mut burst) = (pool.len(), Burst::new());
    let to = SocketAddrV4::new(us, 7);
    for (n, len) in [1000; 20].into_iter().chain([77]).enumerate() {
        stage_to(to, &mut burst, &mut pool, 0, &payload(n)[..len]);
    }
    assert_eq!(sender.transmit(&mut burst, &mut pool), 21);
    assert_eq!(sender.wakeups().syscalls, 1);

    let mut got: Vec<Vec<u8>> = Vec::new();
    eventually("21 datagrams", || {
        udp.wake();
        udp.receive(&mut burst, &mut pool);
        let datagrams = burst.iter().map(|frame| frame.bytes()[HEADERS..].to_vec());
        // What the peer's kernel has to say over IPv6 is not ours.
        got.extend(datagrams.filter(|datagram| datagram[20..22] == [8, 0]));
        burst.clear_into(&mut pool);
        got.len() >= 21
    });
    assert_eq!((got.len(), pool.len()), (21, free));
    for (n, datagram) in got.iter().enumerate() {
        assert_eq!(datagram[..8], [8, 0, 0, 0, 0, 0, 1, 0]);
        let packet = &datagram[22..];
        let (header, rest) = Ipv4::ref_from_prefix(packet).unwrap();
        let (header_of_udp, bytes) = UdpHeader::ref_from_prefix(rest).unwrap();
        assert_eq!(bytes, &payload(n)[..if n == 20 { 77 } else { 1000 }]);
        assert_eq!(usize::from(header.total_len.get()), packet.len());
        assert_eq!(usize::from(header_of_udp.len.get()), rest.len());
        assert!(Sum::of(header.as_bytes()).is_valid());
        let pseudo = Sum::of(&packet[12..20])
            .plus(Sum::word(17))
            .plus(Sum::word(header_of_udp.len.get()));
        assert!(pseudo.plus(Sum::of(rest)).is_valid(), "datagram {n}");
    }
}
