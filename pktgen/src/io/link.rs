//! What the machine says about an interface, asked by netlink from inside its namespace: /sys/class/net would show the
//! interfaces of the namespace that it was mounted in, whichever a thread is in.
//!
//! Sources: linux include/uapi/linux/if_link.h; for the speed those of `speed`.

pub(in crate::io) mod netlink;
mod speed;

use std::net::IpAddr;
use std::path::PathBuf;

use futures::TryStreamExt;
use rtnetlink::Handle;
use rtnetlink::packet_route::address::{AddressAttribute, AddressScope};
use rtnetlink::packet_route::link::{
    LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};

use self::netlink::said;
use super::Interface;
use crate::error::{Failure, Result};
use crate::profile::Mac;

/// An interface that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Kernel's index, in its namespace.
    pub index: u32,
    /// Its address.
    pub mac: Mac,
    /// MTU, bytes.
    pub mtu: u32,
    /// Driver: that of the device, or the kind of a virtual one as `ip -d link` has it (`veth`, `bridge`).
    pub driver: String,
    /// Mbit/s, if the driver tells.
    pub speed: Option<u32>,
    /// Receive queues.
    pub rx_queues: u32,
    /// Transmit queues.
    pub tx_queues: u32,
}

/// Looks it up.
///
/// # Errors
/// [`Failure::Environment`]: no such interface or namespace, or it is down, or
/// has no Ethernet frames.
pub fn find(interface: &Interface) -> Result<Link> {
    Ok(look(interface)?.0)
}

/// As [`find`], and insists that something is at the other end: a sender of whom the driver takes nothing looks just
/// like one whose ring is full, for ever.
///
/// # Errors
/// As [`find`]; no carrier.
pub fn find_connected(interface: &Interface) -> Result<Link> {
    let (link, flags) = look(interface)?;
    if flags.contains(LinkFlags::LowerUp) {
        return Ok(link);
    }
    Err(Failure::environment(
        title(interface),
        "no carrier: plug in the cable, or set the other end of the pair up (`ip link set PEER up`)",
    ))
}

/// Addresses of global scope, IPv4 first, otherwise as `ip address` lists them.
///
/// # Errors
/// As [`find`].
pub fn addresses(interface: &Interface) -> Result<Vec<IpAddr>> {
    let mut found = netlink::ask(interface, async |handle| {
        let index = message(&handle, interface).await?.header.index;
        let request = handle.address().get().set_link_index_filter(index);
        let mut found = Vec::new();
        let mut messages = std::pin::pin!(request.execute());
        while let Some(message) = messages.try_next().await.map_err(said(interface))? {
            if message.header.scope == AddressScope::Universe {
                found.extend(own(&message.attributes));
            }
        }
        Ok(found)
    })?;
    // Stable: primary addresses stay in front of secondary ones.
    found.sort_by_key(IpAddr::is_ipv6);
    Ok(found)
}

/// The address of this end. `IFA_ADDRESS` is the peer's where there is a peer, and `IFA_LOCAL` is missing in IPv6
/// where there is none (linux include/uapi/linux/if_addr.h).
fn own(attributes: &[AddressAttribute]) -> Option<IpAddr> {
    let local = attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    local.or_else(|| {
        attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })
}

/// The link and its flags.
pub(super) fn look(interface: &Interface) -> Result<(Link, LinkFlags)> {
    netlink::ask(interface, async |handle| {
        let message = message(&handle, interface).await?;
        let fails = |why: &str| Err(Failure::environment(title(interface), why));
        if !matches!(
            message.header.link_layer_type,
            LinkLayerType::Ether | LinkLayerType::Loopback
        ) {
            return fails("it has no Ethernet frames; traffic is made and read as Ethernet frames");
        }
        if !message.header.flags.contains(LinkFlags::Up) {
            let inside = match &interface.netns {
                Some(netns) => format!("-n {netns} "),
                None => String::new(),
            };
            return fails(&format!(
                "it is down; `ip {inside}link set {} up`",
                interface.name
            ));
        }
        let flags = message.header.flags;
        Ok((read(&message), flags))
    })
}

/// The kernel's message about it; an error that lists the interfaces that there are.
pub(super) async fn message(handle: &Handle, interface: &Interface) -> Result<LinkMessage> {
    let messages: Vec<LinkMessage> = (handle.link().get().execute())
        .try_collect()
        .await
        .map_err(said(interface))?;
    let mut names = Vec::new();
    for message in messages {
        match name(&message) {
            Some(name) if name == interface.name => return Ok(message),
            Some(name) => names.push(name.to_owned()),
            None => {}
        }
    }
    Err(Failure::environment(
        title(interface),
        format!("no such interface; there are {}", names.join(", ")),
    ))
}

/// What errors call it: as the command line writes it.
pub(crate) fn title(interface: &Interface) -> String {
    match &interface.netns {
        Some(netns) => format!("interface {}@{netns}", interface.name),
        None => format!("interface {}", interface.name),
    }
}

fn name(message: &LinkMessage) -> Option<&str> {
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.as_str()),
            _ => None,
        })
}

fn read(message: &LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        mac: Mac([0; 6]),
        mtu: 0,
        driver: String::new(),
        speed: speed::of(message.header.index),
        rx_queues: 1,
        tx_queues: 1,
    };
    let (mut parent, mut bus) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Address(bytes) => {
                link.mac = bytes.as_slice().try_into().map_or(link.mac, Mac);
            }
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::NumRxQueues(queues) => link.rx_queues = *queues,
            LinkAttribute::NumTxQueues(queues) => link.tx_queues = *queues,
            LinkAttribute::ParentDevName(name) => parent = Some(name),
            LinkAttribute::ParentDevBusName(name) => bus = Some(name),
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    if let LinkInfo::Kind(kind) = info {
                        link.driver = kind.to_string();
                    }
                }
            }
            _ => {}
        }
    }
    if let (Some(parent), Some(bus)) = (parent, bus) {
        link.driver = driver(bus, parent).unwrap_or_else(|| bus.clone());
    }
    if link.driver.is_empty() {
        let loopback = message.header.flags.contains(LinkFlags::Loopback);
        link.driver = if loopback { "loopback" } else { "unknown" }.into();
    }
    link
}

/// The driver of a device on a bus. This part of sysfs is the same in all namespaces.
fn driver(bus: &str, device: &str) -> Option<String> {
    let path: PathBuf = ["/sys/bus", bus, "devices", device, "driver"]
        .iter()
        .collect();
    let target = std::fs::read_link(path).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}
