//! Sizes: of the underlay, of the overlay on it, of a chunk, and what a driver takes with XDP attached.

use contract::config::{BindMode, Config};

use super::super::facts::{Device, Facts};
use super::super::finding::{Finding, error, hint, ok, warn};
use super::over_af_xdp;

/// What a chunk holds beside a packet: 256 bytes that the kernel keeps for XDP, 50 of headroom for the outer headers, and an
/// Ethernet header.
const BESIDE: u32 = 256 + 50 + 14;
/// The largest MTU of a veth, and of most drivers, with XDP programs that take frames of one buffer: a page less the kernel's
/// headroom, the Ethernet header and the end of an skb (linux: drivers/net/veth.c, `veth_xdp_set`).
const ONE_BUFFER: u32 = 3498;

fn underlay(facts: &Facts) -> Option<&Device> {
    facts.underlay.as_ref()?.as_ref().ok()
}

pub fn overlay(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "mtu";
    let Some(underlay) = underlay(facts) else {
        return Vec::new();
    };
    let overhead = match &facts.network {
        Some(Ok(network)) => network.overhead,
        _ => return Vec::new(),
    };
    let room = underlay.mtu.saturating_sub(overhead);
    let name = &underlay.name;
    let standing = facts.uplink.as_ref().map(|uplink| uplink.mtu);
    let Some(mtu) = standing.or(config.overlay.mtu.map(u32::from)) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    findings.push(match (mtu.cmp(&room), config.overlay.mtu) {
        (std::cmp::Ordering::Greater, Some(_)) => warn(
            SUBJECT,
            format!("pod packets of {mtu} bytes do not fit {name} (MTU {}) with {overhead} of headers", underlay.mtu),
            format!("set overlay.mtu = {room} in node.toml (0: by the underlay), restart tweed-control, and pods"),
        ),
        (std::cmp::Ordering::Greater, None) => warn(
            SUBJECT,
            format!("pod packets of {mtu} bytes do not fit {name} (MTU {}) with {overhead} of headers", underlay.mtu),
            format!("ip link set {name} mtu {}   # or restart tweed-control, which follows it, and pods", mtu + overhead),
        ),
        (std::cmp::Ordering::Less, Some(_)) => ok(
            SUBJECT,
            format!("{mtu} for pods, as overlay.mtu says; {name} has room for {room}"),
        ),
        _ => ok(SUBJECT, format!("{mtu} for pods, {} on {name}", underlay.mtu)),
    });
    if let Some(narrow) = facts.daemons.narrowest.map(u32::from)
        && narrow < mtu
    {
        findings.push(hint(
            SUBJECT,
            format!("the path to a peer takes pod packets of {narrow} bytes only: longer ones are answered with ICMP, or lost with those who ignore it"),
            format!("set overlay.mtu = {narrow} in node.toml on all nodes, or widen that path (tweed-control status has it)"),
        ));
    }
    findings
}

pub fn chunk(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "chunk-size";
    let Some(underlay) = underlay(facts).filter(|_| over_af_xdp(config)) else {
        return Vec::new();
    };
    let (name, mtu) = (&underlay.name, underlay.mtu);
    let room = config.dataplane.chunk_size - BESIDE;
    let larger = 4096 - BESIDE;
    vec![if mtu <= room {
        ok(
            SUBJECT,
            format!(
                "a packet of {name} (MTU {mtu}) fits a chunk of {}",
                config.dataplane.chunk_size
            ),
        )
    } else if mtu <= larger {
        unfit(
            config,
            SUBJECT,
            format!(
                "{name} has an MTU of {mtu}, and a chunk of {} takes {room}",
                config.dataplane.chunk_size
            ),
            "set dataplane.chunk_size = 4096 in node.toml, and restart tweed-dataplane".into(),
        )
    } else {
        unfit(
            config,
            SUBJECT,
            format!("{name} has an MTU of {mtu}, and no chunk takes more than {larger}"),
            format!(
                "ip link set {name} mtu {larger}   # with dataplane.chunk_size = 4096; or set underlay.mode = \"udp\""
            ),
        )
    }]
}

pub fn driver(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "xdp-mtu";
    let native = !matches!(config.underlay.mode, BindMode::Generic | BindMode::Udp);
    let Some(underlay) = underlay(facts).filter(|device| native && device.mtu > ONE_BUFFER) else {
        return Vec::new();
    };
    let (name, mtu) = (&underlay.name, underlay.mtu);
    vec![unfit(
        config,
        SUBJECT,
        format!("most drivers refuse XDP of one buffer at an MTU of {mtu}, as {name} has"),
        format!("ip link set {name} mtu {ONE_BUFFER}   # or set underlay.mode = \"udp\""),
    )]
}

/// Left to itself the engine falls back to UDP, and pods notice little.
fn unfit(config: &Config, subject: &'static str, seen: String, remedy: String) -> Finding {
    match config.underlay.mode {
        BindMode::Auto => warn(subject, seen, remedy),
        _ => error(subject, seen, remedy),
    }
}

/// The bridge was made by the CNI plugin, with the MTU of that day (flannel issue #1775).
pub fn bridge(facts: &Facts, _: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "bridge-mtu";
    let (Some(bridge), Some(uplink)) = (&facts.bridge, &facts.uplink) else {
        return Vec::new();
    };
    let (name, mtu) = (&bridge.name, bridge.mtu);
    vec![match mtu > uplink.mtu {
        true => warn(
            SUBJECT,
            format!(
                "{name} has an MTU of {mtu}, and {} one of {}: pods were made when it was larger",
                uplink.name, uplink.mtu
            ),
            format!(
                "ip link set {name} mtu {}   # and make the pods of this node anew",
                uplink.mtu
            ),
        ),
        false => ok(SUBJECT, format!("{name} has {mtu}")),
    }]
}
