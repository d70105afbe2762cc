//! IPv4 or IPv6 inside: what the packet path asks of the pod's packet, whichever it is.
//!
//! `encap` and `decap` are written once, for a [`Family`]; the compiler makes two of each, so the way of an IPv4 packet has
//! no trace of the other in it.

use contract::stats::DropReason;
use contract::tables::Fib;
use contract::wire::{EtherType, Ethernet, Ipv4, Ipv6, Sum, update};
use zerocopy::FromBytes;
use zerocopy::byteorder::network_endian::U16;

use crate::inner::{Inner, Layer4};
use crate::inner6::Inner6;

/// A version of IP.
pub trait Family {
    /// A packet of it whose header holds together.
    type Inner<'a>: InnerPacket<'a>;
    /// How an Ethernet header names it.
    const ETHERTYPE: U16;

    /// Checks the packet at the start of `bytes`.
    fn parse(bytes: &[u8]) -> Result<Self::Inner<'_>, DropReason>;
    /// Takes one hop off the packet behind an Ethernet header.
    fn decrement_hops(frame: &mut [u8]);
    /// Sets the congestion bits of the packet behind an Ethernet header.
    fn mark(frame: &mut [u8], ecn: u8);
    /// What a template's UDP sum lacks for this family: it was made with the EtherType of IPv4.
    fn template_sum() -> Sum;
}

/// A packet of some family.
pub trait InnerPacket<'a>: Copy {
    /// The packet from its IP header on, without what may follow it in the frame.
    fn packet(&self) -> &'a [u8];
    /// Its length, bytes.
    fn len(&self) -> u16;
    /// Hops left.
    fn hops(&self) -> u8;
    /// The byte of DSCP and ECN.
    fn tos(&self) -> u8;
    /// Whether a router may cut it.
    fn may_be_fragmented(&self) -> bool;
    /// Flow hash and sum of the packet, with `hops` fewer hops than it has now.
    fn layer4(&self, hops: bool) -> Layer4;
    /// Whether its TCP or UDP checksum is only begun (CHECKSUM_PARTIAL): the field holds the sum of the pseudo header, and a
    /// device that never came was to add the rest. Of complete checksums one in 65,535 looks like that, too; it is what it
    /// would be completed to.
    fn is_partial(&self) -> bool;
    /// Adjacency of its source.
    fn from(&self, fib: &Fib) -> u16;
    /// Adjacency of its destination.
    fn to(&self, fib: &Fib) -> u16;
    /// Why it is lost when no route leads to its destination.
    fn unroutable(&self) -> DropReason;
}

/// IPv4.
pub enum V4 {}

impl Family for V4 {
    type Inner<'a> = Inner<'a>;
    const ETHERTYPE: U16 = EtherType::IPV4;

    #[inline(always)]
    fn parse(bytes: &[u8]) -> Result<Inner<'_>, DropReason> {
        Inner::parse(bytes)
    }

    #[inline(always)]
    fn decrement_hops(frame: &mut [u8]) {
        if let Some((ip, _)) = frame
            .get_mut(Ethernet::LEN..)
            .and_then(|packet| Ipv4::mut_from_prefix(packet).ok())
        {
            let old = [ip.ttl, ip.protocol];
            ip.ttl = ip.ttl.wrapping_sub(1);
            ip.checksum = update(ip.checksum, old, [ip.ttl, ip.protocol]);
        }
    }

    #[cold]
    #[inline(never)]
    fn mark(frame: &mut [u8], ecn: u8) {
        if let Some((ip, _)) = frame
            .get_mut(Ethernet::LEN..)
            .and_then(|packet| Ipv4::mut_from_prefix(packet).ok())
        {
            let old = [ip.version_ihl, ip.tos];
            ip.tos = with_ecn(ip.tos, ecn);
            ip.checksum = update(ip.checksum, old, [ip.version_ihl, ip.tos]);
        }
    }

    #[inline(always)]
    fn template_sum() -> Sum {
        Sum::default()
    }
}

impl<'a> InnerPacket<'a> for Inner<'a> {
    #[inline(always)]
    fn packet(&self) -> &'a [u8] {
        self.packet
    }

    #[inline(always)]
    fn len(&self) -> u16 {
        Inner::len(self)
    }

    #[inline(always)]
    fn hops(&self) -> u8 {
        self.ip.ttl
    }

    #[inline(always)]
    fn tos(&self) -> u8 {
        self.ip.tos
    }

    #[inline(always)]
    fn may_be_fragmented(&self) -> bool {
        !self.ip.dont_fragment()
    }

    /// The header sums to all ones before and after: its own checksum follows the hops.
    #[inline(always)]
    fn layer4(&self, _: bool) -> Layer4 {
        Inner::layer4(self)
    }

    #[inline(always)]
    fn is_partial(&self) -> bool {
        Inner::is_partial(self)
    }

    #[inline(always)]
    fn from(&self, fib: &Fib) -> u16 {
        fib.lookup4(self.ip.src)
    }

    #[inline(always)]
    fn to(&self, fib: &Fib) -> u16 {
        fib.lookup4(self.ip.dst)
    }

    fn unroutable(&self) -> DropReason {
        DropReason::NoRoute
    }
}

/// IPv6.
pub enum V6 {}

impl Family for V6 {
    type Inner<'a> = Inner6<'a>;
    const ETHERTYPE: U16 = EtherType::IPV6;

    #[inline(always)]
    fn parse(bytes: &[u8]) -> Result<Inner6<'_>, DropReason> {
        Inner6::parse(bytes)
    }

    #[inline(always)]
    fn decrement_hops(frame: &mut [u8]) {
        if let Some(ip) = header6(frame) {
            ip.hop_limit = ip.hop_limit.wrapping_sub(1);
        }
    }

    #[cold]
    #[inline(never)]
    fn mark(frame: &mut [u8], ecn: u8) {
        if let Some(ip) = header6(frame) {
            ip.set_class(with_ecn(ip.class(), ecn));
        }
    }

    #[inline(always)]
    fn template_sum() -> Sum {
        Sum::field(EtherType::IPV4.to_bytes())
            .negated()
            .plus(Sum::field(EtherType::IPV6.to_bytes()))
    }
}

fn header6(frame: &mut [u8]) -> Option<&mut Ipv6> {
    let (ip, _) = Ipv6::mut_from_prefix(frame.get_mut(Ethernet::LEN..)?).ok()?;
    Some(ip)
}

#[inline(always)]
fn with_ecn(tos: u8, ecn: u8) -> u8 {
    tos & !contract::wire::Ecn::MASK | ecn
}
