//! The golden cluster with IPv6: the same nodes, each with a second subnet, over one underlay or the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contract::tables::{Adjacency, Encap, Route, Tables};
use contract::wire::Mac;

use super::{OWN_NIC, OWN_VTEP, PEER_NIC, PEER_VTEP, UNDERLAY, golden_tables, read_capture};

/// MACs of the devices over IPv6, as in the capture.
pub const OWN_VTEP6: Mac = Mac([2, 0, 0, 0, 6, 1]);
pub const PEER_VTEP6: Mac = Mac([2, 0, 0, 0, 6, 2]);

/// Which addresses the nodes' datagrams have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Over {
    V4,
    V6,
}

impl Over {
    /// Of a frame on the wire.
    pub fn of(frame: &[u8]) -> Over {
        match frame.get(12..14) {
            Some([0x86, 0xdd]) => Over::V6,
            _ => Over::V4,
        }
    }

    /// Bytes before the inner Ethernet header.
    pub fn overhead(self) -> usize {
        match self {
            Over::V4 => 50,
            Over::V6 => 70,
        }
    }

    /// Where the outer addresses are.
    pub fn addresses(self) -> std::ops::Range<usize> {
        match self {
            Over::V4 => 26..34,
            Over::V6 => 22..54,
        }
    }

    /// Largest packet to a peer on a device of 1,500 bytes.
    pub fn mtu(self) -> u16 {
        1500 - self.overhead() as u16
    }

    /// A node's underlay address.
    pub fn node(self, node: u8) -> IpAddr {
        match self {
            Over::V4 => Ipv4Addr::new(192, 168, 77, node).into(),
            Over::V6 => Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, node.into()).into(),
        }
    }
}

/// A pod's IPv6 address on a node.
pub fn pod6(node: u8, host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0x10, 0x244, node.into(), 0, 0, 0, host)
}

/// `golden_tables` as node 1 or 2 sees them, all peers over one underlay, and each node with fd00:10:244:<node>::/64 beside
/// 10.244.<node>.0/24. The adjacencies have the numbers that they have there: 3 is not resolved, 4 is 100 bytes narrower, 5 is
/// the pod at .99 and ::99.
pub fn dual_tables(own: u8, over: Over) -> Tables {
    let mut tables = golden_tables();
    let other = 3 - own;
    let swap = |one, two| if own == 1 { (one, two) } else { (two, one) };
    let (vtep, _) = swap(OWN_VTEP, PEER_VTEP);
    let (vtep6, _) = swap(OWN_VTEP6, PEER_VTEP6);
    let (own_vtep, peer_vtep) = match over {
        Over::V4 => swap(OWN_VTEP, PEER_VTEP),
        Over::V6 => swap(OWN_VTEP6, PEER_VTEP6),
    };
    (tables.node.vtep_mac, tables.node.vtep_mac6) = (vtep, vtep6);
    tables.node.vtep_ip4 = Ipv4Addr::new(192, 168, 77, own);
    tables.node.vtep_ip6 = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, own.into());
    tables.node.gateway_ip4 = Ipv4Addr::new(10, 244, own, 1);
    tables.node.gateway_ip6 = pod6(own, 1);
    let peer = |node, narrower| Adjacency::Peer {
        port: UNDERLAY,
        mtu: over.mtu() - narrower,
        next_hop: PEER_NIC,
        own: OWN_NIC,
        src: over.node(own),
        peer: over.node(node),
        encap: Encap::Vxlan {
            peer_vtep,
            own_vtep,
        },
    };
    tables.adjacencies[2] = peer(other, 0);
    tables.adjacencies[3] = Adjacency::Unresolved { peer: over.node(3) };
    tables.adjacencies[4] = peer(4, 100);
    tables.routes.clear();
    for (node, adjacency) in [(own, 1), (other, 2), (3, 3), (4, 4)] {
        let four = Ipv4Addr::new(10, 244, node, 0);
        for (prefix, len) in [(four.into(), 24), (IpAddr::from(pod6(node, 0)), 64)] {
            tables.routes.push(Route {
                prefix,
                len,
                adjacency,
            });
        }
    }
    let pod = IpAddr::from(Ipv4Addr::new(10, 244, own, 99));
    for (prefix, len) in [(pod, 32), (pod6(own, 0x99).into(), 128)] {
        tables.routes.push(Route {
            prefix,
            len,
            adjacency: 5,
        });
    }
    tables
}

/// All frames of the capture with IPv6 in it (`data/kernel-vxlan6.py`): both families over IPv6, then IPv6 over IPv4.
pub fn kernel6_frames() -> Vec<Vec<u8>> {
    read_capture(include_bytes!("../data/kernel-vxlan6.pcap").as_slice())
}

/// The node that sent a frame on the wire: 1 or 2.
pub fn sender(frame: &[u8]) -> u8 {
    match Over::of(frame) {
        Over::V4 => frame[29],
        Over::V6 => frame[37],
    }
}

/// The frame in a frame on the wire.
pub fn carried(frame: &[u8]) -> &[u8] {
    frame.get(Over::of(frame).overhead()..).unwrap_or_default()
}

/// What the pod side saw of a frame on the wire: the inner packet under some Ethernet header.
pub fn pod_side(frame: &[u8]) -> Vec<u8> {
    [&[0x0a; 12], &frame[Over::of(frame).overhead() + 12..]].concat()
}
