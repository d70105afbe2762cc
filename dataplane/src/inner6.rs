//! The pod's packet when it is IPv6. Its header has no checksum, and nothing behind it is looked at but what follows at once:
//! extension headers are carried, never walked, so there is nothing to spend time on for somebody who sends many.

use contract::stats::DropReason;
use contract::tables::Fib;
use contract::wire::{Ipv6, Protocol, Sum};
use zerocopy::{FromBytes, IntoBytes};

use crate::family::InnerPacket;
use crate::inner::{Layer4, flow_hash, mix, ports, udp_is_covered};

/// The shortest TCP header.
const TCP: usize = 20;
/// Type, code and checksum of ICMPv6.
const ICMPV6: usize = 4;

/// An IPv6 packet that is as long as its header says.
#[derive(Clone, Copy)]
pub struct Inner6<'a> {
    /// The fixed header.
    pub ip: &'a Ipv6,
    /// The packet from the IP header on, Ethernet padding cut off.
    pub packet: &'a [u8],
}

impl<'a> Inner6<'a> {
    /// Checks the packet at the start of `bytes`.
    #[inline(always)]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DropReason> {
        let (ip, _) = Ipv6::ref_from_prefix(bytes).map_err(|_| DropReason::Truncated)?;
        let payload_len = usize::from(ip.payload_len.get());
        // A jumbogram says zero and has its length in an option (RFC 2675); no device of ours takes one.
        let is_jumbo = payload_len == 0 && ip.next_header == Protocol::HOP_BY_HOP;
        if !ip.is_version6() || is_jumbo {
            return Err(DropReason::IpHeader);
        }
        let packet = bytes
            .get(..Ipv6::LEN + payload_len)
            .ok_or(DropReason::Truncated)?;
        // The length does not count the header, so it may say more than 16 bits hold; no frame is that long.
        u16::try_from(packet.len()).map_err(|_| DropReason::TooBig)?;
        Ok(Inner6 { ip, packet })
    }

    /// What stands behind the fixed header.
    #[inline(always)]
    pub fn payload(&self) -> &'a [u8] {
        self.packet.get(Ipv6::LEN..).unwrap_or_default()
    }

    /// What the fixed header and a payload with a right checksum add up to. The payload sums to the complement of its
    /// pseudo header (RFC 8200 section 8.1), in which all but version, class, label and hop limit stand again.
    #[inline(always)]
    fn derived_sum(&self) -> Sum {
        let next = self.ip.next_header;
        Sum::of_array(&self.ip.version_class_label.to_bytes())
            .plus(Sum::field([next, self.ip.hop_limit]))
            .plus(Sum::word(u16::from(next)).negated())
    }
}

impl<'a> InnerPacket<'a> for Inner6<'a> {
    #[inline(always)]
    fn packet(&self) -> &'a [u8] {
        self.packet
    }

    #[inline(always)]
    fn len(&self) -> u16 {
        self.packet.len() as u16
    }

    #[inline(always)]
    fn hops(&self) -> u8 {
        self.ip.hop_limit
    }

    #[inline(always)]
    fn tos(&self) -> u8 {
        self.ip.class()
    }

    /// Only its sender may (RFC 8200 section 5).
    #[inline(always)]
    fn may_be_fragmented(&self) -> bool {
        false
    }

    /// Behind an extension header, a fragment header among them, the flow is addresses and that header's number: all
    /// fragments of a datagram hash alike, and every byte is added.
    #[inline(always)]
    fn layer4(&self, hops: bool) -> Layer4 {
        let payload = self.payload();
        let next = self.ip.next_header;
        let (ports, derived) = match next {
            Protocol::TCP => (ports(payload), payload.len() >= TCP),
            Protocol::UDP => (ports(payload), udp_is_covered(payload)),
            Protocol::ICMPV6 => (0, payload.len() >= ICMPV6),
            _ => (0, false),
        };
        let sum = if derived {
            self.derived_sum()
        } else {
            sum_of_every_byte(self.packet)
        };
        // The hop limit is the low byte of its word.
        let taken = Sum::word(u16::from(hops)).negated();
        Layer4 {
            hash: flow_hash(addresses(self.ip.as_bytes()), ports << 8 | u64::from(next)),
            sum: sum.plus(taken),
            derived,
        }
    }

    #[inline(always)]
    fn is_partial(&self) -> bool {
        let payload = self.payload();
        let field = match self.ip.next_header {
            Protocol::TCP if payload.len() >= TCP => payload.get(16..18),
            Protocol::UDP if udp_is_covered(payload) => payload.get(6..8),
            _ => None,
        };
        field.is_some_and(|field| {
            let begun = Sum::of(self.packet.get(8..Ipv6::LEN).unwrap_or_default())
                .plus(Sum::word(u16::from(self.ip.next_header)))
                .plus(Sum::word(payload.len() as u16));
            *field == begun.to_field()
        })
    }

    #[inline(always)]
    fn from(&self, fib: &Fib) -> u16 {
        fib.lookup6(self.ip.src)
    }

    #[inline(always)]
    fn to(&self, fib: &Fib) -> u16 {
        fib.lookup6(self.ip.dst)
    }

    /// Neighbour discovery and the like are for the link, and no route was ever meant for them.
    #[cold]
    #[inline(never)]
    fn unroutable(&self) -> DropReason {
        match self.ip.dst {
            [0xff, ..] => DropReason::LinkScope,
            [0xfe, second, ..] if second & 0xc0 == 0x80 => DropReason::LinkScope,
            _ => DropReason::NoRoute,
        }
    }
}

/// Both addresses of a header as one word.
#[inline(always)]
fn addresses(header: &[u8]) -> u64 {
    let (words, _) = header.get(8..).unwrap_or_default().as_chunks::<8>();
    let [a, b, c, d] = words else { return 0 };
    let [a, b, c, d] = [a, b, c, d].map(|word| u64::from_ne_bytes(*word));
    mix(a, b) ^ mix(c, d).rotate_left(32)
}

#[inline(never)]
fn sum_of_every_byte(packet: &[u8]) -> Sum {
    Sum::of(packet)
}
