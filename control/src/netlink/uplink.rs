//! The uplink: a veth pair whose one end (`tweed0`) is the host's way into the pod network and whose other end (`tweed0x`)
//! the engine polls.
//!
//! Created if absent, adopted if right, repaired where a property differs, replaced if it cannot be repaired. An uplink
//! that is right is not touched, so a restart costs no packet; for the same reason it is left in place at a stop, as
//! flannel leaves its device. What is right:
//!
//! - as many queues at both ends as there are workers, for a worker owns queue *i* of every port;
//! - both ends NOARP, without multicast and IPv6: nothing but routed packets ever reaches the engine (FLANNEL.md T11);
//! - checksum and segmentation offloads off, so that every packet in it is complete (see `offload`);
//! - the kernel's end has the VTEP MAC, `<subnet>.0/32` (T8) and one route for the whole network.

use std::net::Ipv4Addr;

use contract::wire::Mac;
use ipnet::Ipv4Net;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use rtnetlink::{AddressMessageBuilder, LinkUnspec};

use super::link::Link;
use super::underlay::local_address;
use super::{Netlink, NetlinkError, Verb, offload, sysctl};
use crate::compile::Uplink;

/// What the uplink must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The kernel's end.
    pub device: String,
    /// The engine's end.
    pub engine_device: String,
    /// The VTEP MAC.
    pub vtep_mac: Mac,
    /// Bytes of the largest pod packet.
    pub mtu: u32,
    /// Queues at each end: the number of workers.
    pub queues: u32,
    /// All pods of the cluster.
    pub network: Ipv4Net,
    /// Our pods.
    pub subnet: Ipv4Net,
}

impl Wanted {
    /// The engine's end differs from the VTEP MAC in the last bit. A MAC given at creation is one that udev's
    /// MACAddressPolicy leaves alone (flannel issues #1155, #1795).
    fn engine_mac(&self) -> Mac {
        let mut bytes = self.vtep_mac.0;
        bytes[5] ^= 1;
        Mac(bytes)
    }
}

impl Netlink {
    /// Makes the uplink right.
    pub async fn ensure_uplink(&self, wanted: &Wanted) -> Result<Uplink, NetlinkError> {
        let (host, engine) = match self.adopt(wanted).await? {
            Some(pair) => pair,
            None => self.create(wanted).await?,
        };
        for link in [&host, &engine] {
            if sysctl::has_ipv6() {
                sysctl::write("ipv6", &link.name, "disable_ipv6", "1")?;
            }
            offload::disable(&link.name)?;
        }
        self.repair(&host, wanted.vtep_mac, wanted.mtu).await?;
        self.repair(&engine, wanted.engine_mac(), wanted.mtu)
            .await?;
        set_sysctls(&host.name)?;
        self.put_address(&host, wanted.subnet).await?;
        self.put_uplink_routes(host.index, wanted.network, wanted.subnet)
            .await?;
        Ok(Uplink {
            engine_device: engine.name,
            host_mac: wanted.vtep_mac,
            engine_mac: wanted.engine_mac(),
            mtu: wanted.mtu,
        })
    }

    /// The pair that is there, if it can be used. One that cannot is removed, if it is a veth at all.
    async fn adopt(&self, wanted: &Wanted) -> Result<Option<(Link, Link)>, NetlinkError> {
        let host = self.link(&wanted.device).await?;
        let engine = self.link(&wanted.engine_device).await?;
        for link in [&host, &engine].into_iter().flatten() {
            if link.kind.as_deref() != Some("veth") {
                return Err(NetlinkError::ForeignDevice {
                    name: link.name.clone(),
                    kind: link.kind.clone().unwrap_or_else(|| "hardware".into()),
                });
            }
        }
        if let (Some(host), Some(engine)) = (&host, &engine)
            && host.peer == Some(engine.index)
            && [host, engine]
                .iter()
                .all(|link| link.queues == (wanted.queues, wanted.queues))
        {
            return Ok(Some((host.clone(), engine.clone())));
        }
        for link in [&wanted.device, &wanted.engine_device] {
            // Asked again, for removing one end of a pair removes the other.
            if let Some(link) = self.link(link).await? {
                tracing::info!(
                    device = link.name,
                    "replacing the uplink: not as configured"
                );
                self.remove_link(&link).await?;
            }
        }
        Ok(None)
    }

