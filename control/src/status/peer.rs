//! A peer in the file: who it is, the way to it, and why not.

use std::net::Ipv4Addr;

use contract::tables::{Adjacency, Encap, Tables};
use contract::wire::Mac;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::compile::{Obstacle, Peer};
use crate::lease::Lease;

/// One peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PeerStatus {
    /// Its number in the stats; absent if the tables are full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u16>,
    /// Its PublicIP.
    pub public_ip: Option<Ipv4Addr>,
    /// Its subnets.
    pub subnets: Vec<Ipv4Net>,
    /// The backend that its lease names.
    pub backend: String,
    /// How packets to it are wrapped; absent when none are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encapsulation: Option<String>,
    /// Whose MAC outer packets go to: the peer's own address, or a gateway's; absent where the kernel has no way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<Ipv4Addr>,
    /// That MAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_hop_mac: Option<String>,
    /// The device that they leave through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Largest pod packet on this path, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
    /// Why nothing is sent to it; absent when packets flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
    /// That reason is its lease's backend: there is nothing to repair.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub left_out: bool,
    /// When any of this last changed.
    pub since_ns: u64,
}

impl PeerStatus {
    /// What was compiled for it, and from what.
    pub fn new(
        peer: &Peer,
        lease: Option<&Lease>,
        tables: &Tables,
        next_hop: Option<Ipv4Addr>,
    ) -> Self {
        let adjacency = peer
            .slot
            .and_then(|slot| tables.adjacencies.get(usize::from(slot)));
        let way = adjacency.and_then(Way::of);
        let port = way
            .as_ref()
            .and_then(|way| tables.ports.get(usize::from(way.port)));
        PeerStatus {
            slot: peer.slot,
            public_ip: Some(peer.public_ip),
            subnets: peer.subnets.clone(),
            backend: lease.map_or_else(String::new, |lease| lease.backend.name().into()),
            encapsulation: way.as_ref().map(|way| way.encapsulation.into()),
            next_hop,
            next_hop_mac: way.as_ref().map(|way| way.mac.to_string()),
            device: port.map(|port| port.name.clone()),
            mtu: way.as_ref().map(|way| way.mtu),
            obstacle: peer.obstacle.as_ref().map(ToString::to_string),
            left_out: matches!(peer.obstacle, Some(Obstacle::Backend { .. })),
            since_ns: 0,
        }
    }
}

/// How an adjacency sends.
struct Way {
    encapsulation: &'static str,
    port: u8,
    mac: Mac,
    mtu: u16,
}

impl Way {
    fn of(adjacency: &Adjacency) -> Option<Way> {
        match adjacency {
            Adjacency::Peer {
                port,
                mtu,
                next_hop,
                peer,
                encap,
                ..
            } => Some(Way {
                encapsulation: match encap {
                    Encap::Vxlan { .. } if peer.is_ipv6() => "vxlan6",
                    Encap::Vxlan { .. } => "vxlan",
                    Encap::Udp => "udp",
                    Encap::Ipip => "ipip",
                    Encap::HostGw => "host-gw",
                },
                port: *port,
                mac: *next_hop,
                mtu: *mtu,
            }),
            Adjacency::Empty | Adjacency::Unresolved { .. } | Adjacency::Local { .. } => None,
        }
    }
}
