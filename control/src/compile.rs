//! From what is known to what the engine needs: leases, next hops and devices in, [`Tables`] out.
//!
//! A pure function. Everything that decides where a packet goes is decided here and nowhere else, so every rule below has
//! a row in the tests. Ports, addresses and MACs follow FLANNEL.md sections 2 and 3.1.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contract::config::{BindMode, Config};
use contract::tables::{Adjacency, Encap, Node, Port, PortKind, Route, Tables, Tunnel, TunnelPort};
use contract::wire::Mac;
use ipnet::Ipv4Net;

use crate::lease::{Backend, Cluster, Lease, NetworkBackend};
use crate::slots::{MAX_PEERS, OWN, Slots};

/// RFC 791: every link carries 68 bytes. A path that leaves less for the inner packet is none.
const MIN_MTU: u32 = 68;
/// Index of the underlay in `Tables::ports`.
pub const UNDERLAY_PORT: u8 = 0;
/// Index of the uplink in `Tables::ports`.
pub const UPLINK_PORT: u8 = 1;

/// The device that carries the tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Underlay {
    /// The kernel's number for it.
    pub index: u32,
    /// Interface name.
    pub name: String,
    /// Its Ethernet address: source of outer frames.
    pub mac: Mac,
    /// Largest L3 packet, bytes.
    pub mtu: u32,
    /// Its address: source of outer packets.
    pub address: Ipv4Addr,
    /// Our PublicIP: what peers send to. Another address only if one-to-one NAT stands in front of this node.
    pub public_ip: Ipv4Addr,
}

/// What lies between the host's stack and the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uplink {
    /// How the engine opens it.
    pub mode: BindMode,
    /// What the engine opens.
    pub engine_device: String,
    /// MAC of the kernel's end: the VTEP MAC. A TUN has none; the engine's frames have one all the same.
    pub host_mac: Mac,
    /// MAC of the engine's end.
    pub engine_mac: Mac,
    /// Largest pod packet, bytes.
    pub mtu: u32,
}

/// How the underlay reaches a PublicIP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// Through this Ethernet address.
    Ready {
        /// Of the peer if it is on our link, else of the gateway.
        mac: Mac,
        /// Largest outer packet on this path, bytes.
        mtu: u32,
        /// Whose address that is, if not the peer's own: it is on another link.
        gateway: Option<Ipv4Addr>,
    },
    /// Not at present.
    Blocked(Obstacle),
}

/// Why no packet can be sent to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Its lease names another backend than the cluster's.
    Backend {
        /// The lease's.
        theirs: String,
        /// The cluster's.
        ours: &'static str,
    },
    /// Without encapsulation only a peer on our link is reached; this gateway is between us.
    NotOnLink(Ipv4Addr),
    /// An underlay over UDP sockets carries what runs over UDP, and nothing else.
    OverUdp(&'static str),
    /// The tables are full.
    NoSlot,
    /// Its next hop has not been looked up yet.
    Unknown,
    /// The kernel has no route to it; its words.
    NoRoute(String),
    /// The route leaves through another device than the underlay's.
    OtherDevice(u32),
    /// The next hop has not answered ARP.
    NoNeighbour(Ipv4Addr),
    /// The path is too narrow for any inner packet; its MTU.
    Narrow(u32),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backend { theirs, ours } => {
                write!(f, "its backend is {theirs}, the cluster's is {ours}")
            }
            Self::NotOnLink(gateway) => {
                write!(
                    f,
                    "host-gw reaches peers on our link, and this one is behind {gateway}"
                )
            }
            Self::OverUdp(name) => {
                write!(
                    f,
                    "{name} cannot run over underlay.mode = \"udp\"; use \"auto\""
                )
            }
            Self::NoSlot => write!(f, "the tables are full: {MAX_PEERS} peers"),
            Self::Unknown => write!(f, "next hop not looked up yet"),
            Self::NoRoute(why) => write!(f, "no route: {why}"),
            Self::OtherDevice(index) => {
                write!(
                    f,
                    "its route leaves through interface {index}, not the underlay"
                )
            }
            Self::NoNeighbour(address) => write!(f, "next hop {address} does not answer ARP"),
            Self::Narrow(mtu) => write!(f, "path MTU {mtu} leaves no room for the tunnel headers"),
        }
    }
}

/// One peer: the leases with one PublicIP, one backend and one VTEP MAC, nearly always a single one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its adjacency, and its number in the stats.
    pub slot: Option<u16>,
    /// Its PublicIP.
    pub public_ip: Ipv4Addr,
    /// Its subnets, ascending.
    pub subnets: Vec<Ipv4Net>,
    /// Why nothing is sent to it.
    pub obstacle: Option<Obstacle>,
}

/// What [`compile`] makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// For the engine.
    pub tables: Tables,
    /// For the status.
    pub peers: Vec<Peer>,
    /// For the next time.
    pub slots: Slots,
}

