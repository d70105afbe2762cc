//! The segment's bytes.
//!
//! ```text
//! Segment
//!   header     magic, ABI, length, writer                              4 KiB
//!   handover   generation, then a cache line for each reader           publish.rs
//!   banks      2 x Bank; generation g is in bank g & 1
//!
//! Bank
//!   head       generation, counts, node, ports                         4 KiB
//!   roots      4 x 65,536 words: inner IPv4, inner IPv6, VTEP IPv4, VTEP IPv6      lpm
//!   meta       65,536 x 8 bytes: what to do                            rewrite.rs
//!   lines      65,536 x 64 bytes: the rewrite, one cache line each
//!   heads      65,536 x 20 bytes: what an IPv6 rewrite has before its line
//!   lpm        2^23 x 64 bytes: nodes and values of all four tries
//! ```
//!
//! All sizes are constants, so all offsets are, and nothing in the file says where anything is. Every field is valid for any
//! bit pattern: raw bytes here, decoded where they are read. The file is sparse and only what a table uses is ever touched.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{MAX_ADJACENCIES, MAX_PORTS, Tunnel};
use crate::wire::Mac;
use zerocopy::network_endian::U16;

/// Version of this layout. Readers refuse another one. Changing any size, offset, encoding or meaning bumps it.
pub const ABI: u64 = 4;
/// First word of the file: "tweedtab" in ASCII.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"tweedtab");
/// Cache lines for the tries. A million IPv4 routes need up to 2^20; a million IPv6 /64 without any order, half of this.
pub(super) const LPM_LINES: usize = if cfg!(miri) { 1 << 12 } else { 1 << 23 };
/// Slots of a trie's root: the first 16 bits of an address.
pub(super) const ROOT_SLOTS: usize = 1 << 16;

/// The tries of a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trie {
    Inner4 = 0,
    Inner6 = 1,
    Vtep4 = 2,
    Vtep6 = 3,
}

pub(super) const TRIES: usize = 4;
pub(super) type Root = [u32; ROOT_SLOTS];
/// A cache line of a trie: see `lpm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C, align(64))]
pub(super) struct Line(pub [u32; 16]);

/// One complete table.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C, align(4096))]
pub(super) struct Bank {
    pub head: BankHead,
    pub roots: [Root; TRIES],
    pub meta: [RawMeta; MAX_ADJACENCIES],
    pub lines: [[u8; 64]; MAX_ADJACENCIES],
    pub heads: [[u8; 20]; MAX_ADJACENCIES],
    pub lpm: [Line; LPM_LINES],
}

#[derive(Clone, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct BankHead {
    /// The generation this bank holds; zero when nothing was ever published.
    pub generation: u64,
    pub ports: u32,
    pub adjacencies: u32,
    /// Prefixes given, for those who look.
    pub routes: u32,
    /// Lines of `lpm` in use.
    pub lpm_lines: u32,
    pub reserved: [u8; 40],
    pub node: FibNode,
    pub port: [RawPort; MAX_PORTS],
    pub reserved_too: [u8; 1920],
}

/// This node's tunnel end as decap compares it: every field as it lies in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FibNode {
    /// Inner destination of what is sent to us.
    pub vtep_mac: Mac,
    /// UDP destination port of the tunnel.
    pub tunnel_dport: U16,
    /// Outer destination of what is sent to us; zero when the family is off.
    pub vtep_ip4: [u8; 4],
    /// VXLAN network identifier.
    pub vni: [u8; 3],
    /// What becomes of the UDP port: a [`TunnelPort`](super::TunnelPort).
    pub(super) tunnel_port: u8,
    /// See `vtep_ip4`.
    pub vtep_ip6: [u8; 16],
    /// Source of ICMP errors to pods; zero when there is none.
    pub gateway_ip6: [u8; 16],
    /// See `gateway_ip6`.
    pub gateway_ip4: [u8; 4],
    /// Inner destination of what is sent to us over IPv6.
    pub vtep_mac6: Mac,
    pub(super) reserved_too: [u8; 5],
    pub(super) tunnel: u8,
}

impl FibNode {
    /// What arrives as a tunnel.
    #[inline(always)]
    pub fn tunnel(&self) -> Tunnel {
        Tunnel::from_byte(self.tunnel)
    }
}

/// An adjacency's verdict: encap and decap decide by these eight bytes and then touch at most one line.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct RawMeta {
    pub kind: u8,
    pub port: u8,
    pub mtu: u16,
    pub peer4: [u8; 4],
}

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct RawPort {
    pub kind: u8,
    pub mode: u8,
    pub mtu: u16,
    pub mac: Mac,
    pub peer_mac: Mac,
    /// Zero-terminated.
    pub name: [u8; 16],
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};

    /// Sizes and offsets of ABI 4. When this fails, the layout changed: bump `ABI`, then write the new numbers here.
    #[test]
    #[cfg_attr(miri, ignore = "has a smaller layout")]
    fn the_layout_is_that_of_its_abi_number() {
        let bank = [
            offset_of!(Bank, roots),
            offset_of!(Bank, meta),
            offset_of!(Bank, lines),
            offset_of!(Bank, heads),
            offset_of!(Bank, lpm),
            size_of::<Bank>(),
        ];
        assert_eq!(
            (ABI, bank),
            (4, [4096, 1052672, 1576960, 5771264, 7081984, 543952896])
        );
        let head = [
            offset_of!(BankHead, ports),
            offset_of!(BankHead, adjacencies),
            offset_of!(BankHead, routes),
            offset_of!(BankHead, lpm_lines),
            offset_of!(BankHead, node),
            offset_of!(BankHead, port),
            size_of::<BankHead>(),
        ];
        assert_eq!((ABI, head), (4, [8, 12, 16, 20, 64, 128, 4096]));
        let node = [
            offset_of!(FibNode, tunnel_dport),
            offset_of!(FibNode, vtep_ip4),
            offset_of!(FibNode, vni),
            offset_of!(FibNode, vtep_ip6),
            offset_of!(FibNode, gateway_ip6),
            offset_of!(FibNode, gateway_ip4),
            offset_of!(FibNode, vtep_mac6),
            offset_of!(FibNode, tunnel),
            size_of::<FibNode>(),
        ];
        assert_eq!((ABI, node), (4, [6, 8, 12, 16, 32, 48, 52, 63, 64]));
        let port = [
            offset_of!(RawPort, mode),
            offset_of!(RawPort, mtu),
            offset_of!(RawPort, mac),
            offset_of!(RawPort, peer_mac),
            offset_of!(RawPort, name),
            size_of::<RawPort>(),
        ];
        assert_eq!((ABI, port), (4, [1, 2, 4, 10, 16, 32]));
        let meta = [
            offset_of!(RawMeta, port),
            offset_of!(RawMeta, mtu),
            offset_of!(RawMeta, peer4),
            size_of::<RawMeta>(),
        ];
        assert_eq!((ABI, meta), (4, [1, 2, 4, 8]));
    }
}
