//! What can go wrong between control and the kernel's network configuration, and what the operator can do about it.

use std::io;
use std::net::Ipv4Addr;

use thiserror::Error;

use crate::choice::ChoiceError;

/// A request to the kernel failed, or the node is not as it must be.
#[derive(Debug, Error)]
pub enum NetlinkError {
    /// No netlink socket: the kernel or a seccomp profile refuses.
    #[error(
        "cannot open a netlink socket: {0}; the kernel needs CONFIG_NETLINK and the sandbox AF_NETLINK"
    )]
    Open(#[source] io::Error),
    /// The kernel refused a request.
    #[error("cannot {operation}: {source}{}", remedy(source))]
    Request {
        /// What was asked, with its object: `set the MTU of tweed0 to 1450`.
        operation: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No device can be chosen for the underlay.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The device cannot carry the tunnel.
    #[error("underlay device {name} {problem}")]
    BadUnderlay {
        /// Interface name.
        name: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The name of the uplink belongs to something that is not ours to delete.
    #[error(
        "{name} exists and is {kind}, not an uplink of tweed's; remove it or choose another overlay.device"
    )]
    ForeignDevice {
        /// Interface name.
        name: String,
        /// What the kernel calls it.
        kind: String,
    },
    /// A device has flannel's name and is not the one that flanneld would make.
    #[error(
        "{name} exists and differs from the device of this node's lease (`ip -d link show {name}`); stop flanneld, remove the \
         device (`ip link del {name}`) and try again"
    )]
    OtherVxlan {
        /// Interface name.
        name: String,
    },
    /// The uplink cannot be made as a TUN.
    #[error(
        "cannot make the TUN device {name}: {source}; it needs /dev/net/tun (`modprobe tun`) and CAP_NET_ADMIN, or set \
         overlay.kind = \"veth\""
    )]
    Tun {
        /// Interface name.
        name: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The overlay's own address or network clashes with the underlay's.
    #[error(
        "PublicIP {public_ip} lies inside the pod network {network}; tunnels to it would enter themselves: choose another Network in the cluster's config"
    )]
    Clash {
        /// Our PublicIP.
        public_ip: Ipv4Addr,
        /// The cluster's network.
        network: ipnet::Ipv4Net,
    },
    /// A file under /proc/sys could not be read or written.
    #[error("cannot set {key} to {value}: {source}; mount /proc/sys writable for tweed-control")]
    Sysctl {
        /// Dotted key.
        key: String,
        /// Value wanted.
        value: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Offloads of the uplink could not be switched off.
    #[error(
        "{device}: the kernel keeps {features} on; packets would reach the engine with unfinished checksums: check `ethtool -k {device}`"
    )]
    Offloads {
        /// Interface name.
        device: String,
        /// Names as ethtool prints them.
        features: String,
    },
}

impl NetlinkError {
    /// Whether the node lacks something that retrying will not bring: a privilege, a device, an address.
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Request { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
            ),
            _ => true,
        }
    }
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "; tweed-control needs CAP_NET_ADMIN",
        _ => "",
    }
}
