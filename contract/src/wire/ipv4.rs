//! IPv4 (RFC 791), the header without options.

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// ```text
///  0         1     2         4    6                8     9          10         12    16    20
/// | ver, ihl | tos | length | id | flags, offset | ttl | protocol | checksum | src | dst |
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Ipv4 {
    /// Version in the high half, header length in 32-bit words in the low one.
    pub version_ihl: u8,
    /// DSCP in the high six bits, ECN in the low two (RFC 3168).
    pub tos: u8,
    /// Header and payload, bytes.
    pub total_len: U16,
    /// Identification, for reassembly.
    pub id: U16,
    /// Reserved, DF, MF, then the fragment offset in units of 8 bytes.
    pub flags_offset: U16,
    /// Hops left.
    pub ttl: u8,
    /// What follows: see [`Protocol`].
    pub protocol: u8,
    /// Header checksum, in memory order (see `checksum`).
    pub checksum: [u8; 2],
    /// Source.
    pub src: [u8; 4],
    /// Destination.
    pub dst: [u8; 4],
}

impl Ipv4 {
    /// Bytes of a header without options.
    pub const LEN: usize = 20;
    /// Version 4, five words.
    pub const VERSION_IHL: u8 = 0x45;
    /// "Don't fragment" in `flags_offset`.
    pub const DF: u16 = 0x4000;
    /// "More fragments" in `flags_offset`.
    pub const MF: u16 = 0x2000;
    /// The offset's bits in `flags_offset`.
    pub const OFFSET: u16 = 0x1fff;

    /// Header length with options in bytes, or `None` when version or length cannot be.
    #[inline(always)]
    pub fn header_len(&self) -> Option<usize> {
        let len = usize::from(self.version_ihl & 0xf) * 4;
        (self.version_ihl >> 4 == 4 && len >= Self::LEN).then_some(len)
    }

    /// Whether this is a part of a datagram, the first one included.
    #[inline(always)]
    pub fn is_fragment(&self) -> bool {
        self.flags_offset.get() & (Self::MF | Self::OFFSET) != 0
    }

    /// Whether the sender forbids fragmentation.
    #[inline(always)]
    pub fn dont_fragment(&self) -> bool {
        self.flags_offset.get() & Self::DF != 0
    }
}

/// Protocol numbers (IANA).
pub struct Protocol;

impl Protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IPv4 in IP (RFC 2003).
    pub const IPIP: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// IPv6 routing header.
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header.
    pub const FRAGMENT: u8 = 44;
    /// Authentication header.
    pub const AUTHENTICATION: u8 = 51;
    /// IPv6 destination options.
    pub const DESTINATION: u8 = 60;
}

/// Explicit congestion notification: the low two bits of the TOS byte (RFC 3168 section 5).
pub struct Ecn;

impl Ecn {
    /// The bits.
    pub const MASK: u8 = 0b11;
    /// The sender does not take part.
    pub const NOT_ECT: u8 = 0b00;
    /// Takes part.
    pub const ECT0: u8 = 0b10;
    /// Takes part, the other way of saying so.
    pub const ECT1: u8 = 0b01;
    /// Congestion experienced.
    pub const CE: u8 = 0b11;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Sum;

    /// Outer header of the first frame of the golden capture.
    const GOLDEN: [u8; 20] = [
        0x45, 0x00, 0x00, 0x86, 0x6b, 0x62, 0x00, 0x00, 0x40, 0x11, 0xf3, 0xb0, 0xc0, 0xa8, 0x4d,
        0x01, 0xc0, 0xa8, 0x4d, 0x02,
    ];

    #[test]
    fn a_header_is_its_bytes() {
        let header = Ipv4 {
            version_ihl: Ipv4::VERSION_IHL,
            tos: 0,
            total_len: 134.into(),
            id: 0x6b62.into(),
            flags_offset: 0.into(),
            ttl: 64,
            protocol: Protocol::UDP,
            checksum: [0xf3, 0xb0],
            src: [192, 168, 77, 1],
            dst: [192, 168, 77, 2],
        };
        assert_eq!(header.as_bytes(), GOLDEN);
        assert_eq!(Ipv4::read_from_bytes(&GOLDEN), Ok(header));
        assert!(Sum::of(&GOLDEN).is_valid());
        assert_eq!(header.header_len(), Some(20));
        assert!(!header.is_fragment() && !header.dont_fragment());
    }

    #[test]
    fn version_and_length_must_be_possible() {
        for (byte, len) in [
            (0x44, None),
            (0x65, None),
            (0x00, None),
            (0x46, Some(24)),
            (0x4f, Some(60)),
        ] {
            let header = Ipv4 {
                version_ihl: byte,
                ..Ipv4::read_from_bytes(&GOLDEN).unwrap()
            };
            assert_eq!(header.header_len(), len, "{byte:#x}");
        }
    }

    #[test]
    fn first_middle_and_last_fragments_are_fragments() {
        for (flags, fragment) in [
            (Ipv4::DF, false),
            (Ipv4::MF, true),
            (185, true),
            (Ipv4::MF | 185, true),
        ] {
            let header = Ipv4 {
                flags_offset: flags.into(),
                ..Ipv4::read_from_bytes(&GOLDEN).unwrap()
            };
            assert_eq!(header.is_fragment(), fragment, "{flags:#x}");
        }
    }
}
