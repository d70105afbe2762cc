//! Desired state, from control to the dataplane.
//!
//! [`Tables`] is the value that control compiles: plain, owned, complete. The segment (`layout`, `lpm`, `publish`) is the
//! same content as memory that the engine reads in place. There are no incremental edits: one path serves first start,
//! update and repair.

#![cfg_attr(
    all(loom, test),
    allow(
        dead_code,
        reason = "loom runs `publish` alone: its atomics do not live in a file"
    )
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::BindMode;
use crate::wire::Mac;

mod compile;
mod dump;
mod encap;
mod fib;
mod layout;
#[cfg(not(all(loom, test)))]
mod lock;
mod lpm;
mod owned;
mod publish;
#[cfg(not(all(loom, test)))]
mod reader;
mod rewrite;
#[cfg(not(all(loom, test)))]
mod segment;
#[cfg(not(all(loom, test)))]
mod writer;

pub use compile::TablesError;
pub use dump::Mangled;
pub use encap::{Encap, Tunnel};
pub use fib::{AdjacencyMeta, Fib, FibPort};
pub use layout::{ABI, FibNode};
pub use owned::OwnedFib;
pub use publish::{Busy, MAX_READERS};
#[cfg(not(all(loom, test)))]
pub use reader::{TablesReader, WorkerTables};
pub use rewrite::AdjacencyKind;
#[cfg(not(all(loom, test)))]
pub use segment::{SegmentError, has_writer};
#[cfg(not(all(loom, test)))]
pub use writer::{Origin, PublishError, Published, Publisher};

/// Ports that the tables can hold, and so the engine: the NIC, the uplink, and room for pods to come.
pub const MAX_PORTS: usize = 64;
/// Adjacencies that the tables can hold. An index is 16 bits wide everywhere.
pub const MAX_ADJACENCIES: usize = 1 << 16;

/// Everything the engine needs to know, complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Who we are.
    pub node: Node,
    /// Index is the port's number in `Verdict::Tx`, in `Adjacency::Local` and in the stats.
    pub ports: Vec<Port>,
    /// Index is the adjacency's number in the routes and the peer's number in the stats. Slot 0 is always `Empty`: it is
    /// what a lookup that finds no route returns. control keeps a peer's slot for the peer's life.
    pub adjacencies: Vec<Adjacency>,
    /// Inner prefixes and where they lead.
    pub routes: Vec<Route>,
}

/// This node's own tunnel end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What arrives as a tunnel.
    pub tunnel: Tunnel,
    /// Inner destination MAC of what is sent to us over IPv4; VXLAN alone has one.
    pub vtep_mac: Mac,
    /// The same over IPv6, where flannel has a device of its own.
    pub vtep_mac6: Mac,
    /// Outer addresses others send to; unspecified (0.0.0.0, ::) when the family is off.
    pub vtep_ip4: Ipv4Addr,
    /// See `vtep_ip4`.
    pub vtep_ip6: Ipv6Addr,
    /// VXLAN network identifier, 24 bits.
    pub vni: u32,
    /// UDP destination port of the tunnel, host order; means nothing where the tunnel has none.
    pub tunnel_dport: u16,
    /// Who has that port on this node.
    pub tunnel_port: TunnelPort,
    /// Source address of ICMP errors to pods: the subnet's `.1`. Unspecified when there is none.
    pub gateway_ip4: Ipv4Addr,
    /// See `gateway_ip4`.
    pub gateway_ip6: Ipv6Addr,
}

impl Default for Node {
    /// A node with neither address nor network: nothing is addressed to it.
    fn default() -> Self {
        Node {
            tunnel: Tunnel::default(),
            vtep_mac: Mac::default(),
            vtep_mac6: Mac::default(),
            vtep_ip4: Ipv4Addr::UNSPECIFIED,
            vtep_ip6: Ipv6Addr::UNSPECIFIED,
            vni: 0,
            tunnel_dport: 0,
            tunnel_port: TunnelPort::Held,
            gateway_ip4: Ipv4Addr::UNSPECIFIED,
            gateway_ip6: Ipv6Addr::UNSPECIFIED,
        }
    }
}

