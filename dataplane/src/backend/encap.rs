//! A packet out by `udp`, `ipip` or `host-gw`.

use contract::stats::DropReason;
use contract::tables::{AdjacencyKind, AdjacencyMeta, Fib};
use contract::wire::{Ethernet, Ipv4, Sum, Udp};
use zerocopy::FromBytes;

use crate::encap::{IpIds, outer_ecn};
use crate::family::{Family, V4};
use crate::inner::Inner;
use crate::verdict::{Tx, Verdict};
use crate::xsk::Frame;

/// What the outer header follows from.
struct Packet {
    len: u16,
    tos: u8,
    /// As it leaves.
    ttl: u8,
    /// DF, and nothing else, if the packet has it.
    dont_fragment: u16,
    /// Whether it is no larger than the path.
    fits: bool,
    /// What it adds to a checksum over all of it.
    sum: Sum,
}

/// Sends the frame's packet to a peer that is not a VXLAN one. `routed`: the engine is the packet's router, and the packet has
/// a hop left for that.
#[inline(never)]
pub fn encap(frame: &mut Frame, peer: u16, routed: bool, fib: &Fib, ids: &mut IpIds) -> Verdict {
    let meta = fib.meta(peer);
    let (overhead, is_udp) = match meta.kind {
        AdjacencyKind::Udp4 => (Ipv4::LEN + Udp::LEN, true),
        AdjacencyKind::Ipip4 => (Ipv4::LEN, false),
        AdjacencyKind::HostGw4 => (0, false),
        _ => return Err(DropReason::NoRoute),
    };
    let packet = frame.bytes().get(Ethernet::LEN..);
    let inner = Inner::parse(packet.ok_or(DropReason::Truncated)?)?;
    let len = inner.len();
    let fits = fits(inner.ip, len, overhead, meta, fib)?;
    // flannel's udp is a proxy between TUN and socket, which takes a hop of its own (FLANNEL.md 4.1).
    let hops = u8::from(routed) + u8::from(is_udp);
    if inner.ip.ttl <= hops {
        return Err(DropReason::ProxyTtl);
    }
    let packet = Packet {
        len,
        tos: inner.ip.tos,
        ttl: inner.ip.ttl - hops,
        dont_fragment: inner.ip.flags_offset.get() & Ipv4::DF,
        fits,
        sum: match is_udp {
            true => inner.layer4().sum,
            false => Sum::default(),
        },
    };

    frame.truncate(Ethernet::LEN + usize::from(len));
    (0..hops).for_each(|_| V4::decrement_hops(frame.bytes_mut()));
    frame.grow_head(overhead).ok_or(DropReason::NoHeadroom)?;
    let line = fib.line(peer).get(..Ethernet::LEN + overhead);
    let line = line.ok_or(DropReason::NoHeadroom)?;
    let head = frame.bytes_mut().get_mut(..line.len());
    let head = head.ok_or(DropReason::NoHeadroom)?;
    head.copy_from_slice(line);
    let behind_ethernet = head.get_mut(Ethernet::LEN..).unwrap_or_default();
    match meta.kind {
        AdjacencyKind::Udp4 => udp(behind_ethernet, &packet, ids.next_id()),
        AdjacencyKind::Ipip4 => ipip(behind_ethernet, &packet, ids.next_id()),
        _ => Some(()),
    }
    .ok_or(DropReason::NoHeadroom)?;
    Ok(Tx {
        port: meta.port,
        peer,
        len,
    })
}

/// Whether the packet is no larger than its path. One that is larger and may be fragmented is sent whole, for routers to
/// fragment, if our own device is wide enough.
fn fits(
    ip: &Ipv4,
    len: u16,
    overhead: usize,
    meta: AdjacencyMeta,
    fib: &Fib,
) -> Result<bool, DropReason> {
    let device_mtu = usize::from(fib.port(meta.port).mtu);
    let fits = len <= meta.mtu;
    if !fits && (ip.dont_fragment() || usize::from(len) + overhead > device_mtu) {
        return Err(DropReason::TooBig);
    }
    Ok(fits)
}

/// What Linux sends from a UDP socket as flannel's has it: no TOS, DF unless the path is too narrow.
fn udp(head: &mut [u8], packet: &Packet, id: u16) -> Option<()> {
    let (ip, rest) = Ipv4::mut_from_prefix(head).ok()?;
    let (udp, _) = Udp::mut_from_prefix(rest).ok()?;
    let flags = if packet.fits { Ipv4::DF } else { 0 };
    let udp_len = packet.len.wrapping_add(Udp::LEN as u16);
    patch(ip, udp_len, 0, flags, id);
    udp.len = udp_len.into();
    // The length counts twice: in the pseudo header and in the UDP header.
    udp.checksum = Sum::field(udp.checksum)
        .plus(Sum::word(udp_len))
        .plus(Sum::word(udp_len))
        .plus(packet.sum)
        .udp_checksum();
    Some(())
}

/// What Linux's ipip device makes of a packet (`ip_tunnel_xmit`, with TTL and TOS inherited): FLANNEL.md 4.3.
fn ipip(head: &mut [u8], packet: &Packet, id: u16) -> Option<()> {
    let (ip, _) = Ipv4::mut_from_prefix(head).ok()?;
    ip.ttl = packet.ttl;
    // In the line it is zero, and so it is in the line's sum.
    ip.checksum = Sum::field(ip.checksum)
        .plus(Sum::field([packet.ttl, 0]))
        .to_field();
    let ecn = outer_ecn(packet.tos);
    patch(ip, packet.len, ecn, packet.dont_fragment, id);
    Some(())
}

/// What every outer header has of its packet; until now its checksum is the sum of the rest.
fn patch(ip: &mut Ipv4, payload_len: u16, tos: u8, flags: u16, id: u16) {
    let total_len = payload_len.wrapping_add(Ipv4::LEN as u16);
    ip.tos = tos;
    ip.total_len = total_len.into();
    ip.id = id.into();
    ip.flags_offset = flags.into();
    ip.checksum = Sum::field(ip.checksum)
        .plus(Sum::word(u16::from(tos)))
        .plus(Sum::word(total_len))
        .plus(Sum::word(id))
        .plus(Sum::word(flags))
        .checksum();
}
