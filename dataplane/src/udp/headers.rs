//! Outer headers: what the kernel makes of those that encapsulation wrote, and what a datagram had before the kernel took
//! them off.

use std::net::{SocketAddrV4, SocketAddrV6};

use contract::wire::{EtherType, Ethernet, Ipv4, Ipv6, Mac, Protocol, Sum, Udp};
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

/// The same over IPv6.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Headers6 {
    ethernet: Ethernet,
    ip: Ipv6,
    udp: Udp,
}

impl Headers6 {
    /// What a datagram came under. The kernel has verified its checksum, but there is no way to say so: it is made anew.
    pub(super) fn new(
        from: SocketAddrV6,
        own: SocketAddrV6,
        class: u8,
        payload: &[u8],
    ) -> Option<Self> {
        let udp_len = u16::try_from(payload.len() + Udp::LEN).ok()?;
        let ip = Ipv6 {
            version_class_label: Ipv6::with_class(class).into(),
            payload_len: udp_len.into(),
            next_header: Protocol::UDP,
            hop_limit: 64,
            src: from.ip().octets(),
            dst: own.ip().octets(),
        };
        let mut udp = Udp {
            sport: from.port().into(),
            dport: own.port().into(),
            len: udp_len.into(),
            checksum: [0; 2],
        };
        udp.checksum = Sum::of(&ip.src)
            .plus(Sum::of(&ip.dst))
            .plus(Sum::word(udp_len))
            .plus(Sum::word(u16::from(Protocol::UDP)))
            .plus(Sum::of(udp.as_bytes()))
            .plus(Sum::of(payload))
            .udp_checksum();
        Some(Headers6 {
            ethernet: Ethernet {
                dst: Mac::default(),
                src: Mac::default(),
                ethertype: EtherType::IPV6,
            },
            ip,
            udp,
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

    #[test]
    fn over_ipv6_they_have_the_checksum_that_they_came_with() {
        // A frame of the kernel's: its UDP payload, and all but the hop limit of its outer headers back again.
        let capture = include_bytes!("../../tests/data/kernel-vxlan6.pcap");
        let (frame, _) = capture[24 + 16..].split_at(54 + 8 + 8 + 14 + 40 + 8);
        assert_eq!((&frame[12..14], frame[59]), (&[0x86, 0xdd][..], 78));
        let address = |at: usize, port: u16| {
            let ip: [u8; 16] = frame[at..at + 16].try_into().unwrap();
            SocketAddrV6::new(ip.into(), port, 0, 0)
        };
        let sport = u16::from_be_bytes([frame[54], frame[55]]);
        let headers =
            Headers6::new(address(22, sport), address(38, 8472), 0, &frame[62..]).unwrap();
        assert_eq!(headers.as_bytes()[12..], frame[12..62]);
    }
}
