//! What the kernel announces: devices, addresses, routes, rules, neighbours.
//!
//! An event only says "look again", but for a neighbour's, which carries the whole entry: a large LAN refreshes hundreds
//! of entries a second, and a list of all of them for each would keep a CPU busy. Announcements may be lost (the
//! socket's buffer is finite) but never silently: the loss is an event, too.

use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::{AsyncSocket, SocketAddr};
use rtnetlink::{MulticastGroup, new_multicast_connection};
use tokio::task::JoinHandle;

use super::neighbour::Neighbour;
use super::{NetlinkError, route::PROTOCOL};

/// A burst of 5,000 entries has to wait in the socket while a pass runs. The system's rmem_max may grant less.
const BUFFER: usize = 4 << 20;
/// Between two attempts to open the socket again.
const RETRY: Duration = Duration::from_secs(1);

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A device or an address.
    Device,
    /// A route or a rule.
    Route,
    /// A neighbour entry.
    Neighbour {
        /// The entry as it is now, or was.
        neighbour: Neighbour,
        /// It was removed.
        gone: bool,
    },
    /// Announcements were lost: anything may have changed.
    Overrun,
}

type Messages = UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>;

/// A subscription in the network namespace in which it was made.
pub struct Events {
    messages: Messages,
    connection: JoinHandle<()>,
}

impl Events {
    /// Subscribes; what happens from here on will be told.
    pub fn subscribe() -> Result<Self, NetlinkError> {
        let (mut connection, _, messages) = new_multicast_connection(&[
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv4Rule,
            MulticastGroup::Nexthop,
            MulticastGroup::Neigh,
        ])
        .map_err(NetlinkError::Open)?;
        // A smaller buffer means more overruns, not wrong tables: not worth failing for.
        let _ = connection.socket_mut().socket_mut().set_rx_buf_sz(BUFFER);
        Ok(Events {
            messages,
            connection: tokio::spawn(connection),
        })
    }

    /// The next event. Opens the socket again should it break, and says so as an overrun. Safe to cancel.
    pub async fn next(&mut self) -> Event {
        loop {
            match self.messages.next().await {
                Some((message, _)) => {
                    if let Some(event) = event(message.payload) {
                        return event;
                    }
                }
                None => match Events::subscribe() {
                    Ok(again) => {
                        *self = again;
                        return Event::Overrun;
                    }
                    Err(_) => tokio::time::sleep(RETRY).await,
                },
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn event(payload: NetlinkPayload<RouteNetlinkMessage>) -> Option<Event> {
    use RouteNetlinkMessage as Message;
    let message = match payload {
        NetlinkPayload::InnerMessage(message) => message,
        NetlinkPayload::Overrun(_) => return Some(Event::Overrun),
        _ => return None,
    };
    match message {
        // Bridges announce their ports' state in this family, for every learned MAC.
        Message::NewLink(link) | Message::DelLink(link)
            if link.header.interface_family == AddressFamily::Bridge =>
        {
            None
        }
        Message::NewLink(_)
        | Message::DelLink(_)
        | Message::NewAddress(_)
        | Message::DelAddress(_) => Some(Event::Device),
        // Our own: made by us, but perhaps removed by someone else, and then the uplink is not whole.
        Message::NewRoute(route) if u8::from(route.header.protocol) == PROTOCOL => None,
        Message::DelRoute(route) if u8::from(route.header.protocol) == PROTOCOL => {
            Some(Event::Device)
        }
        Message::NewRoute(_) | Message::DelRoute(_) | Message::NewRule(_) | Message::DelRule(_) => {
            Some(Event::Route)
        }
        Message::NewNeighbour(entry) => Neighbour::parse(entry).map(|neighbour| Event::Neighbour {
            neighbour,
            gone: false,
        }),
        Message::DelNeighbour(entry) => Neighbour::parse(entry).map(|neighbour| Event::Neighbour {
            neighbour,
            gone: true,
        }),
        // Nexthop objects arrive as types this library does not know; a route that uses one changes with it.
        _ => Some(Event::Route),
    }
}
