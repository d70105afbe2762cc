//! The pod's packet when it is IPv4, as both directions must know it before they touch it: an IPv4 header that holds together, and what
//! the layer above it means for flow hash and outer checksum.

use contract::stats::DropReason;
use contract::wire::{Ipv4, Protocol, Sum, Tcp, Udp};
use zerocopy::FromBytes;

/// An IPv4 packet whose header is consistent and whose header checksum is right.
#[derive(Clone, Copy)]
pub struct Inner<'a> {
    /// The fixed part of the header.
    pub ip: &'a Ipv4,
    /// The packet from the IP header on, cut to its total length: Ethernet padding is gone.
    pub packet: &'a [u8],
    /// Header length with options, bytes.
    header_len: usize,
}

/// What the layer above IP contributes.
pub struct Layer4 {
    /// Hash of the flow: the 5-tuple, or addresses and protocol alone for fragments and protocols without ports, so that
    /// all fragments of a datagram hash alike (FLANNEL.md 3.3).
    pub hash: u32,
    /// What the whole inner packet adds to a checksum that covers it, if its own checksums are right.
    pub sum: Sum,
    /// Whether `sum` was derived from the headers; otherwise every byte was added.
    pub derived: bool,
}

impl<'a> Inner<'a> {
    /// Checks the packet at the start of `bytes`.
    #[inline(always)]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DropReason> {
        let (ip, _) = Ipv4::ref_from_prefix(bytes).map_err(|_| DropReason::Truncated)?;
        let header_len = if ip.version_ihl == Ipv4::VERSION_IHL {
            if !Sum::of_array(bytes.first_chunk::<20>().ok_or(DropReason::Truncated)?).is_valid() {
                return Err(DropReason::IpChecksum);
            }
            Ipv4::LEN
        } else {
            header_with_options(ip, bytes)?
        };
        let total_len = usize::from(ip.total_len.get());
        if total_len < header_len {
            return Err(DropReason::IpHeader);
        }
        let packet = bytes.get(..total_len).ok_or(DropReason::Truncated)?;
        Ok(Inner {
            ip,
            packet,
            header_len,
        })
    }

    /// Length of the packet, bytes; it fits in 16 bits because it is the header's total length.
    #[inline(always)]
    pub fn len(&self) -> u16 {
        self.ip.total_len.get()
    }

    /// What stands behind the IP header.
    #[inline(always)]
    pub fn payload(&self) -> &'a [u8] {
        self.packet.get(self.header_len..).unwrap_or_default()
    }

    /// Looks above IP. An unfragmented TCP segment or UDP datagram whose checksum is right sums to the complement of its
    /// pseudo header, an ICMP message to all ones, and the IP header (checked already) to all ones: then the sum over the
    /// whole packet follows from the headers alone, whatever its size (FLANNEL.md 3.6). Otherwise each byte is added.
    #[inline(always)]
    pub fn layer4(&self) -> Layer4 {
        let addresses = u64::from_ne_bytes(pair(self.ip.src, self.ip.dst));
        let protocol = u64::from(self.ip.protocol);
        let payload = self.payload();
        let (ports, sum) = match self.ip.protocol {
            _ if self.ip.is_fragment() => (0, None),
            Protocol::TCP if payload.len() >= 20 => {
                (ports(payload), Some(self.pseudo_header(payload).negated()))
            }
            Protocol::UDP => (
                ports(payload),
                udp_is_covered(payload).then(|| self.pseudo_header(payload).negated()),
            ),
            Protocol::ICMP => (0, Some(Sum::default())),
            _ => (0, None),
        };
        let hash = flow_hash(addresses, ports << 8 | protocol);
        match sum {
            Some(sum) => Layer4 {
                hash,
                sum,
                derived: true,
            },
            None => Layer4 {
                hash,
                sum: sum_of_every_byte(self.packet),
                derived: false,
            },
        }
    }

    /// See [`InnerPacket::is_partial`](crate::family::InnerPacket::is_partial).
    #[inline(always)]
    pub fn is_partial(&self) -> bool {
        let payload = self.payload();
        let field = match self.ip.protocol {
            _ if self.ip.is_fragment() => None,
            Protocol::TCP => Tcp::ref_from_prefix(payload)
                .ok()
                .map(|(tcp, _)| tcp.checksum),
            Protocol::UDP if udp_is_covered(payload) => Udp::ref_from_prefix(payload)
                .ok()
                .map(|(udp, _)| udp.checksum),
            _ => None,
        };
        field == Some(self.pseudo_header(payload).to_field())
    }

    /// Sum of the pseudo header of TCP and UDP (RFC 793 section 3.1).
    #[inline(always)]
    fn pseudo_header(&self, payload: &[u8]) -> Sum {
        Sum::of_array(&pair(self.ip.src, self.ip.dst))
            .plus(Sum::word(u16::from(self.ip.protocol)))
            .plus(Sum::word(payload.len() as u16))
    }
}

/// Both ports of TCP or UDP, as they lie in memory.
#[inline(always)]
pub fn ports(payload: &[u8]) -> u64 {
    payload
        .first_chunk::<4>()
        .map_or(0, |ports| u64::from(u32::from_ne_bytes(*ports)))
}

/// Whether a datagram's checksum was computed, over all of the IP payload: zero means that it was not, and one over fewer
/// bytes than the packet has says nothing of the rest.
#[inline(always)]
pub fn udp_is_covered(payload: &[u8]) -> bool {
    Udp::ref_from_prefix(payload)
        .is_ok_and(|(udp, _)| udp.checksum != [0, 0] && usize::from(udp.len.get()) == payload.len())
}

#[inline(always)]
fn pair(a: [u8; 4], b: [u8; 4]) -> [u8; 8] {
    let [a0, a1, a2, a3] = a;
    let [b0, b1, b2, b3] = b;
    [a0, a1, a2, a3, b0, b1, b2, b3]
}

/// One wide multiplication, its halves folded (as wyhash does): each input bit reaches each output bit, in five cycles.
#[inline(always)]
pub fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0xa076_1d64_78bd_642f) * u128::from(b ^ 0xe703_7ed1_a0b4_28db);
    product as u64 ^ (product >> 64) as u64
}

/// Hash of a flow.
#[inline(always)]
pub fn flow_hash(addresses: u64, ports_and_protocol: u64) -> u32 {
    let folded = mix(addresses, ports_and_protocol);
    (folded ^ folded >> 32) as u32
}

/// Options are legal and rare.
#[cold]
#[inline(never)]
fn header_with_options(ip: &Ipv4, bytes: &[u8]) -> Result<usize, DropReason> {
    let len = ip.header_len().ok_or(DropReason::IpHeader)?;
    let header = bytes.get(..len).ok_or(DropReason::Truncated)?;
    if Sum::of(header).is_valid() {
        Ok(len)
    } else {
        Err(DropReason::IpChecksum)
    }
}

#[inline(never)]
fn sum_of_every_byte(packet: &[u8]) -> Sum {
    Sum::of(packet)
}
