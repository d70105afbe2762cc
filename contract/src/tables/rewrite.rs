//! Adjacencies as bytes: what stands before the inner packet, ready to be copied.
//!
//! ```text
//! VXLAN over IPv4                        0                14           34    42      50               64
//!                                 line: | outer Ethernet | outer IPv4 | UDP | VXLAN | inner Ethernet |
//!
//! VXLAN over IPv6   0         20         0           34    42      50               64
//!             head: | ...     |   line: | outer IPv6 | UDP | VXLAN | inner Ethernet |
//!                     Ethernet, first 6 bytes of IPv6
//!
//! udp, ipip, host-gw              line: as over IPv4, but 42, 34 or 14 bytes of it are sent. The addresses of the outer
//!                                       IPv4 header are there also if it is not sent; all that follows is zeros
//! Local             line: 50 zeros, then the Ethernet header
//! Unresolved        line: zeros, but the peer where a VXLAN line has it: at 30 (IPv4) or 18 (IPv6)
//! ```
//!
//! A VXLAN line holds the bytes of FLANNEL.md section 3.1 as they go on the wire, except for what depends on the packet:
//! TOS, lengths, id and source port are zero, and **both checksum fields hold partial sums**, folded and not complemented
//! (`Sum::field` reads them):
//!
//! - IPv4 header: all of the header as it stands. Encap adds TOS, total length and id.
//! - UDP: outer addresses, protocol, destination port, VXLAN and inner Ethernet. Encap adds the UDP length twice, the source
//!   port and what the inner packet contributes (FLANNEL.md 3.6).
//!
//! The inner EtherType is IPv4. An IPv6 packet inside replaces it and adds the difference to the UDP sum.
//!
//! The other encapsulations are FLANNEL.md section 4's. Flags depend on the packet there, too, so they are zero; IP in IP has
//! the packet's TTL, so that is zero as well; the source port of `udp` is its destination port, and part of the sum.

use std::net::{IpAddr, Ipv4Addr};

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned, transmute};

use super::layout::RawMeta;
use super::{Adjacency, Encap};
use crate::wire::{
    EtherType, Ethernet, Ipv4, Ipv6, Mac, Protocol, Rewrite4, Rewrite6, Sum, Udp, Vxlan,
};

/// Hop limit of what we emit, as flannel's kernel has it (FLANNEL.md 3.1).
const TTL: u8 = 64;
/// Where a line has the peer's address: the outer destination.
pub(super) const PEER4: std::ops::Range<usize> = 30..34;
/// The same over IPv6.
pub(super) const PEER6: std::ops::Range<usize> = 18..34;

/// What an adjacency is for. Its bytes decide; any other byte is `Empty`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum AdjacencyKind {
    /// No route leads here, or one to nowhere.
    #[default]
    Empty = 0,
    /// A peer that we cannot send to (yet).
    Unresolved = 1,
    /// A port of this node.
    Local = 2,
    /// A VXLAN peer over IPv4: `Fib::rewrite4`.
    Vxlan4 = 3,
    /// A VXLAN peer over IPv6: `Fib::rewrite6`.
    Vxlan6 = 4,
    /// A peer that is sent bare packets: outer Ethernet of the line.
    HostGw4 = 5,
    /// A peer of the `udp` backend: the line up to and with UDP.
    Udp4 = 6,
    /// A peer of the `ipip` backend: the line up to and with IPv4.
    Ipip4 = 7,
}

impl AdjacencyKind {
    #[inline(always)]
    pub(super) const fn from_byte(byte: u8) -> Self {
        match byte {
            1 => AdjacencyKind::Unresolved,
            2 => AdjacencyKind::Local,
            3 => AdjacencyKind::Vxlan4,
            4 => AdjacencyKind::Vxlan6,
            5 => AdjacencyKind::HostGw4,
            6 => AdjacencyKind::Udp4,
            7 => AdjacencyKind::Ipip4,
            _ => AdjacencyKind::Empty,
        }
    }
}

/// A [`Rewrite6`], cut so that the line ends as one over IPv4 does: a head of 20 bytes and a line of 64.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Halves {
    pub head: [u8; 20],
    pub line: [u8; 64],
}

/// An adjacency, encoded.
#[derive(Clone, Copy)]
pub(super) struct Rewrite {
    pub meta: RawMeta,
    pub head: [u8; 20],
    pub line: [u8; 64],
}

impl Rewrite {
    const EMPTY: Rewrite = Rewrite {
        meta: RawMeta {
            kind: AdjacencyKind::Empty as u8,
            port: 0,
            mtu: 0,
            peer4: [0; 4],
        },
        head: [0; 20],
        line: [0; 64],
    };

