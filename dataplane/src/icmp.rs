//! ICMP errors: a dropped packet turned into the message its sender is owed (RFC 792, RFC 1122 section 3.2.2, RFC 1812
//! section 4.3).
//!
//! The frame itself becomes the answer: 28 bytes grow in front of the offending packet, which is cut to what may be quoted.

use contract::stats::DropReason;
use contract::wire::{EtherType, Ethernet, Ipv4, Mac, Protocol, Sum};
use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::inner::Inner;
use crate::xsk::Frame;

/// An ICMP error is at most this long, IP header included (RFC 1812 section 4.3.2.3), so that it fits any path.
const MAX_LEN: usize = 576;
/// Internetwork control, as Linux sends its errors (`icmp_send`) and RFC 1812 section 4.3.2.5 asks.
const TOS: u8 = 0xc0;

/// ```text
///  0      1      2          4        6             8
/// | type | code | checksum | unused | next-hop MTU | offending packet ...
/// ```
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Icmp {
    kind: u8,
    code: u8,
    checksum: [u8; 2],
    unused: U16,
    mtu: U16,
}

const ICMP_LEN: usize = size_of::<Icmp>();

/// Who answers, and what the answer needs to know.
pub struct Answer {
    /// Source address: the gateway that the pods know.
    pub gateway: [u8; 4],
    /// Largest packet that would have fitted; used by `TooBig` alone.
    pub mtu: u16,
    /// Identification of the answer's own IP header.
    pub id: u16,
    /// Ethernet addresses of the answer.
    pub dst: Mac,
    /// See `dst`.
    pub src: Mac,
    /// As whom it is told.
    pub role: Role,
}

/// Who tells of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A router: all of the packet that may be quoted.
    Router,
    /// The proxy of flannel's udp, of which only "no route" is known (FLANNEL.md 4.1): a TTL of 8, the IP header and 8 bytes
    /// (RFC 792), and nothing about ICMP.
    Proxy,
}

impl Role {
    const fn ttl(self) -> u8 {
        match self {
            Role::Router => 64,
            Role::Proxy => 8,
        }
    }

    /// Bytes of the packet that are quoted, at most.
    fn quote(self, inner: &Inner) -> usize {
        match self {
            Role::Router => MAX_LEN - Ipv4::LEN - ICMP_LEN,
            Role::Proxy => inner.packet.len() - inner.payload().len() + 8,
        }
    }
}

/// Whether a sender is owed an answer when its packet is dropped for this reason.
#[inline(always)]
pub const fn is_owed(reason: DropReason) -> bool {
    type_and_code(reason).is_some()
}

const fn type_and_code(reason: DropReason) -> Option<(u8, u8)> {
    match reason {
        DropReason::TtlExceeded => Some((11, 0)),
        DropReason::TooBig => Some((3, 4)),
        DropReason::NoRoute => Some((3, 0)),
        DropReason::Unresolved => Some((3, 1)),
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
    let Some(packet) = frame.bytes().get(Ethernet::LEN..) else {
        return false;
    };
    let Ok(inner) = Inner::parse(packet) else {
        return false;
    };
    if with.gateway == [0; 4]
        || !may_answer(&inner)
        || (with.role == Role::Proxy && inner.ip.protocol == Protocol::ICMP)
        || (reason == DropReason::TooBig && !inner.ip.dont_fragment())
    {
        return false;
    }
    let dst = inner.ip.src;
    let quoted = inner.packet.len().min(with.role.quote(&inner));

    frame.truncate(Ethernet::LEN + quoted);
    if frame.grow_head(Ipv4::LEN + ICMP_LEN).is_none() {
        return false;
    }
    let bytes = frame.bytes_mut();
    let Some((head, quote)) =
        bytes.split_first_chunk_mut::<{ Ethernet::LEN + Ipv4::LEN + ICMP_LEN }>()
    else {
        return false;
    };
    let ethernet = Ethernet {
        dst: with.dst,
        src: with.src,
        ethertype: EtherType::IPV4,
    };
    let mut ip = Ipv4 {
        version_ihl: Ipv4::VERSION_IHL,
        tos: TOS,
        total_len: ((Ipv4::LEN + ICMP_LEN + quoted) as u16).into(),
        id: with.id.into(),
        flags_offset: 0.into(),
        ttl: with.role.ttl(),
        protocol: Protocol::ICMP,
        checksum: [0; 2],
        src: with.gateway,
        dst,
    };
    ip.checksum = Sum::of(ip.as_bytes()).checksum();
    let mtu = if reason == DropReason::TooBig {
        with.mtu
    } else {
        0
    };
    let mut icmp = Icmp {
        kind,
        code,
        checksum: [0; 2],
        unused: 0.into(),
        mtu: mtu.into(),
    };
    icmp.checksum = Sum::of(icmp.as_bytes()).plus(Sum::of(quote)).checksum();
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

/// RFC 1122 section 3.2.2: no error about an ICMP error, about a fragment other than the first, to a group or from nobody.
fn may_answer(inner: &Inner) -> bool {
    let ip = inner.ip;
    let unicast = |[first, ..]: [u8; 4]| first != 0 && first != 127 && first < 224;
    let is_error = ip.protocol == Protocol::ICMP
        && inner
            .payload()
            .first()
            .is_none_or(|kind| matches!(kind, 3 | 4 | 5 | 11 | 12));
    ip.flags_offset.get() & Ipv4::OFFSET == 0 && unicast(ip.src) && unicast(ip.dst) && !is_error
}
