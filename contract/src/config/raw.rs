//! The file as typed: every key optional, unknown keys rejected, nothing checked yet but types.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::names::Names;
use super::{
    BindMode, Config, ConfigError, Dataplane, DeviceRef, Etcd, Firewall, Hugepages, Idle, Lease,
    LeaseSource, Overlay, OverlayKind, Pattern, Underlay, Worker,
};

/// Declares a section: a struct whose serde default is the literal given, so that key, type and default stand in one line.
macro_rules! section {
    ($name:ident { $($key:ident: $type:ty = $default:expr,)* }) => {
        #[derive(Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name { $(pub(super) $key: $type,)* }
        impl $name {
            const KEYS: &[&str] = &[$(stringify!($key),)*];
        }
        impl Default for $name {
            fn default() -> Self { Self { $($key: $default.into(),)* } }
        }
    };
}

section!(RawNode {
    run_dir: PathBuf = "/run/tweed",
    state_dir: PathBuf = "/var/lib/tweed",
});
section!(RawUnderlay {
    interface: Names = "",
    interface_regex: Names = "",
    interface_can_reach: String = "",
    public_ip: String = "",
    mode: String = "auto",
});
section!(RawOverlay {
    kind: String = "veth",
    device: String = "tweed0",
    mtu: u32 = 0u32,
});
section!(RawFirewall {
    ip_masq: bool = false,
    fully_random: bool = true,
    forward_rules: bool = true,
    resync_s: u32 = 5u32,
});
section!(RawLease {
    source: String = "etcd",
    file: PathBuf = "/etc/tweed/leases.json",
    subnet_env: PathBuf = "/run/flannel/subnet.env",
    ttl_s: u32 = 86400u32,
    renew_margin_s: u32 = 3600u32,
    release_on_exit: bool = false,
});
section!(RawEtcd {
    endpoints: Vec<String> = ["http://127.0.0.1:2379".to_owned()],
    prefix: String = "/coreos.com/network",
    cafile: PathBuf = "",
    certfile: PathBuf = "",
    keyfile: PathBuf = "",
    username: String = "",
    password: String = "",
});
section!(RawDataplane {
    frames: u32 = 16384u32,
    chunk_size: u32 = 2048u32,
    ring_size: u32 = 2048u32,
    idle: String = "adaptive",
    idle_spin_us: u32 = 50u32,
    nice: i32 = -10i32,
    busy_poll: bool = false,
    hugepages: String = "auto",
    icmp_errors_per_s: u32 = 1000u32,
});

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWorker {
    queue: u32,
    cpu: u32,
}

/// The whole file.
#[derive(Deserialize, Serialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    node: RawNode,
    underlay: RawUnderlay,
    overlay: RawOverlay,
    firewall: RawFirewall,
    lease: RawLease,
    etcd: RawEtcd,
    dataplane: RawDataplane,
    #[serde(rename = "worker")]
    workers: Option<Vec<RawWorker>>,
}

/// Every section with its keys, in the order of `configs/node.toml`.
pub(super) const SECTIONS: &[(&str, &[&str])] = &[
    ("node", RawNode::KEYS),
    ("underlay", RawUnderlay::KEYS),
    ("overlay", RawOverlay::KEYS),
    ("firewall", RawFirewall::KEYS),
    ("lease", RawLease::KEYS),
    ("etcd", RawEtcd::KEYS),
    ("dataplane", RawDataplane::KEYS),
    ("worker", &["queue", "cpu"]),
];

impl Raw {
    /// The one worker that is meant if none is named.
    pub(super) fn with_workers(mut self) -> Self {
        self.workers
            .get_or_insert_with(|| vec![RawWorker { queue: 0, cpu: 0 }]);
        self
    }
}

fn refuse<T>(key: &str, problem: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::Value {
        key: key.to_owned(),
        problem: problem.into(),
    })
}

fn choose<T: Copy>(key: &str, typed: &str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
    match choices.iter().find(|(name, _)| *name == typed) {
        Some((_, value)) => Ok(*value),
        None => {
            let names: Vec<_> = choices
                .iter()
                .map(|(name, _)| format!("{name:?}"))
                .collect();
            refuse(
                key,
                format!("is {typed:?}; it must be one of {}", names.join(", ")),
            )
        }
    }
}

fn within<N: PartialOrd + std::fmt::Display>(
    key: &str,
    value: N,
    range: std::ops::RangeInclusive<N>,
) -> Result<N, ConfigError> {
    if range.contains(&value) {
        return Ok(value);
    }
    refuse(
        key,
        format!(
            "is {value}; it must be from {} to {}",
            range.start(),
            range.end()
        ),
    )
}

/// Kernel rule (`dev_valid_name`): 1 to 15 bytes, no slash, no white space, not `.` or `..`.
fn device_name(key: &str, name: &str, longest: usize) -> Result<String, ConfigError> {
    let bad = |c: char| c == '/' || c == ':' || c == '\0' || c.is_whitespace();
    if name.is_empty() || name.len() > longest || name == "." || name == ".." || name.contains(bad)
    {
        return refuse(
            key,
            format!(
                "is {name:?}; a device name has 1 to {longest} bytes and no '/', ':' or white space"
            ),
        );
    }
    Ok(name.to_owned())
}

