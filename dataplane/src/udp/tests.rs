//! Two ends on loopback, which cuts no message: what one end sends in a piece the other gets in a piece.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use contract::wire::Sum;
use zerocopy::IntoBytes;

use super::gather::Flow;
use super::headers::{Headers, datagram};
use super::whole::BEFORE;
use super::whole::tests::tcp;
use super::*;
use crate::xsk::{BURST, Frame, Hugepages, Umem};

/// An address on loopback that no other test has.
fn address() -> SocketAddrV4 {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    let host = NEXT.fetch_add(1, Relaxed);
    // Process ids differ in two bytes, tests in one; 127.0.x is left to others.
    SocketAddrV4::new(Ipv4Addr::new(127, 64 | high & 63, low, host as u8), 8472)
}

/// One worker's part of a port, its chunks, and a burst.
struct End {
    udp: Udp,
    pool: Pool,
    burst: Burst,
    address: SocketAddrV4,
}

impl End {
    fn with(frames: u32) -> End {
        let address = address();
        let socket = Udp::bind(address, 1).unwrap().remove(0);
        let (_, pool) = Umem::map(frames, 2048, 50, Hugepages::Off).unwrap();
        End {
            udp: Udp::underlay(socket, address, 7, 1450).unwrap(),
            pool,
            burst: Burst::new(),
            address,
        }
    }

    /// Puts an encapsulated frame into the burst.
    fn stage(&mut self, flow: Flow, payload: &[u8]) {
        let from = SocketAddrV4::new(*self.address.ip(), flow.sport);
        let headers = Headers::new(from, flow.dst, flow.tos, payload.len()).unwrap();
        let mut frame = self.pool.alloc().unwrap();
        frame.append(headers.as_bytes()).unwrap();
        frame.append(payload).unwrap();
        assert!(self.burst.push(frame).is_ok());
    }

    fn transmit(&mut self) -> usize {
        self.udp.transmit(&mut self.burst, &mut self.pool)
    }

    /// Everything that is there: flows and payloads.
    fn receive(&mut self) -> Vec<(Flow, Vec<u8>)> {
        let mut got = Vec::new();
        self.udp.wake();
        while self.udp.receive(&mut self.burst, &mut self.pool) > 0 {
            for frame in self.burst.iter() {
                let (flow, payload) = datagram(frame).unwrap();
                assert_eq!((flow.dst, frame.port()), (self.address, 7));
                assert_eq!(frame.len(), size_of::<Headers>() + payload.len());
                got.push((flow, payload.to_vec()));
            }
            self.burst.clear_into(&mut self.pool);
            self.udp.wake();
        }
        got
    }
}

fn flow(dst: SocketAddrV4, sport: u16, tos: u8) -> Flow {
    Flow { dst, sport, tos }
}

fn payload(n: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + n * 13) as u8).collect()
}

#[test]
fn a_run_of_one_flow_is_one_call_and_arrives_as_it_was() {
    let (mut a, mut b) = (End::with(256), End::with(256));
    let mut expected = Vec::new();
    for n in 0..40 {
        let payload = payload(n, if n == 39 { 500 } else { 1430 });
        a.stage(flow(b.address, 40_000, 0x02), &payload);
        expected.push(payload);
    }
    assert_eq!(a.transmit(), 40);
    assert_eq!(a.udp.wakeups().syscalls, 1);
    assert_eq!((a.burst.len(), a.pool.len()), (0, 256), "freed");

    let got = b.receive();
    let payloads: Vec<_> = got.iter().map(|(_, payload)| payload.clone()).collect();
    assert!(payloads == expected, "other bytes, or another order");
    assert!(got.iter().all(|(flow, _)| flow.tos == 0x02), "ECN is kept");
    let from = got[0].0.sport;
    assert!(from != 8472 && got.iter().all(|(flow, _)| flow.sport == from));
    assert_eq!(b.pool.len(), 256);
}

#[test]
fn flows_keep_their_order_and_have_ports_of_their_own() {
    let (mut a, mut b, mut c) = (End::with(256), End::with(256), End::with(256));
    let mut rng = fastrand::Rng::with_seed(7);
    let mut expected = [Vec::new(), Vec::new()];
    let ends = [b.address, c.address];
    for _ in 0..20 {
        for n in 0..BURST {
            let (end, sport, tos) = (rng.usize(0..2), 40_000 + rng.u16(0..4), rng.u8(0..4));
            let payload = [vec![sport as u8, tos], payload(n, rng.usize(20..1400))].concat();
            a.stage(flow(ends[end], sport, tos), &payload);
            expected[end].push(payload);
        }
        assert_eq!(a.transmit(), BURST);
    }
    for (end, expected) in [&mut b, &mut c].into_iter().zip(expected) {
        let got = end.receive();
        let payloads: Vec<_> = got.iter().map(|(_, payload)| payload.clone()).collect();
        assert!(payloads == expected, "other bytes, or another order");
        assert!(got.iter().all(|(flow, payload)| flow.tos == payload[1]));
        let ports = |port: u16| {
            let of = got
                .iter()
                .filter(move |(_, payload)| payload[0] == port as u8);
            of.map(|(flow, _)| flow.sport)
        };
        let mut seen: Vec<u16> = (40_000..40_004)
            .filter_map(|port| ports(port).next())
            .collect();
        assert!(
            (40_000..40_004)
                .all(|port| ports(port).collect::<std::collections::HashSet<_>>().len() == 1)
        );
        seen.dedup();
        assert_eq!(seen.len(), 4, "as many ports as flows");
    }
}

