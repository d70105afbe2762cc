//! UDP (RFC 768).

use zerocopy::byteorder::network_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// ```text
///  0       2       4        6          8
/// | sport | dport | length | checksum |
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Udp {
    /// Source port.
    pub sport: U16,
    /// Destination port.
    pub dport: U16,
    /// Header and payload, bytes.
    pub len: U16,
    /// Checksum in memory order; zero: none was computed (IPv4 only, RFC 6935 aside).
    pub checksum: [u8; 2],
}

impl Udp {
    /// Bytes of the header.
    pub const LEN: usize = 8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_its_bytes() {
        let bytes = [0xc8, 0x2e, 0x21, 0x18, 0x00, 0x72, 0xe5, 0x6b];
        let header = Udp {
            sport: 51246.into(),
            dport: 8472.into(),
            len: 114.into(),
            checksum: [0xe5, 0x6b],
        };
        assert_eq!(header.as_bytes(), bytes);
        assert_eq!(Udp::read_from_bytes(&bytes), Ok(header));
    }
}
