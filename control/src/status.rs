//! `<run_dir>/control.json`: what control knows and what it made of it, for `tweed-control status`, `tweed-perf` and people.
//!
//! A peer's `slot` is its number in the stats segment, so the two join into counters per peer. The file is replaced
//! atomically and only when something in it changed; its time of modification is the last pass, so a reader can tell a
//! control that is gone from one that has no news (passes are never further apart than `reconcile::RESYNC`). Points in time
//! are CLOCK_MONOTONIC in nanoseconds: a wall clock that is set moves none of them.

// The commands that look at it: `status` reads it, the tables and the stats.
pub mod command;
pub(crate) mod in_force;
mod judge;
pub mod look;
mod peer;
mod report;
mod show;

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use contract::stats::monotonic_ns;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

pub use in_force::InForce;
pub use peer::PeerStatus;

use crate::lease::{Cluster, Contact, OwnLease};
use crate::replace::{ReplaceError, replace};

/// Name of the file in the run directory.
pub const FILE: &str = "control.json";
/// One end of a lease differs from another only by the time that it took to look, if by less than this.
const SAME_END_NS: u64 = 500_000_000;

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The process that wrote it.
    pub pid: u32,
    /// The tables that stand, by generation; 0 before the first.
    pub generation: u64,
    /// What is wrong now, in words; absent when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// All pods of the cluster; absent until the lease source has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Ipv4Net>,
    /// Our own lease.
    pub own: Own,
    /// Where leases come from, and whether it answers.
    pub source: Source,
    /// What the settings and the network config come to; absent until the lease source has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<InForce>,
    /// The underlay device.
    pub underlay: String,
    /// Largest pod packet, bytes; 0 before the uplink stands.
    pub mtu: u32,
    /// Everyone else, by first subnet.
    pub peers: Vec<PeerStatus>,
    /// Keys of the lease source that are not used.
    pub skipped: Vec<Skipped>,
}

/// The state of our own lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnState {
    /// None yet.
    #[default]
    Acquiring,
    /// Ours.
    Held,
    /// It was ours and is not.
    Lost,
}

impl OwnState {
    /// Name for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            OwnState::Acquiring => "acquiring",
            OwnState::Held => "held",
            OwnState::Lost => "lost",
        }
    }
}

/// Our own lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Own {
    /// `acquiring`, `held` or `lost`.
    pub state: OwnState,
    /// Since when.
    pub since_ns: u64,
    /// When it ends unless renewed; absent: without end, or not held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ns: Option<u64>,
    /// The address others send to.
    pub public_ip: Option<Ipv4Addr>,
    /// The MAC others write into inner headers.
    pub vtep_mac: String,
    /// The subnet that is or was ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<Ipv4Net>,
    /// How it was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
}

impl Own {
    /// As the lease source sees it.
    pub fn new(lease: Option<&OwnLease>, public_ip: Ipv4Addr, vtep_mac: String) -> Self {
        let (state, subnet, loss) = match lease {
            None | Some(OwnLease::Acquiring) => (OwnState::Acquiring, None, None),
            Some(OwnLease::Held { subnet, .. }) => (OwnState::Held, Some(*subnet), None),
            Some(OwnLease::Lost { subnet, loss }) => {
                (OwnState::Lost, Some(*subnet), Some(loss.to_string()))
            }
        };
        let expires = match lease {
            Some(OwnLease::Held { expires, .. }) => *expires,
            _ => None,
        };
        Own {
            state,
            since_ns: 0,
            expires_ns: expires.map(instant_ns),
            public_ip: Some(public_ip),
            vtep_mac,
            subnet,
            loss,
        }
    }
}

/// Where leases come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// `etcd` or `file`.
    pub kind: String,
    /// The endpoint that was last asked, or the path.
    pub at: String,
    /// Since when it has answered without a break; absent while it does not, and for a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected_ns: Option<u64>,
    /// What went wrong last, though it may be over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When that began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_ns: Option<u64>,
}

