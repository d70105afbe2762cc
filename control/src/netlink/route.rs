//! Routes: the kernel's choice for an address, and the routes that lead into the uplink.
//!
//! Where a packet to a peer goes is the kernel's to say (rules, metrics, multipath, PMTU exceptions: `ip route get`), so it
//! is asked and not imitated.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;

use contract::config::OverlayKind;
use ipnet::Ipv4Net;
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric,
    RouteProtocol, RouteScope, RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Netlink, NetlinkError, Verb};

/// Who made a route or a neighbour entry (rtm_protocol, NDA_PROTOCOL): tweed. A number that rt_protos leaves free; by it a
/// later run knows what it may remove.
pub const PROTOCOL: u8 = 116;

/// The next hop of the route into an uplink that is a veth. It does not exist and is never asked for, for the uplink is NOARP; but with
/// it all pods of all nodes are one neighbour entry to the kernel, where on-link destinations would be one each, up to
/// the table's limit (gc_thresh3, 1024). RFC 3927 keeps 169.254.0.0/24 free. A TUN is point-to-point, which is one neighbour
/// whatever the destination.
const UPLINK_GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 1);

/// Worse than any other: the bridge's own route to the same subnet wins while there is a bridge.
const LAST_RESORT: u32 = u32::MAX;

/// What the kernel would do with a packet to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Interface that it leaves through.
    pub device: u32,
    /// Whose MAC it is sent to, if not the peer's own.
    pub gateway: Option<Ipv4Addr>,
    /// Path MTU if the route has one: a metric, or learned.
    pub mtu: Option<u32>,
}

impl Netlink {
    /// `ip route get` for many addresses: one answer each, in order. An inner error is the kernel's "no", in words.
    pub async fn paths(
        &self,
        peers: &[Ipv4Addr],
    ) -> Result<Vec<Result<Path, String>>, NetlinkError> {
        let questions = peers.iter().map(|peer| {
            let mut message = RouteMessage::default();
            message.header.address_family = AddressFamily::Inet;
            message.header.destination_prefix_length = 32;
            let destination = RouteAttribute::Destination(RouteAddress::Inet(*peer));
            message.attributes.push(destination);
            RouteNetlinkMessage::GetRoute(message)
        });
        let answers = self
            .batch(Verb::Get, questions.collect())
            .await
            .map_err(|source| NetlinkError::Request {
                operation: format!("look up the routes to {} peers", peers.len()),
                source,
            })?;
        Ok(answers.into_iter().map(path).collect())
    }

    /// The device of the preferred IPv4 default route of the main table.
    pub async fn default_device(&self) -> Result<Option<u32>, NetlinkError> {
        let routes = self.main_routes().await?;
        let defaults = routes
            .iter()
            .filter(|route| route.header.destination_prefix_length == 0)
            .filter_map(|route| Some((metric(route), device(route)?)));
        Ok(defaults.min().map(|(_, device)| device))
    }

