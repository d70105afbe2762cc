//! TCP (RFC 9293 section 3.1), the header without options.

use zerocopy::byteorder::network_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// ```text
///  0       2       4     8     12           13      14       16         18       20
/// | sport | dport | seq | ack | data offset | flags | window | checksum | urgent |
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Tcp {
    /// Source port.
    pub sport: U16,
    /// Destination port.
    pub dport: U16,
    /// Sequence number of the first byte of the payload.
    pub seq: U32,
    /// Next sequence number expected of the other side.
    pub ack: U32,
    /// Header length in 32-bit words in the high half; the low one is reserved.
    pub data_offset: u8,
    /// See [`TcpFlags`].
    pub flags: u8,
    /// Bytes the sender is ready to receive, not scaled.
    pub window: U16,
    /// Checksum in memory order.
    pub checksum: [u8; 2],
    /// Where urgent data ends, from `seq` on.
    pub urgent: U16,
}

impl Tcp {
    /// Bytes of a header without options.
    pub const LEN: usize = 20;

    /// Header length with options in bytes, or `None` when it cannot be.
    #[inline(always)]
    pub fn header_len(&self) -> Option<usize> {
        let len = usize::from(self.data_offset >> 4) * 4;
        (len >= Self::LEN).then_some(len)
    }
}

/// The control bits; the last two are RFC 3168's.
pub struct TcpFlags;

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronises sequence numbers.
    pub const SYN: u8 = 0x02;
    /// The connection is no more.
    pub const RST: u8 = 0x04;
    /// Push: deliver what is there.
    pub const PSH: u8 = 0x08;
    /// `ack` is valid.
    pub const ACK: u8 = 0x10;
    /// `urgent` is valid.
    pub const URG: u8 = 0x20;
    /// A congestion mark was received.
    pub const ECE: u8 = 0x40;
    /// The congestion window was reduced.
    pub const CWR: u8 = 0x80;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_its_bytes() {
        let bytes = [
            0xc8, 0x2e, 0x14, 0x51, 0, 0, 0, 7, 1, 2, 3, 4, 0x50, 0x18, 0x01, 0xf6, 0xe5, 0x6b, 0,
            0,
        ];
        let header = Tcp {
            sport: 51246.into(),
            dport: 5201.into(),
            seq: 7.into(),
            ack: 0x0102_0304.into(),
            data_offset: 0x50,
            flags: TcpFlags::PSH | TcpFlags::ACK,
            window: 502.into(),
            checksum: [0xe5, 0x6b],
            urgent: 0.into(),
        };
        assert_eq!(header.as_bytes(), bytes);
        assert_eq!(Tcp::read_from_bytes(&bytes), Ok(header));
    }

    #[test]
    fn the_length_must_be_possible() {
        for (byte, len) in [
            (0x00, None),
            (0x4f, None),
            (0x50, Some(20)),
            (0xff, Some(60)),
        ] {
            let mut header = Tcp::read_from_bytes(&[0; 20]).unwrap();
            header.data_offset = byte;
            assert_eq!(header.header_len(), len, "{byte:#x}");
        }
    }
}
