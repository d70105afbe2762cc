//! A packet out over IPv6: the same rewrite, 20 bytes longer, for either family inside.
//!
//! What Linux `vxlan6_xmit_skb` emits for a flannel-v6 device (FLANNEL.md 3.1): hop limit 64, flow label 0 (the device's
//! label policy is "fixed", and none is set), of the traffic class the congestion bits alone, and a checksum, which RFC 8200
//! section 8.1 does not leave to us.

use contract::stats::DropReason;
use contract::tables::Fib;
use contract::wire::{Ethernet, Ipv6, Rewrite6, Sum, Vxlan};
use zerocopy::FromBytes;

use crate::encap::{outer_ecn, sport};
use crate::family::{Family, InnerPacket};
use crate::verdict::{Tx, Verdict};
use crate::xsk::Frame;

/// Encapsulates the packet in an Ethernet frame for a peer over IPv6. `routed`: it loses a hop here.
#[inline(never)]
pub fn over_ipv6<F: Family>(frame: &mut Frame, peer: u16, routed: bool, fib: &Fib) -> Verdict {
    let packet = frame.bytes().get(Ethernet::LEN..);
    let inner = F::parse(packet.ok_or(DropReason::Truncated)?)?;
    let (meta, len) = (fib.meta(peer), inner.len());
    // No router fragments IPv6, so it does not help that one may fragment the packet inside.
    if len > meta.mtu {
        return Err(DropReason::TooBig);
    }
    let (ecn, layer4) = (outer_ecn(inner.tos()), inner.layer4(routed));
    let sport = sport(layer4.hash);

    frame.truncate(Ethernet::LEN + usize::from(len));
    if routed {
        F::decrement_hops(frame.bytes_mut());
    }
    frame
        .grow_head(Vxlan::OVERHEAD_IPV6)
        .ok_or(DropReason::NoHeadroom)?;
    let template = fib.rewrite6(peer);
    let (out, _) =
        Rewrite6::mut_from_prefix(frame.bytes_mut()).map_err(|_| DropReason::NoHeadroom)?;
    *out = template;
    let udp_len = len.wrapping_add(30);
    out.ip.version_class_label = Ipv6::with_class(ecn).into();
    out.ip.payload_len = udp_len.into();
    out.udp.sport = sport.into();
    out.udp.len = udp_len.into();
    out.udp.checksum = Sum::field(template.udp.checksum)
        .plus(Sum::word(udp_len))
        .plus(Sum::word(udp_len))
        .plus(Sum::word(sport))
        .plus(layer4.sum)
        .plus(F::template_sum())
        .udp_checksum();
    out.inner.ethertype = F::ETHERTYPE;
    Ok(Tx {
        port: meta.port,
        peer,
        len,
    })
}