    /// Makes the routes of the uplink be these and no others of this instance's: the cluster's network through it, and our own subnet
    /// unreachable behind whatever serves it. Without the latter a packet to a subnet of ours that no bridge serves yet
    /// would go round between kernel and engine until its TTL ran out.
    pub(crate) async fn put_uplink_routes(
        &self,
        kind: OverlayKind,
        device: u32,
        network: Ipv4Net,
        subnet: Ipv4Net,
    ) -> Result<(), NetlinkError> {
        let through = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(network.network(), network.prefix_len())
            .output_interface(device)
            .pref_source(subnet.network())
            .protocol(RouteProtocol::Other(PROTOCOL));
        let through = match kind {
            OverlayKind::Veth => {
                let mut through = through.gateway(UPLINK_GATEWAY).build();
                through.header.flags = RouteFlags::Onlink;
                through
            }
            OverlayKind::Tun => through.scope(RouteScope::Link).build(),
        };
        let guard = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(subnet.network(), subnet.prefix_len())
            .kind(RouteType::Unreachable)
            .priority(LAST_RESORT)
            .protocol(RouteProtocol::Other(PROTOCOL))
            .build();
        let wanted: BTreeSet<_> = [destination(&through), destination(&guard)].into();
        // Of this instance's: another one has another uplink and another network, and its routes bear the same protocol number.
        let ours = |route: &RouteMessage| match self::device(route) {
            Some(index) => index == device,
            None => network.contains(&destination(route).0),
        };
        for (route, prefix) in [(through, network), (guard, subnet)] {
            let message = RouteNetlinkMessage::NewRoute(route);
            self.request(Verb::Put, message, || format!("route {prefix}"))
                .await?;
        }
        for route in self.main_routes().await? {
            if route.header.protocol == RouteProtocol::Other(PROTOCOL)
                && ours(&route)
                && !wanted.contains(&destination(&route))
            {
                let (prefix, len) = destination(&route);
                let message = RouteNetlinkMessage::DelRoute(route);
                self.request(Verb::Change, message, || {
                    format!("remove the route to {prefix}/{len}")
                })
                .await?;
            }
        }
        Ok(())
    }

    /// Removes the route that makes our own subnet unreachable where nothing serves it.
    pub(crate) async fn remove_guard(&self, subnet: Ipv4Net) -> Result<(), NetlinkError> {
        for route in self.main_routes().await? {
            if route.header.protocol == RouteProtocol::Other(PROTOCOL)
                && route.header.kind == RouteType::Unreachable
                && destination(&route) == (subnet.network(), subnet.prefix_len())
            {
                let message = RouteNetlinkMessage::DelRoute(route);
                let operation = || format!("remove the route to {subnet}");
                self.request(Verb::Change, message, operation).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn main_routes(&self) -> Result<Vec<RouteMessage>, NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        let message = RouteNetlinkMessage::GetRoute(message);
        let answers = self
            .request(Verb::Dump, message, || "list the routes".into())
            .await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewRoute(route)
                    if route.header.table == RouteHeader::RT_TABLE_MAIN =>
                {
                    Some(route)
                }
                _ => None,
            })
            .collect())
    }
}

fn path(answer: io::Result<Option<RouteNetlinkMessage>>) -> Result<Path, String> {
    let route = match answer {
        Ok(Some(RouteNetlinkMessage::NewRoute(route))) => route,
        Ok(_) => return Err("the kernel gave no answer".into()),
        Err(error) => return Err(error.to_string()),
    };
    if route.header.kind != RouteType::Unicast {
        return Err(format!("the kernel calls it {:?}", route.header.kind).to_lowercase());
    }
    Ok(Path {
        device: device(&route).ok_or("the route names no device")?,
        gateway: route
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => Some(*gateway),
                _ => None,
            }),
        mtu: route
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                RouteAttribute::Metrics(metrics) => {
                    metrics.iter().find_map(|metric| match metric {
                        RouteMetric::Mtu(mtu) => Some(*mtu),
                        _ => None,
                    })
                }
                _ => None,
            }),
    })
}

/// Interface of a route; of a multipath route the first.
pub(super) fn device(route: &RouteMessage) -> Option<u32> {
    route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Oif(device) => Some(*device),
            RouteAttribute::MultiPath(hops) => hops.first().map(|hop| hop.interface_index),
            _ => None,
        })
}

fn metric(route: &RouteMessage) -> u32 {
    let metric = route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Priority(metric) => Some(*metric),
            _ => None,
        });
    metric.unwrap_or(0)
}

pub(super) fn destination(route: &RouteMessage) -> (Ipv4Addr, u8) {
    let prefix = route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(prefix)) => Some(*prefix),
            _ => None,
        });
    (
        prefix.unwrap_or(Ipv4Addr::UNSPECIFIED),
        route.header.destination_prefix_length,
    )
}
