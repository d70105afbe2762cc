//! A packet out: from a pod's IP packet to a VXLAN datagram.
//!
//! The frame's Ethernet header is overwritten by the adjacency's rewrite, 64 bytes that control prepared as they go on the
//! wire (`contract::wire::Rewrite4`), and what depends on the packet is patched: ECN, lengths, IP id, source port and the
//! two checksums. The inner packet is read, not touched, unless the engine is its router (TTL). IPv6 inside takes the same
//! way in functions of its own; IPv6 outside is in `encap6`.
//!
//! Bytes on the wire: FLANNEL.md section 3.1, which is what Linux `vxlan_xmit_one` emits for a flannel device.

use contract::stats::DropReason;
use contract::tables::{AdjacencyKind, Fib, PortKind};
use contract::wire::{Ecn, EtherType, Ethernet, Rewrite4, Sum, Vxlan};
use zerocopy::{FromBytes, IntoBytes};

use crate::backend;
use crate::encap6::over_ipv6;
use crate::family::{Family, InnerPacket, V4, V6};
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

/// Encapsulates the IP packet in an Ethernet frame that came in by port `from` as its peer's adjacency says, or hands it to a local
/// port.
#[inline(always)]
pub fn encap(frame: &mut Frame, from: u8, fib: &Fib, ids: &mut IpIds) -> Verdict {
    let (ethernet, _) =
        Ethernet::ref_from_prefix(frame.bytes()).map_err(|_| DropReason::Truncated)?;
    if ethernet.ethertype != EtherType::IPV4 {
        return not_ipv4(frame, from, fib, ids);
    }
    packet_out::<V4>(frame, from, fib, ids)
}

#[inline(never)]
fn not_ipv4(frame: &mut Frame, from: u8, fib: &Fib, ids: &mut IpIds) -> Verdict {
    match Ethernet::ref_from_prefix(frame.bytes()) {
        Ok((ethernet, _)) if ethernet.ethertype == EtherType::IPV6 => {
            packet_out::<V6>(frame, from, fib, ids)
        }
        _ => Err(DropReason::NotIp),
    }
}

/// A packet of a family on its way; over IPv4 from top to bottom.
#[inline(always)]
fn packet_out<F: Family>(frame: &mut Frame, from: u8, fib: &Fib, ids: &mut IpIds) -> Verdict {
    let packet = frame
        .bytes()
        .get(Ethernet::LEN..)
        .ok_or(DropReason::Truncated)?;
    let inner = F::parse(packet)?;
    let routed = hops_left(inner.hops(), fib.port(from).kind == Some(PortKind::Pod))?;
    let peer = inner.to(fib);
    let meta = fib.meta(peer);
    let len = inner.len();
    match meta.kind {
        AdjacencyKind::Vxlan4 => {}
        AdjacencyKind::Vxlan6 => return over_ipv6::<F>(frame, peer, routed, fib),
        AdjacencyKind::Local => return to_local::<F>(frame, from, peer, len, routed, fib),
        AdjacencyKind::Unresolved => return Err(DropReason::Unresolved),
        AdjacencyKind::HostGw4 | AdjacencyKind::Udp4 | AdjacencyKind::Ipip4
            if F::ETHERTYPE == EtherType::IPV4 =>
        {
            return backend::encap(frame, peer, routed, fib, ids);
        }
        _ => return Err(inner.unroutable()),
    }
    if len > meta.mtu {
        fits_when_fragmented(inner.may_be_fragmented(), len, fib.port(meta.port).mtu)?;
    }
    let (ecn, layer4) = (outer_ecn(inner.tos()), inner.layer4(routed));
    let sport = sport(layer4.hash);

    frame.truncate(Ethernet::LEN + usize::from(len));
    if routed {
        F::decrement_hops(frame.bytes_mut());
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
        .plus(F::template_sum())
        .udp_checksum();
    // The template says IPv4.
    if F::ETHERTYPE != EtherType::IPV4 {
        out.inner.ethertype = F::ETHERTYPE;
    }
    Ok(Tx {
        port: meta.port,
        peer,
        len,
    })
}

/// The congestion bits of the outer header: the inner ones, but a mark is not made to look like a router's on this path.
#[inline(always)]
pub fn outer_ecn(tos: u8) -> u8 {
    match tos & Ecn::MASK {
        Ecn::CE => Ecn::ECT0,
        ecn => ecn,
    }
}

/// The outer source port of a flow.
#[inline(always)]
pub fn sport(hash: u32) -> u16 {
    SPORT.start + ((u64::from(hash) * u64::from(SPORT.end - SPORT.start)) >> 32) as u16
}

/// Whether a hop is to be taken. A packet that would leave with none is lost here (RFC 1812 section 5.3.1, RFC 8200
/// section 3).
#[inline(always)]
pub fn hops_left(hops: u8, router: bool) -> Result<bool, DropReason> {
    if hops <= u8::from(router) {
        return Err(DropReason::TtlExceeded);
    }
    Ok(router)
}

/// A packet larger than its path's MTU. If it may be fragmented it is sent whole: the outer header allows routers to
/// fragment it, which is what flannel's kernel does (FLANNEL.md T10). Only our own device must be wide enough.
#[cold]
#[inline(never)]
fn fits_when_fragmented(
    may_be_fragmented: bool,
    len: u16,
    device_mtu: u16,
) -> Result<(), DropReason> {
    if !may_be_fragmented || usize::from(len) + Vxlan::OVERHEAD_IPV4 > usize::from(device_mtu) {
        return Err(DropReason::TooBig);
    }
    Ok(())
}

/// A packet between two ports of this node.
#[cold]
#[inline(never)]
fn to_local<F: Family>(
    frame: &mut Frame,
    from: u8,
    peer: u16,
    len: u16,
    routed: bool,
    fib: &Fib,
) -> Verdict {
    let port = fib.meta(peer).port;
    if port == from {
        return Err(DropReason::Hairpin);
    }
    if len > fib.port(port).mtu {
        return Err(DropReason::TooBig);
    }
    frame.truncate(Ethernet::LEN + usize::from(len));
    if routed {
        F::decrement_hops(frame.bytes_mut());
    }
    local_header::<F>(frame, peer, fib)?;
    Ok(Tx { port, peer, len })
}

/// Puts the Ethernet header of a local adjacency where the frame's is.
#[inline(always)]
pub fn local_header<F: Family>(frame: &mut Frame, local: u16, fib: &Fib) -> Result<(), DropReason> {
    let header = Ethernet {
        ethertype: F::ETHERTYPE,
        ..fib.rewrite4(local).inner
    };
    frame
        .bytes_mut()
        .get_mut(..Ethernet::LEN)
        .ok_or(DropReason::Truncated)?
        .copy_from_slice(header.as_bytes());
    Ok(())
}
