//! `control.json`, control's word on leases and peers, as far as this view needs it. Written by `tweed-control` (its
//! `status` module); what is missing here is simply not shown, so the view works beside any control, or none.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Name of the file in the run directory.
const FILE: &str = "control.json";
/// Two signs of life missed, and some patience.
const SILENT_AFTER: Duration = Duration::from_secs(25);

/// The file, or what of it we know.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ControlStatus {
    /// Generation of the tables that stand; 0 before the first.
    pub generation: u64,
    /// What is wrong now, in words.
    pub trouble: Option<String>,
    /// Our own lease.
    pub own: OwnStatus,
    /// Everyone else's, by peer.
    pub peers: Vec<PeerStatus>,
    /// Keys of the lease source that control does not use.
    pub skipped: Vec<Skipped>,
    /// Since control last touched the file.
    #[serde(skip)]
    pub silent: Duration,
}

/// A key that is not used.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Skipped {
    /// In etcd or in the file.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Our own lease.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OwnStatus {
    /// `acquiring`, `held` or `lost`.
    pub state: String,
    /// The subnet that is or was ours.
    pub subnet: Option<String>,
    /// How it was lost.
    pub loss: Option<String>,
}

/// One peer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PeerStatus {
    /// Its number in tables and stats.
    pub slot: Option<u16>,
    /// Its pod subnets.
    pub subnets: Vec<String>,
    /// Its underlay address.
    pub public_ip: Option<String>,
    /// Why nothing is sent to it.
    pub obstacle: Option<String>,
}

impl OwnStatus {
    /// Whether our pods have a subnet now; without one nothing is forwarded.
    pub fn is_held(&self) -> bool {
        self.state == "held"
    }
}

impl ControlStatus {
    /// Reads the file beside the segments. None, or one that is not ours, is none: the counters do not depend on it.
    pub fn read(run_dir: &Path) -> Option<Self> {
        let path = run_dir.join(FILE);
        let mut status: Self = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        let touched = std::fs::metadata(&path).ok()?.modified().ok()?;
        // A clock that was set back makes it fresh.
        status.silent = touched.elapsed().unwrap_or_default();
        Some(status)
    }

    /// Whether control is there: it touches the file every ten seconds at least.
    pub fn is_alive(&self) -> bool {
        self.silent < SILENT_AFTER
    }

    /// Our lease in a few words: `10.244.1.0/24 held`.
    pub fn lease(&self) -> String {
        let own = &self.own;
        let words = [&own.subnet, &Some(own.state.clone()), &own.loss];
        let words: Vec<&str> = words.into_iter().filter_map(Option::as_deref).collect();
        words.join(" ")
    }

    /// Peers that nothing is sent to.
    pub fn unreachable(&self) -> impl Iterator<Item = &PeerStatus> {
        self.peers.iter().filter(|peer| peer.obstacle.is_some())
    }
}
