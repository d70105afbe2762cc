//! `<run_dir>/control.json`: what control knows and what it made of it, for `tweed-perf` and for people.
//!
//! A peer's `slot` is its number in the stats segment, so the two join into counters per peer. The file is replaced
//! atomically and only when something in it changed; its time of modification is the last pass, so a reader can tell a
//! control that is gone from one that has no news (passes are never further apart than `reconcile::RESYNC`).

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ipnet::Ipv4Net;
use serde::Serialize;

use crate::compile::Peer;
use crate::lease::{Cluster, OwnLease};
use crate::replace::{ReplaceError, replace};

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
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
    /// The underlay device.
    pub underlay: String,
    /// Largest pod packet, bytes; 0 before the uplink stands.
    pub mtu: u32,
    /// Everyone else, by first subnet.
    pub peers: Vec<PeerStatus>,
    /// Keys of the lease source that are not used.
    pub skipped: Vec<Skipped>,
}

/// Our own lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Own {
    /// `acquiring`, `held` or `lost`.
    pub state: &'static str,
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
            None | Some(OwnLease::Acquiring) => ("acquiring", None, None),
            Some(OwnLease::Held { subnet, .. }) => ("held", Some(*subnet), None),
            Some(OwnLease::Lost { subnet, loss }) => {
                ("lost", Some(*subnet), Some(loss.to_string()))
            }
        };
        Own {
            state,
            public_ip: Some(public_ip),
            vtep_mac,
            subnet,
            loss,
        }
    }
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeerStatus {
    /// Its number in the stats; absent if the tables are full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<u16>,
    /// Its PublicIP.
    pub public_ip: Ipv4Addr,
    /// Its subnets.
    pub subnets: Vec<Ipv4Net>,
    /// Why nothing is sent to it; absent when packets flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
}

impl From<&Peer> for PeerStatus {
    fn from(peer: &Peer) -> Self {
        PeerStatus {
            slot: peer.slot,
            public_ip: peer.public_ip,
            subnets: peer.subnets.clone(),
            obstacle: peer.obstacle.as_ref().map(ToString::to_string),
        }
    }
}

/// A key that is not used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
            path: run_dir.join("control.json"),
            written: None,
        }
    }

    /// Replaces the file if the status differs from what it says, or if the file is gone; else only says that we live.
    pub fn write(&mut self, status: Status) -> Result<(), ReplaceError> {
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
mod tests {
    use super::*;
    use crate::compile::Obstacle;
    use crate::lease::Loss;

    #[test]
    fn the_file_says_what_is_wrong_and_leaves_out_what_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = StatusFile::new(directory.path());
        let lost = OwnLease::Lost {
            subnet: "10.1.1.0/24".parse().unwrap(),
            loss: Loss::Deleted,
        };
        let peer = |slot, obstacle| Peer {
            slot,
            public_ip: Ipv4Addr::new(192, 168, 7, 2),
            subnets: vec!["10.1.2.0/24".parse().unwrap()],
            obstacle,
        };
        let status = Status {
            generation: 3,
            own: Own::new(
                Some(&lost),
                Ipv4Addr::new(192, 168, 7, 1),
                "02:00:00:00:00:01".into(),
            ),
            peers: [peer(Some(2), None), peer(None, Some(Obstacle::NoSlot))]
                .iter()
                .map(PeerStatus::from)
                .collect(),
            ..Status::default()
        };
        file.write(status).unwrap();
        let text = std::fs::read_to_string(directory.path().join("control.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["own"]["state"], "lost");
        assert_eq!(json["own"]["loss"], "deleted, revoked or expired in etcd");
        assert_eq!(json["peers"][0]["slot"], 2);
        assert_eq!(json["peers"][0].get("obstacle"), None);
        assert_eq!(
            json["peers"][1]["obstacle"],
            "the tables are full: 65534 peers"
        );
        assert_eq!(json.get("trouble"), None);
    }
    #[test]
    fn a_status_without_news_is_still_a_sign_of_life_and_comes_back_when_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.json");
        let mut file = StatusFile::new(directory.path());
        file.write(Status::default()).unwrap();
        let text = std::fs::read(&path).unwrap();
        let touched = File::options().write(true).open(&path).unwrap();
        touched.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        file.write(Status::default()).unwrap();
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        assert!(modified > SystemTime::UNIX_EPOCH);
        std::fs::remove_file(&path).unwrap();
        file.write(Status::default()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), text);
    }
}
