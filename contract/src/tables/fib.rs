//! The tables as encap and decap read them: lookups, rewrites, ports. The hottest reads of the project.
//!
//! A [`Fib`] is a bank of the segment in place. Indices are 8 or 16 bits wide, as large as the arrays, or masked to them, so
//! nothing here can panic or read outside, whatever the bytes are. What mangled bytes say is then simply wrong: the dataplane
//! checks what a verdict names (a port that is not open) like anything else that comes from outside.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, transmute, transmute_ref};

use super::layout::{Bank, FibNode, Trie};
use super::rewrite::{AdjacencyKind, Halves, PEER6};
use super::{MAX_PORTS, PortKind, lpm};
use crate::wire::{Mac, Rewrite4, Rewrite6};

/// One generation of the tables.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(transparent)]
pub struct Fib(pub(super) Bank);

/// What an adjacency is, and what decides about a packet before its rewrite is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdjacencyMeta {
    /// What it is for.
    pub kind: AdjacencyKind,
    /// Port to send by. Any number: no promise that such a port is open.
    pub port: u8,
    /// Largest inner packet, bytes; only a peer that we send to has one, a local port has its own.
    pub mtu: u16,
    /// The node's PublicIP; zero when it has none in this family or is no node.
    peer4: [u8; 4],
}

impl AdjacencyMeta {
    /// Whether this is the node at that address: what decap asks of an outer source.
    #[inline(always)]
    pub fn is_peer4(&self, outer: [u8; 4]) -> bool {
        self.peer4 == outer && outer != [0; 4]
    }

    /// The node's PublicIP, if it is a node with one.
    pub fn peer4(&self) -> Option<[u8; 4]> {
        (self.peer4 != [0; 4]).then_some(self.peer4)
    }
}

/// A port as the packet path needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FibPort {
    /// Which side it is; `None` when there is no such port.
    pub kind: Option<PortKind>,
    /// Largest L3 packet the device takes, bytes.
    pub mtu: u16,
    /// Our own MAC on it.
    pub mac: Mac,
    /// MAC of the other end.
    pub peer_mac: Mac,
}

impl Fib {
    /// The generation these tables were published as; zero: none was.
    #[inline(always)]
    pub fn generation(&self) -> u64 {
        self.0.head.generation
    }

    /// Adjacency of an inner IPv4 address; 0, which is always empty, when no route covers it.
    #[inline(always)]
    pub fn lookup4(&self, inner: [u8; 4]) -> u16 {
        lpm::lookup(&self.0.roots[Trie::Inner4 as usize], &self.0.lpm, &inner)
    }

    /// The same for an inner IPv6 address.
    #[inline(always)]
    pub fn lookup6(&self, inner: [u8; 16]) -> u16 {
        lpm::lookup(&self.0.roots[Trie::Inner6 as usize], &self.0.lpm, &inner)
    }

    /// Whether some node of the cluster has this PublicIP. Not for every packet: decap asks only to name a drop.
    pub fn is_vtep4(&self, outer: [u8; 4]) -> bool {
        lpm::lookup(&self.0.roots[Trie::Vtep4 as usize], &self.0.lpm, &outer) != 0
    }

    /// The same for a PublicIPv6.
    pub fn is_vtep6(&self, outer: [u8; 16]) -> bool {
        lpm::lookup(&self.0.roots[Trie::Vtep6 as usize], &self.0.lpm, &outer) != 0
    }

    /// An adjacency's decision.
    #[inline(always)]
    pub fn meta(&self, adjacency: u16) -> AdjacencyMeta {
        let raw = &self.0.meta[usize::from(adjacency)];
        AdjacencyMeta {
            kind: AdjacencyKind::from_byte(raw.kind),
            port: raw.port,
            mtu: raw.mtu,
            peer4: raw.peer4,
        }
    }

    /// An adjacency's rewrite, the 64 bytes before the inner packet: see `rewrite` for what they hold.
    #[inline(always)]
    pub fn line(&self, adjacency: u16) -> &[u8; 64] {
        &self.0.lines[usize::from(adjacency)]
    }

    /// The line as the headers it is when VXLAN runs over IPv4. Of a `Local` adjacency, only `inner` counts; of the other
    /// encapsulations, as many of the first as they have.
    #[inline(always)]
    pub fn rewrite4(&self, adjacency: u16) -> &Rewrite4 {
        transmute_ref!(self.line(adjacency))
    }

    /// The line and its head as the headers they are when VXLAN runs over IPv6.
    #[inline(always)]
    pub fn rewrite6(&self, adjacency: u16) -> Rewrite6 {
        transmute!(Halves {
            head: self.0.heads[usize::from(adjacency)],
            line: *self.line(adjacency),
        })
    }

    /// Whether an adjacency is the node at that address: what decap asks of an outer IPv6 source.
    #[inline(always)]
    pub fn is_peer6(&self, adjacency: u16, outer: [u8; 16]) -> bool {
        let meta = self.meta(adjacency);
        matches!(meta.kind, AdjacencyKind::Vxlan6 | AdjacencyKind::Unresolved)
            && meta.peer4 == [0; 4]
            && self.line(adjacency)[PEER6] == outer
            && outer != [0; 16]
    }

    /// This node.
    #[inline(always)]
    pub fn node(&self) -> &FibNode {
        &self.0.head.node
    }

    /// A port. Numbers wrap at [`MAX_PORTS`]; one that is not in the tables has no kind.
    #[inline(always)]
    pub fn port(&self, port: u8) -> FibPort {
        let raw = &self.0.head.port[usize::from(port) & (MAX_PORTS - 1)];
        FibPort {
            kind: PortKind::from_byte(raw.kind),
            mtu: raw.mtu,
            mac: raw.mac,
            peer_mac: raw.peer_mac,
        }
    }
}