    async fn create(&self, wanted: &Wanted) -> Result<(Link, Link), NetlinkError> {
        let engine = end(&wanted.engine_device, wanted.engine_mac(), wanted);
        let mut host = end(&wanted.device, wanted.vtep_mac, wanted);
        host.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(engine))),
        ]));
        let message = RouteNetlinkMessage::NewLink(host);
        self.request(Verb::Put, message, || format!("create {}", wanted.device))
            .await?;
        match (
            self.link(&wanted.device).await?,
            self.link(&wanted.engine_device).await?,
        ) {
            (Some(host), Some(engine)) => Ok((host, engine)),
            _ => Err(NetlinkError::Request {
                operation: format!("create {}", wanted.device),
                source: std::io::Error::other("it went away at once; is another daemon at work?"),
            }),
        }
    }

    /// Brings one end to its MAC, MTU and flags, and up.
    async fn repair(&self, link: &Link, mac: Mac, mtu: u32) -> Result<(), NetlinkError> {
        if link.mac == Some(mac) && link.mtu == mtu && link.up && link.noarp && !link.multicast {
            return Ok(());
        }
        let message = LinkUnspec::new_with_index(link.index)
            .address(mac.0.to_vec())
            .mtu(mtu)
            .arp(false)
            .multicast(false)
            .up()
            .build();
        self.change_link(message, || {
            format!("bring {} up with MTU {mtu} and MAC {mac}", link.name)
        })
        .await
    }

    /// `<subnet>.0/32` and no other address.
    async fn put_address(&self, host: &Link, subnet: Ipv4Net) -> Result<(), NetlinkError> {
        let mut present = false;
        for message in self.addresses(host.index).await? {
            let address = local_address(&message);
            if address == Some(subnet.network()) && message.header.prefix_len == 32 {
                present = true;
                continue;
            }
            let message = RouteNetlinkMessage::DelAddress(message);
            self.request(Verb::Change, message, || {
                format!("remove an old address from {}", host.name)
            })
            .await?;
        }
        if present {
            return Ok(());
        }
        let message = AddressMessageBuilder::<Ipv4Addr>::new()
            .index(host.index)
            .address(subnet.network(), 32)
            .build();
        let message = RouteNetlinkMessage::NewAddress(message);
        self.request(Verb::Put, message, || {
            format!("give {} the address {}", host.name, subnet.network())
        })
        .await
        .map(drop)
    }
}

/// One end as a creation message.
fn end(name: &str, mac: Mac, wanted: &Wanted) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.flags = LinkFlags::Noarp;
    message.header.change_mask = LinkFlags::Noarp | LinkFlags::Multicast;
    message.attributes = vec![
        LinkAttribute::IfName(name.into()),
        LinkAttribute::Address(mac.0.to_vec()),
        LinkAttribute::Mtu(wanted.mtu),
        LinkAttribute::NumRxQueues(wanted.queues),
        LinkAttribute::NumTxQueues(wanted.queues),
    ];
    message
}

/// What the kernel must let in from the engine: packets of pods anywhere in the network (forwarding), and ICMP errors whose
/// source is our own gateway address (accept_local; linux: net/ipv4/fib_frontend.c, fib_validate_source).
///
/// Source validation is the larger of `all` and the device's (IN_DEV_MAXCONF). Where an administrator has strict (1) for
/// all, loose (2) on ours wins over it; strict would drop those ICMP errors whatever else is set.
fn set_sysctls(device: &str) -> Result<(), NetlinkError> {
    let all = sysctl::read("ipv4", "all", "rp_filter").unwrap_or_default();
    let rp_filter = if all == "0" { "0" } else { "2" };
    for (name, value) in [
        ("rp_filter", rp_filter),
        ("accept_local", "1"),
        ("forwarding", "1"),
    ] {
        sysctl::write("ipv4", device, name, value)?;
    }
    Ok(())
}
