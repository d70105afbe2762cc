//! A queue over a socket pair, which keeps packets apart as a TUN does. The kernel's own is in `tests/tun.rs`.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use contract::wire::{Ipv4, Sum};

use super::*;
use crate::offload::VnetHeader;
use crate::xsk::{BURST, DEFAULT_HEADROOM, Hugepages, Umem};

const FRAMES: usize = 96;
const ETHERNET: usize = 14;

/// A queue whose frames carry `port`, and the host's side of it.
pub(crate) fn pair(port: u8) -> (Tun, UnixDatagram) {
    let (host, queue) = UnixDatagram::pair().unwrap();
    for end in [&host, &queue] {
        end.set_nonblocking(true).unwrap();
    }
    (Tun::over(OwnedFd::from(queue), port, true), host)
}

struct Rig {
    tun: Tun,
    host: UnixDatagram,
    pool: Pool,
    counters: PortCounters,
}

impl Rig {
    fn new() -> Self {
        let (tun, host) = pair(7);
        let (_, pool) = Umem::map(FRAMES as u32, 2048, DEFAULT_HEADROOM, Hugepages::Off).unwrap();
        Rig {
            tun,
            host,
            pool,
            counters: PortCounters::default(),
        }
    }

    fn send(&self, vnet: VnetHeader, packet: &[u8]) {
        self.host.send(&[vnet.as_bytes(), packet].concat()).unwrap();
    }

    fn receive(&mut self) -> Burst {
        let mut burst = Burst::new();
        let received = self
            .tun
            .receive(&mut burst, &mut self.pool, &mut self.counters);
        assert_eq!(received, burst.len());
        burst
    }

