//! IPv6 (RFC 8200), the fixed header.

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// ```text
///  0                         4                6             7           8     24    40
/// | version, class, label   | payload length | next header | hop limit | src | dst |
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Ipv6 {
    /// Version (4 bits), traffic class (8), flow label (20).
    pub version_class_label: U32,
    /// Everything after this header, bytes.
    pub payload_len: U16,
    /// What follows: see [`Protocol`](super::Protocol).
    pub next_header: u8,
    /// Hops left.
    pub hop_limit: u8,
    /// Source.
    pub src: [u8; 16],
    /// Destination.
    pub dst: [u8; 16],
}

impl Ipv6 {
    /// Bytes of the fixed header.
    pub const LEN: usize = 40;
    /// Version 6, class 0, label 0.
    pub const VERSION: u32 = 6 << 28;
    /// Where the traffic class lies in `version_class_label`.
    const CLASS_SHIFT: u32 = 20;
    /// Every path takes packets of this size (RFC 8200 section 5).
    pub const MIN_MTU: u16 = 1280;

    /// Whether the version is 6.
    #[inline(always)]
    pub fn is_version6(&self) -> bool {
        self.version_class_label.get() >> 28 == 6
    }

    /// DSCP in the high six bits, ECN in the low two (RFC 3168).
    #[inline(always)]
    pub fn class(&self) -> u8 {
        (self.version_class_label.get() >> Self::CLASS_SHIFT) as u8
    }

    /// The first four bytes with this traffic class and label 0.
    #[inline(always)]
    pub const fn with_class(class: u8) -> u32 {
        Self::VERSION | (class as u32) << Self::CLASS_SHIFT
    }

    /// Replaces the traffic class.
    #[inline(always)]
    pub fn set_class(&mut self, class: u8) {
        let others = self.version_class_label.get() & !(0xff << Self::CLASS_SHIFT);
        self.version_class_label = (others | u32::from(class) << Self::CLASS_SHIFT).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traffic_class_lies_across_two_bytes() {
        let mut header = Ipv6::read_from_bytes(&[0x60; 40]).unwrap();
        header.version_class_label = 0x6b9a_bcde.into();
        assert_eq!((header.is_version6(), header.class()), (true, 0xb9));
        header.set_class(0x47);
        assert_eq!(header.as_bytes()[..4], [0x64, 0x7a, 0xbc, 0xde]);
        assert_eq!(Ipv6::with_class(0x47), 0x6470_0000);
        header.version_class_label = 0x4b9a_bcde.into();
        assert!(!header.is_version6());
    }

    #[test]
    fn a_header_is_its_bytes() {
        let mut bytes = [0u8; 40];
        bytes[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 124, 17, 64]);
        bytes[8..10].copy_from_slice(&[0xfd, 0x77]);
        bytes[23] = 1;
        bytes[24..26].copy_from_slice(&[0xfd, 0x77]);
        bytes[39] = 2;
        let header = Ipv6 {
            version_class_label: Ipv6::VERSION.into(),
            payload_len: 124.into(),
            next_header: 17,
            hop_limit: 64,
            src: "fd77::1".parse::<std::net::Ipv6Addr>().unwrap().octets(),
            dst: "fd77::2".parse::<std::net::Ipv6Addr>().unwrap().octets(),
        };
        assert_eq!(header.as_bytes(), bytes);
        assert_eq!(Ipv6::read_from_bytes(&bytes), Ok(header));
    }
}
