//! The frames that the generator starts from: one of the first peer, valid in every field. What varies between frames is
//! the business of perf/bench/generate.bpf.c, which keeps the checksums right.

use std::net::Ipv4Addr;

use contract::wire::{EtherType, Ethernet, Ipv4, Mac, Protocol, Rewrite4, Sum, Udp, Vxlan};
use zerocopy::IntoBytes;

use super::plan::{Leg, OVERLAY, OWN_POD, OWN_VTEP, OWN_VTEP_MAC, Peer, UNDERLAY, VNI};
use crate::lab::flannel;

/// The discard service (RFC 863), should a frame ever reach a stack.
const DISCARD: u16 = 9;
/// First of the ports that the generator draws from.
const FIRST_SPORT: u16 = 0x8000;

/// The frame of a leg, for pods that send plain frames of `size` bytes, Ethernet header included.
pub fn of(leg: Leg, size: usize) -> Vec<u8> {
    let pod = Ipv4Addr::from_bits(Peer(0).subnet().to_bits() + 2);
    match leg {
        Leg::Encap => {
            let ethernet = ethernet(OVERLAY.mac, OVERLAY.outside_mac);
            [ethernet.as_bytes(), &packet(OWN_POD, pod, size)].concat()
        }
        Leg::Decap => vxlan(&packet(pod, OWN_POD, size)),
    }
}

/// An IPv4 packet with UDP and a payload of zeros, for a frame of `size` bytes.
fn packet(src: Ipv4Addr, dst: Ipv4Addr, size: usize) -> Vec<u8> {
    let len = size - Ethernet::LEN;
    let mut udp = udp(DISCARD, len - Ipv4::LEN);
    let mut packet = ipv4(src, dst, Ipv4::DF, len).as_bytes().to_vec();
    udp.checksum = pseudo(&packet, udp.len.get())
        .plus(Sum::of(udp.as_bytes()))
        .udp_checksum();
    packet.extend(udp.as_bytes());
    packet.resize(len, 0);
    packet
}

/// A frame of the first peer, as flannel's nodes send it (FLANNEL.md section 3.1): outer checksum present, DF clear.
fn vxlan(inner: &[u8]) -> Vec<u8> {
    let len = inner.len() + Vxlan::OVERHEAD_IPV4;
    let ip = ipv4(Peer(0).vtep(), OWN_VTEP, 0, len);
    let mut rewrite = Rewrite4 {
        ethernet: ethernet(UNDERLAY.mac, UNDERLAY.outside_mac),
        ip,
        udp: udp(flannel::PORT, len - Ipv4::LEN),
        vxlan: Vxlan::new(VNI),
        inner: ethernet(OWN_VTEP_MAC, Peer(0).vtep_mac()),
    };
    rewrite.udp.checksum = pseudo(ip.as_bytes(), rewrite.udp.len.get())
        .plus(Sum::of(rewrite.udp.as_bytes()))
        .plus(Sum::of(rewrite.vxlan.as_bytes()))
        .plus(Sum::of(rewrite.inner.as_bytes()))
        .plus(Sum::of(inner))
        .udp_checksum();
    [rewrite.as_bytes(), inner].concat()
}

fn ethernet(dst: Mac, src: Mac) -> Ethernet {
    Ethernet {
        dst,
        src,
        ethertype: EtherType::IPV4,
    }
}

fn ipv4(src: Ipv4Addr, dst: Ipv4Addr, flags: u16, len: usize) -> Ipv4 {
    let mut ip = Ipv4 {
        version_ihl: Ipv4::VERSION_IHL,
        tos: 0,
        total_len: (len as u16).into(),
        id: 0.into(),
        flags_offset: flags.into(),
        ttl: 64,
        protocol: Protocol::UDP,
        checksum: [0; 2],
        src: src.octets(),
        dst: dst.octets(),
    };
    ip.checksum = Sum::of(ip.as_bytes()).checksum();
    ip
}

fn udp(dport: u16, len: usize) -> Udp {
    Udp {
        sport: FIRST_SPORT.into(),
        dport: dport.into(),
        len: (len as u16).into(),
        checksum: [0; 2],
    }
}

/// What the UDP checksum covers of the IPv4 header at the start of `packet` (RFC 768).
fn pseudo(packet: &[u8], udp_len: u16) -> Sum {
    Sum::of(&packet[12..20])
        .plus(Sum::word(Protocol::UDP.into()))
        .plus(Sum::word(udp_len))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IP and UDP checksums of the packet at `ip`, and that its lengths fill the frame.
    fn check(frame: &[u8], ip: usize) {
        let (header, datagram) = frame[ip..].split_at(Ipv4::LEN);
        assert_eq!(
            usize::from(u16::from_be_bytes([header[2], header[3]])),
            frame.len() - ip
        );
        assert_eq!(
            usize::from(u16::from_be_bytes([datagram[4], datagram[5]])),
            datagram.len()
        );
        assert!(Sum::of(header).is_valid());
        let covered = pseudo(header, datagram.len() as u16).plus(Sum::of(datagram));
        assert!(covered.is_valid());
    }

    #[test]
    fn plain_frames_are_valid() {
        for size in [64, 65, 1400] {
            let frame = of(Leg::Encap, size);
            assert_eq!(frame.len(), size);
            check(&frame, Ethernet::LEN);
        }
    }

    #[test]
    fn vxlan_frames_are_valid_outside_and_inside() {
        for size in [64, 65, 1400] {
            let frame = of(Leg::Decap, size);
            assert_eq!(frame.len(), Leg::Decap.sent_len(size));
            check(&frame, Ethernet::LEN);
            check(&frame, Rewrite4::LEN);
        }
    }
}
