//! What flanneld's device would be: from the leases, or from the tables that were made of them.

use std::net::IpAddr;

use contract::tables::{Adjacency, Encap, PortKind, Route, Tables};
use contract::wire::Mac;
use ipnet::Ipv4Net;

use crate::compile::Underlay;
use crate::lease::{Backend, Cluster};
use crate::netlink::route::Path;
use crate::netlink::vxlan::{Peer, Wanted};
use crate::netlink::{Netlink, NetlinkError};
use crate::slots::OWN;

/// As flanneld makes it of the same leases.
pub fn from_cluster(
    cluster: &Cluster,
    subnet: Ipv4Net,
    underlay: &Underlay,
    mac: Mac,
) -> Option<Wanted> {
    let vxlan = cluster.network.backend.vxlan()?;
    // Not the MTU of node.toml: flanneld knows the cluster's and the device's.
    let outer = vxlan.mtu.map_or(underlay.mtu, u32::from);
    let peers = cluster
        .leases
        .values()
        .filter_map(|lease| match lease.backend {
            Backend::Vxlan { vtep_mac } => Some(Peer {
                subnet: lease.subnet,
                public_ip: lease.public_ip,
                mac: vtep_mac,
            }),
            _ => None,
        });
    Some(Wanted {
        vni: vxlan.vni,
        port: vxlan.port,
        carrier: underlay.index,
        local: underlay.public_ip,
        mac,
        mtu: outer.saturating_sub(cluster.network.backend.overhead()),
        learning: vxlan.learning,
        gbp: vxlan.gbp,
        subnet,
        peers: peers.collect(),
        direct: Vec::new(),
    })
}

/// With `DirectRouting`: nodes on our own link get a plain route instead.
pub async fn route_directly(mut wanted: Wanted, netlink: &Netlink) -> Result<Wanted, NetlinkError> {
    let addresses: Vec<_> = wanted.peers.iter().map(|peer| peer.public_ip).collect();
    let paths = netlink.paths(&addresses).await?;
    let on_link = |path: &Result<Path, String>| matches!(path, Ok(path) if path.gateway.is_none());
    let peers = std::mem::take(&mut wanted.peers);
    for (peer, path) in peers.into_iter().zip(&paths) {
        match on_link(path) {
            true => wanted.direct.push((peer.subnet, peer.public_ip)),
            false => wanted.peers.push(peer),
        }
    }
    Ok(wanted)
}

/// From the last tables, when the leases cannot be had. Nodes whose next hop was unknown are missing, and neighbouring
/// subnets of one node are one route; flanneld mends both.
pub fn from_tables(tables: &Tables, underlay: &Underlay) -> Option<Wanted> {
    let own = tables.routes.iter().find(|route| route.adjacency == OWN)?;
    let uplink = tables
        .ports
        .iter()
        .find(|port| port.kind == PortKind::Uplink)?;
    let peer = |route: &Route| match tables.adjacencies.get(usize::from(route.adjacency)) {
        Some(Adjacency::Peer {
            peer: IpAddr::V4(public_ip),
            encap: Encap::Vxlan { peer_vtep, .. },
            ..
        }) => Some(Peer {
            subnet: subnet(route)?,
            public_ip: *public_ip,
            mac: *peer_vtep,
        }),
        _ => None,
    };
    let bare = |route: &Route| match tables.adjacencies.get(usize::from(route.adjacency)) {
        Some(Adjacency::Peer {
            peer: IpAddr::V4(public_ip),
            encap: Encap::HostGw,
            ..
        }) => Some((subnet(route)?, *public_ip)),
        _ => None,
    };
    let node = &tables.node;
    if !node.tunnel.is_vxlan() {
        return None;
    }
    Some(Wanted {
        vni: node.vni,
        port: node.tunnel_dport,
        carrier: underlay.index,
        local: underlay.public_ip,
        mac: node.vtep_mac,
        mtu: uplink.mtu.into(),
        learning: false,
        gbp: false,
        subnet: subnet(own)?,
        peers: tables.routes.iter().filter_map(peer).collect(),
        direct: tables.routes.iter().filter_map(bare).collect(),
    })
}

fn subnet(route: &Route) -> Option<Ipv4Net> {
    let IpAddr::V4(prefix) = route.prefix else {
        return None;
    };
    Ipv4Net::new(prefix, route.len).ok().map(|net| net.trunc())
}
