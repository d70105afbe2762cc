//! A packet in: from a VXLAN datagram to the pod's IP packet under a local Ethernet header.
//!
//! Everything that arrives is hostile until proven ours. The outer headers must be those of RFC 7348 as the kernel's vxlan
//! device accepts them (FLANNEL.md 3.5); beyond the kernel, the outer source must hold the lease that the inner source lies
//! in. Each violation has its own reason. Outer headers of IPv6 are checked in `decap6`; what is done with the packet inside
//! does not depend on them.

use contract::stats::DropReason;
use contract::tables::{AdjacencyKind, Fib, FibNode, PortKind, Tunnel};
use contract::wire::{
    Ecn, EtherType, Ethernet, Ipv4, Ipv6, Mac, Protocol, Rewrite4, Sum, Udp, Vxlan,
};
use zerocopy::{FromBytes, IntoBytes};

use crate::backend;
use crate::decap6::decap_ipv6;
use crate::encap::{hops_left, local_header};
use crate::family::{Family, InnerPacket, V4, V6};
use crate::verdict::{Tx, Verdict};
use crate::xsk::Frame;

/// Bytes between the start of the UDP header and the inner packet.
pub const UDP_TO_INNER: usize = Udp::LEN + Vxlan::LEN + Ethernet::LEN;

/// What outer headers leave to be decided with the packet inside.
pub struct Outer {
    /// Bytes before the inner packet.
    pub headers: usize,
    /// Who sent it.
    pub source: Source,
    /// DSCP and ECN.
    pub tos: u8,
    /// Sum of all that the UDP checksum covers before the inner packet; `None`: none was computed.
    pub sum: Option<Sum>,
    /// Bytes of the datagram behind the inner Ethernet header.
    pub len: usize,
}

/// An outer source address.
pub enum Source {
    /// IPv4.
    V4([u8; 4]),
    /// IPv6.
    V6([u8; 16]),
}

impl Source {
    /// Whether it is the node of an adjacency.
    #[inline(always)]
    pub fn is_peer(&self, peer: u16, fib: &Fib) -> bool {
        match *self {
            Source::V4(ip) => fib.meta(peer).is_peer4(ip),
            Source::V6(ip) => fib.is_peer6(peer, ip),
        }
    }

    /// The inner source is not in a lease of ours: are we a node at all?
    #[cold]
    #[inline(never)]
    pub fn foreign(&self, fib: &Fib) -> DropReason {
        let is_node = match *self {
            Source::V4(ip) => fib.is_vtep4(ip),
            Source::V6(ip) => fib.is_vtep6(ip),
        };
        if is_node {
            DropReason::InnerSource
        } else {
            DropReason::OuterSource
        }
    }
}

/// Decapsulates a frame from the underlay, of whatever tunnel the node has.
#[inline(always)]
pub fn decap(frame: &mut Frame, fib: &Fib) -> Verdict {
    let node = fib.node();
    if !node.tunnel().is_vxlan() {
        return backend::decap(frame, fib);
    }
    let (outer, _) =
        Rewrite4::ref_from_prefix(frame.bytes()).map_err(|_| DropReason::OuterHeader)?;
    let total_len = usize::from(outer.ip.total_len.get());
    let udp_len = usize::from(outer.udp.len.get());
    if outer.ethernet.ethertype != EtherType::IPV4
        || outer.ip.version_ihl != Ipv4::VERSION_IHL
        || outer.ip.protocol != Protocol::UDP
        || outer.ip.is_fragment()
        || Ethernet::LEN + total_len > frame.len()
        || Ipv4::LEN + udp_len > total_len
    {
        return decap_ipv6(frame, fib);
    }
    if !Sum::of(outer.ip.as_bytes()).is_valid() {
        return Err(DropReason::OuterIpChecksum);
    }
    if outer.ip.dst != node.vtep_ip4 || outer.udp.dport != node.tunnel_dport {
        return Err(DropReason::OuterDestination);
    }
    check_tunnel(&outer.vxlan, &outer.inner, node.vtep_mac, node)?;
    if outer.inner.ethertype != EtherType::IPV4 {
        return not_ipv4_inside(frame, fib);
    }
    let outer = over_ipv4(outer)?;
    deliver::<V4>(frame, fib, &outer)
}

