//! Finds the device that carries the tunnel and the address that other nodes send to, as flannel does
//! (pkg/ipmatch/match.go, pkg/ip/iface.go): the configured ones, else the default route's device and its first global
//! IPv4 address, permanent before dynamic.

use std::net::{IpAddr, Ipv4Addr};

use rtnetlink::packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::link::Link;
use super::{Netlink, NetlinkError, Verb};
use crate::compile::Underlay;

impl Netlink {
    /// The underlay for this configuration, as the node is now.
    pub async fn underlay(
        &self,
        config: &contract::config::Underlay,
    ) -> Result<Underlay, NetlinkError> {
        let link = match &config.interface {
            Some(name) => match self.link(name).await? {
                Some(link) => link,
                None => {
                    return Err(NetlinkError::NoInterface {
                        name: name.clone(),
                        present: self.candidates().await?,
                    });
                }
            },
            None => match self.default_device().await? {
                Some(index) => {
                    self.link_at(index)
                        .await?
                        .ok_or_else(|| NetlinkError::BadUnderlay {
                            name: index.to_string(),
                            problem: "went away while it was looked at".into(),
                        })?
                }
                None => {
                    return Err(NetlinkError::NoDefaultRoute {
                        present: self.candidates().await?,
                    });
                }
            },
        };
        let bad = |problem: &str| NetlinkError::BadUnderlay {
            name: link.name.clone(),
            problem: problem.into(),
        };
        let mac = link
            .mac
            .ok_or_else(|| bad("is no Ethernet device; set underlay.interface to one that is"))?;
        if !link.up {
            return Err(bad("is down; bring it up"));
        }
        let public_ip = match config.public_ip {
            Some(address) if self.has_address(link.index, address).await? => address,
            // flannel publishes any address; our program and socket only know datagrams that arrive under the published one.
            Some(address) => {
                return Err(bad(&format!(
                    "does not have the address {address} of underlay.public_ip; give it to the device, or leave the key empty"
                )));
            }
            None => self
                .global_address(link.index)
                .await?
                .ok_or_else(|| NetlinkError::NoAddress(link.name.clone()))?,
        };
        Ok(Underlay {
            index: link.index,
            name: link.name,
            mac,
            mtu: link.mtu,
            public_ip,
        })
    }

    /// Names of the devices that could be an underlay.
    async fn candidates(&self) -> Result<String, NetlinkError> {
        let links = self.links().await?;
        let names: Vec<String> = links
            .into_iter()
            .filter(|link| link.mac.is_some() && link.name != "lo")
            .map(|Link { name, .. }| name)
            .collect();
        Ok(match names.as_slice() {
            [] => "none".into(),
            names => names.join(", "),
        })
    }

    async fn has_address(&self, device: u32, wanted: Ipv4Addr) -> Result<bool, NetlinkError> {
        let addresses = self.addresses(device).await?;
        Ok(addresses
            .iter()
            .filter_map(local_address)
            .any(|address| address == wanted))
    }

    async fn global_address(&self, device: u32) -> Result<Option<Ipv4Addr>, NetlinkError> {
        let addresses = self.addresses(device).await?;
        Ok(addresses
            .iter()
            .filter(|message| {
                message.header.scope == AddressScope::Universe
                    && !message
                        .header
                        .flags
                        .contains(AddressHeaderFlags::Deprecated)
            })
            .filter_map(|message| {
                let dynamic = !message.header.flags.contains(AddressHeaderFlags::Permanent);
                Some((dynamic, local_address(message)?))
            })
            // Stable: the first in the kernel's order among equals.
            .min_by_key(|(dynamic, _)| *dynamic)
            .map(|(_, address)| address))
    }

    /// IPv4 addresses of a device, in the kernel's order.
    pub(crate) async fn addresses(&self, device: u32) -> Result<Vec<AddressMessage>, NetlinkError> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        let message = RouteNetlinkMessage::GetAddress(message);
        let answers = self
            .request(Verb::Dump, message, || "list the addresses".into())
            .await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewAddress(message) if message.header.index == device => {
                    Some(message)
                }
                _ => None,
            })
            .collect())
    }
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
