//! What waits at a port, and for how long. The host's side of the TUN is a socket pair, which keeps packets apart as a TUN does.

use std::os::unix::net::UnixDatagram;

use contract::wire::Sum;

use super::*;
use crate::tun::tests::pair;
use crate::xsk::{DEFAULT_HEADROOM, Hugepages, Umem};

const NOW: u64 = 1 << 40;
const FRAMES: usize = 128;
/// An Ethernet, an IPv4 and a TCP header.
const HEADERS: usize = 54;

struct Rig {
    port: Port,
    pool: Pool,
    host: UnixDatagram,
    next: u32,
}

impl Rig {
    fn new() -> Self {
        let (tun, host) = pair(1);
        let (_, pool) = Umem::map(FRAMES as u32, 2048, DEFAULT_HEADROOM, Hugepages::Off).unwrap();
        let mut port = Port::default();
        port.open(tun.into(), PortKind::Uplink);
        Rig {
            port,
            pool,
            host,
            next: 1,
        }
    }

    /// Stages the next segment of a flow.
    fn stage(&mut self, payload: usize, flags: u8) {
        let mut frame = self.pool.alloc().unwrap();
        let mut bytes = vec![0; HEADERS + payload];
        bytes[12..14].copy_from_slice(&[8, 0]);
        bytes[14] = 0x45;
        bytes[16..18].copy_from_slice(&((40 + payload) as u16).to_be_bytes());
        bytes[20] = 0x40;
        bytes[22..24].copy_from_slice(&[64, Protocol::TCP]);
        let checksum = Sum::of(&bytes[14..34]).checksum();
        bytes[24..26].copy_from_slice(&checksum);
        bytes[38..42].copy_from_slice(&self.next.to_be_bytes());
        (bytes[46], bytes[47]) = (0x50, flags);
        let segment = (20 + payload) as u16;
        let pseudo = Sum::word(6).plus(Sum::word(segment));
        let checksum = Sum::of(&bytes[34..]).plus(pseudo).checksum();
        bytes[50..52].copy_from_slice(&checksum);
        frame.append(&bytes).unwrap();
        self.next += payload as u32;
        self.port.stage(frame).unwrap();
    }

    fn submit(&mut self, now: u64) {
        assert!(self.port.submit_gathered(&mut self.pool, now));
    }

    /// Lengths of the packets that the host got, virtio headers included.
    fn got(&self) -> Vec<usize> {
        let mut buffer = vec![0; 70_000];
        std::iter::from_fn(|| self.host.recv(&mut buffer).ok()).collect()
    }
}

#[test]
fn bulk_waits_for_more_and_leaves_as_one_packet_when_its_time_is_over() {
    let mut rig = Rig::new();
    for n in 0..3 {
        rig.stage(1400, TcpFlags::ACK);
        rig.submit(NOW + n);
    }
    assert_eq!((rig.got(), rig.port.waiting()), (vec![], 3));
    rig.submit(NOW + PATIENCE - 1);
    assert_eq!(rig.got(), []);
    rig.submit(NOW + PATIENCE);
    assert_eq!(
        (rig.got(), rig.port.waiting()),
        (vec![10 + 40 + 3 * 1400], 0)
    );
    assert_eq!(rig.pool.len(), FRAMES);
    assert_eq!(rig.port.counters.count(PortCounter::TxPackets), 3);
}

#[test]
fn what_somebody_waits_for_leaves_at_once_with_what_waited_before_it() {
    for (payload, flags) in [
        (1400, TcpFlags::ACK | TcpFlags::PSH),
        (1400, TcpFlags::ACK | TcpFlags::FIN),
        (200, TcpFlags::ACK),
        (0, TcpFlags::ACK),
    ] {
        let mut rig = Rig::new();
        rig.stage(1400, TcpFlags::ACK);
        rig.submit(NOW);
        assert_eq!(rig.got(), []);
        rig.stage(payload, flags);
        rig.submit(NOW + 1);
        assert!(!rig.got().is_empty());
        assert_eq!((rig.port.waiting(), rig.pool.len()), (0, FRAMES));
    }
}

#[test]
fn as_many_as_fill_a_packet_do_not_wait() {
    let mut rig = Rig::new();
    for n in 1..=GATHERED {
        assert_eq!(rig.got(), []);
        rig.stage(1398, TcpFlags::ACK);
        rig.submit(NOW);
        assert_eq!(rig.port.waiting(), n % GATHERED);
    }
    assert_eq!(rig.got(), [10 + 40 + GATHERED * 1398]);
}

#[test]
fn room_is_made_for_a_burst_by_what_waits() {
    let mut rig = Rig::new();
    (0..20).for_each(|_| rig.stage(1400, TcpFlags::ACK));
    rig.submit(NOW);
    assert_eq!(rig.port.waiting(), 20);
    assert!(rig.port.has_room(crate::xsk::BURST - 20));
    assert!(!rig.port.has_room(crate::xsk::BURST - 19));
    assert!(rig.port.submit(&mut rig.pool));
    assert_eq!((rig.got().len(), rig.port.waiting()), (1, 0));
}
