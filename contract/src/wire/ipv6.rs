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
}

#[cfg(test)]
mod tests {
    use super::*;

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
