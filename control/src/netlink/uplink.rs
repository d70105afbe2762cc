//! The uplink: the host's way into the pod network, `tweed0`. It is a veth pair, whose other end (`tweed0x`) the engine polls,
//! or a TUN device, to which the engine attaches a queue for each worker.
//!
//! Created if absent, adopted if right, repaired where a property differs, replaced if it cannot be repaired. An uplink
//! that is right is not touched, so a restart costs no packet; for the same reason it is left in place at a stop, as
//! flannel leaves its device. What is right:
//!
//! - of the configured kind; one of the other kind is removed, if it is one that tweed makes;
//! - NOARP, without multicast and IPv6: nothing but routed packets ever reaches the engine (FLANNEL.md T11);
//! - the kernel's end has `<subnet>.0/32` (T8) and one route for the whole network;
//! - a pair: as many queues at both ends as there are workers, for a worker owns queue *i* of every port; checksum and
//!   segmentation offloads off, so that every packet in it is complete (see `offload`); the VTEP MAC at the kernel's end;
//! - a TUN: persistent, so that address and routes outlive the engine. It has a carrier while an engine is attached. Its
//!   offloads are the engine's to set, for it is the engine that can take large packets.

use std::net::Ipv4Addr;

use contract::config::{BindMode, OverlayKind};
use contract::tun;
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
    /// A veth pair or a TUN.
    pub kind: OverlayKind,
    /// The kernel's end.
    pub device: String,
    /// What the engine opens: the other end of a pair, the same as `device` for a TUN.
    pub engine_device: String,
    /// The VTEP MAC.
    pub vtep_mac: Mac,
    /// Bytes of the largest pod packet.
    pub mtu: u32,
    /// Queues at each end of a pair: the number of workers. A TUN has those that are attached.
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

    /// Whether this is it, but for what can be repaired.
    fn is(&self, host: &Link, engine: &Link) -> bool {
        match self.kind {
            OverlayKind::Veth => {
                host.peer == Some(engine.index)
                    && [host, engine]
                        .iter()
                        .all(|link| link.queues == (self.queues, self.queues))
            }
            OverlayKind::Tun => host.is_our_tun,
        }
    }
}

impl Netlink {
    /// Makes the uplink right.
    pub async fn ensure_uplink(&self, wanted: &Wanted) -> Result<Uplink, NetlinkError> {
        let (host, engine) = match self.adopt(wanted).await? {
            Some(found) => found,
            None => self.create(wanted).await?,
        };
        // A TUN is both ends in one, and has no MAC.
        let ends = match wanted.kind {
            OverlayKind::Veth => vec![
                (&host, Some(wanted.vtep_mac)),
                (&engine, Some(wanted.engine_mac())),
            ],
            OverlayKind::Tun => vec![(&host, None)],
        };
        for (link, mac) in ends {
            if sysctl::has_ipv6() {
                sysctl::write("ipv6", &link.name, "disable_ipv6", "1")?;
            }
            if wanted.kind == OverlayKind::Veth {
                offload::disable(&link.name)?;
            }
            self.repair(link, mac, wanted.mtu).await?;
        }
        set_sysctls(&host.name)?;
        self.put_address(&host, wanted.subnet).await?;
        self.put_uplink_routes(wanted.kind, host.index, wanted.network, wanted.subnet)
            .await?;
        Ok(Uplink {
            mode: match wanted.kind {
                OverlayKind::Veth => BindMode::Auto,
                OverlayKind::Tun => BindMode::Tun,
            },
            engine_device: engine.name,
            host_mac: wanted.vtep_mac,
            engine_mac: wanted.engine_mac(),
            mtu: wanted.mtu,
        })
    }

    /// Removes an uplink, if it is a veth or a TUN as tweed makes one.
    pub async fn remove_uplink(
        &self,
        device: &str,
        engine_device: &str,
    ) -> Result<(), NetlinkError> {
        for name in [device, engine_device] {
            if let Some(link) = self.link(name).await?
                && (link.kind.as_deref() == Some("veth") || link.is_our_tun)
            {
                self.remove_link(&link).await?;
            }
        }
        Ok(())
    }

    /// What is there, if it can be used. What cannot is removed, if it is a veth or a TUN as tweed makes one.
    async fn adopt(&self, wanted: &Wanted) -> Result<Option<(Link, Link)>, NetlinkError> {
        let host = self.link(&wanted.device).await?;
        let engine = self.link(&wanted.engine_device).await?;
        for link in [&host, &engine].into_iter().flatten() {
            if link.kind.as_deref() != Some("veth") && !link.is_our_tun {
                return Err(NetlinkError::ForeignDevice {
                    name: link.name.clone(),
                    kind: link.kind.clone().unwrap_or_else(|| "hardware".into()),
                });
            }
        }
        if let (Some(host), Some(engine)) = (&host, &engine)
            && wanted.is(host, engine)
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
        match wanted.kind {
            OverlayKind::Veth => self.create_pair(wanted).await?,
            OverlayKind::Tun => create_tun(&wanted.device)?,
        }
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

    async fn create_pair(&self, wanted: &Wanted) -> Result<(), NetlinkError> {
        let engine = end(&wanted.engine_device, wanted.engine_mac(), wanted);
        let mut host = end(&wanted.device, wanted.vtep_mac, wanted);
        host.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(engine))),
        ]));
        let message = RouteNetlinkMessage::NewLink(host);
        self.request(Verb::Put, message, || format!("create {}", wanted.device))
            .await
            .map(drop)
    }

    /// Brings one end to its MAC, MTU and flags, and up.
    async fn repair(&self, link: &Link, mac: Option<Mac>, mtu: u32) -> Result<(), NetlinkError> {
        if link.mac == mac && link.mtu == mtu && link.up && link.noarp && !link.multicast {
            return Ok(());
        }
        let mut change = LinkUnspec::new_with_index(link.index)
            .mtu(mtu)
            .arp(false)
            .multicast(false)
            .up();
        if let Some(mac) = mac {
            change = change.address(mac.0.to_vec());
        }
        self.change_link(change.build(), || match mac {
            Some(mac) => format!("bring {} up with MTU {mtu} and MAC {mac}", link.name),
            None => format!("bring {} up with MTU {mtu}", link.name),
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

/// A TUN that stays when this queue of it is closed again.
fn create_tun(device: &str) -> Result<(), NetlinkError> {
    tun::attach(device)
        .and_then(|queue| tun::persist(&queue))
        .map_err(|source| NetlinkError::Tun {
            name: device.into(),
            source,
        })
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
