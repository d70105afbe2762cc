//! Switches a device's offloads off, over generic netlink (linux: Documentation/networking/ethtool-netlink.rst).
//!
//! A veth passes on what it is given: with checksum offload on, packets whose transport checksum is still to be written;
//! with segmentation offload on, packets of 64 KB. The engine sees bytes only, so it would send both into the world.
//! Read first and set only what is on: a restart changes nothing.

use std::io;

use super::NetlinkError;
use super::ethtool::Ethtool;

/// Whether a feature lets incomplete or oversized packets through. By pattern, for kernels add one now and then.
///
/// `tx-generic-segmentation` may stay: it is the kernel's own, which cuts large segments before the device.
pub fn is_offload(feature: &str) -> bool {
    let segments = feature.ends_with("-segmentation") && feature != "tx-generic-segmentation";
    segments
        || feature.starts_with("tx-checksum-")
        || matches!(feature, "tx-gso-list" | "rx-gro" | "rx-gro-list")
}

/// Switches checksum, segmentation and receive-aggregation offloads of a device off, and makes sure of it.
pub fn disable(device: &str) -> Result<(), NetlinkError> {
    let on = Ethtool::open()
        .and_then(|ethtool| {
            let on = offloads(&ethtool, device)?;
            if on.is_empty() {
                return Ok(on);
            }
            ethtool.switch_off(device, &on)?;
            offloads(&ethtool, device)
        })
        .map_err(|source| NetlinkError::Request {
            operation: format!("switch the offloads of {device} off"),
            source,
        })?;
    match on.as_slice() {
        [] => Ok(()),
        on => Err(NetlinkError::Offloads {
            device: device.into(),
            features: on.join(", "),
        }),
    }
}

fn offloads(ethtool: &Ethtool, device: &str) -> io::Result<Vec<String>> {
    let mut features = ethtool.active(device)?;
    features.retain(|feature| is_offload(feature));
    Ok(features)
}
