//! A file as the lease source: for tests, static set-ups and the many-routes benchmark.
//!
//! The file is etcd's tree below the prefix as one JSON object, `{"config": {..}, "subnets": {"10.244.1.0-24": {..}}}`,
//! so the same parsers read both and a dump of one is the other. Ours is the lease with our PublicIP; it has no end.
//! A file that cannot be used keeps the last good state in place and says why.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ipnet::Ipv4Net;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

use super::admit::{Found, admit};
use super::json::{JsonError, Object};
use super::publish::Publisher;
use super::record::{self, RecordError, Subnets};
use super::trouble::Trouble;
use super::{Cluster, Contact, Identity, Lease, Loss, NetworkConfig, NetworkError, OwnLease, View};

/// How often the file is looked at. A poll, not inotify: it sees renames over the file, bind mounts and NFS alike.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A file changed so recently may change again within the same time stamp, so it is read once more.
const SETTLED: Duration = Duration::from_secs(2);

/// Why the file is not used.
#[derive(Debug, Error)]
pub enum FileError {
    /// It cannot be read.
    #[error(
        "cannot read {path}: {source}; lease.file must name a file that tweed-control may read"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not JSON of the right shape.
    #[error("{path} {problem}; see configs/leases.json for an example")]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Its network config is refused.
    #[error("{path}: config: {source}")]
    Network {
        /// The file.
        path: PathBuf,
        /// Why.
        source: NetworkError,
    },
}

/// A file, read and parsed; its leases not yet judged against each other.
#[derive(Debug)]
pub struct LeaseFile {
    network: NetworkConfig,
    records: Vec<(String, Result<Lease, RecordError>)>,
}

impl LeaseFile {
    /// Reads a file. A lease in it that is bad does not fail it, and is found in [`Cluster::skipped`].
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let mut text = Vec::new();
        let read = File::open(path).and_then(|mut file| file.read_to_end(&mut text));
        read.map_err(|source| FileError::Read {
            path: path.into(),
            source,
        })?;
        Self::parse(path, &text)
    }

    /// Reads the text of the file that errors shall name.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, FileError> {
        let shape = |problem: String| FileError::Shape {
            path: path.into(),
            problem,
        };
        let json = |error: JsonError| shape(error.to_string());
        let mut tree = Object::parse(text).map_err(json)?;
        let config = tree.object("config").map_err(json)?;
        let config = config.ok_or_else(|| shape("has no \"config\"".into()))?;
        let network = NetworkConfig::from_object(&config).map_err(|source| FileError::Network {
            path: path.into(),
            source,
        })?;
        // Taken out, not copied: there may be a hundred thousand.
        let subnets = match tree.0.remove("subnets") {
            None | Some(Value::Null) => Default::default(),
            Some(Value::Object(subnets)) => subnets,
            Some(_) => return Err(shape("has \"subnets\" that are not an object".into())),
        };
        let records = subnets.into_iter().map(|(key, value)| {
            let lease = Subnets::parse(&key).and_then(|subnets| match value {
                Value::Object(fields) => record::from_object(subnets, &Object(fields)),
                _ => Err(JsonError::Syntax("another kind of value".into()).into()),
            });
            (key, lease)
        });
        Ok(LeaseFile {
            network,
            records: records.collect(),
        })
    }

    /// What all nodes share.
    pub fn network(&self) -> &NetworkConfig {
        &self.network
    }

    /// The cluster as `identity` sees it; `held` is what we held before.
    pub fn cluster(&self, identity: Identity, held: Option<Ipv4Net>) -> Cluster {
        let own = match (self.own_lease(identity), held) {
            (Some(lease), _) => OwnLease::Held {
                subnet: lease.subnet,
                expires: None,
            },
            (None, Some(subnet)) => OwnLease::Lost {
                subnet,
                loss: Loss::Unlisted,
            },
            (None, None) => OwnLease::Acquiring,
        };
        // Nothing here is older than anything else, so of two that overlap the first in the order of keys wins.
        let found = self.records.iter().map(|(key, lease)| Found {
            key,
            age: 0,
            lease: lease.as_ref(),
        });
        let (leases, skipped) = admit(&self.network, identity.public_ip, own.subnet(), found);
        Cluster {
            network: self.network.clone(),
            own,
            leases: Arc::new(leases),
            skipped: Arc::new(skipped),
        }
    }

    fn own_lease(&self, identity: Identity) -> Option<&Lease> {
        let leases = self
            .records
            .iter()
            .filter_map(|(_, lease)| lease.as_ref().ok());
        leases.into_iter().find(|lease| {
            lease.public_ip == identity.public_ip && self.network.network.contains(&lease.subnet)
        })
    }

    /// What an operator should know about our own lease in the file.
    fn complaint(&self, identity: Identity) -> Option<String> {
        match self.own_lease(identity) {
            None => Some(format!(
                "no lease with our PublicIP {}; add one",
                identity.public_ip
            )),
            Some(lease) if lease.says(identity, &self.network.backend) => None,
            Some(_) if self.network.backend.vxlan().is_some() => Some(format!(
                "our lease does not carry our VTEP MAC {}; nodes that read this file cannot reach us until it does",
                identity.vtep_mac
            )),
            Some(lease) => Some(format!(
                "our lease is one of {}, and the cluster's backend is {}; nodes that read this file cannot reach us until it is, too",
                lease.backend.name(),
                self.network.backend.name()
            )),
        }
    }
}

