//! The underlay device and what its driver can do; the uplink's offloads.

use contract::config::{BindMode, Config, OverlayKind};

use super::super::facts::{Device, Facts};
use super::super::finding::{Finding, error, hint, ok, warn};
use super::over_af_xdp;
use crate::netlink::offload::is_offload;

pub fn underlay(facts: &Facts, _: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "underlay";
    match &facts.underlay {
        None => Vec::new(),
        Some(Ok(device)) => {
            let of = device.driver.as_ref().or(device.kind.as_ref());
            let of = of.map_or_else(String::new, |of| format!(" ({of})"));
            let address = facts
                .address
                .map_or_else(String::new, |ip| format!(" at {ip}"));
            vec![ok(
                SUBJECT,
                format!("{}{of}{address}, MTU {}", device.name, device.mtu),
            )]
        }
        Some(Err(why)) => vec![error(
            SUBJECT,
            why.clone(),
            "set underlay.interface in node.toml (`ip -br addr` lists what there is)",
        )],
    }
}

/// The device, where AF_XDP is meant to be used on it.
fn device<'a>(facts: &'a Facts, config: &Config) -> Option<&'a Device> {
    match &facts.underlay {
        Some(Ok(device)) if over_af_xdp(config) => Some(device),
        _ => None,
    }
}

pub fn xdp(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "xdp";
    let Some(device) = device(facts, config) else {
        return Vec::new();
    };
    let name = &device.name;
    let of = device.driver.as_ref().or(device.kind.as_ref());
    let driver = of.map_or("driver", String::as_str);
    vec![match (device.xdp, config.underlay.mode) {
        (_, BindMode::Generic) => ok(SUBJECT, format!("generic XDP on {name}, as configured")),
        (None, _) => hint(
            SUBJECT,
            format!("this kernel does not tell whether the {driver} of {name} has native XDP"),
            "tweed-control status shows how the engine has bound it",
        ),
        (Some(xdp), _) if xdp.native => ok(SUBJECT, format!("{driver} of {name} has native XDP")),
        (Some(_), BindMode::ZeroCopy | BindMode::Copy) => error(
            SUBJECT,
            format!("{driver} of {name} has no native XDP"),
            "set underlay.mode = \"auto\" in node.toml",
        ),
        (Some(_), _) => hint(
            SUBJECT,
            format!("{driver} of {name} has no native XDP: generic XDP is slow"),
            "set underlay.mode = \"udp\" in node.toml, and compare",
        ),
    }]
}

pub fn zero_copy(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "zero-copy";
    let Some(device) = device(facts, config) else {
        return Vec::new();
    };
    let Some(xdp) = device.xdp.filter(|xdp| xdp.native) else {
        return Vec::new();
    };
    let name = &device.name;
    vec![match (xdp.zero_copy, config.underlay.mode) {
        (true, BindMode::Copy | BindMode::Generic) => hint(
            SUBJECT,
            format!("{name} has zero-copy AF_XDP, and underlay.mode does not use it"),
            "set underlay.mode = \"auto\" in node.toml",
        ),
        (true, _) => ok(SUBJECT, format!("{name} has zero-copy AF_XDP")),
        (false, BindMode::ZeroCopy) => error(
            SUBJECT,
            format!("{name} has no zero-copy AF_XDP, and underlay.mode insists on it"),
            "set underlay.mode = \"auto\" in node.toml",
        ),
        (false, _) => ok(
            SUBJECT,
            format!("{name} has no zero-copy AF_XDP: frames are copied"),
        ),
    }]
}

/// Somebody else's program. While the engine runs the program is its own, or the port says why not.
pub fn program(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "xdp-program";
    let Some(device) = device(facts, config) else {
        return Vec::new();
    };
    match device.program {
        Some(id) if !facts.daemons.engine_runs() => {
            let name = &device.name;
            vec![error(
                SUBJECT,
                format!("{name} has an XDP program already, id {id}: ours cannot be attached"),
                format!(
                    "bpftool prog show id {id}   # whose it is; then stop that, or: ip link set {name} xdp off"
                ),
            )]
        }
        _ => Vec::new(),
    }
}

