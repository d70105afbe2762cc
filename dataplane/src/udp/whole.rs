//! A super-packet that nobody on its way has cut.
//!
//! Where the way is memory (a veth, virtio that takes tunnels), a peer's kernel sends up to 64 KiB under one set of outer
//! headers and leaves segments and checksums to a card that never comes. A kernel vxlan device is told how to cut it; a
//! socket is told little:
//!
//! ```text
//!  one datagram: | VXLAN | Ethernet | IP | TCP or UDP, checksum partial | payload of many segments |
//!  UDP_GRO says: nothing if it is TCP; of UDP the payload of each, which is no datagram's length (`udp_cmsg_recv`)
//! ```
//!
//! So it is known by what no other datagram is: an inner packet under a partial checksum that is longer than any of ours may
//! be, or than the datagrams that UDP_GRO speaks of. TCP is cut to our own MTU, for its receiver does not mind where.

use contract::wire::{Ethernet, Ipv4, Ipv6, Sum, Vxlan};
use zerocopy::FromBytes;

use crate::offload::{Headers, Transport, Version, VnetHeader};

/// Bytes between the start of a datagram and the inner packet.
pub(super) const BEFORE: usize = Vxlan::LEN + Ethernet::LEN;

/// Whether the first inner packet fills all of what came, and not one of the datagrams of `segment` bytes that UDP_GRO speaks
/// of: then that is not their length. Whoever cut there would take what a pod wrote as payload for a datagram of its node.
pub(super) fn is_whole(datagrams: &[u8], segment: usize) -> bool {
    let packet = datagrams.get(BEFORE..).unwrap_or_default();
    let len = match packet.first().map(|byte| byte >> 4) {
        Some(4) => Ipv4::ref_from_prefix(packet).map_or(0, |(ip, _)| ip.total_len.get().into()),
        Some(6) => Ipv6::ref_from_prefix(packet)
            .map_or(0, |(ip, _)| Ipv6::LEN + usize::from(ip.payload_len.get())),
        _ => 0,
    };
    datagrams.len() > segment && BEFORE + len == datagrams.len()
}

/// How the inner packet of one datagram is to be cut; `None` if the datagram is what it seems. `gso_size`: what UDP_GRO told;
/// `mtu`: the longest inner packet that we deliver, bytes.
pub(super) fn how_to_cut(
    datagram: &[u8],
    gso_size: Option<usize>,
    mtu: usize,
) -> Option<VnetHeader> {
    let packet = datagram.get(BEFORE..)?;
    if gso_size.is_none() && packet.len() <= mtu {
        return None;
    }
    let headers = Headers::parse(packet).ok()?;
    if headers.packet_len != packet.len() || !is_partial(&headers, packet) {
        return None;
    }
    let (gso_type, gso_size) = match (headers.transport, headers.version, gso_size) {
        (Transport::Udp, _, Some(size)) => (VnetHeader::GSO_UDP_L4, size),
        (Transport::Tcp, Version::V4, None) => {
            (VnetHeader::GSO_TCPV4, mtu.saturating_sub(headers.len))
        }
        (Transport::Tcp, Version::V6, None) => {
            (VnetHeader::GSO_TCPV6, mtu.saturating_sub(headers.len))
        }
        _ => return None,
    };
    if gso_size == 0 || headers.len + gso_size > mtu {
        return None;
    }
    Some(VnetHeader {
        flags: VnetHeader::NEEDS_CSUM,
        gso_type,
        hdr_len: (headers.len as u16).into(),
        gso_size: u16::try_from(gso_size).ok()?.into(),
        csum_start: (headers.ip_len as u16).into(),
        csum_offset: (headers.transport.checksum_offset() as u16).into(),
    })
}

