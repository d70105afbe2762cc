//! The kernel's vxlan device as flanneld has it, `flannel.<VNI>`: what there is of one, and making one as flanneld makes it
//! (FLANNEL.md section 2; flannel `pkg/backend/vxlan/{device,vxlan_network}.go`).
//!
//! The device owns its UDP port while it is up, and not before: one that is down has its address and forwarding entries
//! ready and takes nothing from whoever has the port.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;

use contract::wire::Mac;
use ipnet::Ipv4Net;
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage,
};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{
    RouteAttribute, RouteFlags, RouteMessage, RouteProtocol, RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{AddressMessageBuilder, LinkUnspec, RouteMessageBuilder};

use super::link::Link;
use super::underlay::local_address;
use super::{Netlink, NetlinkError, Verb, neighbour, route, sysctl};

/// What makes a vxlan device this one and not another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vxlan {
    /// VXLAN network identifier.
    pub vni: u32,
    /// Its UDP port.
    pub port: u16,
    /// Index of the device that carries it, if it is bound to one.
    pub carrier: Option<u32>,
    /// Source of its outer packets, if that is fixed.
    pub local: Option<Ipv4Addr>,
}

impl Vxlan {
    pub(super) fn parse(data: &[InfoVxlan]) -> Self {
        let mut vxlan = Vxlan::default();
        for attribute in data {
            match attribute {
                InfoVxlan::Id(vni) => vxlan.vni = *vni,
                InfoVxlan::Port(port) => vxlan.port = *port,
                InfoVxlan::Link(index) => vxlan.carrier = Some(*index),
                InfoVxlan::Local(address) => vxlan.local = Some(*address),
                _ => {}
            }
        }
        vxlan
    }
}

/// flannel's name for the device of a VNI.
pub fn device_name(vni: u32) -> String {
    format!("flannel.{vni}")
}

/// A device as flanneld would have it, with an entry for each other node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// VXLAN network identifier; it names the device, too.
    pub vni: u32,
    /// UDP port.
    pub port: u16,
    /// Index of the underlay device.
    pub carrier: u32,
    /// Our PublicIP.
    pub local: Ipv4Addr,
    /// The VTEP MAC of our lease.
    pub mac: Mac,
    /// Bytes of the largest pod packet.
    pub mtu: u32,
    /// `Learning` of the network config.
    pub learning: bool,
    /// `GBP` of the network config.
    pub gbp: bool,
    /// Our pods.
    pub subnet: Ipv4Net,
    /// Everyone else's, by subnet.
    pub peers: Vec<Peer>,
    /// Subnets that are reached without the tunnel (`DirectRouting`), and through whom.
    pub direct: Vec<(Ipv4Net, Ipv4Addr)>,
}

/// Another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Its pods.
    pub subnet: Ipv4Net,
    /// Its PublicIP.
    pub public_ip: Ipv4Addr,
    /// Its VTEP MAC.
    pub mac: Mac,
}

impl Wanted {
    fn is(&self, link: &Link) -> bool {
        let vxlan = Vxlan {
            vni: self.vni,
            port: self.port,
            carrier: Some(self.carrier),
            local: Some(self.local),
        };
        link.vxlan == Some(vxlan) && link.mac == Some(self.mac)
    }

    /// The device as a creation message. flanneld's library sends a queue length of 0, and for the rest the kernel's defaults.
    fn message(&self) -> LinkMessage {
        let mut data = vec![
            InfoVxlan::Id(self.vni),
            InfoVxlan::Link(self.carrier),
            InfoVxlan::Local(self.local),
            InfoVxlan::Learning(self.learning),
            InfoVxlan::Port(self.port),
        ];
        if self.gbp {
            data.push(InfoVxlan::Gbp);
        }
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(device_name(self.vni)),
            LinkAttribute::Address(self.mac.0.to_vec()),
            LinkAttribute::Mtu(self.mtu),
            LinkAttribute::TxQueueLen(0),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Vxlan),
                LinkInfo::Data(InfoData::Vxlan(data)),
            ]),
        ];
        message
    }
}

impl Netlink {
    /// Makes the device with its address, neighbours and forwarding entries, and leaves it down; one that is there and is right
    /// is taken as it is. What else has its name is not ours to remove.
    pub async fn prepare_vxlan(&self, wanted: &Wanted) -> Result<Link, NetlinkError> {
        let name = device_name(wanted.vni);
        let link = match self.link(&name).await? {
            Some(link) if wanted.is(&link) => link,
            Some(_) => return Err(NetlinkError::OtherVxlan { name }),
            None => {
                let message = RouteNetlinkMessage::NewLink(wanted.message());
                self.request(Verb::Put, message, || format!("create {name}"))
                    .await?;
                let made = self.link(&name).await?;
                made.ok_or_else(|| NetlinkError::Request {
                    operation: format!("create {name}"),
                    source: io::Error::other("it went away at once; does flanneld run?"),
                })?
            }
        };
        if sysctl::has_ipv6() {
            sysctl::write("ipv6", &name, "accept_ra", "0")?;
        }
        self.put_zero_address(&link, wanted.subnet).await?;
        let entries = wanted.peers.iter();
        let entries = entries.flat_map(|peer| [arp(link.index, peer), fdb(link.index, peer)]);
        self.put_all(entries.collect(), || {
            format!("put neighbours and forwarding entries into {name}")
        })
        .await?;
        Ok(link)
    }