fn device_ref(text: &str) -> Result<DeviceRef, ConfigError> {
    let key = "underlay.interface";
    match text.parse() {
        Ok(IpAddr::V4(address)) => Ok(DeviceRef::Address(address)),
        Ok(IpAddr::V6(_)) => refuse(
            key,
            format!("is {text:?}; the underlay is IPv4: name the device or an IPv4 address of it"),
        ),
        Err(_) => Ok(DeviceRef::Name(device_name(key, text, 15)?)),
    }
}

/// An address that a node can have; empty: none.
fn unicast(key: &str, text: &str) -> Result<Option<Ipv4Addr>, ConfigError> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<Ipv4Addr>() {
        Ok(ip) if !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()) => Ok(Some(ip)),
        _ => refuse(
            key,
            format!("is {text:?}; it must be a unicast IPv4 address"),
        ),
    }
}

/// A URL, or host and port as etcd's own client takes them: over TLS if we have a certificate to show.
fn endpoint(typed: String, tls: bool) -> Result<String, ConfigError> {
    if typed.starts_with("http://") || typed.starts_with("https://") {
        return Ok(typed);
    }
    let port = typed.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if matches!(port, Some(Ok(_))) && !typed.contains('/') {
        return Ok(format!("{}://{typed}", if tls { "https" } else { "http" }));
    }
    refuse(
        "etcd.endpoints",
        format!("holds {typed:?}; an endpoint starts with http:// or https://, or is host:port"),
    )
}

fn optional_path(path: PathBuf) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then_some(path)
}

impl TryFrom<Raw> for Config {
    type Error = ConfigError;

    fn try_from(raw: Raw) -> Result<Self, ConfigError> {
        let raw = raw.with_workers();
        Ok(Config {
            run_dir: raw.node.run_dir,
            state_dir: raw.node.state_dir,
            underlay: raw.underlay.try_into()?,
            overlay: raw.overlay.try_into()?,
            firewall: raw.firewall.try_into()?,
            lease: raw.lease.try_into()?,
            etcd: raw.etcd.try_into()?,
            dataplane: raw.dataplane.try_into()?,
            workers: workers(raw.workers.unwrap_or_default())?,
        })
    }
}

impl TryFrom<RawUnderlay> for Underlay {
    type Error = ConfigError;

    fn try_from(raw: RawUnderlay) -> Result<Self, ConfigError> {
        let interfaces = raw.interface.0.iter().map(|text| device_ref(text));
        let patterns = raw.interface_regex.0.iter().map(|text| {
            Pattern::new(text).or_else(|problem| refuse("underlay.interface_regex", problem))
        });
        let modes = [
            ("auto", BindMode::Auto),
            ("zero-copy", BindMode::ZeroCopy),
            ("copy", BindMode::Copy),
            ("generic", BindMode::Generic),
            ("udp", BindMode::Udp),
        ];
        Ok(Underlay {
            interfaces: interfaces.collect::<Result<_, _>>()?,
            patterns: patterns.collect::<Result<_, _>>()?,
            can_reach: unicast("underlay.interface_can_reach", &raw.interface_can_reach)?,
            public_ip: unicast("underlay.public_ip", &raw.public_ip)?,
            mode: choose("underlay.mode", &raw.mode, &modes)?,
        })
    }
}

impl TryFrom<RawOverlay> for Overlay {
    type Error = ConfigError;

    fn try_from(raw: RawOverlay) -> Result<Self, ConfigError> {
        // 14, not 15: the engine's end of a veth pair is the same name and an "x".
        let device = device_name("overlay.device", &raw.device, 14)?;
        let mtu = match raw.mtu {
            0 => None,
            // 576 is what every IPv4 host must take (RFC 791); 65485 leaves room for the headers in a 65535-byte packet.
            mtu => Some(within("overlay.mtu", mtu, 576..=65485)? as u16),
        };
        let kinds = [("veth", OverlayKind::Veth), ("tun", OverlayKind::Tun)];
        Ok(Overlay {
            kind: choose("overlay.kind", &raw.kind, &kinds)?,
            device,
            mtu,
        })
    }
}

impl TryFrom<RawFirewall> for Firewall {
    type Error = ConfigError;

    fn try_from(raw: RawFirewall) -> Result<Self, ConfigError> {
        Ok(Firewall {
            ip_masq: raw.ip_masq,
            fully_random: raw.fully_random,
            forward_rules: raw.forward_rules,
            resync_s: within("firewall.resync_s", raw.resync_s, 1..=3600)?,
        })
    }
}

impl TryFrom<RawLease> for Lease {
    type Error = ConfigError;

