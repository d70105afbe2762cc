//! flanneld's flags (its main.go; the last two of older releases), and what tweed makes of each.
//!
//! One row, one flag. Which of them are a key of `node.toml`, which are refused and which only answered with a warning is
//! told nowhere else: the command line, the environment, the help and the test of docs/settings.md all read this table.

use toml::Value;

/// A flag.
pub struct Flag {
    /// Without dashes.
    pub name: &'static str,
    /// Its variable in the environment: FLANNELD_, upper case, underscores.
    pub variable: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What it does here.
    pub effect: Effect,
    /// What it means, in a line.
    pub help: &'static str,
}

/// What a flag takes, in the terms of Go's package `flag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A value; the last one counts.
    One(&'static str),
    /// A value; all of them count, in order.
    Many(&'static str),
    /// Nothing, or `=true`, `=false`.
    Switch,
}

/// What becomes of what was typed.
#[derive(Clone, Copy)]
pub enum Effect {
    /// A key of `node.toml`.
    Key(&'static str, Reading),
    /// The end, with this reason: without it the network would not be what was asked for.
    Refused {
        /// The value with which the flag asks for nothing.
        inert: &'static str,
        /// What to do instead.
        why: &'static str,
    },
    /// A warning: the network is the same without it.
    Ignored {
        /// The value with which the flag asks for nothing.
        inert: &'static str,
        /// What tweed has instead.
        why: &'static str,
    },
}

/// From what was typed to a value of the key; the error continues `--flag is "typed"`.
pub type Reading = fn(&[String]) -> Result<Value, String>;

use Effect::{Ignored, Key, Refused};
use Takes::{Many, One, Switch};

const fn flag(
    name: &'static str,
    variable: &'static str,
    takes: Takes,
    effect: Effect,
    help: &'static str,
) -> Flag {
    Flag {
        name,
        variable,
        takes,
        effect,
        help,
    }
}

const ONLY_KUBE: &str = "only flanneld's Kubernetes subnet manager has a use for it";
const NO_HEALTHZ: &str = "tweed-control has no health endpoint; systemd's watchdog looks after it (Type=notify), and \
    `tweed-perf serve` answers over HTTP";
const LOGGING: &str = "say RUST_LOG=debug for more of the log";
const NO_IPSEC: &str = "tweed has no ipsec backend";

/// All of them.
#[rustfmt::skip]
pub static FLAGS: &[Flag] = &[
    flag("etcd-endpoints", "FLANNELD_ETCD_ENDPOINTS", One("URLS"), Key("etcd.endpoints", comma_list),
        "etcd's endpoints, separated by commas"),
    flag("etcd-prefix", "FLANNELD_ETCD_PREFIX", One("KEY"), Key("etcd.prefix", text),
        "The network's keys in etcd"),
    flag("etcd-keyfile", "FLANNELD_ETCD_KEYFILE", One("PATH"), Key("etcd.keyfile", text),
        "Our key for etcd (PEM); with --etcd-certfile"),
    flag("etcd-certfile", "FLANNELD_ETCD_CERTFILE", One("PATH"), Key("etcd.certfile", text),
        "Our certificate for etcd (PEM); with --etcd-keyfile"),
    flag("etcd-cafile", "FLANNELD_ETCD_CAFILE", One("PATH"), Key("etcd.cafile", text),
        "The authority that signed etcd's certificate (PEM)"),
    flag("etcd-username", "FLANNELD_ETCD_USERNAME", One("NAME"), Key("etcd.username", text),
        "User for etcd"),
    flag("etcd-password", "FLANNELD_ETCD_PASSWORD", One("WORD"), Key("etcd.password", text),
        "Password for etcd; the variable is not seen by `ps`"),
    flag("iface", "FLANNELD_IFACE", Many("NAME|IP"), Key("underlay.interface", list),
        "Device for the tunnel, by name or address; again: the first that is there"),
    flag("iface-regex", "FLANNELD_IFACE_REGEX", Many("REGEX"), Key("underlay.interface_regex", list),
        "Tried next, on addresses and then on names; again: the first that matches"),
    flag("iface-can-reach", "FLANNELD_IFACE_CAN_REACH", One("IP"), Key("underlay.interface_can_reach", text),
        "Tried last: the device through which the kernel reaches this address"),
    flag("public-ip", "FLANNELD_PUBLIC_IP", One("IP"), Key("underlay.public_ip", text),
        "Address that other nodes send to"),
    flag("subnet-file", "FLANNELD_SUBNET_FILE", One("PATH"), Key("lease.subnet_env", text),
        "Where to write what the CNI plugin reads"),
    flag("subnet-lease-renew-margin", "FLANNELD_SUBNET_LEASE_RENEW_MARGIN", One("MINUTES"), Key("lease.renew_margin_s", minutes),
        "Renew the lease this long before its end; 1 to 1439"),
    flag("public-ipv6", "FLANNELD_PUBLIC_IPV6", One("IP"), Ignored { inert: "", why: "tweed's underlay is IPv4; no IPv6 address is published" },
        "Not yet: no IPv6"),
    flag("ip-masq", "FLANNELD_IP_MASQ", Switch, Key("firewall.ip_masq", on),
        "Masquerade what pods send out of the cluster"),
    flag("ip-masq-fully-random-disable", "FLANNELD_IP_MASQ_FULLY_RANDOM_DISABLE", Switch, Key("firewall.fully_random", off),
        "Masquerade with the pod's own source port where it is free"),
    flag("iptables-forward-rules", "FLANNELD_IPTABLES_FORWARD_RULES", Switch, Key("firewall.forward_rules", on),
        "Accept the pod network in iptables' FORWARD chain, where there is one"),
    flag("iptables-resync", "FLANNELD_IPTABLES_RESYNC", One("SECONDS"), Key("firewall.resync_s", seconds),
        "Seconds between two looks at the rules; 1 to 3600"),
    flag("ip-blackhole-route", "FLANNELD_IP_BLACKHOLE_ROUTE", Switch, Ignored { inert: "false", why: "tweed always has an unreachable route for its \
        own subnet, behind whatever serves it" },
        "Always so: an unreachable route for our subnet"),
    flag("healthz-ip", "FLANNELD_HEALTHZ_IP", One("IP"), Ignored { inert: "", why: NO_HEALTHZ },
        "Not yet: no health endpoint"),
    flag("healthz-port", "FLANNELD_HEALTHZ_PORT", One("PORT"), Ignored { inert: "0", why: NO_HEALTHZ },
        "Not yet: no health endpoint"),
    flag("kube-subnet-mgr", "FLANNELD_KUBE_SUBNET_MGR", Switch, Refused { inert: "false", why: "tweed takes leases from etcd or from a file; \
        set lease.source in node.toml" },
        "Refused: no Kubernetes subnet manager"),
    flag("kube-api-url", "FLANNELD_KUBE_API_URL", One("URL"), Ignored { inert: "", why: ONLY_KUBE },
        "No Kubernetes subnet manager"),
    flag("kubeconfig-file", "FLANNELD_KUBECONFIG_FILE", One("PATH"), Ignored { inert: "", why: ONLY_KUBE },
        "No Kubernetes subnet manager"),
    flag("kube-annotation-prefix", "FLANNELD_KUBE_ANNOTATION_PREFIX", One("PREFIX"), Ignored { inert: "", why: ONLY_KUBE },
        "No Kubernetes subnet manager"),
    flag("net-config-path", "FLANNELD_NET_CONFIG_PATH", One("PATH"), Ignored { inert: "", why: ONLY_KUBE },
        "No Kubernetes subnet manager"),
    flag("set-node-network-unavailable", "FLANNELD_SET_NODE_NETWORK_UNAVAILABLE", Switch, Ignored { inert: "false", why: ONLY_KUBE },
        "No Kubernetes subnet manager"),
    flag("v", "FLANNELD_V", One("LEVEL"), Ignored { inert: "0", why: LOGGING },
        "Another log: RUST_LOG=debug"),
    flag("vmodule", "FLANNELD_VMODULE", One("LEVELS"), Ignored { inert: "", why: LOGGING },
        "Another log: RUST_LOG=debug"),
    flag("log_backtrace_at", "FLANNELD_LOG_BACKTRACE_AT", One("LINE"), Ignored { inert: ":0", why: LOGGING },
        "Another log: RUST_LOG=debug"),
    flag("charon-exec-path", "FLANNELD_CHARON_EXEC_PATH", One("PATH"), Ignored { inert: "", why: NO_IPSEC },
        "No ipsec backend"),
    flag("charon-vici-uri", "FLANNELD_CHARON_VICI_URI", One("URI"), Ignored { inert: "", why: NO_IPSEC },
        "No ipsec backend"),
];

/// The flag of this name.
pub fn find(name: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.name == name)
}

/// What Go's strconv.ParseBool takes.
pub fn switch(typed: &str) -> Option<bool> {
    match typed {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn text(typed: &[String]) -> Result<Value, String> {
    Ok(typed.last().cloned().unwrap_or_default().into())
}

fn list(typed: &[String]) -> Result<Value, String> {
    Ok(typed.to_vec().into())
}

fn comma_list(typed: &[String]) -> Result<Value, String> {
    let typed = typed.last().map_or("", String::as_str);
    let parts = typed.split(',').map(str::trim);
    let parts: Vec<String> = parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    Ok(parts.into())
}

/// A switch has been checked before; a value that is none is as good as off.
fn on(typed: &[String]) -> Result<Value, String> {
    let typed = typed.last().map_or("", String::as_str);
    Ok((switch(typed) == Some(true)).into())
}

fn off(typed: &[String]) -> Result<Value, String> {
    let typed = typed.last().map_or("", String::as_str);
    Ok((switch(typed) != Some(true)).into())
}

fn seconds(typed: &[String]) -> Result<Value, String> {
    let typed = typed.last().map_or("", String::as_str);
    match typed.parse::<i64>() {
        Ok(seconds @ 1..=3600) => Ok(seconds.into()),
        _ => Err("it must be a number of seconds from 1 to 3600".into()),
    }
}

fn minutes(typed: &[String]) -> Result<Value, String> {
    let typed = typed.last().map_or("", String::as_str);
    match typed.parse::<i64>() {
        Ok(minutes @ 1..=1439) => Ok((minutes * 60).into()),
        _ => Err("it must be a number of minutes from 1 to 1439".into()),
    }
}