/// Bytes of the largest pod packet: as configured, else what the underlay (or the cluster's `MTU`) leaves.
pub fn overlay_mtu(cluster: &Cluster, underlay_mtu: u32, config: &Config) -> u32 {
    config.overlay.mtu.map_or_else(
        || {
            let backend = &cluster.network.backend;
            let cluster_mtu = backend.vxlan().and_then(|vxlan| vxlan.mtu);
            let mtu = underlay_mtu.min(cluster_mtu.map_or(u32::MAX, u32::from));
            mtu.saturating_sub(backend.overhead())
        },
        u32::from,
    )
}

/// The tables for this moment, `subnet` being ours.
///
/// `slots` is the assignment so far, the only memory there is; it comes back brought up to date with the leases.
pub fn compile(
    cluster: &Cluster,
    subnet: Ipv4Net,
    underlay: &Underlay,
    uplink: &Uplink,
    hops: &HashMap<Ipv4Addr, Hop>,
    config: &Config,
    mut slots: Slots,
) -> Compiled {
    let groups = group(&cluster.leases);
    slots.settle(groups.iter().map(|group| group.subnets.as_slice()));

    let mut tables = Tables {
        node: node(cluster, subnet, underlay, uplink),
        ports: ports(underlay, uplink, config),
        adjacencies: vec![Adjacency::Empty; slots.table_len()],
        routes: vec![route(subnet, OWN)],
    };
    tables.adjacencies[usize::from(OWN)] = Adjacency::Local {
        port: UPLINK_PORT,
        dst: uplink.host_mac,
        src: uplink.engine_mac,
    };

    let mut peers = Vec::with_capacity(groups.len());
    for group in groups {
        let slot = slots.of(group.subnets[0]);
        let path = match slot {
            Some(_) => path(&group, &cluster.network.backend, uplink, hops, config),
            None => Err(Obstacle::NoSlot),
        };
        let adjacency = match &path {
            Ok(path) => Adjacency::Peer {
                port: UNDERLAY_PORT,
                mtu: path.mtu,
                next_hop: path.next_hop,
                own: underlay.mac,
                src: underlay.address.into(),
                peer: group.public_ip.into(),
                encap: path.encap,
            },
            Err(_) => Adjacency::Unresolved {
                peer: group.public_ip.into(),
            },
        };
        if let Some(slot) = slot {
            tables.adjacencies[usize::from(slot)] = adjacency;
            let subnets = group.subnets.iter();
            tables
                .routes
                .extend(subnets.map(|subnet| route(*subnet, slot)));
        }
        peers.push(Peer {
            slot,
            public_ip: group.public_ip,
            subnets: group.subnets,
            obstacle: path.err(),
        });
    }
    tables.routes.sort_unstable();
    Compiled {
        tables,
        peers,
        slots,
    }
}

/// The same tables with everything out of reach, for a node whose lease is lost: its subnet may be another's by now, so
/// nothing goes out under its addresses and nothing comes in for them. Ports stay, so that sockets stay open.
pub fn fence(tables: &Tables) -> Tables {
    Tables {
        node: tables.node.clone(),
        ports: tables.ports.clone(),
        adjacencies: vec![Adjacency::Empty],
        routes: Vec::new(),
    }
}

/// Leases of one peer.
struct Group<'a> {
    public_ip: Ipv4Addr,
    backend: &'a Backend,
    subnets: Vec<Ipv4Net>,
}

/// Nothing to carry, for a cluster whose backend has no path (`alloc`): the engine closes what it has open.
pub fn without_path(cluster: &Cluster, mut slots: Slots) -> Compiled {
    let groups = group(&cluster.leases);
    // What had a slot keeps none: no counter is ever read under it.
    slots.settle(std::iter::empty());
    let ours = cluster.network.backend.name();
    let peer = |group: Group<'_>| Peer {
        slot: None,
        public_ip: group.public_ip,
        obstacle: Some(Obstacle::Backend {
            theirs: group.backend.name().to_owned(),
            ours,
        }),
        subnets: group.subnets,
    };
    Compiled {
        tables: Tables::default(),
        peers: groups.into_iter().map(peer).collect(),
        slots,
    }
}

/// Leases by peer, in the order of their first subnets. A node has one lease, but for a day after it was installed anew the
/// old one stands beside it: same PublicIP, another VTEP MAC, another peer.
fn group<'a>(leases: &'a std::collections::BTreeMap<Ipv4Net, Lease>) -> Vec<Group<'a>> {
    let mut index = HashMap::with_capacity(leases.len());
    let mut groups: Vec<Group<'a>> = Vec::with_capacity(leases.len());
    for lease in leases.values() {
        let at = *index
            .entry((lease.public_ip, &lease.backend))
            .or_insert(groups.len());
        if at == groups.len() {
            groups.push(Group {
                public_ip: lease.public_ip,
                backend: &lease.backend,
                subnets: Vec::new(),
            });
        }
        groups[at].subnets.push(lease.subnet);
    }
    groups
}

