//! `node.toml`: one file for both daemons.
//!
//! Two stages, after ripgrep: `Raw` mirrors the file and rejects unknown keys; [`Config`] is what the daemons
//! believe. A value that exists here is valid: it was checked once, and the error named the key as typed and the range.

// Where the file is.
pub mod file;
// Values from outside the file, and where each value came from.
mod layers;
// A string or several.
mod names;
// Regular expressions in flanneld's dialect.
mod pattern;
mod raw;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

pub use layers::{Layered, Origin, Override, Setting, keys};
pub use pattern::Pattern;
use thiserror::Error;

/// Why a configuration was refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}; name the file with --config")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML of our shape: syntax, an unknown key, a wrong type. toml's message holds line and column.
    #[error("{path}: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Position and cause.
        source: Box<toml::de::Error>,
    },
    /// A value is out of range.
    #[error("{key} {problem}")]
    Value {
        /// The key as it is typed in the file: `dataplane.ring_size`.
        key: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// A node's configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Directory of the tables and stats segments.
    pub run_dir: PathBuf,
    /// Directory of what survives a reboot.
    pub state_dir: PathBuf,
    /// The device that carries the tunnel.
    pub underlay: Underlay,
    /// The host's uplink.
    pub overlay: Overlay,
    /// Rules for what pods send to the world, and for what is forwarded between pods.
    pub firewall: Firewall,
    /// Where leases come from and how ours is kept.
    pub lease: Lease,
    /// The etcd cluster.
    pub etcd: Etcd,
    /// The engine.
    pub dataplane: Dataplane,
    /// Workers; queues are distinct, CPUs may repeat (a warning of the daemon's, not an error).
    pub workers: Vec<Worker>,
}

/// `[underlay]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Underlay {
    /// Devices to try, in order. With `patterns` and `can_reach` empty as well: the default route's.
    pub interfaces: Vec<DeviceRef>,
    /// Tried next: the first device with an address that matches, else with a name that does.
    pub patterns: Vec<Pattern>,
    /// Tried last: the device by which the kernel reaches this address.
    pub can_reach: Option<Ipv4Addr>,
    /// Address to publish; `None`: the first IPv4 address of the device.
    pub public_ip: Option<Ipv4Addr>,
    /// How sockets bind.
    pub mode: BindMode,
}

/// How a device is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceRef {
    /// By its name.
    Name(String),
    /// By an address that it has.
    Address(Ipv4Addr),
}

/// What a port's frames move over, and for AF_XDP how its sockets bind to their queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BindMode {
    /// Zero-copy, else copy, else generic.
    Auto = 0,
    /// Zero-copy or refuse.
    ZeroCopy = 1,
    /// Native XDP with a copy, or refuse.
    Copy = 2,
    /// Generic (skb) XDP.
    Generic = 3,
    /// A queue of a TUN device: for the uplink.
    Tun = 4,
    /// A UDP socket on the tunnel port: for the underlay.
    Udp = 5,
}

/// `[overlay]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// What the uplink is.
    pub kind: OverlayKind,
    /// The kernel's end of the uplink.
    pub device: String,
    /// Largest pod packet in bytes; `None`: underlay MTU less 50.
    pub mtu: Option<u16>,
}

/// What the host's way into the pod network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverlayKind {
    /// A veth pair, polled over AF_XDP.
    Veth,
    /// A TUN device with several queues, read and written in super-packets.
    Tun,
}

impl Overlay {
    /// What the engine opens: the other end of a veth pair, or the TUN device itself.
    pub fn engine_device(&self) -> String {
        match self.kind {
            OverlayKind::Veth => format!("{}x", self.device),
            OverlayKind::Tun => self.device.clone(),
        }
    }
}

/// `[firewall]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firewall {
    /// Masquerade what leaves the cluster.
    pub ip_masq: bool,
    /// With source ports drawn at random; else the pod's own port, where it is free.
    pub fully_random: bool,
    /// Accept what is forwarded for pods where a firewall would drop it.
    pub forward_rules: bool,
    /// Seconds between two looks at the rules.
    pub resync_s: u32,
}

/// Where leases come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseSource {
    /// flannel's keys in etcd.
    Etcd,
    /// A JSON file with every lease.
    File(PathBuf),
}

/// `[lease]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// etcd or a file.
    pub source: LeaseSource,
    /// Path of `subnet.env`.
    pub subnet_env: PathBuf,
    /// Life of an unrenewed lease, seconds.
    pub ttl_s: u32,
    /// Renew this long before the end, seconds; less than `ttl_s`.
    pub renew_margin_s: u32,
    /// Give the subnet back at a clean stop.
    pub release_on_exit: bool,
}

/// `[etcd]`
#[derive(Clone, PartialEq, Eq)]
pub struct Etcd {
    /// URLs, at least one, http or https.
    pub endpoints: Vec<String>,
    /// Key prefix without a trailing slash.
    pub prefix: String,
    /// CA certificate (PEM).
    pub cafile: Option<PathBuf>,
    /// Client certificate and key (PEM), both or none.
    pub cert_and_key: Option<(PathBuf, PathBuf)>,
    /// User and password, both or none.
    pub user: Option<(String, String)>,
}

impl std::fmt::Debug for Etcd {
    /// Leaves the password out, for configurations are logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Etcd")
            .field("endpoints", &self.endpoints)
            .field("prefix", &self.prefix)
            .field("cafile", &self.cafile)
            .field("cert_and_key", &self.cert_and_key)
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .finish()
    }
}

/// What a worker does when no packet comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Never sleep.
    Spin,
    /// Sleep in poll(2) after this long without a packet, microseconds.
    Adaptive {
        /// Microseconds of polling before the first sleep.
        spin_us: u32,
    },
}

/// Whether the UMEM lies in huge pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hugepages {
    /// If there are any.
    Auto,
    /// Or refuse to start.
    On,
    /// Never.
    Off,
}

/// `[dataplane]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataplane {
    /// Chunks per worker.
    pub frames: u32,
    /// Bytes per chunk: 2048 or 4096.
    pub chunk_size: u32,
    /// Descriptors per ring, a power of two.
    pub ring_size: u32,
    /// Idle mode.
    pub idle: Idle,
    /// Nice value of the workers, -20 to 19.
    pub nice: i32,
    /// SO_PREFER_BUSY_POLL.
    pub busy_poll: bool,
    /// Huge pages.
    pub hugepages: Hugepages,
    /// Budget of ICMP errors per worker and second.
    pub icmp_errors_per_s: u32,
}

/// `[[worker]]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The queue of every port that this worker owns.
    pub queue: u32,
    /// The CPU it is pinned to.
    pub cpu: u32,
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.into(),
            source,
        })?;
        Self::parse(path, &text)
    }

    /// Checks the text of the file that errors shall name.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        Ok(Layered::new(Some((path, text)), &[])?.config)
    }

    /// The tables segment.
    pub fn tables_path(&self) -> PathBuf {
        self.run_dir.join("tables")
    }

    /// The stats segment.
    pub fn stats_path(&self) -> PathBuf {
        self.run_dir.join("stats")
    }
}

impl Default for Config {
    /// What an empty file means; `configs/node.toml` spells it out and a test holds the two equal.
    fn default() -> Self {
        raw::Raw::default()
            .try_into()
            .expect("the defaults are within their own ranges")
    }
}

#[cfg(test)]
mod tests;