/// The rest of [`decap`] for another packet inside.
#[inline(never)]
fn not_ipv4_inside(frame: &mut Frame, fib: &Fib) -> Verdict {
    match Rewrite4::ref_from_prefix(frame.bytes()) {
        Ok((outer, _)) if outer.inner.ethertype == EtherType::IPV6 => {
            let outer = over_ipv4(outer)?;
            deliver::<V6>(frame, fib, &outer)
        }
        _ => Err(DropReason::NotIp),
    }
}

/// What checked headers over IPv4 say.
#[inline(always)]
fn over_ipv4(outer: &Rewrite4) -> Result<Outer, DropReason> {
    let len = usize::from(outer.udp.len.get())
        .checked_sub(UDP_TO_INNER)
        .ok_or(DropReason::OuterHeader)?;
    let sum = || {
        Sum::of(outer.as_bytes().get(26..).unwrap_or_default()) // addresses, UDP, VXLAN, inner Ethernet
            .plus(Sum::word(u16::from(Protocol::UDP)))
            .plus(Sum::word(outer.udp.len.get()))
    };
    Ok(Outer {
        headers: Rewrite4::LEN,
        source: Source::V4(outer.ip.src),
        tos: outer.ip.tos,
        // RFC 768: zero means that none was computed, which the kernel accepts.
        sum: (outer.udp.checksum != [0, 0]).then(sum),
        len,
    })
}

/// VXLAN and inner Ethernet: ours, and from somebody else. `vtep` is the address of the device that the datagram was sent to.
#[inline(always)]
pub fn check_tunnel(
    vxlan: &Vxlan,
    inner: &Ethernet,
    vtep: Mac,
    node: &FibNode,
) -> Result<(), DropReason> {
    // RFC 7348 section 5 wants reserved bits ignored; the kernel drops frames that set one, and so they never worked.
    if (vxlan.flags != Vxlan::VNI_VALID || vxlan.reserved1 != [0; 3] || vxlan.reserved2 != 0)
        && !has_group_policy(vxlan, node)
    {
        return Err(DropReason::VxlanHeader);
    }
    if vxlan.vni != node.vni {
        return Err(DropReason::Vni);
    }
    if inner.dst != vtep {
        return Err(DropReason::InnerMac);
    }
    if inner.src == vtep {
        return Err(DropReason::InnerMacOwn);
    }
    Ok(())
}

/// Whether a header that is not plain is one with the group policy extension, in a cluster that has it. As the kernel's device
/// reads it, all of the first word but the VNI's flag belongs to the extension (`vxlan_parse_gbp_hdr`). The policy id ends here:
/// there it becomes the packet's mark, which cannot be given to a frame.
#[cold]
#[inline(never)]
fn has_group_policy(vxlan: &Vxlan, node: &FibNode) -> bool {
    node.tunnel() == Tunnel::VxlanGbp
        && vxlan.flags & !Vxlan::GROUP_POLICY == Vxlan::VNI_VALID
        && vxlan.reserved2 == 0
}

/// Judges the packet behind checked outer headers, and hands it to the port it is for.
#[inline(always)]
pub fn deliver<F: Family>(frame: &mut Frame, fib: &Fib, outer: &Outer) -> Verdict {
    let behind = frame.bytes().get(outer.headers..);
    let payload = behind.and_then(|behind| behind.get(..outer.len));
    let payload = payload.ok_or(DropReason::OuterHeader)?;
    let inner = F::parse(payload)?;
    check_udp(outer, &inner, payload, frame.bytes())?;
    let is_partial = inner.is_partial();

    let peer = inner.from(fib);
    if !outer.source.is_peer(peer, fib) {
        return Err(outer.source.foreign(fib));
    }
    let local = inner.to(fib);
    let meta = fib.meta(local);
    if meta.kind != AdjacencyKind::Local {
        return Err(DropReason::InnerDestination);
    }
    let port = fib.port(meta.port);
    let len = inner.len();
    if len > port.mtu {
        return Err(DropReason::TooBig);
    }
    let routed = hops_left(inner.hops(), port.kind == Some(PortKind::Pod))?;
    let marks = (outer.tos & Ecn::MASK, inner.tos() & Ecn::MASK);
    if marks == (Ecn::CE, Ecn::NOT_ECT) {
        return Err(DropReason::EcnNotCapable);
    }
    let marked = marked(marks);

    frame
        .shrink_head(outer.headers - Ethernet::LEN)
        .ok_or(DropReason::OuterHeader)?;
    frame.truncate(Ethernet::LEN + usize::from(len));
    local_header::<F>(frame, local, fib)?;
    if routed {
        F::decrement_hops(frame.bytes_mut());
    }
    if is_partial {
        complete(frame.bytes_mut());
    }
    if let Some(ecn) = marked {
        F::mark(frame.bytes_mut(), ecn);
    }
    Ok(Tx {
        port: meta.port,
        peer,
        len,
    })
}