/// A worker owns one queue of every port. A queue without a worker is left to the kernel, which hands its datagrams to the
/// slow path's socket.
pub fn queues(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "queues";
    let Some(device) = device(facts, config) else {
        return Vec::new();
    };
    let Some(channels) = device.channels else {
        return Vec::new();
    };
    let (name, workers) = (&device.name, config.workers.len() as u32);
    let wanted = config.workers.iter().map(|worker| worker.queue + 1).max();
    let wanted = wanted.unwrap_or(1);
    let what = match device.kind.as_deref() {
        Some("veth") => format!("ethtool -L {name} rx {wanted} tx {wanted}"),
        _ => format!("ethtool -L {name} combined {wanted}"),
    };
    vec![if channels.now < wanted && channels.most >= wanted {
        error(
            SUBJECT,
            format!(
                "{name} has {} in use; a worker wants queue {}",
                count(channels.now),
                wanted - 1
            ),
            what,
        )
    } else if channels.now < wanted {
        error(
            SUBJECT,
            format!(
                "{name} can have {}; a worker wants queue {}",
                count(channels.most),
                wanted - 1
            ),
            format!(
                "leave {} in node.toml",
                if channels.most == 1 {
                    "one [[worker]]".into()
                } else {
                    format!("{} [[worker]]s", channels.most)
                }
            ),
        )
    } else if channels.now > workers {
        warn(
            SUBJECT,
            format!(
                "{name} has {} in use for {workers} workers: what arrives on the others takes the slow path",
                count(channels.now)
            ),
            format!("{what}   # or a [[worker]] for each queue in node.toml"),
        )
    } else {
        ok(
            SUBJECT,
            format!("{name} has {}, a worker for each", count(channels.now)),
        )
    }]
}

fn count(queues: u32) -> String {
    match queues {
        1 => "1 queue".into(),
        n => format!("{n} queues"),
    }
}

/// The tunnel's source port is a hash of the inner flow: a NIC that looks at addresses only sends a peer's traffic to one queue.
pub fn rss(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "rss";
    let Some(device) = device(facts, config) else {
        return Vec::new();
    };
    if device.channels.is_none_or(|channels| channels.now < 2) {
        return Vec::new();
    }
    let name = &device.name;
    match device.hashes_ports {
        None => Vec::new(),
        Some(true) => vec![ok(
            SUBJECT,
            format!("{name} spreads tunnel datagrams by their UDP ports"),
        )],
        Some(false) => vec![warn(
            SUBJECT,
            format!(
                "{name} spreads UDP by addresses only: all that a peer sends arrives on one queue"
            ),
            format!("ethtool -N {name} rx-flow-hash udp4 sdfn"),
        )],
    }
}

/// Frames that hardware has joined are longer than a chunk.
pub fn aggregation(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "receive-aggregation";
    let Some(device) = device(facts, config) else {
        return Vec::new();
    };
    let name = &device.name;
    let on = |feature: &str| device.features.iter().any(|on| on == feature);
    let switches = [("rx-lro", "lro"), ("rx-gro-hw", "rx-gro-hw")];
    let joined: Vec<_> = switches.iter().filter(|(feature, _)| on(feature)).collect();
    let Some((feature, _)) = joined.first() else {
        return vec![ok(
            SUBJECT,
            format!("{name} hands over frames as they came"),
        )];
    };
    let off: Vec<_> = joined
        .iter()
        .map(|(_, switch)| format!("{switch} off"))
        .collect();
    vec![warn(
        SUBJECT,
        format!(
            "{feature} is on at {name}: joined frames do not fit a chunk, and many drivers then refuse XDP"
        ),
        format!("ethtool -K {name} {}", off.join(" ")),
    )]
}

/// A veth hands over what it is given, unless its offloads are off. Control sees to that at each look; a TUN's are wanted.
pub fn uplink_offloads(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "uplink-offloads";
    let Some(uplink) = facts
        .uplink
        .as_ref()
        .filter(|_| config.overlay.kind == OverlayKind::Veth)
    else {
        return Vec::new();
    };
    let on: Vec<_> = uplink
        .features
        .iter()
        .filter(|feature| is_offload(feature))
        .map(String::as_str)
        .collect();
    vec![match on.as_slice() {
        [] => ok(
            SUBJECT,
            format!(
                "those of {} are off: every packet in it is complete",
                uplink.name
            ),
        ),
        on => error(
            SUBJECT,
            format!(
                "{} are on at {}: packets with unfinished checksums would leave the node",
                on.join(", "),
                uplink.name
            ),
            format!(
                "ethtool -K {} tx off tso off gso off gro off   # a running tweed-control does it within 10 s",
                uplink.name
            ),
        ),
    }]
}
