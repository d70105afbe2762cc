//! VXLAN (RFC 7348 section 5).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Ethernet, Ipv4, Ipv6, Udp};

/// ```text
///  0       1          4     7          8
/// | flags | reserved | VNI | reserved |
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Vxlan {
    /// `0x08`: the VNI is valid. Every other bit is reserved, and the kernel drops frames that set one (FLANNEL.md T12).
    pub flags: u8,
    /// Zero.
    pub reserved1: [u8; 3],
    /// Network identifier, 24 bits.
    pub vni: [u8; 3],
    /// Zero.
    pub reserved2: u8,
}

impl Vxlan {
    /// Bytes of the header.
    pub const LEN: usize = 8;
    /// The I flag.
    pub const VNI_VALID: u8 = 0x08;
    /// The G flag of the group policy extension: the 24 bits behind the flags are its own
    /// (<https://datatracker.ietf.org/doc/html/draft-smith-vxlan-group-policy-05>).
    pub const GROUP_POLICY: u8 = 0x80;
    /// What VXLAN over IPv4 adds to an inner IP packet: outer IPv4, UDP, VXLAN, inner Ethernet.
    pub const OVERHEAD_IPV4: usize = 50;
    /// The same over IPv6.
    pub const OVERHEAD_IPV6: usize = 70;

    /// The header of a VNI below 2^24.
    pub const fn new(vni: u32) -> Vxlan {
        let [_, a, b, c] = vni.to_be_bytes();
        Vxlan {
            flags: Self::VNI_VALID,
            reserved1: [0; 3],
            vni: [a, b, c],
            reserved2: 0,
        }
    }
}

/// All that stands before the inner IP packet when VXLAN runs over IPv4: one cache line.
///
/// ```text
///  0                14           34    42      50               64
/// | outer Ethernet | outer IPv4 | UDP | VXLAN | inner Ethernet | inner IP packet ...
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Rewrite4 {
    /// Outer Ethernet.
    pub ethernet: Ethernet,
    /// Outer IPv4, without options.
    pub ip: Ipv4,
    /// Outer UDP.
    pub udp: Udp,
    /// VXLAN.
    pub vxlan: Vxlan,
    /// Inner Ethernet.
    pub inner: Ethernet,
}

impl Rewrite4 {
    /// Bytes: a cache line.
    pub const LEN: usize = 64;
}

const _: () = assert!(size_of::<Rewrite4>() == Rewrite4::LEN);

/// The same when VXLAN runs over IPv6: 20 bytes more.
///
/// ```text
///  0                14           54    62      70               84
/// | outer Ethernet | outer IPv6 | UDP | VXLAN | inner Ethernet | inner IP packet ...
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Rewrite6 {
    /// Outer Ethernet.
    pub ethernet: Ethernet,
    /// Outer IPv6, without extension headers.
    pub ip: Ipv6,
    /// Outer UDP.
    pub udp: Udp,
    /// VXLAN.
    pub vxlan: Vxlan,
    /// Inner Ethernet.
    pub inner: Ethernet,
}

impl Rewrite6 {
    /// Bytes.
    pub const LEN: usize = 84;
}

const _: () = assert!(size_of::<Rewrite6>() == Rewrite6::LEN);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_its_bytes() {
        assert_eq!(Vxlan::new(1).as_bytes(), [8, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!(
            Vxlan::new(0xabcdef).as_bytes(),
            [8, 0, 0, 0, 0xab, 0xcd, 0xef, 0]
        );
        assert_eq!(
            Vxlan::read_from_bytes(&[8, 0, 0, 0, 0, 0, 1, 0]),
            Ok(Vxlan::new(1))
        );
    }
}
