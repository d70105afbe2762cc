//! The tables of the golden capture.

use std::net::{IpAddr, Ipv4Addr};

use contract::config::BindMode;
use contract::tables::{Adjacency, Encap, Node, Port, PortKind, Route, Tables};
use contract::wire::Mac;

/// Port numbers of [`golden_tables`].
pub const UNDERLAY: u8 = 0;
pub const UPLINK: u8 = 1;
pub const POD: u8 = 2;

/// MACs and addresses of the golden capture (FLANNEL.md 3.2), seen from node 1.
pub const OWN_VTEP: Mac = Mac([2, 0, 0, 0, 0, 1]);
pub const PEER_VTEP: Mac = Mac([2, 0, 0, 0, 0, 2]);
pub const OWN_NIC: Mac = Mac([0x14, 0x86, 0x54, 0x4c, 0xca, 0x29]);
pub const PEER_NIC: Mac = Mac([0x0e, 0xb2, 0x3c, 0x07, 0x25, 0x7e]);
pub const UPLINK_MAC: Mac = Mac([0x0a, 0, 0, 0, 0, 0x11]);
pub const POD_MAC: Mac = Mac([0x0a, 0, 0, 0, 0, 0x99]);

/// Node 1 of the golden capture: its own subnet behind the uplink, 10.244.2.0/24 at node 2, one pod attached to the engine
/// (10.244.1.99), a peer that is not resolved (10.244.3.0/24) and a second peer behind a narrow path (10.244.4.0/24).
pub fn golden_tables() -> Tables {
    let vxlan = |peer: Ipv4Addr, mtu| Adjacency::Peer {
        port: UNDERLAY,
        mtu,
        next_hop: PEER_NIC,
        own: OWN_NIC,
        src: IpAddr::V4(Ipv4Addr::new(192, 168, 77, 1)),
        peer: IpAddr::V4(peer),
        encap: Encap::Vxlan {
            peer_vtep: PEER_VTEP,
            own_vtep: OWN_VTEP,
        },
    };
    let port = |name: &str, kind, mtu, mac, peer_mac| Port {
        name: name.into(),
        kind,
        mode: BindMode::Auto,
        mtu,
        mac,
        peer_mac,
    };
    let route = |third: u8, len, host: u8, adjacency| Route {
        prefix: IpAddr::V4(Ipv4Addr::new(10, 244, third, host)),
        len,
        adjacency,
    };
    Tables {
        node: Node {
            vtep_mac: OWN_VTEP,
            vtep_ip4: Ipv4Addr::new(192, 168, 77, 1),
            vni: 1,
            tunnel_dport: 8472,
            gateway_ip4: Ipv4Addr::new(10, 244, 1, 1),
            ..Node::default()
        },
        ports: vec![
            port("eth0", PortKind::Underlay, 1500, OWN_NIC, PEER_NIC),
            port("tweed0x", PortKind::Uplink, 1450, UPLINK_MAC, OWN_VTEP),
            port("pod0", PortKind::Pod, 1450, UPLINK_MAC, POD_MAC),
        ],
        adjacencies: vec![
            Adjacency::Empty,
            Adjacency::Local {
                port: UPLINK,
                dst: OWN_VTEP,
                src: UPLINK_MAC,
            },
            vxlan(Ipv4Addr::new(192, 168, 77, 2), 1450),
            Adjacency::Unresolved {
                peer: IpAddr::V4(Ipv4Addr::new(192, 168, 77, 3)),
            },
            vxlan(Ipv4Addr::new(192, 168, 77, 4), 1350),
            Adjacency::Local {
                port: POD,
                dst: POD_MAC,
                src: UPLINK_MAC,
            },
        ],
        routes: vec![
            route(1, 24, 0, 1),
            route(2, 24, 0, 2),
            route(3, 24, 0, 3),
            route(4, 24, 0, 4),
            route(1, 32, 99, 5),
        ],
    }
}

/// The same node on loopback, for ports over real UDP sockets: we are `own`, node 2 is `peer`.
pub fn loopback_tables(own: Ipv4Addr, peer: Ipv4Addr) -> Tables {
    let mut tables = golden_tables();
    tables.node.vtep_ip4 = own;
    for adjacency in &mut tables.adjacencies {
        if let Adjacency::Peer {
            src, peer: theirs, ..
        } = adjacency
        {
            *src = IpAddr::V4(own);
            if *theirs == IpAddr::V4(Ipv4Addr::new(192, 168, 77, 2)) {
                *theirs = IpAddr::V4(peer);
            }
        }
    }
    tables
}
