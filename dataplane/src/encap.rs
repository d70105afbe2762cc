//! A packet out: from a pod's IP packet to a VXLAN datagram.
//!
//! The frame's Ethernet header is overwritten by the adjacency's rewrite, 64 bytes that control prepared as they go on the
//! wire (`contract::wire::Rewrite4`), and what depends on the packet is patched: ECN, lengths, IP id, source port and the
//! two checksums. The inner packet is read, not touched, unless the engine is its router (TTL).
//!
//! Bytes on the wire: FLANNEL.md section 3.1, which is what Linux `vxlan_xmit_one` emits for a flannel device.

use contract::stats::DropReason;
use contract::tables::{AdjacencyKind, Fib, PortKind};
use contract::wire::{Ecn, EtherType, Ethernet, Ipv4, Rewrite4, Sum, Vxlan, update};
use zerocopy::{FromBytes, IntoBytes};

use crate::inner::Inner;
use crate::verdict::{Tx, Verdict};
use crate::xsk::Frame;

/// Source ports of flannel's kernel: `net.ipv4.ip_local_port_range`, the upper bound exclusive (Linux `udp_flow_src_port`).
pub const SPORT: std::ops::Range<u16> = 32768..60999;

/// Identification numbers for outer headers. They are sent without DF, so a narrow path may fragment them and the receiver
/// needs ids that differ (FLANNEL.md 3.1). Never zero; each worker starts elsewhere.
#[derive(Clone, Debug)]
pub struct IpIds(u16);

impl IpIds {
    /// Ids from `first` on.
    pub fn starting_at(first: u16) -> Self {
        IpIds(first)
    }

    /// The next id.
    #[inline(always)]
    pub fn next_id(&mut self) -> u16 {
        self.0 = self.0.wrapping_add(1);
        self.0 | u16::from(self.0 == 0)
    }
}

/// Encapsulates the IPv4 packet in an Ethernet frame that came in by port `from`, or hands it to a local port.
#[inline(always)]
pub fn encap(frame: &mut Frame, from: u8, fib: &Fib, ids: &mut IpIds) -> Verdict {
    let (ethernet, rest) =
        Ethernet::ref_from_prefix(frame.bytes()).map_err(|_| DropReason::Truncated)?;
    if ethernet.ethertype != EtherType::IPV4 {
        return Err(DropReason::NotIpv4);
    }
    let inner = Inner::parse(rest)?;
    let routed = hops_left(inner.ip, fib.port(from).kind == Some(PortKind::Pod))?;
    let peer = fib.lookup4(inner.ip.dst);
    let meta = fib.meta(peer);
    let len = inner.len();
    match meta.kind {
        AdjacencyKind::Vxlan4 => {}
        AdjacencyKind::Local => return to_local(frame, from, peer, len, routed, fib),
        AdjacencyKind::Unresolved => return Err(DropReason::Unresolved),
        _ => return Err(DropReason::NoRoute),
    }
    if len > meta.mtu {
        fits_when_fragmented(inner.ip, len, fib.port(meta.port).mtu)?;
    }

    let layer4 = inner.layer4();
    let ecn = match inner.ip.tos & Ecn::MASK {
        Ecn::CE => Ecn::ECT0,
        ecn => ecn,
    };
    let sport =
        SPORT.start + ((u64::from(layer4.hash) * u64::from(SPORT.end - SPORT.start)) >> 32) as u16;

    frame.truncate(Ethernet::LEN + usize::from(len));
    if routed {
        decrement_ttl(frame.bytes_mut());
    }
    frame
        .grow_head(Vxlan::OVERHEAD_IPV4)
        .ok_or(DropReason::NoHeadroom)?;
    let template = fib.rewrite4(peer);
    let (out, _) =
        Rewrite4::mut_from_prefix(frame.bytes_mut()).map_err(|_| DropReason::NoHeadroom)?;
    *out = *template;
    let (total_len, udp_len, id) = (len.wrapping_add(50), len.wrapping_add(30), ids.next_id());
    out.ip.tos = ecn;
    out.ip.total_len = total_len.into();
    out.ip.id = id.into();
    // The template's checksum fields hold the sums of all that is constant (contract::tables::rewrite).
    out.ip.checksum = Sum::field(template.ip.checksum)
        .plus(Sum::word(u16::from(ecn)))
        .plus(Sum::word(total_len))
        .plus(Sum::word(id))
        .checksum();
    out.udp.sport = sport.into();
    out.udp.len = udp_len.into();
    // The length counts twice: in the pseudo header and in the UDP header.
    out.udp.checksum = Sum::field(template.udp.checksum)
        .plus(Sum::word(udp_len))
        .plus(Sum::word(udp_len))
        .plus(Sum::word(sport))
        .plus(layer4.sum)
        .udp_checksum();
    Ok(Tx {
        port: meta.port,
        peer,
        len,
    })
}

/// Whether the TTL is to be decremented. A packet that would leave with none is lost here (RFC 1812 section 5.3.1).
#[inline(always)]
pub fn hops_left(ip: &Ipv4, router: bool) -> Result<bool, DropReason> {
    if ip.ttl <= u8::from(router) {
        return Err(DropReason::TtlExceeded);
    }
    Ok(router)
}

/// Takes one hop off the packet behind an Ethernet header.
#[inline(always)]
pub fn decrement_ttl(frame: &mut [u8]) {
    if let Some((ip, _)) = frame
        .get_mut(Ethernet::LEN..)
        .and_then(|packet| Ipv4::mut_from_prefix(packet).ok())
    {
        let old = [ip.ttl, ip.protocol];
        ip.ttl = ip.ttl.wrapping_sub(1);
        ip.checksum = update(ip.checksum, old, [ip.ttl, ip.protocol]);
    }
}

/// A packet larger than its path's MTU. If it may be fragmented it is sent whole: the outer header allows routers to
/// fragment it, which is what flannel's kernel does (FLANNEL.md T10). Only our own device must be wide enough.
#[cold]
#[inline(never)]
fn fits_when_fragmented(ip: &Ipv4, len: u16, device_mtu: u16) -> Result<(), DropReason> {
    if ip.dont_fragment() || usize::from(len) + Vxlan::OVERHEAD_IPV4 > usize::from(device_mtu) {
        return Err(DropReason::TooBig);
    }
    Ok(())
}

/// A packet between two ports of this node.
#[cold]
#[inline(never)]
fn to_local(frame: &mut Frame, from: u8, peer: u16, len: u16, routed: bool, fib: &Fib) -> Verdict {
    let port = fib.meta(peer).port;
    if port == from {
        return Err(DropReason::Hairpin);
    }
    if len > fib.port(port).mtu {
        return Err(DropReason::TooBig);
    }
    frame.truncate(Ethernet::LEN + usize::from(len));
    if routed {
        decrement_ttl(frame.bytes_mut());
    }
    let header = fib.rewrite4(peer).inner;
    frame
        .bytes_mut()
        .get_mut(..Ethernet::LEN)
        .ok_or(DropReason::Truncated)?
        .copy_from_slice(header.as_bytes());
    Ok(Tx { port, peer, len })
}
