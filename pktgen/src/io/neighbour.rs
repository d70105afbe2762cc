//! The Ethernet address of a next hop: a question to the routing table, then one to the neighbour table, which the
//! kernel fills by ARP or neighbour discovery when it is told that somebody is about to use the entry.
//!
//! The kernel's routing for one interface is more obliging than ours: an IPv4 address that no route covers is taken
//! to be on the link (linux net/ipv4/route.c, ip_route_output_key_hash_rcu). A generator that believed it would wait
//! for an answer from nobody, so the route must be one of the table's.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures::TryStreamExt;
use rtnetlink::Handle;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::LinkFlags;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType, RouteVia,
};
use tokio::time::{Instant, sleep};

use super::Interface;
use super::link::netlink::{ask, errno, said};
use super::link::{Link, look, title};
use crate::error::{Failure, Result};
use crate::profile::Mac;

/// How long a neighbour may take to answer. The kernel asks three times, a second apart.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two looks into the table.
const STEP: Duration = Duration::from_millis(20);

/// Everybody.
const BROADCAST: Mac = Mac([0xff; 6]);

/// What an error ends with.
const REMEDY: &str = "or give the Ethernet destination with --dst-mac";

/// The address that a packet to `to` would get on `interface`: by the route there and the neighbour table, which is
/// filled by asking if need be. Multicast and broadcast addresses have their own; an interface without ARP has but
/// its own to offer.
///
/// # Errors
/// No route over that interface; nobody answers.
pub fn find(interface: &Interface, to: IpAddr) -> Result<Mac> {
    if let Some(mac) = group(to) {
        return Ok(mac);
    }
    let (link, flags) = look(interface)?;
    if flags.intersects(LinkFlags::Noarp | LinkFlags::Loopback) {
        return Ok(link.mac);
    }
    ask(interface, async |handle| {
        let Some(hop) = next_hop(&handle, interface, &link, to).await? else {
            return Ok(BROADCAST);
        };
        resolve(&handle, interface, link.index, hop, to).await
    })
}

/// The Ethernet address that stands for a group (RFC 1112 section 6.4, RFC 2464 section 7), or for all.
fn group(to: IpAddr) -> Option<Mac> {
    match to {
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some(BROADCAST),
        IpAddr::V4(to) if to.is_multicast() => {
            let [_, b, c, d] = to.octets();
            Some(Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
        }
        IpAddr::V6(to) if to.is_multicast() => {
            let [.., a, b, c, d] = to.octets();
            Some(Mac([0x33, 0x33, a, b, c, d]))
        }
        _ => None,
    }
}

/// Who gets packets to `to`: a gateway or itself; nobody for a broadcast.
async fn next_hop(
    handle: &Handle,
    interface: &Interface,
    link: &Link,
    to: IpAddr,
) -> Result<Option<IpAddr>> {
    let inside = match &interface.netns {
        Some(netns) => format!("-n {netns} "),
        None => String::new(),
    };
    let no_route = |why: String| {
        Failure::environment(
            title(interface),
            format!(
                "{why}; see `ip {inside}route get {to} oif {}`, add a route, name another interface, {REMEDY}",
                interface.name
            ),
        )
    };
    // First whether the table knows: with this flag the kernel tells the entry, and no entry is an error.
    route(handle, link.index, to, RouteFlags::FibMatch)
        .await
        .map_err(|error| match errno(&error) {
            Some(errno) => no_route(format!(
                "no route to {to} over it ({})",
                std::io::Error::from_raw_os_error(errno)
            )),
            None => said(interface)(error),
        })?;
    let route = route(handle, link.index, to, RouteFlags::empty())
        .await
        .map_err(said(interface))?;
    match route.header.kind {
        RouteType::Local => Err(no_route(format!(
            "{to} is an address of this namespace itself, to which nothing leaves by an interface"
        ))),
        RouteType::Broadcast => Ok(None),
        _ => Ok(Some(gateway(&route).unwrap_or(to))),
    }
}

/// The route of the kernel's choice over the interface.
async fn route(
    handle: &Handle,
    index: u32,
    to: IpAddr,
    flags: RouteFlags,
) -> std::result::Result<RouteMessage, rtnetlink::Error> {
    let (family, destination, len) = match to {
        IpAddr::V4(to) => (AddressFamily::Inet, RouteAddress::Inet(to), 32),
        IpAddr::V6(to) => (AddressFamily::Inet6, RouteAddress::Inet6(to), 128),
    };
    let mut question = RouteMessage::default();
    question.header.address_family = family;
    question.header.destination_prefix_length = len;
    question.header.flags = flags;
    question.attributes = vec![
        RouteAttribute::Destination(destination),
        RouteAttribute::Oif(index),
    ];
    let mut answers = std::pin::pin!(handle.route().get(question).execute());
    (answers.try_next().await?).ok_or(rtnetlink::Error::RequestFailed)
}

/// The gateway, which may be of the other family (RFC 5549).
fn gateway(route: &RouteMessage) -> Option<IpAddr> {
    route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(hop)) => Some(IpAddr::V4(*hop)),
            RouteAttribute::Gateway(RouteAddress::Inet6(hop)) => Some(IpAddr::V6(*hop)),
            RouteAttribute::Via(RouteVia::Inet(hop)) => Some(IpAddr::V4(*hop)),
            RouteAttribute::Via(RouteVia::Inet6(hop)) => Some(IpAddr::V6(*hop)),
            _ => None,
        })
}

