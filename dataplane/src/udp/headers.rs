//! Outer headers: what the kernel makes of those that encapsulation wrote, and what a datagram had before the kernel took
//! them off.

use std::net::SocketAddrV4;

use contract::wire::{EtherType, Ethernet, Ipv4, Mac, Protocol, Sum, Udp};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::gather::Flow;
use crate::xsk::Frame;

/// Headers in front of a payload, as `decap` reads them.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Headers {
    ethernet: Ethernet,
    ip: Ipv4,
    udp: Udp,
}

impl Headers {
    /// What a datagram of `len` bytes came under, in one piece: nothing tells of fragments, TTL and id, and the checksum is
    /// none, for the kernel has verified it. `None` if there can be no such datagram.
    pub(super) fn new(from: SocketAddrV4, own: SocketAddrV4, tos: u8, len: usize) -> Option<Self> {
        let udp_len = u16::try_from(len + Udp::LEN).ok()?;
        let total_len = udp_len.checked_add(Ipv4::LEN as u16)?;
        let mut ip = Ipv4 {
            version_ihl: Ipv4::VERSION_IHL,
            tos,
            total_len: total_len.into(),
            id: 0.into(),
            flags_offset: 0.into(),
            ttl: 64,
            protocol: Protocol::UDP,
            checksum: [0; 2],
            src: from.ip().octets(),
            dst: own.ip().octets(),
        };
        ip.checksum = Sum::of(ip.as_bytes()).checksum();
        Some(Headers {
            ethernet: Ethernet {
                dst: Mac::default(),
                src: Mac::default(),
                ethertype: EtherType::IPV4,
            },
            ip,
            udp: Udp {
                sport: from.port().into(),
                dport: own.port().into(),
                len: udp_len.into(),
                checksum: [0; 2],
            },
        })
    }
}

/// The flow and the UDP payload of an encapsulated frame; `None` if it is no IPv4 UDP datagram, which encapsulation never
/// makes. The kernel writes the headers anew from these: the rest of them is the same for every frame.
pub(super) fn datagram(frame: &Frame) -> Option<(Flow, &[u8])> {
    let (outer, rest) = Headers::ref_from_prefix(frame.bytes()).ok()?;
    if outer.ethernet.ethertype != EtherType::IPV4
        || outer.ip.version_ihl != Ipv4::VERSION_IHL
        || outer.ip.protocol != Protocol::UDP
    {
        return None;
    }
    let payload = rest.get(..usize::from(outer.udp.len.get()).checked_sub(Udp::LEN)?)?;
    let flow = Flow {
        dst: SocketAddrV4::new(outer.ip.dst.into(), outer.udp.dport.get()),
        sport: outer.udp.sport.get(),
        tos: outer.ip.tos,
    };
    Some((flow, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_a_datagram_without_a_checksum() {
        let address = |text: &str| text.parse().unwrap();
        let headers = Headers::new(
            address("192.168.77.3:51246"),
            address("192.168.77.1:8472"),
            0x03,
            106,
        )
        .unwrap();
        let expected = [
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00, // Ethernet
            0x45, 0x03, 0x00, 0x86, 0, 0, 0, 0, 64, 17, 0x5f, 0x0f, // IPv4
            192, 168, 77, 3, 192, 168, 77, 1, //
            0xc8, 0x2e, 0x21, 0x18, 0x00, 0x72, 0, 0, // UDP
        ];
        assert_eq!(headers.as_bytes(), expected);
        assert!(Sum::of(headers.ip.as_bytes()).is_valid());
        let own = address("192.168.77.1:8472");
        assert!(Headers::new(own, own, 0, 65_507).is_some());
        assert!(Headers::new(own, own, 0, 65_508).is_none());
    }
}