impl Source {
    /// As its follower tells.
    pub fn new(kind: &contract::config::LeaseSource, contact: &Contact) -> Self {
        let (kind, at) = match kind {
            contract::config::LeaseSource::Etcd => ("etcd", contact.at.clone()),
            contract::config::LeaseSource::File(path) => ("file", path.display().to_string()),
        };
        let (last_error, last_error_ns) = match &contact.last_error {
            Some((text, since)) => (Some(text.clone()), Some(instant_ns(*since))),
            None => (None, None),
        };
        Source {
            kind: kind.into(),
            at,
            connected_ns: contact.since.map(instant_ns),
            last_error,
            last_error_ns,
        }
    }
}

/// A key that is not used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Skipped {
    /// In etcd or in the file.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The keys that a cluster view left out.
pub fn skipped(cluster: &Cluster) -> Vec<Skipped> {
    cluster
        .skipped
        .iter()
        .map(|skipped| Skipped {
            key: skipped.key.clone(),
            reason: skipped.reason.clone(),
        })
        .collect()
}

impl Status {
    /// Fills in since when each thing has been as it is: as long as `before` said, if nothing about it changed, else from now.
    fn date(&mut self, before: &Status, now_ns: u64) {
        let steady = |new: &mut u64, old: u64| {
            if new.abs_diff(old) < SAME_END_NS {
                *new = old;
            }
        };
        let moments = [
            (&mut self.own.expires_ns, before.own.expires_ns),
            (&mut self.source.connected_ns, before.source.connected_ns),
            (&mut self.source.last_error_ns, before.source.last_error_ns),
        ];
        for (new, old) in moments {
            if let (Some(new), Some(old)) = (new, old) {
                steady(new, old);
            }
        }
        let own = |own: &Own| (own.state, own.subnet, own.loss.clone());
        self.own.since_ns = match own(&self.own) == own(&before.own) && before.own.since_ns > 0 {
            true => before.own.since_ns,
            false => now_ns,
        };
        for peer in &mut self.peers {
            // Peers are in the order of their first subnets, each time.
            let same = before
                .peers
                .binary_search_by(|old| old.subnets.first().cmp(&peer.subnets.first()));
            peer.since_ns = same.map_or(0, |at| before.peers[at].since_ns);
            if !same.is_ok_and(|at| before.peers[at] == *peer) {
                peer.since_ns = now_ns;
            }
        }
    }
}

/// An instant as CLOCK_MONOTONIC has it, nanoseconds. Off by the time between two readings of that clock.
fn instant_ns(instant: Instant) -> u64 {
    let (now_ns, now) = (monotonic_ns(), Instant::now());
    let nanos = |span: std::time::Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    match instant.checked_duration_since(now) {
        Some(ahead) => now_ns.saturating_add(nanos(ahead)),
        None => now_ns.saturating_sub(nanos(now.saturating_duration_since(instant))),
    }
}

/// The file.
#[derive(Debug)]
pub struct StatusFile {
    path: PathBuf,
    written: Option<Status>,
}

impl StatusFile {
    /// In this directory; nothing is written yet.
    pub fn new(run_dir: &Path) -> Self {
        StatusFile {
            path: run_dir.join(FILE),
            written: None,
        }
    }

    /// Replaces the file if the status differs from what it says, or if the file is gone; else only says that we live.
    pub fn write(&mut self, mut status: Status) -> Result<(), ReplaceError> {
        status.pid = std::process::id();
        let nothing = Status::default();
        status.date(self.written.as_ref().unwrap_or(&nothing), monotonic_ns());
        if self.written.as_ref() == Some(&status) && self.touch().is_ok() {
            return Ok(());
        }
        let mut text = serde_json::to_vec(&status).expect("names and numbers are always JSON");
        text.push(b'\n');
        replace(&self.path, &text, 0o644)?;
        self.written = Some(status);
        Ok(())
    }

    fn touch(&self) -> io::Result<()> {
        let file = File::options().write(true).open(&self.path)?;
        file.set_modified(SystemTime::now())
    }
}

#[cfg(test)]
mod tests;