/// Who has the tunnel's UDP port on this node. The engine's socket there gets what the XDP program leaves to the kernel, and
/// keeps other tunnels off; with an underlay over UDP it gets everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum TunnelPort {
    /// The engine, or the underlay is not opened: whoever else has it would get a part of the traffic.
    #[default]
    Held = 0,
    /// The kernel's vxlan device of a former flanneld, until the engine is ready. The underlay is opened all the same, so that
    /// the engine forwards before the device goes; the socket follows as soon as it can be bound.
    Awaited = 1,
    /// Nobody, so that a device can take it: the engine's socket is closed. An underlay over AF_XDP goes on.
    Released = 2,
    /// A device that carries the traffic from here on: nothing more is steered to the engine, what it has it forwards.
    Relieved = 3,
}

impl TunnelPort {
    /// Whether it is the engine's, now or in a moment.
    pub const fn is_ours(self) -> bool {
        matches!(self, TunnelPort::Held | TunnelPort::Awaited)
    }

    /// What a byte of the segment says; one that says nothing says the default.
    pub(super) const fn from_byte(byte: u8) -> Self {
        match byte {
            1 => TunnelPort::Awaited,
            2 => TunnelPort::Released,
            3 => TunnelPort::Relieved,
            _ => TunnelPort::Held,
        }
    }
}

/// What lies on the other side of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PortKind {
    /// The wire between nodes: frames in are decapsulated, frames out are tunnels.
    Underlay = 1,
    /// The host's stack behind a veth pair. The kernel has routed what comes from here and will route what goes there,
    /// so it has seen to the TTL; the engine leaves it alone (FLANNEL.md T9: two decrements per crossing, not four).
    Uplink = 2,
    /// A pod behind the engine: the engine is its router, decrements the TTL and answers with ICMP errors.
    Pod = 3,
}

impl PortKind {
    /// Name for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            PortKind::Underlay => "underlay",
            PortKind::Uplink => "uplink",
            PortKind::Pod => "pod",
        }
    }

    /// The kind that a byte of the segment names, if any.
    #[inline(always)]
    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(PortKind::Underlay),
            2 => Some(PortKind::Uplink),
            3 => Some(PortKind::Pod),
            _ => None,
        }
    }
}

/// A device that the engine shall open, one queue of it per worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Interface name, 1 to 15 bytes.
    pub name: String,
    /// Which side it is.
    pub kind: PortKind,
    /// What to open, and how to bind.
    pub mode: BindMode,
    /// Largest L3 packet the device takes, bytes.
    pub mtu: u16,
    /// Our own MAC on it: source of what we emit there when no adjacency says otherwise (ICMP errors).
    pub mac: Mac,
    /// MAC of the other end: destination of what we emit there when no adjacency says otherwise.
    pub peer_mac: Mac,
}

/// What to do with a packet that a route led here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Adjacency {
    /// No such peer: packets are dropped as unroutable.
    #[default]
    Empty,
    /// A known lease whose underlay next hop has no MAC yet, or whose backend we do not speak.
    Unresolved {
        /// The lease's PublicIP: its packets to us are still welcome.
        peer: IpAddr,
    },
    /// Ours: hand the inner packet to this port under this Ethernet header.
    Local {
        /// Index into `Tables::ports`.
        port: u8,
        /// Ethernet destination.
        dst: Mac,
        /// Ethernet source.
        src: Mac,
    },
    /// A node that we send to, over IPv4 or IPv6 (both outer addresses of one family).
    Peer {
        /// Index into `Tables::ports`: the underlay device.
        port: u8,
        /// Largest inner packet on this path, bytes.
        mtu: u16,
        /// Outer Ethernet destination: the next hop's MAC.
        next_hop: Mac,
        /// Outer Ethernet source: the underlay device's MAC.
        own: Mac,
        /// Outer source address: our VTEP.
        src: IpAddr,
        /// Outer destination address: the lease's PublicIP.
        peer: IpAddr,
        /// What stands before the packet; over IPv6 it can only be VXLAN.
        encap: Encap,
    },
}

/// An inner prefix and its adjacency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Network address; host bits are ignored.
    pub prefix: IpAddr,
    /// Prefix length: 0 to 32 or 128.
    pub len: u8,
    /// Index into `Tables::adjacencies`.
    pub adjacency: u16,
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests;