    /// `<subnet>.0/32`, and no other address.
    async fn put_zero_address(&self, link: &Link, subnet: Ipv4Net) -> Result<(), NetlinkError> {
        for message in self.addresses(link.index).await? {
            if local_address(&message) != Some(subnet.network()) {
                let message = RouteNetlinkMessage::DelAddress(message);
                let operation = || format!("remove an old address from {}", link.name);
                self.request(Verb::Change, message, operation).await?;
            }
        }
        let message = AddressMessageBuilder::<Ipv4Addr>::new()
            .index(link.index)
            .address(subnet.network(), 32)
            .build();
        let message = RouteNetlinkMessage::NewAddress(message);
        let operation = || format!("give {} the address {}", link.name, subnet.network());
        self.request(Verb::Put, message, operation).await.map(drop)
    }

    /// Brings the device up, and with that takes its UDP port. `false`: another has the port.
    pub async fn raise_vxlan(&self, link: &Link) -> Result<bool, NetlinkError> {
        let up = LinkUnspec::new_with_index(link.index).up().build();
        let operation = || format!("bring {} up", link.name);
        match self.change_link(up, operation).await {
            Ok(()) => Ok(true),
            Err(NetlinkError::Request { source, .. })
                if source.kind() == io::ErrorKind::AddrInUse =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Routes into a device that is up: from here on packets to pods of others leave through it.
    pub async fn route_into_vxlan(&self, link: &Link, wanted: &Wanted) -> Result<(), NetlinkError> {
        let tunnelled = wanted.peers.iter().map(|peer| {
            let mut route = route_through(link.index, peer.subnet, peer.subnet.network());
            route.header.flags = RouteFlags::Onlink;
            route
        });
        let direct = wanted.direct.iter();
        let direct = direct.map(|(subnet, peer)| route_through(wanted.carrier, *subnet, *peer));
        let routes = tunnelled.chain(direct).map(RouteNetlinkMessage::NewRoute);
        let operation = || format!("route into {}", link.name);
        self.put_all(routes.collect(), operation).await
    }

    /// Removes the routes that lead into a device, so that the next best ones hold at once; how many. The device may have
    /// thousands, and its own end would take them away only after it had stopped to carry packets.
    pub async fn route_around(&self, link: &Link) -> Result<usize, NetlinkError> {
        let mut routes = self.main_routes().await?;
        routes.retain(|route| route::device(route) == Some(link.index));
        self.remove_routes(routes, &link.name).await
    }

    /// Removes the routes that flanneld made for `DirectRouting`: to a subnet of the network, through a node on our link.
    pub async fn remove_direct_routes(
        &self,
        carrier: u32,
        network: Ipv4Net,
        subnet_len: u8,
    ) -> Result<usize, NetlinkError> {
        let mut routes = self.main_routes().await?;
        routes.retain(|route| {
            let (prefix, len) = route::destination(route);
            let gateway = |it: &RouteAttribute| matches!(it, RouteAttribute::Gateway(_));
            route.header.protocol == RouteProtocol::Boot
                && route::device(route) == Some(carrier)
                && len == subnet_len
                && network.contains(&prefix)
                && route.attributes.iter().any(gateway)
        });
        self.remove_routes(routes, "nodes on our link").await
    }

    async fn remove_routes(
        &self,
        routes: Vec<RouteMessage>,
        to: &str,
    ) -> Result<usize, NetlinkError> {
        let count = routes.len();
        let orders = routes.into_iter().map(RouteNetlinkMessage::DelRoute);
        let answers = self.batch(Verb::Change, orders.collect()).await;
        // It is gone already.
        let gone = Some(rustix::io::Errno::SRCH.raw_os_error());
        neighbour::first_error(answers, |error| error.raw_os_error() == gone).map_err(
            |source| NetlinkError::Request {
                operation: format!("remove flannel's routes to {to}"),
                source,
            },
        )?;
        Ok(count)
    }

    /// IPv4 addresses of /32 on a device: on flannel's, `<subnet>.0`.
    pub async fn zero_addresses(&self, device: u32) -> Result<BTreeSet<Ipv4Addr>, NetlinkError> {
        let addresses = self.addresses(device).await?;
        let whole = addresses.iter().filter(|it| it.header.prefix_len == 32);
        Ok(whole.filter_map(local_address).collect())
    }

    async fn put_all(
        &self,
        orders: Vec<RouteNetlinkMessage>,
        operation: impl FnOnce() -> String,
    ) -> Result<(), NetlinkError> {
        let answers = self.batch(Verb::Put, orders).await;
        neighbour::first_error(answers, |_| false).map_err(|source| NetlinkError::Request {
            operation: operation(),
            source,
        })
    }
}

/// Where a VTEP MAC is: at its node's PublicIP.
fn fdb(device: u32, peer: &Peer) -> RouteNetlinkMessage {
    let mut message = fixed(device, AddressFamily::Bridge, peer.public_ip, peer.mac);
    message.header.flags = NeighbourFlags::Own;
    RouteNetlinkMessage::NewNeighbour(message)
}

/// Who answers for a node's `.0`, the gateway of the route to its pods.
fn arp(device: u32, peer: &Peer) -> RouteNetlinkMessage {
    let gateway = peer.subnet.network();
    let mut message = fixed(device, AddressFamily::Inet, gateway, peer.mac);
    message.header.kind = RouteType::Unicast;
    RouteNetlinkMessage::NewNeighbour(message)
}

fn fixed(device: u32, family: AddressFamily, address: Ipv4Addr, mac: Mac) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family;
    message.header.ifindex = device;
    message.header.state = NeighbourState::Permanent;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
        NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()),
    ];
    message
}

fn route_through(device: u32, subnet: Ipv4Net, gateway: Ipv4Addr) -> RouteMessage {
    RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(subnet.network(), subnet.prefix_len())
        .gateway(gateway)
        .output_interface(device)
        .protocol(RouteProtocol::Boot)
        .build()
}
