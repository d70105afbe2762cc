//! The kernel: its version, what it was built with, and its parameters.

use contract::config::{Config, OverlayKind};

use super::super::facts::Facts;
use super::super::finding::{Finding, error, hint, ok, warn};
use super::over_af_xdp;

/// The oldest that attaches an XDP program by a bpf link.
const OLDEST: (u32, u32) = (5, 10);
/// The first with XDP_MAX_TX_SKB_BUDGET.
const BUDGET: (u32, u32) = (6, 17);

pub fn version(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "kernel";
    let release = &facts.kernel;
    let Some(version) = parse(release) else {
        return vec![hint(
            SUBJECT,
            format!("release {release:?} is not understood"),
            "uname -r",
        )];
    };
    let finding = if over_af_xdp(config) && version < OLDEST {
        error(
            SUBJECT,
            format!("Linux {release} cannot attach XDP by a bpf link"),
            "run Linux 5.10 or later, or set underlay.mode = \"udp\"",
        )
    } else if over_af_xdp(config) && version < BUDGET {
        hint(
            SUBJECT,
            format!("Linux {release} sends at most 32 frames per system call in copy mode"),
            "run Linux 6.17 or later if the underlay has no zero-copy mode",
        )
    } else {
        ok(SUBJECT, format!("Linux {release}"))
    };
    vec![finding]
}

fn parse(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

pub fn af_xdp(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "af-xdp";
    match &facts.no_af_xdp {
        _ if !over_af_xdp(config) => Vec::new(),
        None => vec![ok(SUBJECT, "the kernel has AF_XDP sockets")],
        Some(why) => vec![error(
            SUBJECT,
            format!("an AF_XDP socket is not to be had: {why}"),
            "run a kernel with CONFIG_XDP_SOCKETS (and this as root), or set underlay.mode = \"udp\"",
        )],
    }
}

pub fn tun(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "tun";
    match config.overlay.kind {
        OverlayKind::Veth => Vec::new(),
        OverlayKind::Tun if facts.has_tun => vec![ok(SUBJECT, "/dev/net/tun is there")],
        OverlayKind::Tun => vec![error(
            SUBJECT,
            "overlay.kind is \"tun\", and /dev/net/tun is not there",
            "modprobe tun",
        )],
    }
}

pub fn ip_forward(facts: &Facts, _: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "ip-forward";
    match facts.sysctl.ip_forward {
        None => Vec::new(),
        Some(true) => vec![ok(SUBJECT, "net.ipv4.ip_forward is on")],
        Some(false) => vec![error(
            SUBJECT,
            "net.ipv4.ip_forward is off: pods reach nothing beyond this node",
            "sysctl -w net.ipv4.ip_forward=1",
        )],
    }
}

/// Source validation by the larger of `all` and the device's (linux: IN_DEV_MAXCONF); 1 is strict, 2 loose.
pub fn rp_filter(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "rp-filter";
    let sysctl = &facts.sysctl;
    let Some(all) = sysctl.rp_filter_all else {
        return Vec::new();
    };
    let strict = |own: Option<u8>| own.is_some_and(|own| own.max(all) == 1);
    let mut findings = Vec::new();
    if strict(sysctl.rp_filter_uplink) {
        let device = &config.overlay.device;
        findings.push(warn(
            SUBJECT,
            format!(
                "strict on {device}: the kernel drops ICMP errors that the engine sends to pods"
            ),
            format!("sysctl -w net.ipv4.conf.{device}.rp_filter=2"),
        ));
    }
    if let Some(Ok(device)) = &facts.underlay
        && strict(sysctl.rp_filter_underlay)
        && !over_af_xdp(config)
    {
        findings.push(hint(
            SUBJECT,
            format!(
                "strict on {}: datagrams of peers to whom the way back is another are dropped",
                device.name
            ),
            format!("sysctl -w net.ipv4.conf.{}.rp_filter=2", device.name),
        ));
    }
    if findings.is_empty() {
        findings.push(ok(SUBJECT, "not strict where it would harm"));
    }
    findings
}

pub fn bridge_nf(facts: &Facts, _: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "bridge-nf";
    let remedy = "modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1";
    let kube_proxy = "kube-proxy needs it for services whose pods are on the node of their client";
    vec![match facts.sysctl.bridge_nf {
        Some(true) => ok(SUBJECT, "net.bridge.bridge-nf-call-iptables is on"),
        Some(false) => hint(
            SUBJECT,
            format!("net.bridge.bridge-nf-call-iptables is off: {kube_proxy}"),
            remedy,
        ),
        None => hint(
            SUBJECT,
            format!("br_netfilter is not loaded: {kube_proxy}"),
            remedy,
        ),
    }]
}
