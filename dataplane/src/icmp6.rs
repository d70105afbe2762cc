//! ICMPv6 errors (RFC 4443): as in `icmp`, the frame of a dropped packet becomes the message that its sender is owed. 48 bytes
//! grow in front of the offending packet, which is cut to what may be quoted.

use contract::stats::DropReason;
use contract::wire::{EtherType, Ethernet, Ipv6, Mac, Protocol, Sum};
use zerocopy::byteorder::network_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::inner6::Inner6;
use crate::xsk::Frame;

/// Extension headers that are skipped to find what a packet is. Linux sends a handful at most; a packet with more is not
/// answered.
const EXTENSIONS: usize = 8;

/// ```text
///  0      1      2          4     8
/// | type | code | checksum | MTU | offending packet ...
/// ```
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Icmpv6 {
    kind: u8,
    code: u8,
    checksum: [u8; 2],
    /// Of packet too big; else unused, zero.
    mtu: U32,
}

const ICMPV6_LEN: usize = size_of::<Icmpv6>();
/// The whole error is no longer than what every path takes (RFC 4443 section 2.4 c).
const QUOTE: usize = Ipv6::MIN_MTU as usize - Ipv6::LEN - ICMPV6_LEN;

/// Who answers, and what the answer needs to know.
pub struct Answer {
    /// Source address: the gateway that the pods know.
    pub gateway: [u8; 16],
    /// Largest packet that would have fitted; used by `TooBig` alone.
    pub mtu: u16,
    /// Ethernet addresses of the answer.
    pub dst: Mac,
    /// See `dst`.
    pub src: Mac,
}

const fn type_and_code(reason: DropReason) -> Option<(u8, u8)> {
    match reason {
        DropReason::TooBig => Some((2, 0)),
        DropReason::TtlExceeded => Some((3, 0)),
        DropReason::NoRoute => Some((1, 0)),
        DropReason::Unresolved => Some((1, 3)),
        _ => None,
    }
}

/// Turns the frame (Ethernet header, then the packet that was dropped) into the error for its sender. `false`: no answer
/// may be sent, and the frame is as it was.
#[cold]
#[inline(never)]
pub fn answer(frame: &mut Frame, reason: DropReason, with: &Answer) -> bool {
    let Some((kind, code)) = type_and_code(reason) else {
        return false;
    };
    let packet = frame.bytes().get(Ethernet::LEN..).unwrap_or_default();
    let Ok(inner) = Inner6::parse(packet) else {
        return false;
    };
    if with.gateway == [0; 16] || !may_answer(&inner) {
        return false;
    }
    let dst = inner.ip.src;
    let quoted = inner.packet.len().min(QUOTE);

    frame.truncate(Ethernet::LEN + quoted);
    if frame.grow_head(Ipv6::LEN + ICMPV6_LEN).is_none() {
        return false;
    }
    let Some((head, quote)) = frame
        .bytes_mut()
        .split_first_chunk_mut::<{ Ethernet::LEN + Ipv6::LEN + ICMPV6_LEN }>()
    else {
        return false;
    };
    let ethernet = Ethernet {
        dst: with.dst,
        src: with.src,
        ethertype: EtherType::IPV6,
    };
    let len = (ICMPV6_LEN + quoted) as u16;
    let ip = Ipv6 {
        version_class_label: Ipv6::VERSION.into(),
        payload_len: len.into(),
        next_header: Protocol::ICMPV6,
        hop_limit: 64,
        src: with.gateway,
        dst,
    };
    let mtu = match reason {
        // Linux forgets a smaller one, and no link may have one (RFC 8200 section 5).
        DropReason::TooBig => with.mtu.max(Ipv6::MIN_MTU),
        _ => 0,
    };
    let mut icmp = Icmpv6 {
        kind,
        code,
        checksum: [0; 2],
        mtu: u32::from(mtu).into(),
    };
    icmp.checksum = Sum::of(&ip.src)
        .plus(Sum::of(&ip.dst))
        .plus(Sum::word(len))
        .plus(Sum::word(u16::from(Protocol::ICMPV6)))
        .plus(Sum::of(icmp.as_bytes()))
        .plus(Sum::of(quote))
        .checksum();
    let fields = ethernet
        .as_bytes()
        .iter()
        .chain(ip.as_bytes())
        .chain(icmp.as_bytes());
    head.iter_mut()
        .zip(fields)
        .for_each(|(byte, field)| *byte = *field);
    true
}

/// RFC 4443 section 2.4 e: no error about an ICMPv6 error or a redirect, to a group, or from nobody; and as over IPv4, none
/// about a fragment other than the first, of which nobody can say what it belongs to.
fn may_answer(inner: &Inner6) -> bool {
    let (src, dst) = (inner.ip.src, inner.ip.dst);
    let is_group = |[first, ..]: [u8; 16]| first == 0xff;
    // :: and ::1.
    let is_nobody = |ip: [u8; 16]| u128::from_be_bytes(ip) <= 1;
    if is_group(src) || is_nobody(src) || is_group(dst) || is_nobody(dst) {
        return false;
    }
    match upper_layer(inner) {
        Some((Protocol::ICMPV6, message)) => {
            // Types below 128 are errors (RFC 4443 section 2.1); 137 is the redirect.
            message
                .first()
                .is_some_and(|kind| *kind >= 128 && *kind != 137)
        }
        Some(_) => true,
        None => false,
    }
}

/// What the packet carries behind its extension headers, if they end soon enough and it is the beginning of it.
fn upper_layer<'a>(inner: &Inner6<'a>) -> Option<(u8, &'a [u8])> {
    let (mut next, mut rest) = (inner.ip.next_header, inner.payload());
    for _ in 0..=EXTENSIONS {
        let units = |shift: usize, more: usize| {
            let len = rest.get(1).map(|len| (usize::from(*len) + more) << shift)?;
            Some((*rest.first()?, rest.get(len..)?))
        };
        (next, rest) = match next {
            Protocol::HOP_BY_HOP | Protocol::ROUTING | Protocol::DESTINATION => units(3, 1)?,
            Protocol::AUTHENTICATION => units(2, 2)?,
            Protocol::FRAGMENT => match rest {
                // The offset is the upper 13 bits.
                [after, _, 0, low, ..] if *low < 8 => (*after, rest.get(8..)?),
                _ => return None,
            },
            _ => return Some((next, rest)),
        };
    }
    None
}