/// What is to be marked on a packet that came under these marks, outer and inner. The severer mark goes on: CE over all, ECT(1)
/// over ECT(0) (RFC 6040 section 4.2).
#[inline(always)]
pub fn marked(marks: (u8, u8)) -> Option<u8> {
    matches!(marks, (Ecn::CE, _) | (Ecn::ECT1, Ecn::ECT0)).then_some(marks.0)
}

/// Checks the outer UDP checksum, if there is one.
///
/// First by the headers: if the inner checksums are right, so must be the sum that follows from them. When that agrees,
/// everything but the transport payload is proven, and the payload is covered by the inner checksum, which its receiver
/// verifies: a flipped bit there is found by the pod, not here. When it disagrees, the inner checksum may just as well be
/// wrong or absent, so every byte is added before anything is dropped. See docs/decisions/0003-outer-checksum.md.
#[inline(always)]
fn check_udp<'a>(
    outer: &Outer,
    inner: &impl InnerPacket<'a>,
    payload: &[u8],
    frame: &[u8],
) -> Result<(), DropReason> {
    let Some(headers) = outer.sum else {
        return Ok(());
    };
    let layer4 = inner.layer4(false);
    // A datagram longer than the packet in it (padding) is outside of what the inner checksums cover.
    let derived = layer4.derived && inner.packet().len() == payload.len();
    if derived && headers.plus(layer4.sum).is_valid() {
        return Ok(());
    }
    check_every_byte(headers, payload, || {
        is_outer_begun(outer, frame) == Some(true)
    })
}

/// Checks a checksum over all of a payload, the headers' part given. One that its sender only began is accepted as the kernel
/// accepts it: a socket on this machine sent it.
#[inline(never)]
pub fn check_every_byte(
    headers: Sum,
    payload: &[u8],
    is_begun: impl FnOnce() -> bool,
) -> Result<(), DropReason> {
    if headers.plus(Sum::of(payload)).is_valid() || is_begun() {
        Ok(())
    } else {
        Err(DropReason::OuterUdpChecksum)
    }
}

/// Whether the outer checksum field holds the sum of the pseudo header alone.
fn is_outer_begun(outer: &Outer, frame: &[u8]) -> Option<bool> {
    let addresses = match outer.source {
        Source::V4(_) => frame.get(26..34)?,
        Source::V6(_) => frame.get(22..54)?,
    };
    let (udp, _) = Udp::ref_from_prefix(frame.get(outer.headers - UDP_TO_INNER..)?).ok()?;
    Some(is_begun(Sum::of(addresses), udp))
}

/// Whether a checksum field holds the sum of the pseudo header alone, the addresses' part given.
pub fn is_begun(addresses: Sum, udp: &Udp) -> bool {
    let begun = addresses
        .plus(Sum::word(u16::from(Protocol::UDP)))
        .plus(Sum::word(udp.len.get()));
    udp.checksum == begun.to_field()
}

/// Completes the checksum of the TCP segment or UDP datagram behind an Ethernet header, as a network card would have done.
///
/// A kernel that sends through a veth, or through virtio, leaves it to a card that is not there; its own receive path knows
/// of that by the packet's metadata, an AF_XDP or UDP socket does not (docs/decisions/0003-outer-checksum.md).
#[cold]
#[inline(never)]
fn complete(frame: &mut [u8]) {
    let packet = frame.get(Ethernet::LEN..).unwrap_or_default();
    let (header_len, protocol) = match Ipv4::ref_from_prefix(packet) {
        Ok((ip, _)) if ip.version_ihl >> 4 == 4 => (ip.header_len(), Some(&ip.protocol)),
        _ => (Some(Ipv6::LEN), packet.get(6)),
    };
    let start = Ethernet::LEN + header_len.unwrap_or(Ipv4::LEN);
    let field = match protocol {
        Some(&Protocol::TCP) => start + 16,
        _ => start + 6,
    };
    let sum = Sum::of(frame.get(start..).unwrap_or_default());
    if let Some(checksum) = frame.get_mut(field..).and_then(<[u8]>::first_chunk_mut) {
        // Ones for zero also in TCP, as `skb_checksum_help` has it.
        *checksum = sum.udp_checksum();
    }
}
