//! A packet in: from a VXLAN datagram to the pod's IP packet under a local Ethernet header.
//!
//! Everything that arrives is hostile until proven ours. The outer headers must be those of RFC 7348 as the kernel's vxlan
//! device accepts them (FLANNEL.md 3.5); beyond the kernel, the outer source must hold the lease that the inner source lies
//! in. Each violation has its own reason.

use contract::stats::DropReason;
use contract::tables::{AdjacencyKind, Fib, PortKind};
use contract::wire::{Ecn, EtherType, Ethernet, Ipv4, Protocol, Rewrite4, Sum, Udp, Vxlan, update};
use zerocopy::{FromBytes, IntoBytes};

use crate::encap::{decrement_ttl, hops_left};
use crate::inner::Inner;
use crate::verdict::{Tx, Verdict};
use crate::xsk::Frame;

/// Bytes between the start of the UDP header and the inner packet.
const UDP_TO_INNER: usize = Udp::LEN + Vxlan::LEN + Ethernet::LEN;

/// Decapsulates a frame from the underlay.
#[inline(always)]
pub fn decap(frame: &mut Frame, fib: &Fib) -> Verdict {
    let node = fib.node();
    let (outer, rest) =
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
        return Err(DropReason::OuterHeader);
    }
    if !Sum::of(outer.ip.as_bytes()).is_valid() {
        return Err(DropReason::OuterIpChecksum);
    }
    if outer.ip.dst != node.vtep_ip4 || outer.udp.dport != node.tunnel_dport {
        return Err(DropReason::OuterDestination);
    }
    // RFC 7348 section 5 wants reserved bits ignored; the kernel drops frames that set one, and so they never worked.
    if outer.vxlan.flags != Vxlan::VNI_VALID
        || outer.vxlan.reserved1 != [0; 3]
        || outer.vxlan.reserved2 != 0
    {
        return Err(DropReason::VxlanHeader);
    }
    if outer.vxlan.vni != node.vni {
        return Err(DropReason::Vni);
    }
    if outer.inner.dst != node.vtep_mac {
        return Err(DropReason::InnerMac);
    }
    if outer.inner.src == node.vtep_mac {
        return Err(DropReason::InnerMacOwn);
    }
    if outer.inner.ethertype != EtherType::IPV4 {
        return Err(DropReason::NotIpv4);
    }
    let inner_len = udp_len
        .checked_sub(UDP_TO_INNER)
        .ok_or(DropReason::OuterHeader)?;
    let payload = rest.get(..inner_len).ok_or(DropReason::OuterHeader)?;
    let inner = Inner::parse(payload)?;
    check_udp(outer, &inner, payload)?;

    let peer = fib.lookup4(inner.ip.src);
    if !fib.meta(peer).is_peer4(outer.ip.src) {
        return Err(foreign_source(outer.ip.src, fib));
    }
    let local = fib.lookup4(inner.ip.dst);
    let meta = fib.meta(local);
    if meta.kind != AdjacencyKind::Local {
        return Err(DropReason::InnerDestination);
    }
    let port = fib.port(meta.port);
    let len = inner.len();
    if len > port.mtu {
        return Err(DropReason::TooBig);
    }
    let routed = hops_left(inner.ip, port.kind == Some(PortKind::Pod))?;
    let marks = (outer.ip.tos & Ecn::MASK, inner.ip.tos & Ecn::MASK);
    if marks == (Ecn::CE, Ecn::NOT_ECT) {
        return Err(DropReason::EcnNotCapable);
    }
    // The severer mark goes on: CE over all, ECT(1) over ECT(0) (RFC 6040 section 4.2).
    let marked = matches!(marks, (Ecn::CE, _) | (Ecn::ECT1, Ecn::ECT0)).then_some(marks.0);

    frame
        .shrink_head(Vxlan::OVERHEAD_IPV4)
        .ok_or(DropReason::OuterHeader)?;
    frame.truncate(Ethernet::LEN + usize::from(len));
    let header = fib.rewrite4(local).inner;
    frame
        .bytes_mut()
        .get_mut(..Ethernet::LEN)
        .ok_or(DropReason::Truncated)?
        .copy_from_slice(header.as_bytes());
    if routed {
        decrement_ttl(frame.bytes_mut());
    }
    if let Some(ecn) = marked {
        mark(frame.bytes_mut(), ecn);
    }
    Ok(Tx {
        port: meta.port,
        peer,
        len,
    })
}

/// Checks the outer UDP checksum, zero excepted (RFC 768: none was computed; the kernel accepts it).
///
/// First by the headers: if the inner checksums are right, so must be the sum that follows from them. When that agrees,
/// everything but the transport payload is proven, and the payload is covered by the inner checksum, which its receiver
/// verifies: a flipped bit there is found by the pod, not here. When it disagrees, the inner checksum may just as well be
/// wrong or absent, so every byte is added before anything is dropped. See docs/decisions/0003-outer-checksum.md.
#[inline(always)]
fn check_udp(outer: &Rewrite4, inner: &Inner, payload: &[u8]) -> Result<(), DropReason> {
    if outer.udp.checksum == [0, 0] {
        return Ok(());
    }
    let headers = Sum::of(outer.as_bytes().get(26..).unwrap_or_default()) // addresses, UDP, VXLAN, inner Ethernet
        .plus(Sum::word(u16::from(Protocol::UDP)))
        .plus(Sum::word(outer.udp.len.get()));
    let layer4 = inner.layer4();
    // A datagram longer than the packet in it (padding) is outside of what the inner checksums cover.
    let derived = layer4.derived && inner.packet.len() == payload.len();
    if derived && headers.plus(layer4.sum).is_valid() {
        return Ok(());
    }
    check_every_byte(headers, payload)
}

#[inline(never)]
fn check_every_byte(headers: Sum, payload: &[u8]) -> Result<(), DropReason> {
    if headers.plus(Sum::of(payload)).is_valid() {
        Ok(())
    } else {
        Err(DropReason::OuterUdpChecksum)
    }
}

/// The inner source is not in a lease of the outer source: is the outer source a node at all?
#[cold]
#[inline(never)]
fn foreign_source(outer_src: [u8; 4], fib: &Fib) -> DropReason {
    if fib.is_vtep4(outer_src) {
        DropReason::InnerSource
    } else {
        DropReason::OuterSource
    }
}

/// What a router marked on the outer header is passed to the flow inside.
#[cold]
#[inline(never)]
fn mark(frame: &mut [u8], ecn: u8) {
    if let Some((ip, _)) = frame
        .get_mut(Ethernet::LEN..)
        .and_then(|packet| Ipv4::mut_from_prefix(packet).ok())
    {
        let old = [ip.version_ihl, ip.tos];
        ip.tos = ip.tos & !Ecn::MASK | ecn;
        ip.checksum = update(ip.checksum, old, [ip.version_ihl, ip.tos]);
    }
}