#[test]
fn what_has_no_chunk_yet_waits_and_is_not_read_again() {
    let (mut a, mut b) = (End::with(256), End::with(10));
    for n in 0..BURST {
        a.stage(flow(b.address, 40_000, 0), &payload(n, 900));
    }
    assert_eq!(a.transmit(), BURST);
    let mut got: Vec<Vec<u8>> = Vec::new();
    while got.len() < BURST {
        b.udp.wake();
        let mut burst = Burst::new();
        let room = 10.min(BURST - got.len());
        assert_eq!(b.udp.receive(&mut burst, &mut b.pool), room);
        assert_eq!(b.udp.receive(&mut b.burst, &mut b.pool), 0, "no chunk");
        got.extend(
            burst
                .iter()
                .map(|frame| datagram(frame).unwrap().1.to_vec()),
        );
        assert_eq!(b.udp.is_pending(), got.len() < BURST);
        burst.clear_into(&mut b.pool);
    }
    assert!(
        got.iter()
            .enumerate()
            .all(|(n, bytes)| *bytes == payload(n, 900))
    );
    assert_eq!(b.pool.len(), 10);
}

#[test]
fn one_without_a_byte_and_one_longer_than_a_chunk_are_frames_that_decap_can_count() {
    let mut b = End::with(16);
    let peer = UdpSocket::bind((*address().ip(), 0)).unwrap();
    peer.send_to(&[], b.address).unwrap();
    peer.send_to(&vec![5; 9000], b.address).unwrap();
    let mut burst = Burst::new();
    assert_eq!(b.udp.receive(&mut burst, &mut b.pool), 2);
    let frames: Vec<&Frame> = burst.iter().collect();
    assert_eq!(frames[0].len(), size_of::<Headers>());
    assert_eq!(frames[1].len(), 2048 - 306, "cut");
    assert!(datagram(frames[1]).is_none(), "its length says more");
    burst.clear_into(&mut b.pool);
}

#[test]
fn a_super_packet_is_the_datagrams_that_it_was_not_cut_into() {
    // Fewer chunks than segments: what has none waits.
    let mut b = End::with(10);
    let peer = UdpSocket::bind((*address().ip(), 0)).unwrap();
    let sent = tcp(60_000);
    peer.send_to(&sent, b.address).unwrap();
    peer.send_to(&payload(1, 100), b.address).unwrap();
    let mut seq = 0;
    while seq < 60_000 {
        b.udp.wake();
        b.udp.receive(&mut b.burst, &mut b.pool);
        assert!((1..=10).contains(&b.burst.len()));
        for frame in b.burst.iter().filter(|frame| frame.len() > 142) {
            let (_, bytes) = datagram(frame).unwrap();
            assert_eq!((frame.port(), frame.len()), (7, 42 + bytes.len()));
            assert_eq!(bytes[..BEFORE], sent[..BEFORE]);
            let (headers, payload) = bytes[BEFORE..].split_at(40);
            assert_eq!(headers[24..28], (seq as u32).to_be_bytes());
            assert_eq!(payload, &sent[BEFORE + 40..][seq..][..payload.len()]);
            assert_eq!(payload.len(), 1410.min(60_000 - seq));
            let covered = Sum::of(&headers[12..])
                .plus(Sum::of(payload))
                .plus(Sum::word(6))
                .plus(Sum::word(20 + payload.len() as u16));
            assert!(covered.is_valid() && Sum::of(&headers[..20]).is_valid());
            seq += payload.len();
        }
        assert_eq!(b.udp.is_pending(), seq < 60_000);
        b.burst.clear_into(&mut b.pool);
    }
    b.udp.wake();
    b.udp.receive(&mut b.burst, &mut b.pool);
    b.burst.clear_into(&mut b.pool);
    assert_eq!(b.pool.len(), 10);
}

#[test]
fn what_the_kernel_refuses_stays_in_order_and_the_rest_goes() {
    let (mut a, mut b) = (End::with(64), End::with(64));
    // Broadcast: the sockets may not.
    let nowhere = SocketAddrV4::new(Ipv4Addr::BROADCAST, 8472);
    for n in 0..6 {
        let dst = if n % 3 == 1 { nowhere } else { b.address };
        a.stage(flow(dst, 40_000, 0), &payload(n, 100 + n));
    }
    assert_eq!(a.transmit(), 4);
    let left: Vec<_> = a
        .burst
        .iter()
        .map(|f| datagram(f).unwrap().1.to_vec())
        .collect();
    assert_eq!(left, [payload(1, 101), payload(4, 104)]);
    assert_eq!((a.pool.len(), a.udp.wakeups().failed), (62, 2));
    let got: Vec<_> = b
        .receive()
        .into_iter()
        .map(|(_, payload)| payload)
        .collect();
    assert_eq!(got, [0, 2, 3, 5].map(|n| payload(n, 100 + n)));
    a.burst.clear_into(&mut a.pool);
}

