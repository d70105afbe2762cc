//! Why a pass failed, or the loop ended.

use std::net::Ipv4Addr;

use contract::tables::PublishError;
use thiserror::Error;

use crate::masquerade::RulesError;
use crate::netlink::NetlinkError;
use crate::replace::ReplaceError;
use crate::state::StateError;
/// The reason.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The kernel.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The tables segment.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Masquerade and forward rules.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A file that others read.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    /// A file of our own.
    #[error(transparent)]
    State(#[from] StateError),
    /// Our PublicIP is not on our link.
    #[error(
        "the cluster's backend is host-gw, whose peers send to {public_ip} as their next hop, but {device} has {address}; leave \
         underlay.public_ip out"
    )]
    NotOnLink {
        /// What our lease says.
        public_ip: Ipv4Addr,
        /// The underlay.
        device: String,
        /// Its address.
        address: Ipv4Addr,
    },
    /// The task that follows the leases is gone.
    #[error("the lease keeper ended unexpectedly; see the log above, and restart tweed-control")]
    LeaseKeeper,
}

impl ReconcileError {
    /// Whether the node lacks something that retrying will not bring.
    pub fn is_environment(&self) -> bool {
        matches!(self, Self::Netlink(error) if error.is_environment())
    }
}
