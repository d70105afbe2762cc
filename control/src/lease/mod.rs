//! Leases: which node owns which pod subnet, and how packets reach it.
//!
//! A source (flannel's keys in etcd, or one file) is followed and published as a [`View`]: the whole cluster as it is
//! now, never a difference. Whoever reads it compiles the whole again and compares by value, so a lost or doubled
//! event costs nothing. Everything in a [`Cluster`] was parsed at the edge and is valid; what was not is in
//! [`skipped`](crate::lease::Cluster::skipped) with its reason.
//!
//! The facts are flannel's: `pkg/subnet` and `pkg/lease` of flannel-io/flannel.

mod admit;
mod backend;
mod backoff;
mod change;
mod client;
mod cluster;
mod etcd;
mod file;
mod json;
mod listing;
mod network;
mod own;
mod pick;
mod plan;
mod probe;
mod publish;
mod record;
mod refusal;
mod sleep;
mod trouble;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

pub use backend::{Backend, NetworkBackend, Vxlan};
pub use cluster::{Cluster, Contact, Identity, Lease, Loss, OwnLease, Skipped, View};
pub use file::{FileError, LeaseFile};
use ipnet::Ipv4Net;
pub use network::{NetworkConfig, NetworkError};
pub use probe::{Answer, probe};
pub use record::RecordError;
pub use refusal::EtcdError;
use tokio::sync::watch;

/// Where leases come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// flannel's keys in etcd; our lease is taken and kept there.
    Etcd(EtcdSource),
    /// A JSON file that lists every lease; ours is the one with our PublicIP.
    File(PathBuf),
}

/// How to use etcd as the source.
#[derive(Clone, Debug)]
pub struct EtcdSource {
    /// Endpoints, prefix and credentials.
    pub etcd: contract::config::Etcd,
    /// Life of an unrenewed lease.
    pub ttl: Duration,
    /// Renew this long before the lease would end.
    pub renew_margin: Duration,
    /// Delete our lease at a clean stop.
    pub release_on_exit: bool,
    /// The subnet of the previous run, taken again if it is free.
    pub previous: Option<Ipv4Net>,
}

impl Source {
    /// The source that `node.toml` asks for; `previous` is the subnet of the last run, if one is known.
    pub fn new(config: &contract::config::Config, previous: Option<Ipv4Net>) -> Self {
        match &config.lease.source {
            contract::config::LeaseSource::File(path) => Source::File(path.clone()),
            contract::config::LeaseSource::Etcd => Source::Etcd(EtcdSource {
                etcd: config.etcd.clone(),
                ttl: Duration::from_secs(config.lease.ttl_s.into()),
                renew_margin: Duration::from_secs(config.lease.renew_margin_s.into()),
                release_on_exit: config.lease.release_on_exit,
                previous,
            }),
        }
    }
}

/// Follows `source` and publishes what it shows, until `stop` completes; then gives our lease back if so configured.
///
/// Never fails: what is wrong is logged once per change, shown in [`View::trouble`] and retried. `identity` may change
/// at any time; our lease is rewritten and keeps its subnet.
pub async fn run(
    source: Source,
    identity: watch::Receiver<Identity>,
    view: watch::Sender<View>,
    stop: impl Future<Output = ()> + Send,
) {
    match source {
        Source::Etcd(source) => etcd::run(source, identity, view, stop).await,
        Source::File(path) => file::run(path, identity, view, stop).await,
    }
}