#[test]
fn a_frame_that_is_no_datagram_is_not_sent() {
    let mut a = End::with(4);
    let mut frame = a.pool.alloc().unwrap();
    frame.append(&[0; 60]).unwrap();
    assert!(a.burst.push(frame).is_ok());
    assert_eq!((a.transmit(), a.burst.len()), (0, 1));
    a.burst.clear_into(&mut a.pool);
}

#[test]
fn workers_share_the_port_and_every_datagram_has_one_of_them() {
    let address = address();
    let sockets = Udp::bind(address, 2).unwrap();
    let (_, mut pool) = Umem::map(256, 2048, 50, Hugepages::Off).unwrap();
    let workers = sockets
        .into_iter()
        .map(|socket| Udp::underlay(socket, address, 0, 1450).unwrap());
    let mut workers: Vec<Udp> = workers.collect();
    for n in 0..64 {
        let peer = UdpSocket::bind((*address.ip(), 0)).unwrap();
        peer.send_to(&[n], address).unwrap();
    }
    let got: Vec<usize> = workers
        .iter_mut()
        .map(|udp| {
            let mut burst = Burst::new();
            let got = udp.receive(&mut burst, &mut pool);
            burst.clear_into(&mut pool);
            got
        })
        .collect();
    assert_eq!(got.iter().sum::<usize>(), 64);
    assert!(got.iter().all(|got| *got > 8), "{got:?}: not by hash");
}

#[test]
fn a_port_has_one_owner() {
    let address = address();
    let ours = Udp::bind(address, 2).unwrap();
    for workers in [1, 2] {
        let error = Udp::bind(address, workers).unwrap_err();
        assert!(matches!(error, UdpError::Taken { .. }), "{error}");
    }
    let error = UdpSocket::bind(address).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    drop(ours);
    let foreign = UdpSocket::bind(address).unwrap();
    assert!(matches!(Udp::bind(address, 1), Err(UdpError::Taken { .. })));
    drop(foreign);
    assert!(Udp::bind(address, 1).is_ok());
    let elsewhere = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 77), 8472);
    let error = Udp::bind(elsewhere, 1).unwrap_err();
    assert!(error.to_string().contains("underlay.public_ip"), "{error}");
}

#[test]
fn a_quiet_socket_is_not_asked_in_every_turn_but_after_a_poll() {
    let mut b = End::with(16);
    let peer = UdpSocket::bind((*address().ip(), 0)).unwrap();
    let mut burst = Burst::new();
    assert_eq!(b.udp.receive(&mut burst, &mut b.pool), 0);
    // A pause that no machine outlasts by accident.
    b.udp.receiver.hold();
    peer.send_to(&[1], b.address).unwrap();
    assert_eq!(b.udp.receive(&mut burst, &mut b.pool), 0);
    b.udp.wake();
    assert_eq!(b.udp.receive(&mut burst, &mut b.pool), 1);
    burst.clear_into(&mut b.pool);
}

/// Over IPv6 there is the slow path alone.
#[test]
fn a_datagram_over_ipv6_arrives_under_headers_that_decap_takes() {
    let own = UdpSocket::bind("[::1]:0").unwrap().local_addr().unwrap();
    let socket = Udp::bind(own, 1).unwrap().remove(0);
    let mut udp = Udp::slow_path(socket, own, 62, 1450);
    let (_, mut pool) = Umem::map(8, 2048, 50, Hugepages::Off).unwrap();
    let mut burst = Burst::new();
    let from = UdpSocket::bind("[::1]:0").unwrap();
    let payload = payload(1, 1001);
    from.send_to(&payload, own).unwrap();
    udp.wake();
    assert_eq!(udp.receive(&mut burst, &mut pool), 1);
    let frame = burst.iter().next().unwrap();
    let bytes = frame.bytes();
    assert_eq!((frame.port(), bytes.len()), (62, 62 + payload.len()));
    assert_eq!(bytes[12..21], [0x86, 0xdd, 0x60, 0, 0, 0, 3, 0xf1, 17]);
    assert_eq!(bytes[62..], payload);
    let sport = from.local_addr().unwrap().port();
    assert_eq!(
        bytes[54..58],
        [sport.to_be_bytes(), own.port().to_be_bytes()].concat()
    );
    // The whole pseudo header and datagram, checksum included, sum to all ones.
    let pseudo = Sum::of(&bytes[22..54])
        .plus(Sum::word(1009))
        .plus(Sum::word(17));
    assert!(pseudo.plus(Sum::of(&bytes[54..])).is_valid());
    burst.clear_into(&mut pool);
    assert!(Udp::bind(own, 1).is_err(), "the port is kept");
}
