//! The header that stands before each packet read from or written to a TUN with IFF_VNET_HDR: `struct virtio_net_hdr`
//! (linux/virtio_net.h; virtio 1.2 section 5.1.6), ten bytes, little endian.

use zerocopy::byteorder::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// ```text
///  0       1          2         4          6            8             10
/// | flags | gso_type | hdr_len | gso_size | csum_start | csum_offset |
/// ```
///
/// Little endian is what a TUN speaks on x86 unless TUNSETVNETBE says otherwise.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct VnetHeader {
    /// [`NEEDS_CSUM`](Self::NEEDS_CSUM), [`DATA_VALID`](Self::DATA_VALID).
    pub flags: u8,
    /// One of the `GSO_` constants, with [`GSO_ECN`](Self::GSO_ECN) or without.
    pub gso_type: u8,
    /// How much of the packet is headers, bytes. A hint, and from the kernel it is only what happens to be linear.
    pub hdr_len: U16,
    /// Payload of each segment but the last, bytes.
    pub gso_size: U16,
    /// Where the checksum starts, from the start of the packet; bytes.
    pub csum_start: U16,
    /// Where the checksum stands, from `csum_start`; bytes.
    pub csum_offset: U16,
}

impl VnetHeader {
    /// Bytes of the header.
    pub const LEN: usize = 10;

    /// In `flags`: the checksum field holds the sum of the pseudo header, and the rest from `csum_start` on is to be added.
    pub const NEEDS_CSUM: u8 = 1;
    /// In `flags`: the checksum was verified.
    pub const DATA_VALID: u8 = 2;

    /// In `gso_type`: one packet.
    pub const GSO_NONE: u8 = 0;
    /// In `gso_type`: TCP over IPv4.
    pub const GSO_TCPV4: u8 = 1;
    /// In `gso_type`: TCP over IPv6.
    pub const GSO_TCPV6: u8 = 4;
    /// In `gso_type`: datagrams of UDP, over either IP (USO, Linux 6.2).
    pub const GSO_UDP_L4: u8 = 5;
    /// In `gso_type`, beside a TCP one: CWR is set, for the first segment alone.
    pub const GSO_ECN: u8 = 0x80;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_its_bytes() {
        let bytes = [1, 0x81, 52, 0, 0xa8, 5, 20, 0, 16, 0];
        let header = VnetHeader {
            flags: VnetHeader::NEEDS_CSUM,
            gso_type: VnetHeader::GSO_TCPV4 | VnetHeader::GSO_ECN,
            hdr_len: 52.into(),
            gso_size: 1448.into(),
            csum_start: 20.into(),
            csum_offset: 16.into(),
        };
        assert_eq!(header.as_bytes(), bytes);
        assert_eq!(VnetHeader::read_from_bytes(&bytes), Ok(header));
    }
}
