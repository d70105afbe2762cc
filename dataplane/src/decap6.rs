//! A packet in over IPv6: the outer headers' checks, as `decap` has them for IPv4, and one more, for no datagram may come
//! without a checksum.

use contract::stats::DropReason;
use contract::tables::Fib;
use contract::wire::{EtherType, Ethernet, Ipv6, Protocol, Rewrite6, Sum};
use zerocopy::{FromBytes, IntoBytes};

use crate::decap::{Outer, Source, UDP_TO_INNER, check_tunnel, deliver};
use crate::family::{V4, V6};
use crate::verdict::Verdict;
use crate::xsk::Frame;

/// Decapsulates a frame that is not a whole IPv4 datagram.
#[inline(never)]
pub fn decap_ipv6(frame: &mut Frame, fib: &Fib) -> Verdict {
    let node = fib.node();
    let (headers, _) =
        Rewrite6::ref_from_prefix(frame.bytes()).map_err(|_| DropReason::OuterHeader)?;
    let payload_len = usize::from(headers.ip.payload_len.get());
    let udp_len = usize::from(headers.udp.len.get());
    if headers.ethernet.ethertype != EtherType::IPV6
        || !headers.ip.is_version6()
        || headers.ip.next_header != Protocol::UDP
        || Ethernet::LEN + Ipv6::LEN + payload_len > frame.len()
        || udp_len > payload_len
    {
        return Err(DropReason::OuterHeader);
    }
    if headers.ip.dst != node.vtep_ip6
        || node.vtep_ip6 == [0; 16]
        || headers.udp.dport != node.tunnel_dport
    {
        return Err(DropReason::OuterDestination);
    }
    check_tunnel(&headers.vxlan, &headers.inner, node.vtep_mac6, node)?;
    let ethertype = headers.inner.ethertype;
    if ethertype != EtherType::IPV4 && ethertype != EtherType::IPV6 {
        return Err(DropReason::NotIp);
    }
    let len = udp_len
        .checked_sub(UDP_TO_INNER)
        .ok_or(DropReason::OuterHeader)?;
    // RFC 8200 section 8.1, unless a receiver asks for it (RFC 6936), which flannel's device does not.
    if headers.udp.checksum == [0, 0] {
        return Err(DropReason::OuterUdpChecksumZero);
    }
    let covered = headers.as_bytes().get(22..).unwrap_or_default(); // addresses, UDP, VXLAN, inner Ethernet
    let outer = Outer {
        headers: Rewrite6::LEN,
        source: Source::V6(headers.ip.src),
        tos: headers.ip.class(),
        sum: Some(
            Sum::of(covered)
                .plus(Sum::word(u16::from(Protocol::UDP)))
                .plus(Sum::word(headers.udp.len.get())),
        ),
        len,
    };
    if ethertype == EtherType::IPV4 {
        deliver::<V4>(frame, fib, &outer)
    } else {
        deliver::<V6>(frame, fib, &outer)
    }
}