/// How a peer is sent to.
struct Path {
    encap: Encap,
    next_hop: Mac,
    /// Largest inner packet, bytes.
    mtu: u16,
}

/// The cluster's backend decides, if the peer's lease is of the same; but with DirectRouting a peer on our link gets bare
/// packets. flannel asks for that when a lease comes, here it is asked at each pass.
fn path(
    group: &Group<'_>,
    backend: &NetworkBackend,
    uplink: &Uplink,
    hops: &HashMap<Ipv4Addr, Hop>,
    config: &Config,
) -> Result<Path, Obstacle> {
    let encap = match (backend, group.backend) {
        (NetworkBackend::Vxlan(_), Backend::Vxlan { vtep_mac }) => Encap::Vxlan {
            peer_vtep: *vtep_mac,
            own_vtep: uplink.host_mac,
        },
        (NetworkBackend::Udp { .. }, _) => Encap::Udp,
        (NetworkBackend::Ipip { .. }, Backend::Ipip) => Encap::Ipip,
        (NetworkBackend::HostGw, Backend::HostGw) => Encap::HostGw,
        (ours, theirs) => {
            return Err(Obstacle::Backend {
                theirs: theirs.name().to_owned(),
                ours: ours.name(),
            });
        }
    };
    let (next_hop, path_mtu, gateway) = match hops.get(&group.public_ip) {
        None => return Err(Obstacle::Unknown),
        Some(Hop::Blocked(obstacle)) => return Err(obstacle.clone()),
        Some(Hop::Ready { mac, mtu, gateway }) => (*mac, *mtu, *gateway),
    };
    let over_udp = config.underlay.mode == BindMode::Udp;
    let encap = match (encap, gateway) {
        (encap, None) if backend.direct_routing() && !(over_udp && is_over_udp(encap)) => {
            Encap::HostGw
        }
        (Encap::HostGw, Some(gateway)) => return Err(Obstacle::NotOnLink(gateway)),
        (encap, _) => encap,
    };
    if over_udp && !is_over_udp(encap) {
        return Err(Obstacle::OverUdp(backend.name()));
    }
    let overhead = encap.overhead() as u32;
    if path_mtu < overhead + MIN_MTU {
        return Err(Obstacle::Narrow(path_mtu));
    }
    Ok(Path {
        encap,
        next_hop,
        mtu: clamp(path_mtu - overhead),
    })
}

/// Whether a UDP socket can send it.
fn is_over_udp(encap: Encap) -> bool {
    matches!(encap, Encap::Vxlan { .. } | Encap::Udp)
}

fn node(cluster: &Cluster, subnet: Ipv4Net, underlay: &Underlay, uplink: &Uplink) -> Node {
    let (tunnel, vni, tunnel_dport) = match &cluster.network.backend {
        NetworkBackend::Vxlan(vxlan) => {
            let tunnel = match vxlan.gbp {
                true => Tunnel::VxlanGbp,
                false => Tunnel::Vxlan,
            };
            (tunnel, vxlan.vni, vxlan.port)
        }
        NetworkBackend::Udp { port } => (Tunnel::Udp, 0, *port),
        NetworkBackend::Ipip { .. } => (Tunnel::Ipip, 0, 0),
        NetworkBackend::HostGw | NetworkBackend::Alloc => (Tunnel::None, 0, 0),
    };
    Node {
        tunnel,
        vtep_mac: uplink.host_mac,
        vtep_mac6: uplink.host_mac,
        vtep_ip4: underlay.address,
        vtep_ip6: Ipv6Addr::UNSPECIFIED,
        vni,
        tunnel_dport,
        tunnel_port: TunnelPort::Held,
        gateway_ip4: (u32::from(subnet.network()) + 1).into(),
        gateway_ip6: Ipv6Addr::UNSPECIFIED,
    }
}

fn ports(underlay: &Underlay, uplink: &Uplink, config: &Config) -> Vec<Port> {
    vec![
        Port {
            name: underlay.name.clone(),
            kind: PortKind::Underlay,
            mode: config.underlay.mode,
            mtu: clamp(underlay.mtu),
            mac: underlay.mac,
            peer_mac: Mac::default(),
        },
        Port {
            name: uplink.engine_device.clone(),
            kind: PortKind::Uplink,
            mode: uplink.mode,
            mtu: clamp(uplink.mtu),
            mac: uplink.engine_mac,
            peer_mac: uplink.host_mac,
        },
    ]
}

fn route(subnet: Ipv4Net, adjacency: u16) -> Route {
    Route {
        prefix: IpAddr::V4(subnet.network()),
        len: subnet.prefix_len(),
        adjacency,
    }
}

/// An IP packet has at most 65,535 bytes, whatever loopback's MTU says.
fn clamp(mtu: u32) -> u16 {
    mtu.try_into().unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