/// The hop's address, asking for it until the patience is at an end.
async fn resolve(
    handle: &Handle,
    interface: &Interface,
    index: u32,
    hop: IpAddr,
    to: IpAddr,
) -> Result<Mac> {
    let end = Instant::now() + PATIENCE;
    loop {
        let (mac, asking) = lookup(handle, interface, index, hop).await?;
        if let Some(mac) = mac {
            return Ok(mac);
        }
        if Instant::now() >= end {
            let for_whom = if hop == to {
                String::new()
            } else {
                format!(", the gateway to {to}")
            };
            let text = format!(
                "nobody answers for {hop}{for_whom} ({} s); is it up, and on this link? Start it, {REMEDY}",
                PATIENCE.as_secs()
            );
            return Err(Failure::environment(title(interface), text));
        }
        if !asking {
            provoke(handle, interface, index, hop).await?;
        }
        sleep(STEP).await;
    }
}

/// What the table has: the address, or whether the kernel is asking for it.
async fn lookup(
    handle: &Handle,
    interface: &Interface,
    index: u32,
    hop: IpAddr,
) -> Result<(Option<Mac>, bool)> {
    let family = if hop.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    let request = handle
        .neighbours()
        .get()
        .set_address_family(family)
        .execute();
    let mut entries = std::pin::pin!(request);
    let mut found = (None, false);
    while let Some(entry) = entries.try_next().await.map_err(said(interface))? {
        if entry.header.ifindex == index && is_of(&entry, hop) {
            found = (
                mac(&entry),
                entry.header.state == NeighbourState::Incomplete,
            );
        }
    }
    Ok(found)
}

fn is_of(entry: &NeighbourMessage, hop: IpAddr) -> bool {
    entry.attributes.iter().any(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(of)) => hop == IpAddr::V4(*of),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(of)) => hop == IpAddr::V6(*of),
        _ => false,
    })
}

/// The Ethernet address of an entry, if it may be used. That of a stale one may: the kernel uses it too while it asks
/// again.
fn mac(entry: &NeighbourMessage) -> Option<Mac> {
    use NeighbourState::{Delay, Noarp, Permanent, Probe, Reachable, Stale};
    if !matches!(
        entry.header.state,
        Reachable | Stale | Delay | Probe | Permanent | Noarp
    ) {
        return None;
    }
    entry
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                bytes.as_slice().try_into().ok().map(Mac)
            }
            _ => None,
        })
}

/// Has the kernel ask: `NTF_USE` does what sending a packet would do, without one (linux net/core/neighbour.c,
/// neigh_add).
async fn provoke(handle: &Handle, interface: &Interface, index: u32, hop: IpAddr) -> Result<()> {
    (handle.neighbours().add(index, hop))
        .state(NeighbourState::None)
        .flags(NeighbourFlags::Use)
        .replace()
        .execute()
        .await
        .map_err(|error| match errno(&error) {
            Some(errno) => Failure::environment(
                title(interface),
                format!(
                    "cannot have {hop} looked up ({}); that takes CAP_NET_ADMIN: run as root, {REMEDY}",
                    std::io::Error::from_raw_os_error(errno)
                ),
            ),
            None => said(interface)(error),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_addresses_of_their_own() {
        let of = |to: &str| group(to.parse().unwrap()).map(|mac| mac.0);
        // RFC 1112: the low 23 bits. 224.0.0.251 and 239.128.0.251 share one.
        assert_eq!(of("224.0.0.251"), Some([0x01, 0, 0x5e, 0, 0, 251]));
        assert_eq!(of("239.128.0.251"), Some([0x01, 0, 0x5e, 0, 0, 251]));
        assert_eq!(
            of("ff02::1:ff28:9c5a"),
            Some([0x33, 0x33, 0xff, 0x28, 0x9c, 0x5a])
        );
        assert_eq!(of("255.255.255.255"), Some([0xff; 6]));
        assert_eq!(of("10.9.0.1"), None);
        assert_eq!(of("fe80::1"), None);
    }

    #[test]
    fn only_entries_in_use_have_an_address() {
        let mut entry = NeighbourMessage::default();
        let lladdr = NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 1]);
        entry.attributes.push(lladdr);
        for (state, usable) in [
            (NeighbourState::Reachable, true),
            (NeighbourState::Stale, true),
            (NeighbourState::Permanent, true),
            (NeighbourState::Incomplete, false),
            (NeighbourState::Failed, false),
            (NeighbourState::None, false),
        ] {
            entry.header.state = state;
            assert_eq!(mac(&entry).is_some(), usable, "{state:?}");
        }
        // InfiniBand's are longer.
        entry.header.state = NeighbourState::Reachable;
        entry.attributes = vec![NeighbourAttribute::LinkLayerAddress(vec![0; 20])];
        assert_eq!(mac(&entry), None);
    }
}
