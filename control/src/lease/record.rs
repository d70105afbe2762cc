//! One lease as flannel stores it: a key below `<prefix>/subnets/` and a JSON value.
//!
//! ```text
//! <prefix>/subnets/10.244.1.0-24                      IPv4
//! <prefix>/subnets/10.244.1.0-24&fd00:12:13::-56      dual-stack
//! {"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:..:44"}}
//! ```
//!
//! A flannel node that meets a key or value here which it cannot parse forgets every route it has, so what
//! [`value`] and [`key`] write is exactly what flannel parses, and nothing else of ours goes below `subnets`.
//! Grammar: flannel's `pkg/subnet/subnet.go` (`ParseSubnetKey`) and `pkg/lease/lease.go` (`LeaseAttrs`).

use std::net::{Ipv4Addr, Ipv6Addr};

use contract::wire::Mac;
use ipnet::{Ipv4Net, Ipv6Net};
use serde_json::Value;
use thiserror::Error;

use super::json::{JsonError, Object, excerpt};
use super::{Backend, Identity, Lease, NetworkBackend};

/// What keeps a record from being used.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each variant's message says it, its fields are the message's"
)]
pub enum RecordError {
    #[error("the key does not end in <network>-<length>, such as 10.244.1.0-24")]
    Key,
    #[error("the subnet {0} has bits set beyond its length")]
    HostBits(Ipv4Net),
    #[error("the value {0}")]
    Json(#[from] JsonError),
    #[error("the value has no PublicIP")]
    NoPublicIp,
    #[error("PublicIP {0} is not the address of a node")]
    PublicIp(Ipv4Addr),
    #[error("BackendData is missing; vxlan needs {{\"VNI\":1,\"VtepMAC\":\"..\"}}")]
    NoBackendData,
    #[error("VtepMAC {0} is not the address of one station")]
    VtepMac(Mac),
}

/// The subnets that a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subnets {
    pub(super) v4: Ipv4Net,
    pub(super) v6: Option<Ipv6Net>,
}

impl Subnets {
    /// Reads the end of a key; what stands before does not matter, as in flannel, whose pattern is anchored only there.
    pub(super) fn parse(key: &str) -> Result<Self, RecordError> {
        Self::read(key).ok_or(RecordError::Key).and_then(|subnets| {
            match subnets.v4 == subnets.v4.trunc() {
                true => Ok(subnets),
                false => Err(RecordError::HostBits(subnets.v4)),
            }
        })
    }

    fn read(key: &str) -> Option<Self> {
        let dual_stack = |(v4, v6)| {
            let (v4, v6) = (read_v4(v4)?, Some(read_v6(v6)?));
            Some(Subnets { v4, v6 })
        };
        // Without IPv6 an '&' belongs to what stands before: to the prefix, say.
        let v4_only = || read_v4(key).map(|v4| Subnets { v4, v6: None });
        key.rsplit_once('&').and_then(dual_stack).or_else(v4_only)
    }
}

fn read_v4(text: &str) -> Option<Ipv4Net> {
    let (before, len) = text.rsplit_once('-')?;
    // The last four dotted numbers: "7.10.5.52.0" is 10.5.52.0 after something else.
    let dotted = |c: char| c == '.' || c.is_ascii_digit();
    let quad = &before[before.trim_end_matches(dotted).len()..];
    let start = quad.rmatch_indices('.').nth(3).map_or(0, |(i, _)| i + 1);
    // Five bits in flannel: a /32 cannot be written.
    Ipv4Net::new(quad[start..].parse().ok()?, read_len(len, 31)?).ok()
}

fn read_v6(text: &str) -> Option<Ipv6Net> {
    let (network, len) = text.rsplit_once('-')?;
    let lower = |c: char| c == ':' || c.is_ascii_digit() || ('a'..='f').contains(&c);
    let network = network.chars().all(lower).then_some(network)?;
    let net = Ipv6Net::new(network.parse().ok()?, read_len(len, 127)?).ok()?;
    Some(net.trunc())
}

fn read_len(text: &str, most: u8) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| text.parse().ok())?
        .filter(|len| *len <= most)
}

/// The key of an IPv4 lease below `prefix` (which has no trailing slash).
pub(super) fn key(prefix: &str, subnet: Ipv4Net) -> String {
    format!(
        "{prefix}/subnets/{}-{}",
        subnet.network(),
        subnet.prefix_len()
    )
}

/// The value of our lease.
pub(super) fn value(identity: Identity, backend: &NetworkBackend) -> String {
    // The order and spelling of fields is flannel's own; addresses and numbers need no escaping.
    let backend = match backend {
        NetworkBackend::Vxlan(vxlan) => format!(
            r#","BackendType":"vxlan","BackendData":{{"VNI":{},"VtepMAC":"{}"}}"#,
            vxlan.vni, identity.vtep_mac
        ),
        NetworkBackend::HostGw | NetworkBackend::Ipip { .. } => {
            format!(r#","BackendType":"{}""#, backend.name())
        }
        // flannel leaves out what is empty, and these two say nothing.
        NetworkBackend::Udp { .. } | NetworkBackend::Alloc => String::new(),
    };
    let public_ip = identity.public_ip;
    format!(r#"{{"PublicIP":"{public_ip}","PublicIPv6":null{backend}}}"#)
}

impl Lease {
    /// A lease from its key and its value in etcd.
    pub fn parse(key: &str, value: &[u8]) -> Result<Lease, RecordError> {
        from_object(Subnets::parse(key)?, &Object::parse(value)?)
    }
}

/// A lease from its subnets and its decoded value.
pub(super) fn from_object(subnets: Subnets, json: &Object) -> Result<Lease, RecordError> {
    // `null` and "" are errors, absent is 0.0.0.0: the three ways of saying nothing are not alike in flannel.
    let public_ip = json
        .read_strict("PublicIP", "an IPv4 address", |s| {
            s.parse::<Ipv4Addr>().ok()
        })?
        .filter(|ip| !ip.is_unspecified())
        .ok_or(RecordError::NoPublicIp)?;
    if public_ip.is_multicast() || public_ip.is_broadcast() || public_ip.is_loopback() {
        return Err(RecordError::PublicIp(public_ip));
    }
    let address6 = |v: &Value| v.as_str()?.parse::<Ipv6Addr>().ok();
    Ok(Lease {
        subnet: subnets.v4,
        subnet6: subnets.v6,
        public_ip,
        public_ip6: json.read("PublicIPv6", "an IPv6 address or null", address6)?,
        backend: backend(json)?,
    })
}

fn backend(json: &Object) -> Result<Backend, RecordError> {
    let kind = json.text("BackendType")?;
    match kind.as_str() {
        "vxlan" => {}
        "host-gw" => return Ok(Backend::HostGw),
        "ipip" => return Ok(Backend::Ipip),
        // flannel's udp backend writes no type at all.
        "" => return Ok(Backend::Unnamed),
        other => return Ok(Backend::Other(excerpt(other))),
    }
    let data = json
        .object("BackendData")?
        .ok_or(RecordError::NoBackendData)?;
    let mac = |v: &Value| v.as_str()?.parse::<Mac>().ok();
    let vtep_mac = data
        .read("VtepMAC", "six bytes such as \"c6:d2:32:6f:8f:44\"", mac)?
        .ok_or(RecordError::NoBackendData)?;
    if !vtep_mac.is_unicast() || vtep_mac == Mac([0; 6]) {
        return Err(RecordError::VtepMac(vtep_mac));
    }
    Ok(Backend::Vxlan { vtep_mac })
}

#[cfg(test)]
mod tests;