    fn try_from(raw: RawLease) -> Result<Self, ConfigError> {
        let source = match raw.source.as_str() {
            "etcd" => LeaseSource::Etcd,
            "file" => LeaseSource::File(raw.file),
            other => {
                return refuse(
                    "lease.source",
                    format!("is {other:?}; it must be one of \"etcd\", \"file\""),
                );
            }
        };
        let ttl_s = within("lease.ttl_s", raw.ttl_s, 60..=31_536_000)?;
        let renew_margin_s = within("lease.renew_margin_s", raw.renew_margin_s, 1..=ttl_s - 1)?;
        Ok(Lease {
            source,
            subnet_env: raw.subnet_env,
            ttl_s,
            renew_margin_s,
            release_on_exit: raw.release_on_exit,
        })
    }
}

impl TryFrom<RawEtcd> for Etcd {
    type Error = ConfigError;

    fn try_from(raw: RawEtcd) -> Result<Self, ConfigError> {
        if raw.endpoints.is_empty() {
            return refuse(
                "etcd.endpoints",
                "is empty; name at least one URL such as \"http://127.0.0.1:2379\"",
            );
        }
        let prefix = raw.prefix.trim_end_matches('/').to_owned();
        // Without a slash at the front it is another directory, and as good a one to flannel.
        if prefix.is_empty() {
            return refuse(
                "etcd.prefix",
                format!(
                    "is {:?}; it must name a directory, such as \"/coreos.com/network\"",
                    raw.prefix
                ),
            );
        }
        let cert_and_key = match (optional_path(raw.certfile), optional_path(raw.keyfile)) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => {
                return refuse(
                    "etcd.keyfile",
                    "is empty while etcd.certfile is set; set both or none",
                );
            }
            (None, Some(_)) => {
                return refuse(
                    "etcd.certfile",
                    "is empty while etcd.keyfile is set; set both or none",
                );
            }
        };
        let user = match (raw.username, raw.password) {
            (user, password) if user.is_empty() && password.is_empty() => None,
            (user, _) if user.is_empty() => {
                return refuse(
                    "etcd.username",
                    "is empty while etcd.password is set; set both or none",
                );
            }
            (user, password) => Some((user, password)),
        };
        let endpoints = raw.endpoints.into_iter();
        let endpoints = endpoints.map(|typed| endpoint(typed, cert_and_key.is_some()));
        Ok(Etcd {
            endpoints: endpoints.collect::<Result<_, _>>()?,
            prefix,
            cafile: optional_path(raw.cafile),
            cert_and_key,
            user,
        })
    }
}

impl TryFrom<RawDataplane> for Dataplane {
    type Error = ConfigError;

    fn try_from(raw: RawDataplane) -> Result<Self, ConfigError> {
        let ring_size = within("dataplane.ring_size", raw.ring_size, 64..=32768)?;
        if !ring_size.is_power_of_two() {
            return refuse(
                "dataplane.ring_size",
                format!("is {ring_size}; it must be a power of two"),
            );
        }
        if ![2048, 4096].contains(&raw.chunk_size) {
            return refuse(
                "dataplane.chunk_size",
                format!("is {}; it must be 2048 or 4096", raw.chunk_size),
            );
        }
        // Two ports at two rings each: with less, one busy port could starve the other of chunks.
        // A UMEM ends before 4 GiB (`Umem::map`).
        let most = (u32::MAX / raw.chunk_size).min(1 << 20);
        let frames = within("dataplane.frames", raw.frames, 4 * ring_size..=most)?;
        let idle = match raw.idle.as_str() {
            "spin" => Idle::Spin,
            "adaptive" => Idle::Adaptive {
                spin_us: within("dataplane.idle_spin_us", raw.idle_spin_us, 0..=1_000_000)?,
            },
            other => {
                return refuse(
                    "dataplane.idle",
                    format!("is {other:?}; it must be one of \"adaptive\", \"spin\""),
                );
            }
        };
        let hugepages = choose(
            "dataplane.hugepages",
            &raw.hugepages,
            &[
                ("auto", Hugepages::Auto),
                ("on", Hugepages::On),
                ("off", Hugepages::Off),
            ],
        )?;
        let icmp_errors_per_s = within(
            "dataplane.icmp_errors_per_s",
            raw.icmp_errors_per_s,
            0..=1_000_000,
        )?;
        Ok(Dataplane {
            frames,
            chunk_size: raw.chunk_size,
            ring_size,
            idle,
            nice: within("dataplane.nice", raw.nice, -20..=19)?,
            busy_poll: raw.busy_poll,
            hugepages,
            icmp_errors_per_s,
        })
    }
}

fn workers(raw: Vec<RawWorker>) -> Result<Vec<Worker>, ConfigError> {
    if raw.is_empty() || raw.len() > crate::stats::MAX_WORKERS {
        return refuse(
            "worker",
            format!(
                "has {} entries; 1 to {} are possible",
                raw.len(),
                crate::stats::MAX_WORKERS
            ),
        );
    }
    let mut workers = Vec::with_capacity(raw.len());
    for RawWorker { queue, cpu } in raw {
        if workers.iter().any(|w: &Worker| w.queue == queue) {
            return refuse(
                "worker.queue",
                format!("names queue {queue} twice; a queue belongs to one worker"),
            );
        }
        workers.push(Worker { queue, cpu });
    }
    Ok(workers)
}