    /// Encodes an adjacency of this node. `None` when its outer addresses are of two families, or of one that its
    /// encapsulation has not.
    pub fn of(adjacency: &Adjacency, vni: u32, tunnel_dport: u16) -> Option<Rewrite> {
        let mut rewrite = Rewrite::EMPTY;
        match *adjacency {
            Adjacency::Empty => {}
            Adjacency::Unresolved { peer } => {
                rewrite.meta.kind = AdjacencyKind::Unresolved as u8;
                match peer {
                    IpAddr::V4(peer) => {
                        rewrite.meta.peer4 = peer.octets();
                        rewrite.line[PEER4].copy_from_slice(&peer.octets());
                    }
                    IpAddr::V6(peer) => rewrite.line[PEER6].copy_from_slice(&peer.octets()),
                }
            }
            Adjacency::Local { port, dst, src } => {
                rewrite.meta.kind = AdjacencyKind::Local as u8;
                rewrite.meta.port = port;
                rewrite.line[50..64].copy_from_slice(inner_ethernet(dst, src).as_bytes());
            }
            Adjacency::Peer {
                port,
                mtu,
                next_hop,
                own,
                src,
                peer,
                encap,
            } => {
                rewrite.meta.port = port;
                rewrite.meta.mtu = mtu;
                let outer = |ethertype| Ethernet {
                    dst: next_hop,
                    src: own,
                    ethertype,
                };
                match (src, peer, encap) {
                    (IpAddr::V4(src), IpAddr::V4(peer), _) => {
                        let (kind, line) = line4(encap, src, peer, vni, tunnel_dport);
                        rewrite.meta.kind = kind as u8;
                        rewrite.meta.peer4 = peer.octets();
                        rewrite.line = transmute!(over_ipv4(Rewrite4 {
                            ethernet: outer(EtherType::IPV4),
                            ..line
                        }));
                    }
                    (
                        IpAddr::V6(src),
                        IpAddr::V6(peer),
                        Encap::Vxlan {
                            peer_vtep,
                            own_vtep,
                        },
                    ) => {
                        rewrite.meta.kind = AdjacencyKind::Vxlan6 as u8;
                        let halves: Halves = transmute!(over_ipv6(Rewrite6 {
                            ethernet: outer(EtherType::IPV6),
                            ip: Ipv6 {
                                version_class_label: Ipv6::VERSION.into(),
                                payload_len: 0.into(),
                                next_header: Protocol::UDP,
                                hop_limit: TTL,
                                src: src.octets(),
                                dst: peer.octets(),
                            },
                            udp: udp(0, tunnel_dport),
                            vxlan: Vxlan::new(vni),
                            inner: inner_ethernet(peer_vtep, own_vtep),
                        }));
                        (rewrite.head, rewrite.line) = (halves.head, halves.line);
                    }
                    _ => return None,
                }
            }
        }
        Some(rewrite)
    }
}

/// A line over IPv4 but for its Ethernet header and its sums, and what kind it makes of the adjacency.
fn line4(
    encap: Encap,
    src: Ipv4Addr,
    peer: Ipv4Addr,
    vni: u32,
    tunnel_dport: u16,
) -> (AdjacencyKind, Rewrite4) {
    let mut line = Rewrite4::new_zeroed();
    line.ip.src = src.octets();
    line.ip.dst = peer.octets();
    line.ip.version_ihl = Ipv4::VERSION_IHL;
    let kind = match encap {
        Encap::Vxlan {
            peer_vtep,
            own_vtep,
        } => {
            (line.ip.ttl, line.ip.protocol) = (TTL, Protocol::UDP);
            line.udp = udp(0, tunnel_dport);
            line.vxlan = Vxlan::new(vni);
            line.inner = inner_ethernet(peer_vtep, own_vtep);
            AdjacencyKind::Vxlan4
        }
        Encap::Udp => {
            (line.ip.ttl, line.ip.protocol) = (TTL, Protocol::UDP);
            line.udp = udp(tunnel_dport, tunnel_dport);
            AdjacencyKind::Udp4
        }
        Encap::Ipip => {
            line.ip.protocol = Protocol::IPIP;
            AdjacencyKind::Ipip4
        }
        Encap::HostGw => AdjacencyKind::HostGw4,
    };
    (kind, line)
}

fn udp(sport: u16, dport: u16) -> Udp {
    Udp {
        sport: sport.into(),
        dport: dport.into(),
        len: 0.into(),
        checksum: [0; 2],
    }
}

const fn inner_ethernet(dst: Mac, src: Mac) -> Ethernet {
    Ethernet {
        dst,
        src,
        ethertype: EtherType::IPV4,
    }
}

