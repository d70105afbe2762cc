//! How packets travel between nodes: flannel's backends, as far as the engine carries them (FLANNEL.md sections 3 and 4).
//!
//! ```text
//! Vxlan     | Ethernet | IP | UDP | VXLAN | Ethernet | packet      64 bytes before the packet, 84 over IPv6
//! Udp       | Ethernet | IPv4 | UDP | packet                       42
//! Ipip      | Ethernet | IPv4 | packet                             34
//! HostGw    | Ethernet | packet                                    14
//! ```
//!
//! What a node sends to a peer is the adjacency's [`Encap`]; what it takes for a tunnel is the node's [`Tunnel`]. They are two
//! things: with DirectRouting a node sends bare packets to the peers on its link and tunnels to the others.

use crate::wire::{Ethernet, Ipv4, Mac, Udp, Vxlan};

/// What stands before a packet on its way to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encap {
    /// VXLAN (RFC 7348), over IPv4 or IPv6.
    Vxlan {
        /// Inner Ethernet destination: the lease's VtepMAC.
        peer_vtep: Mac,
        /// Inner Ethernet source: our VTEP MAC.
        own_vtep: Mac,
    },
    /// flannel's `udp` backend over IPv4: the packet is the datagram's payload. Source and destination port are the tunnel's.
    Udp,
    /// IP in IP (RFC 2003), the `ipip` backend.
    Ipip,
    /// Nothing, the `host-gw` backend and DirectRouting: the peer is the next hop, and routes what it gets.
    HostGw,
}

impl Encap {
    /// Bytes that it adds to a packet over IPv4, the outer Ethernet header not counted: an MTU does not count it either.
    pub const fn overhead(self) -> usize {
        match self {
            Encap::Vxlan { .. } => Vxlan::OVERHEAD_IPV4,
            Encap::Udp => Ipv4::LEN + Udp::LEN,
            Encap::Ipip => Ipv4::LEN,
            Encap::HostGw => 0,
        }
    }
}

/// What arrives at this node as a tunnel; everything else is the kernel's. Its bytes decide; any other byte is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Tunnel {
    /// VXLAN datagrams.
    #[default]
    Vxlan = 0,
    /// The same, and they may carry a group policy id.
    VxlanGbp = 1,
    /// Datagrams of flannel's `udp`.
    Udp = 2,
    /// IP in IP.
    Ipip = 3,
    /// Nothing: peers send bare packets (`host-gw`), or none (`alloc`).
    None = 4,
}

impl Tunnel {
    #[inline(always)]
    pub(super) const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Tunnel::Vxlan,
            1 => Tunnel::VxlanGbp,
            2 => Tunnel::Udp,
            3 => Tunnel::Ipip,
            _ => Tunnel::None,
        }
    }

    /// With or without group policy ids.
    #[inline(always)]
    pub const fn is_vxlan(self) -> bool {
        matches!(self, Tunnel::Vxlan | Tunnel::VxlanGbp)
    }

    /// Whether it comes in UDP datagrams to the tunnel's port.
    pub const fn has_port(self) -> bool {
        self.is_vxlan() || matches!(self, Tunnel::Udp)
    }

    /// Bytes between the outer Ethernet header and the packet, over IPv4, less the Ethernet header that the packet will get:
    /// by so much a frame shrinks.
    pub const fn overhead(self) -> usize {
        match self {
            Tunnel::Vxlan | Tunnel::VxlanGbp => Ethernet::LEN + Ipv4::LEN + Udp::LEN + Vxlan::LEN,
            Tunnel::Udp => Ipv4::LEN + Udp::LEN,
            Tunnel::Ipip => Ipv4::LEN,
            Tunnel::None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_on_is_what_is_taken_off() {
        let vxlan = Encap::Vxlan {
            peer_vtep: Mac::default(),
            own_vtep: Mac::default(),
        };
        for (encap, tunnel, bytes) in [
            (vxlan, Tunnel::Vxlan, 50),
            (vxlan, Tunnel::VxlanGbp, 50),
            (Encap::Udp, Tunnel::Udp, 28),
            (Encap::Ipip, Tunnel::Ipip, 20),
            (Encap::HostGw, Tunnel::None, 0),
        ] {
            assert_eq!((encap.overhead(), tunnel.overhead()), (bytes, bytes));
        }
    }

    #[test]
    fn every_byte_is_a_tunnel_and_an_unknown_one_takes_nothing() {
        for byte in 0..=u8::MAX {
            let tunnel = Tunnel::from_byte(byte);
            assert_eq!(tunnel as u8, byte.min(4));
        }
    }
}
