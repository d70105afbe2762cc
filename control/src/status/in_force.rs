//! What the settings and the cluster's network config come to on this node.

use contract::config::{BindMode, Config, OverlayKind};
use serde::{Deserialize, Serialize};

use crate::compile::Underlay;
use crate::lease::{Cluster, NetworkBackend};

/// The configuration in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InForce {
    /// The backend that the network config names.
    pub backend: String,
    /// VXLAN network identifier, of `vxlan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vni: Option<u32>,
    /// UDP port of the tunnel, of `vxlan` and `udp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What the tunnel adds to a pod's packet, bytes.
    pub overhead: u32,
    /// Largest packet of the underlay device, bytes.
    pub underlay_mtu: u32,
    /// `underlay.mode`, as asked for; what the engine got is in its stats.
    pub underlay_mode: String,
    /// `overlay.kind`.
    pub overlay: String,
    /// The uplink device.
    pub uplink: String,
}

impl InForce {
    /// On this node.
    pub fn new(cluster: &Cluster, underlay: &Underlay, config: &Config) -> Self {
        let backend = &cluster.network.backend;
        InForce {
            backend: backend.name().into(),
            vni: backend.vxlan().map(|vxlan| vxlan.vni),
            port: tunnel_port(backend),
            overhead: backend.overhead(),
            underlay_mtu: underlay.mtu,
            underlay_mode: mode(config.underlay.mode).into(),
            overlay: match config.overlay.kind {
                OverlayKind::Veth => "veth",
                OverlayKind::Tun => "tun",
            }
            .into(),
            uplink: config.overlay.device.clone(),
        }
    }
}

/// The UDP port that a backend's tunnel needs.
pub(crate) fn tunnel_port(backend: &NetworkBackend) -> Option<u16> {
    match backend {
        NetworkBackend::Vxlan(vxlan) => Some(vxlan.port),
        NetworkBackend::Udp { port } => Some(*port),
        _ => None,
    }
}

/// As it is typed in `node.toml`.
pub(crate) fn mode(mode: BindMode) -> &'static str {
    match mode {
        BindMode::Auto => "auto",
        BindMode::ZeroCopy => "zero-copy",
        BindMode::Copy => "copy",
        BindMode::Generic => "generic",
        BindMode::Tun => "tun",
        BindMode::Udp => "udp",
    }
}
