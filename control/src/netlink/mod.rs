//! The kernel as control sees it: devices, addresses, routes and neighbours over rtnetlink (RFC 3549).
//!
//! [`Netlink`] asks and orders; [`events`] tells when to look again. Nothing is remembered here that the kernel could be
//! asked for, but for the next hops ([`next_hop`]): thousands of peers must not mean thousands of questions per event.

pub mod error;
// Features and channels.
pub mod ethtool;
// Multicast notifications.
pub mod events;
// Families that are numbered at run time.
mod generic;
// Devices.
pub mod link;
// Neighbour entries.
pub mod neighbour;
// The underlay path to each peer.
pub mod next_hop;
// Device features.
pub mod offload;
// Routes and route lookups.
pub mod route;
// Policy rules: the fence around subnets that were lost.
pub mod rule;
// `/proc/sys`.
pub mod sysctl;
// The device that carries the tunnel.
pub mod underlay;
// The veth pair between the host's stack and the engine.
pub mod uplink;
// The kernel's vxlan device, as flanneld has it.
pub mod vxlan;
// What a driver offers to XDP.
pub mod xdp;

use std::io;
use std::time::Duration;

use futures::StreamExt;
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::proto::{ConnectionHandle, new_connection, sys::SocketAddr, sys::protocols};
use tokio::task::JoinHandle;

pub use error::NetlinkError;

/// The kernel answers within its own system call; an answer that takes this long was lost to a full socket buffer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Messages that one datagram carries. The kernel answers all of them before we read the first answer, and charges some
/// 5 KB of socket buffer for each: 32 stay below the default of 208 KB.
const BATCH: usize = 32;

/// What a request does; the netlink flags behind it.
#[derive(Clone, Copy)]
pub(crate) enum Verb {
    /// One object.
    Get,
    /// All objects.
    Dump,
    /// Change or remove what exists.
    Change,
    /// Create, or replace what exists.
    Put,
}

impl Verb {
    fn flags(self) -> u16 {
        NLM_F_REQUEST
            | match self {
                Verb::Get => 0,
                Verb::Dump => NLM_F_DUMP,
                Verb::Change => NLM_F_ACK,
                Verb::Put => NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
            }
    }
}

/// A request socket to the kernel of the network namespace in which it was opened.
pub struct Netlink {
    handle: ConnectionHandle<RouteNetlinkMessage>,
    connection: JoinHandle<()>,
}

impl Netlink {
    /// Opens the socket; it lives in the current tokio runtime.
    pub fn open() -> Result<Self, NetlinkError> {
        let (mut connection, handle, _) =
            new_connection(protocols::NETLINK_ROUTE).map_err(NetlinkError::Open)?;
        // So that every message of a batch has exactly one answer.
        connection.set_forward_ack(true);
        Ok(Netlink {
            handle,
            connection: tokio::spawn(connection),
        })
    }

    /// Sends one message and collects its answers; `operation` names it in the error.
    pub(crate) async fn request(
        &self,
        verb: Verb,
        message: impl Into<RouteNetlinkMessage>,
        operation: impl FnOnce() -> String,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let answers = self.exchange(verb, vec![message.into()]).await;
        answers
            .and_then(|answers| answers.into_iter().filter_map(Result::transpose).collect())
            .map_err(|source| NetlinkError::Request {
                operation: operation(),
                source,
            })
    }

    /// Sends many messages of one verb, a datagram for each [`BATCH`] of them. One answer per message, in order; none
    /// for a mere acknowledgement. The outer error is the socket's, the inner ones are the kernel's.
    pub(crate) async fn batch(
        &self,
        verb: Verb,
        messages: Vec<RouteNetlinkMessage>,
    ) -> io::Result<Vec<io::Result<Option<RouteNetlinkMessage>>>> {
        let mut answers = Vec::with_capacity(messages.len());
        let mut messages = messages.into_iter();
        loop {
            let chunk: Vec<_> = messages.by_ref().take(BATCH).collect();
            if chunk.is_empty() {
                return Ok(answers);
            }
            answers.extend(self.exchange(verb, chunk).await?);
        }
    }

    async fn exchange(
        &self,
        verb: Verb,
        messages: Vec<RouteNetlinkMessage>,
    ) -> io::Result<Vec<io::Result<Option<RouteNetlinkMessage>>>> {
        let messages = messages.into_iter().map(|message| {
            let mut message = NetlinkMessage::from(message);
            message.header.flags = verb.flags();
            message
        });
        let answers = self
            .handle
            .request_batch(messages, SocketAddr::new(0, 0))
            .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?
            .map(|answer| match answer.payload {
                NetlinkPayload::InnerMessage(message) => Ok(Some(message)),
                NetlinkPayload::Error(error) if error.code.is_none() => Ok(None),
                NetlinkPayload::Error(error) => Err(error.to_io()),
                _ => Err(io::ErrorKind::InvalidData.into()),
            })
            .collect();
        tokio::time::timeout(ANSWER_TIMEOUT, answers)
            .await
            .map_err(|_| io::ErrorKind::TimedOut.into())
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
