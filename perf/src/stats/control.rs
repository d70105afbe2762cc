//! `control.json`, control's word on leases and peers, as far as this view needs it. Written by `tweed-control` (its
//! `status` module); what is missing here is simply not shown, so the view works beside any control, or none.

use std::path::Path;

use serde::Deserialize;

/// Name of the file in the run directory.
const FILE: &str = "control.json";

/// The file, or what of it we know.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ControlStatus {
    /// Generation of the tables published last.
    pub generation: Option<u64>,
    /// Our own lease.
    pub own: OwnStatus,
    /// Everyone else's, by peer.
    pub peers: Vec<PeerStatus>,
}

/// Our own lease.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OwnStatus {
    /// The subnet, while we hold it.
    pub subnet: Option<String>,
    /// `held`, `acquiring` or `lost`.
    pub state: String,
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

impl ControlStatus {
    /// Reads the file beside the segments. None, or one that is not ours, is none: the counters do not depend on it.
    pub fn read(run_dir: &Path) -> Option<Self> {
        let text = std::fs::read(run_dir.join(FILE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Our lease in a word or two.
    pub fn lease(&self) -> String {
        match &self.own.subnet {
            Some(subnet) => format!("{subnet} {}", self.own.state),
            None => self.own.state.clone(),
        }
    }

    /// Peers that nothing is sent to.
    pub fn unreachable(&self) -> impl Iterator<Item = &PeerStatus> {
        self.peers.iter().filter(|peer| peer.obstacle.is_some())
    }
}
