//! What the checks go by: everything that is read of the node, as plain values. `None` is "could not be read" throughout, of
//! which no check makes a finding of its own unless it matters.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use contract::stats::{Life, PortStatus};
use ipnet::Ipv4Net;

use crate::netlink::ethtool::Channels;
use crate::netlink::xdp::XdpFeatures;

/// The node.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `uname -r`.
    pub kernel: String,
    /// What the kernel said to an AF_XDP socket, if it was no.
    pub no_af_xdp: Option<String>,
    /// What control and the engine left, and whether they live.
    pub daemons: Daemons,
    /// The underlay device, or why there is none.
    pub underlay: Option<Result<Device, String>>,
    /// Its address.
    pub address: Option<Ipv4Addr>,
    /// The kernel's end of the uplink, if it stands.
    pub uplink: Option<Device>,
    /// The bridge of the CNI plugin, if it stands.
    pub bridge: Option<Device>,
    /// The cluster's network config as it is now, or why there is none.
    pub network: Option<Result<Network, String>>,
    /// Kernel parameters.
    pub sysctl: Sysctl,
    /// Chains of the forward hook that drop what nothing accepts.
    pub forward: Vec<ForwardChain>,
    /// Why chains could not be listed.
    pub no_firewall: Option<String>,
    /// Who has the tunnel's UDP port.
    pub port_owner: Option<PortOwner>,
    /// Kernel vxlan devices.
    pub tunnels: Vec<Tunnel>,
    /// Huge pages and limits.
    pub memory: Memory,
    /// Processors.
    pub cpu: Cpu,
    /// Each etcd endpoint with its answer; empty when leases come from a file.
    pub etcd: Vec<(String, Result<Duration, String>)>,
    /// Whether the wall clock is synchronized.
    pub clock_synchronized: Option<bool>,
    /// `node.run_dir`.
    pub run_dir: RunDir,
    /// Whether /dev/net/tun is there.
    pub has_tun: bool,
}

/// The two daemons.
#[derive(Clone, Debug, Default)]
pub struct Daemons {
    /// Whether control lives; `None`: it left nothing.
    pub control: Option<Life>,
    /// Whether the engine lives; `None`: it left nothing.
    pub engine: Option<Life>,
    /// The engine's process.
    pub engine_pid: u32,
    /// Its ports.
    pub ports: Vec<PortStatus>,
    /// The smallest of the paths to peers, bytes.
    pub narrowest: Option<u16>,
}

impl Daemons {
    /// Whether an engine runs.
    pub fn engine_runs(&self) -> bool {
        self.engine == Some(Life::Running)
    }
}

/// A network device.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// What made it: `veth`, `bridge`; `None` for hardware.
    pub kind: Option<String>,
    /// Its driver, of hardware.
    pub driver: Option<String>,
    /// Largest L3 packet, bytes.
    pub mtu: u32,
    /// Its queues.
    pub channels: Option<Channels>,
    /// Features that are on, as ethtool names them.
    pub features: Vec<String>,
    /// What its driver offers to XDP.
    pub xdp: Option<XdpFeatures>,
    /// An XDP program that is attached.
    pub program: Option<u32>,
    /// Whether the UDP ports decide which queue a datagram comes by; `None` if the driver does not tell.
    pub hashes_ports: Option<bool>,
}

/// The cluster's network config, as far as a check needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// All pods.
    pub network: Ipv4Net,
    /// The tunnel's UDP port, if its backend has one.
    pub port: Option<u16>,
    /// What the tunnel adds to a pod's packet, bytes.
    pub overhead: u32,
}

/// Kernel parameters.
#[derive(Clone, Debug, Default)]
pub struct Sysctl {
    /// net.ipv4.ip_forward
    pub ip_forward: Option<bool>,
    /// net.ipv4.conf.all.rp_filter
    pub rp_filter_all: Option<u8>,
    /// Of the uplink.
    pub rp_filter_uplink: Option<u8>,
    /// Of the underlay.
    pub rp_filter_underlay: Option<u8>,
    /// net.bridge.bridge-nf-call-iptables; `None` without br_netfilter.
    pub bridge_nf: Option<bool>,
}

/// A base chain of the forward hook with policy drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardChain {
    /// As `nft` or `iptables` names it: `ip filter FORWARD`.
    pub name: String,
    /// One of iptables' old tables, which `nft` does not see.
    pub legacy: bool,
    /// Whether a rule in it lets the cluster's pods pass.
    pub accepts: bool,
}

/// Who has a UDP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortOwner {
    /// A process.
    Process {
        /// Its number.
        pid: u32,
        /// Its name.
        name: String,
    },
    /// A process that cannot be seen from here, or a device of the kernel's: its socket has an inode like any other, and no process.
    Unseen,
}

/// A kernel vxlan device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Its name.
    pub name: String,
    /// Its VNI.
    pub vni: u32,
    /// Its UDP port.
    pub port: u16,
    /// It holds that port.
    pub up: bool,
}

/// Memory that the engine needs.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Free huge pages of 2 MiB.
    pub free_huge_pages: Option<u64>,
    /// Locked memory allowed, bytes; `None`: without limit, or unknown.
    pub memlock: Option<u64>,
    /// CAP_IPC_LOCK, which no limit holds for.
    pub locks_freely: bool,
    /// The two above are the engine's, not ours.
    pub of_engine: bool,
}

/// Processors.
#[derive(Clone, Debug, Default)]
pub struct Cpu {
    /// Those that run.
    pub online: Vec<u32>,
    /// Those that the scheduler leaves alone.
    pub isolated: Vec<u32>,
    /// Frequency governors by processor.
    pub governors: BTreeMap<u32, String>,
}

/// `node.run_dir` and the files in it.
#[derive(Clone, Debug, Default)]
pub struct RunDir {
    /// The directory; `None`: it is not there.
    pub directory: Option<Owned>,
    /// In memory, not on a disk.
    pub is_tmpfs: bool,
    /// The segments that are there.
    pub files: Vec<Owned>,
    /// Segments that cannot be used, in words with the remedy.
    pub unreadable: Vec<String>,
    /// Who looks.
    pub uid: u32,
}

/// Whose a file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// The file.
    pub path: PathBuf,
    /// Its owner.
    pub uid: u32,
    /// Its permission bits.
    pub mode: u32,
}