/// Puts the partial sums into the checksum fields, which are zero until then.
fn over_ipv4(mut rewrite: Rewrite4) -> Rewrite4 {
    let addresses = Sum::of(&rewrite.ip.src).plus(Sum::of(&rewrite.ip.dst));
    rewrite.ip.checksum = Sum::of(rewrite.ip.as_bytes()).to_field();
    if rewrite.ip.protocol == Protocol::UDP {
        rewrite.udp.checksum = udp_sum(addresses, &rewrite.udp, &rewrite.vxlan, &rewrite.inner);
    }
    rewrite
}

/// The same; an IPv6 header has no checksum.
fn over_ipv6(mut rewrite: Rewrite6) -> Rewrite6 {
    let addresses = Sum::of(&rewrite.ip.src).plus(Sum::of(&rewrite.ip.dst));
    rewrite.udp.checksum = udp_sum(addresses, &rewrite.udp, &rewrite.vxlan, &rewrite.inner);
    rewrite
}

/// What the outer UDP checksum covers in every packet of an adjacency (pseudo headers: RFC 768, RFC 8200 section 8.1).
fn udp_sum(addresses: Sum, udp: &Udp, vxlan: &Vxlan, inner: &Ethernet) -> [u8; 2] {
    addresses
        .plus(Sum::word(u16::from(Protocol::UDP)))
        .plus(Sum::of(udp.as_bytes()))
        .plus(Sum::of(vxlan.as_bytes()))
        .plus(Sum::of(inner.as_bytes()))
        .to_field()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first kernel frame of FLANNEL.md 3.2: an ICMP echo of 84 bytes.
    const GOLDEN: [u8; 64] = [
        0x0e, 0xb2, 0x3c, 0x07, 0x25, 0x7e, 0xca, 0x29, 0x14, 0x86, 0x54, 0x4c, 0x08, 0x00, 0x45,
        0x00, 0x00, 0x86, 0x6b, 0x62, 0x00, 0x00, 0x40, 0x11, 0xf3, 0xb0, 0xc0, 0xa8, 0x4d, 0x01,
        0xc0, 0xa8, 0x4d, 0x02, 0xc8, 0x2e, 0x21, 0x18, 0x00, 0x72, 0xe5, 0x6b, 0x08, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00, 0x00,
        0x00, 0x01, 0x08, 0x00,
    ];

    fn peer(src: &str, peer: &str) -> Adjacency {
        Adjacency::Peer {
            port: 3,
            mtu: 1450,
            next_hop: Mac([0x0e, 0xb2, 0x3c, 0x07, 0x25, 0x7e]),
            own: Mac([0xca, 0x29, 0x14, 0x86, 0x54, 0x4c]),
            src: src.parse().unwrap(),
            peer: peer.parse().unwrap(),
            encap: Encap::Vxlan {
                peer_vtep: Mac([2, 0, 0, 0, 0, 2]),
                own_vtep: Mac([2, 0, 0, 0, 0, 1]),
            },
        }
    }

    #[test]
    fn patched_it_is_the_frame_that_the_kernel_sent() {
        let rewrite = Rewrite::of(&peer("192.168.77.1", "192.168.77.2"), 1, 8472).unwrap();
        assert_eq!(rewrite.meta.kind, AdjacencyKind::Vxlan4 as u8);
        assert_eq!(
            (rewrite.meta.port, rewrite.meta.mtu, rewrite.meta.peer4),
            (3, 1450, [192, 168, 77, 2])
        );
        let mut out: Rewrite4 = transmute!(rewrite.line);
        let golden: Rewrite4 = transmute!(GOLDEN);
        out.ip.total_len = golden.ip.total_len;
        out.ip.id = golden.ip.id;
        out.ip.checksum = Sum::field(out.ip.checksum)
            .plus(Sum::word(out.ip.total_len.get()))
            .plus(Sum::word(out.ip.id.get()))
            .checksum();
        out.udp.sport = golden.udp.sport;
        out.udp.len = golden.udp.len;
        // An ICMP packet with a valid checksum sums to nothing: its header and its message each to all ones.
        out.udp.checksum = Sum::field(out.udp.checksum)
            .plus(Sum::word(out.udp.len.get()))
            .plus(Sum::word(out.udp.len.get()))
            .plus(Sum::word(out.udp.sport.get()))
            .udp_checksum();
        assert_eq!(out, golden);
    }

    #[test]
    fn over_ipv6_the_line_ends_alike_and_the_sum_covers_the_longer_addresses() {
        let four = Rewrite::of(&peer("192.168.77.1", "192.168.77.2"), 0xabcdef, 8472).unwrap();
        let six = Rewrite::of(&peer("fd77::1", "fd77::2"), 0xabcdef, 8472).unwrap();
        assert_eq!(six.meta.kind, AdjacencyKind::Vxlan6 as u8);
        assert_eq!(six.meta.peer4, [0; 4]);
        assert_eq!(four.line[34..40], six.line[34..40]);
        assert_eq!(four.line[42..], six.line[42..]);
        assert_eq!(six.head[12..], [0x86, 0xdd, 0x60, 0, 0, 0, 0, 0]);
        assert_eq!(six.line[..2], [17, 64]);
        assert_eq!(
            six.line[2..34],
            [
                0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xfd, 0x77, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 0, 0, 0, 0, 2
            ]
        );
        // The whole pseudo header of RFC 8200 and everything under the checksum, by hand.
        let mut covered = six.line[2..34].to_vec();
        covered.extend([0, 0, 0, 0, 0, 0, 0, 17]);
        covered.extend(&six.line[34..40]);
        covered.extend([0, 0]);
        covered.extend(&six.line[42..64]);
        assert_eq!(Sum::of(&covered).to_field(), six.line[40..42]);
    }

    fn by(encap: Encap) -> Rewrite {
        let mut adjacency = peer("192.168.77.1", "192.168.77.2");
        if let Adjacency::Peer { encap: it, .. } = &mut adjacency {
            *it = encap;
        }
        Rewrite::of(&adjacency, 1, 8285).unwrap()
    }

    #[test]
    fn the_other_encapsulations_begin_as_vxlan_does_and_end_earlier() {
        let vxlan = Rewrite::of(&peer("192.168.77.1", "192.168.77.2"), 1, 8472).unwrap();
        for (encap, kind, len) in [
            (Encap::Udp, AdjacencyKind::Udp4, 42),
            (Encap::Ipip, AdjacencyKind::Ipip4, 34),
            (Encap::HostGw, AdjacencyKind::HostGw4, 34),
        ] {
            let rewrite = by(encap);
            assert_eq!(rewrite.meta.kind, kind as u8);
            assert_eq!(rewrite.meta.peer4, [192, 168, 77, 2]);
            assert_eq!(rewrite.line[..14], vxlan.line[..14], "{encap:?}");
            assert_eq!(rewrite.line[26..34], vxlan.line[26..34], "{encap:?}");
            assert!(rewrite.line[len..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn a_udp_line_sums_to_what_its_datagrams_have_in_common() {
        let line: Rewrite4 = transmute!(by(Encap::Udp).line);
        assert_eq!((line.ip.ttl, line.ip.protocol), (64, 17));
        assert_eq!((line.udp.sport.get(), line.udp.dport.get()), (8285, 8285));
        let common = [
            192, 168, 77, 1, 192, 168, 77, 2, 0, 17, 0x20, 0x5d, 0x20, 0x5d,
        ];
        assert_eq!(line.udp.checksum, Sum::of(&common).to_field());
    }

    #[test]
    fn an_ipip_line_leaves_ttl_and_flags_to_the_packet() {
        let line: Rewrite4 = transmute!(by(Encap::Ipip).line);
        assert_eq!((line.ip.ttl, line.ip.protocol), (0, 4));
        assert_eq!((line.ip.flags_offset.get(), line.udp.checksum), (0, [0; 2]));
        let common = [0x45, 0, 0, 4, 192, 168, 77, 1, 192, 168, 77, 2];
        assert_eq!(line.ip.checksum, Sum::of(&common).to_field());
    }

    #[test]
    fn a_peer_that_cannot_be_sent_to_is_where_a_vxlan_peer_is() {
        for (src, dst) in [("10.0.0.1", "10.0.0.2"), ("fd77::1", "fd77::2")] {
            let range = if src.contains(':') { 18..34 } else { 30..34 };
            let unresolved = Adjacency::Unresolved {
                peer: dst.parse().unwrap(),
            };
            let known = Rewrite::of(&unresolved, 1, 8472).unwrap();
            let spoken = Rewrite::of(&peer(src, dst), 1, 8472).unwrap();
            assert_eq!(known.meta.kind, AdjacencyKind::Unresolved as u8);
            assert_eq!(known.meta.peer4, spoken.meta.peer4);
            assert_eq!(known.line[range.clone()], spoken.line[range]);
        }
    }

    #[test]
    fn a_local_header_lies_where_the_inner_one_does() {
        let (dst, src) = (Mac([2, 0, 0, 0, 0, 9]), Mac([2, 0, 0, 0, 0, 8]));
        let rewrite = Rewrite::of(&Adjacency::Local { port: 1, dst, src }, 1, 8472).unwrap();
        assert_eq!(rewrite.line[..50], [0; 50]);
        assert_eq!(
            rewrite.line[50..],
            [2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 8, 0]
        );
        assert_eq!(
            (rewrite.meta.kind, rewrite.meta.port),
            (AdjacencyKind::Local as u8, 1)
        );
    }

    #[test]
    fn two_families_in_one_tunnel_are_refused() {
        assert!(Rewrite::of(&peer("192.168.77.1", "fd77::2"), 1, 8472).is_none());
    }
}
