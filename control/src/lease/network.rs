//! `<prefix>/config`: the network configuration that all nodes of a flannel cluster share.
//!
//! A [`NetworkConfig`] is one that this node can serve: VXLAN over IPv4. Defaults and checks are those of flannel's
//! `pkg/subnet/config.go`; what it refuses is refused here.

use std::net::Ipv4Addr;

use ipnet::{Ipv4Net, Ipv6Net};
use thiserror::Error;

/// A checked network configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// All pods of the cluster; masked.
    pub network: Ipv4Net,
    /// Prefix length of each node's subnet.
    pub subnet_len: u8,
    /// The first subnet that may be leased.
    pub subnet_min: Ipv4Addr,
    /// The last subnet that may be leased.
    pub subnet_max: Ipv4Addr,
    /// The IPv6 network of a dual-stack cluster. Its subnets are not leased by this node.
    pub network6: Option<Ipv6Net>,
    /// `EnableNFTables`: masquerade with nftables rather than iptables.
    pub nftables: bool,
    /// The tunnel.
    pub vxlan: Vxlan,
}

/// The `vxlan` backend's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// VXLAN network identifier, 24 bits.
    pub vni: u32,
    /// UDP destination port; flannel's 0 is already the kernel's 8472 here.
    pub port: u16,
    /// MTU of the underlay as the cluster sets it, bytes; `None`: that of the device. Pods get 50 less.
    pub mtu: Option<u16>,
    /// Group policy: peers mark frames with a policy id. Such frames are not understood here.
    pub gbp: bool,
    /// Kernel peers learn VTEPs from traffic. Has no meaning for us.
    pub learning: bool,
    /// Peers on the same link send pod packets bare. We encapsulate always and accept bare ones through the kernel.
    pub direct_routing: bool,
}

/// Why a network configuration is refused.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{problem}")]
pub struct NetworkError {
    problem: String,
}
