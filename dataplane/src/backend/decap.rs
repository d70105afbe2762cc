//! A packet in by `udp` or `ipip`: what VXLAN's `decap` asks, of fewer headers.

use contract::stats::DropReason;
use contract::tables::{AdjacencyKind, Fib, FibNode, PortKind, Tunnel};
use contract::wire::{Ecn, EtherType, Ethernet, Ipv4, Protocol, Sum, Udp};
use zerocopy::{FromBytes, IntoBytes};

use crate::decap::{Source, check_every_byte, is_begun, marked};
use crate::encap::local_header;
use crate::family::{Family, V4};
use crate::inner::Inner;
use crate::verdict::{Tx, Verdict};
use crate::xsk::Frame;

/// Decapsulates a frame from the underlay of a node whose tunnel is not VXLAN.
#[inline(never)]
pub fn decap(frame: &mut Frame, fib: &Fib) -> Verdict {
    let node = fib.node();
    let tunnel = node.tunnel();
    let (outer, datagram) = outer(frame.bytes(), node)?;
    let inner = match tunnel {
        Tunnel::Udp => from_datagram(outer, datagram, node)?,
        _ => Inner::parse(datagram)?,
    };

    let peer = fib.lookup4(inner.ip.src);
    let source = Source::V4(outer.src);
    if !source.is_peer(peer, fib) {
        return Err(source.foreign(fib));
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
    // The proxy's hop on the way in, as on the way out.
    let proxied = u8::from(tunnel == Tunnel::Udp);
    let routed = u8::from(port.kind == Some(PortKind::Pod));
    let left = inner.ip.ttl.saturating_sub(proxied);
    if left == 0 && proxied > 0 {
        return Err(DropReason::ProxyTtl);
    }
    if left <= routed {
        return Err(DropReason::TtlExceeded);
    }
    let marks = (outer.tos & Ecn::MASK, inner.ip.tos & Ecn::MASK);
    let mark = match tunnel {
        // A socket does not show what was marked.
        Tunnel::Udp => None,
        _ if marks == (Ecn::CE, Ecn::NOT_ECT) => return Err(DropReason::EcnNotCapable),
        _ => marked(marks),
    };

    frame
        .shrink_head(tunnel.overhead())
        .ok_or(DropReason::OuterHeader)?;
    frame.truncate(Ethernet::LEN + usize::from(len));
    local_header::<V4>(frame, local, fib)?;
    (0..proxied + routed).for_each(|_| V4::decrement_hops(frame.bytes_mut()));
    if let Some(ecn) = mark {
        V4::mark(frame.bytes_mut(), ecn);
    }
    Ok(Tx {
        port: meta.port,
        peer,
        len,
    })
}

/// The outer IPv4 header of a whole packet of the node's tunnel, and what it carries.
fn outer<'a>(bytes: &'a [u8], node: &FibNode) -> Result<(&'a Ipv4, &'a [u8]), DropReason> {
    let protocol = match node.tunnel() {
        Tunnel::Ipip => Protocol::IPIP,
        Tunnel::Udp => Protocol::UDP,
        // Nothing is steered to a node that has no tunnel.
        _ => return Err(DropReason::OuterDestination),
    };
    let (ethernet, packet) =
        Ethernet::ref_from_prefix(bytes).map_err(|_| DropReason::OuterHeader)?;
    let (ip, _) = Ipv4::ref_from_prefix(packet).map_err(|_| DropReason::OuterHeader)?;
    if ethernet.ethertype != EtherType::IPV4
        || ip.version_ihl != Ipv4::VERSION_IHL
        || ip.protocol != protocol
        || ip.is_fragment()
    {
        return Err(DropReason::OuterHeader);
    }
    let payload = packet.get(Ipv4::LEN..usize::from(ip.total_len.get()));
    let payload = payload.ok_or(DropReason::OuterHeader)?;
    if !Sum::of(ip.as_bytes()).is_valid() {
        return Err(DropReason::OuterIpChecksum);
    }
    if ip.dst != node.vtep_ip4 {
        return Err(DropReason::OuterDestination);
    }
    Ok((ip, payload))
}

/// The packet in a datagram of flannel's `udp`. The checksum is verified as VXLAN's is: see there.
fn from_datagram<'a>(
    outer: &Ipv4,
    datagram: &'a [u8],
    node: &FibNode,
) -> Result<Inner<'a>, DropReason> {
    let (udp, _) = Udp::ref_from_prefix(datagram).map_err(|_| DropReason::OuterHeader)?;
    let payload = datagram.get(Udp::LEN..usize::from(udp.len.get()));
    let payload = payload.ok_or(DropReason::OuterHeader)?;
    if udp.dport != node.tunnel_dport {
        return Err(DropReason::OuterDestination);
    }
    let inner = Inner::parse(payload)?;
    if udp.checksum == [0, 0] {
        return Ok(inner);
    }
    let addresses = Sum::of(&outer.src).plus(Sum::of(&outer.dst));
    let headers = addresses
        .plus(Sum::word(u16::from(Protocol::UDP)))
        .plus(Sum::word(udp.len.get()))
        .plus(Sum::of(udp.as_bytes()));
    let layer4 = inner.layer4();
    let derived = layer4.derived && inner.packet.len() == payload.len();
    if !derived || !headers.plus(layer4.sum).is_valid() {
        check_every_byte(headers, payload, || is_begun(addresses, udp))?;
    }
    Ok(inner)
}