/// What tells one content of a file from the next without reading it.
type Stamp = (u64, u64, i64, i64);

fn stamp(meta: &Metadata) -> Stamp {
    (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec())
}

/// Follows a file until `stop`.
pub(super) async fn run(
    path: PathBuf,
    identity: watch::Receiver<Identity>,
    view: watch::Sender<View>,
    stop: impl Future<Output = ()>,
) {
    let mut follower = Follower {
        path,
        publisher: Publisher::new(view),
        seen: None,
        file: None,
        cluster: None,
        trouble: Trouble::new("lease file"),
    };
    tokio::select! {
        () = follower.follow(identity) => {}
        () = stop => {}
    }
}

struct Follower {
    path: PathBuf,
    publisher: Publisher,
    /// The stamp of what was read last; `None`: read again.
    seen: Option<Stamp>,
    /// The last good content.
    file: Option<LeaseFile>,
    /// What it meant to us, and who we were.
    cluster: Option<(Identity, Arc<Cluster>)>,
    trouble: Trouble,
}

impl Follower {
    async fn follow(&mut self, mut identity: watch::Receiver<Identity>) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let who = *identity.borrow_and_update();
            let read = self.look().await;
            if read || self.cluster.as_ref().is_none_or(|(was, _)| *was != who) {
                self.judge(who);
            }
            let complaint = || self.file.as_ref().and_then(|file| file.complaint(who));
            self.publisher.send(View {
                cluster: self
                    .cluster
                    .as_ref()
                    .map(|(_, cluster)| Arc::clone(cluster)),
                contact: Contact::default(),
                trouble: self.trouble.text().map(str::to_owned).or_else(complaint),
            });
        }
    }

    /// Reads the file if it is not the one seen last; whether there is a new content.
    async fn look(&mut self) -> bool {
        let meta = std::fs::metadata(&self.path).ok();
        let now = meta.as_ref().map(stamp);
        if now.is_some() && now == self.seen {
            return false;
        }
        self.seen = now.filter(|_| meta.as_ref().is_some_and(is_settled));
        let path = self.path.clone();
        // Parsing a hundred thousand leases takes longer than the timers of the runtime should wait.
        let problem = match tokio::task::spawn_blocking(move || LeaseFile::load(&path)).await {
            Ok(Ok(file)) => {
                self.trouble.clear();
                self.file = Some(file);
                return true;
            }
            Ok(Err(problem)) => problem,
            // The runtime is shutting down.
            Err(_) => return false,
        };
        self.trouble.set(match &self.file {
            Some(_) => format!("{problem}; what was last read stays in use"),
            None => problem.to_string(),
        });
        false
    }

    /// What the file means to us.
    fn judge(&mut self, who: Identity) {
        let Some(file) = &self.file else { return };
        let before = self.cluster.as_ref().map(|(_, cluster)| &cluster.own);
        let held = match before {
            Some(OwnLease::Held { subnet, .. } | OwnLease::Lost { subnet, .. }) => Some(*subnet),
            Some(OwnLease::Acquiring) | None => None,
        };
        let cluster = file.cluster(who, held);
        if let OwnLease::Lost { subnet, loss } = &cluster.own
            && before != Some(&cluster.own)
        {
            error!("our lease of {subnet} is lost: {loss}; traffic of its pods must stop");
        }
        self.cluster = Some((who, Arc::new(cluster)));
    }
}

fn is_settled(meta: &Metadata) -> bool {
    let age = |at: SystemTime| SystemTime::now().duration_since(at).ok();
    // A time stamp in the future, or none, will not come of age: take it as it is.
    meta.modified()
        .ok()
        .and_then(age)
        .is_none_or(|age| age > SETTLED)
}

#[cfg(test)]
mod tests;
