//! Neighbour entries: which MAC answers for a next hop, and orders to the kernel to find out and keep knowing.
//!
//! The kernel does the ARP. An entry that nobody sends through goes stale and is forgotten, and the engine's packets do not
//! count as use; so ours are made `managed` (NTF_EXT_MANAGED, Linux 5.16: the kernel itself refreshes them) and
//! `extern_learn`, which exempts them from the garbage collection that begins at gc_thresh1 (128 entries). An older
//! kernel ignores the first; there the periodic `use` does the same. linux: net/core/neighbour.c, neigh_add.

use std::io;
use std::net::Ipv4Addr;

use contract::wire::Mac;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage,
    NeighbourState,
};
use rtnetlink::packet_route::route::RouteProtocol;
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::route::PROTOCOL;
use super::{Netlink, NetlinkError, Verb};

/// An IPv4 neighbour entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Interface.
    pub device: u32,
    /// Key.
    pub address: Ipv4Addr,
    /// The MAC, if the kernel would send to it now.
    pub mac: Option<Mac>,
    /// Set by an administrator for good (permanent), or needing no ARP. Not ours to touch: `use` would end its permanence.
    pub fixed: bool,
    /// The kernel keeps it fresh by itself.
    pub managed: bool,
    /// Made by tweed, this run or an earlier one.
    pub ours: bool,
}

impl Neighbour {
    /// `None` for what is no IPv4 neighbour: bridge entries, IPv6.
    pub fn parse(message: NeighbourMessage) -> Option<Self> {
        use NeighbourState::{Delay, Noarp, Permanent, Probe, Reachable, Stale};
        if message.header.family != AddressFamily::Inet {
            return None;
        }
        let state = message.header.state;
        let mut address = None;
        let mut neighbour = Neighbour {
            device: message.header.ifindex,
            address: Ipv4Addr::UNSPECIFIED,
            mac: None,
            fixed: matches!(state, Permanent | Noarp),
            managed: false,
            ours: false,
        };
        for attribute in message.attributes {
            match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet(key)) => address = Some(key),
                NeighbourAttribute::LinkLayerAddress(bytes) => {
                    neighbour.mac = bytes.try_into().ok().map(Mac);
                }
                NeighbourAttribute::ExtFlags(flags) => {
                    neighbour.managed = flags.contains(NeighbourExtFlags::Managed);
                }
                NeighbourAttribute::Protocol(protocol) => {
                    neighbour.ours = protocol == RouteProtocol::Other(PROTOCOL);
                }
                _ => {}
            }
        }
        // A failed or incomplete entry still shows the MAC of its better days.
        if !matches!(state, Reachable | Stale | Delay | Probe | Permanent | Noarp) {
            neighbour.mac = None;
        }
        neighbour.address = address?;
        Some(neighbour)
    }
}

impl Netlink {
    /// All IPv4 entries on a device.
    pub async fn neighbours(&self, device: u32) -> Result<Vec<Neighbour>, NetlinkError> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.attributes.push(NeighbourAttribute::IfIndex(device));
        let message = RouteNetlinkMessage::GetNeighbour(message);
        let answers = self
            .request(Verb::Dump, message, || "list the neighbours".into())
            .await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewNeighbour(message) => Neighbour::parse(message),
                _ => None,
            })
            .filter(|neighbour| neighbour.device == device)
            .collect())
    }

    /// Has the kernel resolve these now and keep them resolved.
    pub(crate) async fn resolve(
        &self,
        device: u32,
        addresses: &[Ipv4Addr],
    ) -> Result<(), NetlinkError> {
        let orders = addresses.iter().map(|address| {
            let mut message = entry(device, *address);
            message.header.flags = NeighbourFlags::Use | NeighbourFlags::ExtLearned;
            let managed = NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed);
            message.attributes.push(managed);
            RouteNetlinkMessage::NewNeighbour(message)
        });
        let answers = self.batch(Verb::Put, orders.collect()).await;
        first_error(answers, |_| false).map_err(|source| NetlinkError::Request {
            operation: format!("resolve {} neighbours", addresses.len()),
            source,
        })
    }

    /// Removes all entries of ours on a device.
    pub(crate) async fn forget_ours(&self, device: u32) -> Result<(), NetlinkError> {
        let mut ours = self.neighbours(device).await?;
        ours.retain(|neighbour| neighbour.ours && !neighbour.fixed);
        let ours: Vec<_> = ours.iter().map(|neighbour| neighbour.address).collect();
        self.forget(device, &ours).await
    }

    /// Removes entries of ours that no peer needs any more.
    pub(crate) async fn forget(
        &self,
        device: u32,
        addresses: &[Ipv4Addr],
    ) -> Result<(), NetlinkError> {
        let orders = addresses
            .iter()
            .map(|address| RouteNetlinkMessage::DelNeighbour(entry(device, *address)));
        let answers = self.batch(Verb::Change, orders.collect()).await;
        // Already gone is as good.
        first_error(answers, |error| error.kind() == io::ErrorKind::NotFound).map_err(|source| {
            NetlinkError::Request {
                operation: format!("remove {} neighbours", addresses.len()),
                source,
            }
        })
    }
}

fn entry(device: u32, address: Ipv4Addr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = device;
    message.header.state = NeighbourState::None;
    message.attributes = vec![
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
        NeighbourAttribute::Protocol(RouteProtocol::Other(PROTOCOL)),
    ];
    message
}

pub(super) fn first_error(
    answers: io::Result<Vec<io::Result<Option<RouteNetlinkMessage>>>>,
    harmless: impl Fn(&io::Error) -> bool,
) -> io::Result<()> {
    let errors = answers?.into_iter().filter_map(Result::err);
    errors
        .into_iter()
        .find(|error| !harmless(error))
        .map_or(Ok(()), Err)
}
