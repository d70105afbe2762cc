//! What there is to choose the underlay from ([`choice`](crate::choice) has the rules), and whether what is chosen can carry the tunnel.

use std::net::{IpAddr, Ipv4Addr};

use contract::config::Config;
use rtnetlink::packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Netlink, NetlinkError, Verb};
use crate::choice::{Address, Device, Node, choose};
use crate::compile::Underlay;

impl Netlink {
    /// The underlay for this configuration, as the node is now.
    pub async fn underlay(&self, config: &Config) -> Result<Underlay, NetlinkError> {
        let mut links = self.links().await?;
        links.sort_by_key(|link| link.index);
        // A pattern or an address must not lead the tunnel into itself.
        let own = [&config.overlay.device, &config.overlay.engine_device()];
        links.retain(|link| !own.contains(&&link.name));
        let devices = links.iter().map(|link| Device {
            index: link.index,
            name: link.name.clone(),
        });
        let reach = match config.underlay.can_reach {
            Some(target) => Some(self.reach(target).await?),
            None => None,
        };
        let node = Node {
            devices: devices.collect(),
            addresses: self
                .all_addresses()
                .await?
                .iter()
                .filter_map(address)
                .collect(),
            default_device: self.default_device().await?,
            reach,
        };
        let choice = choose(&config.underlay, &node)?;
        let link = links.into_iter().find(|link| link.index == choice.device);
        let link = link.ok_or_else(|| NetlinkError::BadUnderlay {
            name: choice.device.to_string(),
            problem: "went away while it was looked at, or is our own uplink".into(),
        })?;
        let bad = |problem: &str| NetlinkError::BadUnderlay {
            name: link.name.clone(),
            problem: problem.into(),
        };
        let mac = link.mac.ok_or_else(|| {
            bad("is no Ethernet device; set underlay.interface (--iface) to one that is")
        })?;
        if !link.up {
            return Err(bad("is down; bring it up"));
        }
        Ok(Underlay {
            index: link.index,
            name: link.name,
            mac,
            mtu: link.mtu,
            address: choice.address,
            public_ip: choice.public_ip,
        })
    }

    /// `ip route get`: through which device, and from which address. The inner error is the kernel's "no", in words.
    async fn reach(
        &self,
        target: Ipv4Addr,
    ) -> Result<Result<(u32, Option<Ipv4Addr>), String>, NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.destination_prefix_length = 32;
        let destination = RouteAttribute::Destination(RouteAddress::Inet(target));
        message.attributes.push(destination);
        let message = RouteNetlinkMessage::GetRoute(message);
        let operation = || format!("look up the route to {target}");
        let answers = match self.request(Verb::Get, message, operation).await {
            Ok(answers) => answers,
            Err(NetlinkError::Request { source, .. }) => return Ok(Err(source.to_string())),
            Err(error) => return Err(error),
        };
        let Some(RouteNetlinkMessage::NewRoute(route)) = answers.into_iter().next() else {
            return Ok(Err("the kernel gave no answer".into()));
        };
        let (mut device, mut source) = (None, None);
        for attribute in route.attributes {
            match attribute {
                RouteAttribute::Oif(index) => device = Some(index),
                RouteAttribute::PrefSource(RouteAddress::Inet(ip)) => source = Some(ip),
                _ => {}
            }
        }
        Ok(device
            .map(|device| (device, source))
            .ok_or_else(|| "the route names no device".into()))
    }

    /// IPv4 addresses of a device, in the kernel's order.
    pub(crate) async fn addresses(&self, device: u32) -> Result<Vec<AddressMessage>, NetlinkError> {
        let mut addresses = self.all_addresses().await?;
        addresses.retain(|message| message.header.index == device);
        Ok(addresses)
    }

    async fn all_addresses(&self) -> Result<Vec<AddressMessage>, NetlinkError> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        let message = RouteNetlinkMessage::GetAddress(message);
        let answers = self
            .request(Verb::Dump, message, || "list the addresses".into())
            .await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewAddress(message) => Some(message),
                _ => None,
            })
            .collect())
    }
}

fn address(message: &AddressMessage) -> Option<Address> {
    let flags = message.header.flags;
    Some(Address {
        device: message.header.index,
        ip: local_address(message)?,
        permanent: flags.contains(AddressHeaderFlags::Permanent),
        secondary: flags.contains(AddressHeaderFlags::Secondary),
        deprecated: flags.contains(AddressHeaderFlags::Deprecated),
    })
}

/// Our own side of an address; on a point-to-point device the other attribute is the peer's.
pub(crate) fn local_address(message: &AddressMessage) -> Option<Ipv4Addr> {
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            AddressAttribute::Local(IpAddr::V4(address)) => Some(*address),
            _ => None,
        })
}