    /// Takes what came out: virtio header and packet.
    fn take(&self) -> Vec<(VnetHeader, Vec<u8>)> {
        let mut buffer = vec![0; 70_000];
        let mut taken = Vec::new();
        loop {
            match self.host.recv(&mut buffer) {
                Ok(len) => {
                    let (vnet, packet) = VnetHeader::read_from_prefix(&buffer[..len]).unwrap();
                    taken.push((vnet, packet.to_vec()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return taken,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

use zerocopy::{FromBytes, IntoBytes};

/// TCP over IPv4 with `payload` behind 40 bytes of headers; checksums as the kernel leaves them for a card.
fn tcp(seq: u32, payload: &[u8]) -> Vec<u8> {
    let len = 40 + payload.len();
    let mut packet = vec![0; 40];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    packet[4..6].copy_from_slice(&100u16.to_be_bytes());
    packet[6] = 0x40;
    packet[8..10].copy_from_slice(&[64, 6]);
    packet[12..20].copy_from_slice(&[10, 244, 1, 10, 10, 244, 2, 10]);
    let checksum = Sum::of(&packet[..20]).checksum();
    packet[10..12].copy_from_slice(&checksum);
    packet[20..24].copy_from_slice(&[0x9c, 0x40, 0x14, 0x51]);
    packet[24..28].copy_from_slice(&seq.to_be_bytes());
    packet[32..36].copy_from_slice(&[0x50, 0x10, 1, 0]);
    packet.extend_from_slice(payload);
    packet
}

/// What a TUN says of a packet that is to be cut.
fn cut(size: u16) -> VnetHeader {
    VnetHeader {
        flags: VnetHeader::NEEDS_CSUM,
        gso_type: VnetHeader::GSO_TCPV4,
        hdr_len: 40.into(),
        gso_size: size.into(),
        csum_start: 20.into(),
        csum_offset: 16.into(),
    }
}

/// A byte at each place that tells the place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n / 251 + n) as u8).collect()
}

#[test]
fn a_large_packet_is_many_frames_over_as_many_bursts_as_it_takes() {
    let mut rig = Rig::new();
    let payload = pattern(65_000);
    rig.send(cut(1000), &tcp(5000, &payload));
    rig.send(VnetHeader::default(), &tcp(9, b"small"));
    let mut got = Vec::new();
    let mut first = rig.receive();
    assert_eq!((first.len(), rig.tun.is_pending()), (BURST, true));
    for frame in first.iter() {
        assert_eq!(frame.port(), 7);
        assert!(
            frame.headroom() >= DEFAULT_HEADROOM as usize + 256,
            "encap grows it"
        );
        assert_eq!(frame.bytes()[12..14], [8, 0]);
        let (ip, _) = Ipv4::ref_from_prefix(&frame.bytes()[ETHERNET..]).unwrap();
        assert_eq!(usize::from(ip.total_len.get()), 1040);
        got.extend_from_slice(&frame.bytes()[ETHERNET + 40..]);
    }
    first.clear_into(&mut rig.pool);
    let mut second = rig.receive();
    let lens: Vec<usize> = second.iter().map(|frame| frame.len()).collect();
    assert_eq!(lens, [ETHERNET + 1040, ETHERNET + 45]);
    got.extend_from_slice(&second.iter().next().unwrap().bytes()[ETHERNET + 40..]);
    assert_eq!(got, payload);
    assert!(!rig.tun.is_pending());
    second.clear_into(&mut rig.pool);
    assert_eq!(rig.pool.len(), FRAMES);
}

#[test]
fn a_packet_waits_for_frames_and_is_not_lost() {
    let mut rig = Rig::new();
    rig.send(cut(1000), &tcp(1, &pattern(50_000)));
    let mut held: Vec<_> = (0..FRAMES - 20)
        .map(|_| rig.pool.alloc().unwrap())
        .collect();
    let mut burst = rig.receive();
    assert_eq!((burst.len(), rig.pool.len()), (20, 0));
    assert!(rig.receive().is_empty() && rig.tun.is_pending());
    held.drain(..).for_each(|frame| rig.pool.free(frame));
    let mut rest = rig.receive();
    assert_eq!((rest.len(), rig.tun.is_pending()), (30, false));
    let seq = |frame: &crate::xsk::Frame| {
        u32::from_be_bytes(frame.bytes()[ETHERNET + 24..][..4].try_into().unwrap())
    };
    let seqs: Vec<u32> = burst.iter().chain(rest.iter()).map(seq).collect();
    let expected: Vec<u32> = (0..50).map(|n| 1 + 1000 * n).collect();
    assert_eq!(seqs, expected);
    burst.clear_into(&mut rig.pool);
    rest.clear_into(&mut rig.pool);
    assert_eq!(rig.pool.len(), FRAMES);
}

#[test]
fn what_is_no_packet_is_counted_and_does_not_stop_those_behind_it() {
    let mut rig = Rig::new();
    rig.host.send(&[0; 4]).unwrap();
    rig.host.send(&[0; VnetHeader::LEN]).unwrap();
    rig.send(cut(0), &tcp(1, &pattern(3000)));
    // As long as the device's MTU never was: no frame is.
    rig.send(VnetHeader::default(), &tcp(1, &pattern(3000)));
    rig.send(VnetHeader::default(), &tcp(1, b"good"));
    let mut burst = rig.receive();
    assert_eq!(burst.len(), 1);
    let drops = |reason: contract::stats::DropReason| rig.counters.drops[reason as usize];
    use contract::stats::{DropReason, PortCounter};
    assert_eq!(
        (drops(DropReason::Truncated), drops(DropReason::Offload)),
        (2, 2)
    );
    assert_eq!(rig.counters.counts[PortCounter::RxPackets as usize], 4);
    burst.clear_into(&mut rig.pool);
    assert_eq!(rig.pool.len(), FRAMES);
}

#[test]
fn an_empty_queue_is_not_asked_again_at_once() {
    let mut rig = Rig::new();
    assert!(rig.receive().is_empty());
    rig.tun.receiver.hold();
    rig.send(VnetHeader::default(), &tcp(1, b"x"));
    assert!(rig.receive().is_empty(), "within the pause nobody asks");
    rig.tun.wake();
    let mut burst = rig.receive();
    assert_eq!(burst.len(), 1, "poll(2) ends the pause");
    burst.clear_into(&mut rig.pool);
}

#[test]
fn frames_reach_the_host_as_packets_and_return_to_the_pool() {
    let mut rig = Rig::new();
    let mut burst = Burst::new();
    let packets: Vec<Vec<u8>> = (0..3).map(|n| tcp(n, &pattern(90 * n as usize))).collect();
    for packet in &packets {
        let mut frame = rig.pool.alloc().unwrap();
        frame.append(&[0; ETHERNET]).unwrap();
        frame.append(packet).unwrap();
        // Short Ethernet frames are padded, and padding is no part of the packet.
        frame.append(&[0xee; 6]).unwrap();
        burst.push(frame).unwrap();
    }
    assert_eq!(rig.tun.transmit(&mut burst, &mut rig.pool), 3);
    assert_eq!((burst.len(), rig.pool.len()), (0, FRAMES));
    let taken: Vec<Vec<u8>> = rig.take().into_iter().map(|(_, packet)| packet).collect();
    assert_eq!(
        taken, packets,
        "each has a wrong checksum, so none is joined"
    );
    assert_eq!(rig.tun.wakeups().syscalls, 3);
}

#[test]
fn what_the_kernel_does_not_take_stays_and_is_not_waited_for() {
    let mut rig = Rig::new();
    let mut burst = Burst::new();
    for n in 0..BURST {
        let mut frame = rig.pool.alloc().unwrap();
        frame.append(&[0; ETHERNET]).unwrap();
        frame.append(&tcp(n as u32, &pattern(n))).unwrap();
        burst.push(frame).unwrap();
    }
    // The least that a socket's buffer can be: a few packets.
    rustix::net::sockopt::set_socket_send_buffer_size(rig.tun.fd(), 1).unwrap();
    let sent = rig.tun.transmit(&mut burst, &mut rig.pool);
    assert!(sent > 0 && sent < BURST, "{sent} of {BURST} were taken");
    assert_eq!(burst.len() + sent, BURST);
    assert_eq!(rig.pool.len() + burst.len(), FRAMES);
    assert_eq!(rig.tun.wakeups().again, (BURST - sent) as u64);
    let lens: Vec<usize> = burst.iter().map(|frame| frame.len()).collect();
    let expected: Vec<usize> = (sent..BURST).map(|n| ETHERNET + 40 + n).collect();
    assert_eq!(lens, expected, "in order");
    burst.clear_into(&mut rig.pool);
}