/// Whether the checksum field holds the sum of the pseudo header alone.
fn is_partial(headers: &Headers, packet: &[u8]) -> bool {
    let len = (packet.len() - headers.ip_len) as u16;
    let at = headers.ip_len + headers.transport.checksum_offset();
    let begun = headers.pseudo(packet).plus(Sum::word(len)).to_field();
    packet.get(at..at + begun.len()) == Some(&begun)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const MTU: usize = 1450;

    /// VXLAN, Ethernet, and a packet over IPv4 with this transport header before so many bytes; the checksum at `at` partial.
    fn datagram(protocol: u8, mut transport: Vec<u8>, at: usize, payload: usize) -> Vec<u8> {
        transport.resize(transport.len() + payload, 0x5a);
        let total_len = (20 + transport.len()) as u16;
        let mut ip = vec![0x45, 0, 0, 0, 0, 1, 0x40, 0, 63, protocol, 0, 0];
        ip[2..4].copy_from_slice(&total_len.to_be_bytes());
        ip.extend([10, 244, 3, 10, 10, 244, 1, 10]);
        let checksum = Sum::of(&ip).checksum();
        ip[10..12].copy_from_slice(&checksum);
        let begun = Sum::of(&ip[12..20])
            .plus(Sum::word(protocol.into()))
            .plus(Sum::word(transport.len() as u16));
        transport[at..at + 2].copy_from_slice(&begun.to_field());
        [&[8, 0, 0, 0, 0, 0, 1, 0], &[2; 14][..], &ip, &transport].concat()
    }

    pub(in super::super) fn tcp(payload: usize) -> Vec<u8> {
        let mut header = vec![0; 20];
        (header[12], header[13]) = (0x50, 0x10);
        datagram(6, header, 16, payload)
    }

    fn udp(payload: usize) -> Vec<u8> {
        let mut header = vec![0x9c, 0x40, 0x14, 0x51, 0, 0, 0, 0];
        header[4..6].copy_from_slice(&(payload as u16 + 8).to_be_bytes());
        datagram(17, header, 6, payload)
    }

    fn sizes(datagram: &[u8], gso_size: Option<usize>) -> Option<(u8, u16)> {
        let vnet = how_to_cut(datagram, gso_size, MTU)?;
        Some((vnet.gso_type, vnet.gso_size.get()))
    }

    #[test]
    fn tcp_is_cut_to_our_mtu_and_udp_as_it_was_sent() {
        let ours = (MTU - 40) as u16;
        assert_eq!(
            sizes(&tcp(60_000), None),
            Some((VnetHeader::GSO_TCPV4, ours))
        );
        assert_eq!(sizes(&tcp(1411), None), Some((VnetHeader::GSO_TCPV4, ours)));
        assert_eq!(
            sizes(&udp(5000), Some(1000)),
            Some((VnetHeader::GSO_UDP_L4, 1000))
        );
        assert_eq!(
            sizes(&udp(100), Some(70)),
            Some((VnetHeader::GSO_UDP_L4, 70))
        );
    }

    #[test]
    fn what_a_wire_carries_is_left_alone() {
        assert_eq!(sizes(&tcp(1410), None), None, "of our MTU");
        let mut complete = tcp(60_000);
        complete[BEFORE + 36] ^= 1;
        assert_eq!(sizes(&complete, None), None, "a checksum of its own");
        assert_eq!(sizes(&udp(5000), None), None, "one datagram, and jumbo");
        assert_eq!(sizes(&tcp(60_000), Some(1000)), None);
        assert_eq!(sizes(&udp(5000), Some(1423)), None, "longer than our MTU");
        let padded = [tcp(60_000), vec![0]].concat();
        assert_eq!(sizes(&padded, None), None);
        for len in 0..BEFORE + 60 {
            assert_eq!(sizes(&tcp(60_000)[..len], None), None);
            assert_eq!(sizes(&udp(5000)[..len], Some(1000)), None);
        }
    }

    #[test]
    fn what_udp_gro_tells_of_the_inner_packet_is_no_length_of_datagrams() {
        assert!(is_whole(&udp(5000), 1000));
        assert!(!is_whole(&udp(5000), 5050), "one datagram");
        let two = [tcp(1410), tcp(1410)].concat();
        assert!(!is_whole(&two, BEFORE + 1450));
        let junk = [udp(5000), vec![0]].concat();
        assert!(!is_whole(&junk, 1000), "it claims less than there is");
        let mut six = udp(960);
        (six[BEFORE], six[BEFORE + 4], six[BEFORE + 5]) = (0x60, 3, 0xb4);
        assert!(is_whole(&six, 500));
        assert!(!is_whole(&[], 1000) && !is_whole(&[8; BEFORE + 1], 1));
    }
}
