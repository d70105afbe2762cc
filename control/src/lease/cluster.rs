//! The cluster as values: what a lease source publishes and the rest of control reads.
//!
//! Invariant: the subnets of [`Cluster::leases`] and of our own lease are disjoint, masked, inside
//! [`NetworkConfig::network`](super::NetworkConfig), and each has a unicast PublicIP that is not ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use contract::wire::Mac;
use ipnet::{Ipv4Net, Ipv6Net};

use super::{Backend, NetworkBackend, NetworkConfig};

/// Who we are in a lease: the value part of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The underlay address that other nodes send to.
    pub public_ip: Ipv4Addr,
    /// The MAC address that other nodes write into inner Ethernet headers towards us, if they speak VXLAN.
    pub vtep_mac: Mac,
}

/// What a source shows at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// The last complete state; `None` until the first one. Stays when the source fails.
    pub cluster: Option<Arc<Cluster>>,
    /// Whether the source answers.
    pub contact: Contact,
    /// Why `cluster` may be out of date or our lease cannot be had, in words for an operator; `None` when all is well.
    pub trouble: Option<String>,
}

/// How the source answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// The etcd endpoint that was last asked; empty for a file.
    pub at: String,
    /// Since when it has answered without a break; `None` while it does not, and for a file.
    pub since: Option<Instant>,
    /// What went wrong last, though it may be over, and when that began.
    pub last_error: Option<(String, Instant)>,
}

impl Contact {
    /// This endpoint answered.
    pub(super) fn answered(&mut self, at: &str) {
        if self.since.is_none() || self.at != at {
            at.clone_into(&mut self.at);
            self.since = Some(Instant::now());
        }
    }

    /// It did not. One outage is one error, the first, however many tries it takes: readers wake for each change of a view.
    pub(super) fn failed(&mut self, error: String) {
        if self.since.take().is_some() || self.last_error.is_none() {
            self.last_error = Some((error, Instant::now()));
        }
    }
}

/// The cluster, complete, as the source last showed it. Compared by value.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// What all nodes share.
    pub network: NetworkConfig,
    /// The state of our own lease.
    pub own: OwnLease,
    /// Everyone else's leases by subnet. Shared, so that a change of `own` copies nothing.
    pub leases: Arc<BTreeMap<Ipv4Net, Lease>>,
    /// What was found and not used, in the order of keys.
    pub skipped: Arc<Vec<Skipped>>,
}

impl Cluster {
    /// Nodes that packets can be sent to.
    pub fn reached_peers(&self) -> BTreeSet<Ipv4Addr> {
        self.leases
            .values()
            .filter(|lease| self.network.backend.reaches(&lease.backend))
            .map(|lease| lease.public_ip)
            .collect()
    }
}

/// A node's right to a subnet and the way to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Pods of that node; masked.
    pub subnet: Ipv4Net,
    /// Its IPv6 pods in a dual-stack cluster; masked.
    pub subnet6: Option<Ipv6Net>,
    /// Underlay address: outer destination of packets to it, and the only outer source believed from it.
    pub public_ip: Ipv4Addr,
    /// Its IPv6 underlay address.
    pub public_ip6: Option<Ipv6Addr>,
    /// How packets travel to it.
    pub backend: Backend,
}

impl Lease {
    /// Whether it is word for word what a node of this identity writes in a cluster of this backend.
    pub(super) fn says(&self, who: Identity, backend: &NetworkBackend) -> bool {
        self.public_ip == who.public_ip && self.backend == backend.advertised(who.vtep_mac)
    }
}

/// Something found in the source that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The key in etcd or in the file.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The state of our own lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnLease {
    /// None yet.
    Acquiring,
    /// Ours.
    Held {
        /// The subnet of our pods.
        subnet: Ipv4Net,
        /// When it ends unless renewed (monotonic clock); `None` for a reservation and in a file: without end.
        expires: Option<Instant>,
    },
    /// It was ours and is not. Traffic of this subnet must be fenced: its pods' addresses may belong to others.
    Lost {
        /// The subnet that was ours.
        subnet: Ipv4Net,
        /// How it was lost.
        loss: Loss,
    },
}

impl OwnLease {
    /// The subnet that is ours now.
    pub fn subnet(&self) -> Option<Ipv4Net> {
        match self {
            OwnLease::Held { subnet, .. } => Some(*subnet),
            OwnLease::Acquiring | OwnLease::Lost { .. } => None,
        }
    }
}

/// How a lease was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Another node wrote itself into our key.
    Stolen {
        /// The PublicIP that stands there now.
        by: Ipv4Addr,
        /// The VTEP MAC that stands there now, if that node speaks VXLAN.
        vtep_mac: Option<Mac>,
    },
    /// The key is gone: deleted by someone, or its etcd lease was revoked or ran out.
    Deleted,
    /// Not renewed in time (etcd out of reach); by our clock it must have ended.
    Expired,
    /// The file no longer has a lease with our PublicIP.
    Unlisted,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loss::Stolen {
                by,
                vtep_mac: Some(mac),
            } => write!(f, "taken by {by} (VTEP {mac})"),
            Loss::Stolen { by, vtep_mac: None } => write!(f, "taken by {by}"),
            Loss::Deleted => write!(f, "deleted, revoked or expired in etcd"),
            Loss::Expired => write!(f, "not renewed in time"),
            Loss::Unlisted => write!(f, "no longer in the lease file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outage_is_one_error_the_first() {
        let mut contact = Contact::default();
        contact.failed("refused".into());
        let first = contact.clone();
        contact.failed("no answer".into());
        assert_eq!(contact, first);
        assert_eq!(contact.since, None);

        contact.answered("http://a");
        let since = contact.since;
        assert!(since.is_some());
        contact.answered("http://a");
        assert_eq!((contact.since, contact.at.as_str()), (since, "http://a"));
        // What went wrong before is still told.
        assert_eq!(contact.last_error, first.last_error);

        contact.failed("no leader".into());
        assert_eq!(contact.since, None);
        let (error, at) = contact.last_error.clone().unwrap();
        assert!(error == "no leader" && at >= since.unwrap());
        contact.answered("http://b");
        assert_eq!(contact.at, "http://b");
    }
}
