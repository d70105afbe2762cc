//! flannel's lease as it stands in etcd: key `<prefix>/subnets/10.244.3.0-24`, value the JSON of `LeaseAttrs`
//! (flannel pkg/lease/lease.go, pkg/subnet/subnet.go).
//!
//! Written here a second time on purpose: the lab speaks for flannel, and must not share a mistake with what it tests.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::error::{LabError, Result};

/// flannel's default key prefix.
pub const PREFIX: &str = "/coreos.com/network";

/// VNI of flannel's vxlan backend unless configured otherwise.
pub const VNI: u32 = 1;

/// The value of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Lease {
    /// Where peers send.
    #[serde(rename = "PublicIP")]
    pub public_ip: Ipv4Addr,
    /// Always written by flanneld; `null` without IPv6.
    #[serde(rename = "PublicIPv6", default)]
    pub public_ipv6: Option<std::net::Ipv6Addr>,
    /// `vxlan`.
    pub backend_type: String,
    /// What the vxlan backend needs.
    pub backend_data: BackendData,
}

/// `BackendData` of the vxlan backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendData {
    /// VNI of the sender; readers use their own.
    #[serde(rename = "VNI")]
    pub vni: u32,
    /// Inner destination MAC for this node, colon hex.
    #[serde(rename = "VtepMAC")]
    pub vtep_mac: String,
}

impl Lease {
    /// A vxlan lease.
    pub fn vxlan(public_ip: Ipv4Addr, vtep_mac: &str) -> Self {
        Lease {
            public_ip,
            public_ipv6: None,
            backend_type: "vxlan".to_owned(),
            backend_data: BackendData {
                vni: VNI,
                vtep_mac: vtep_mac.to_owned(),
            },
        }
    }

    /// The JSON that flanneld would write.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers always serialize")
    }

    /// Reads a value.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|_| LabError::parse("a vxlan lease", text))
    }
}

/// The key of a subnet's lease.
pub fn key(subnet: Ipv4Net) -> String {
    format!(
        "{PREFIX}/subnets/{}-{}",
        subnet.network(),
        subnet.prefix_len()
    )
}

/// The subnet that a key names.
pub fn subnet_of(key: &str) -> Result<Ipv4Net> {
    key.strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_prefix("/subnets/"))
        .and_then(|name| name.replace('-', "/").parse().ok())
        .ok_or_else(|| LabError::parse("a lease key", key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From flannel's own documentation.
    const REAL: &str = r#"{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}"#;

    #[test]
    fn we_write_what_flanneld_writes() {
        let lease = Lease::vxlan(Ipv4Addr::new(192, 168, 64, 3), "c6:d2:32:6f:8f:44");
        assert_eq!(lease.to_json(), REAL);
        assert_eq!(Lease::from_json(REAL).unwrap(), lease);
    }

    #[test]
    fn keys_and_subnets_convert_both_ways() {
        let subnet = "10.5.52.0/24".parse().unwrap();
        assert_eq!(key(subnet), "/coreos.com/network/subnets/10.5.52.0-24");
        assert_eq!(subnet_of(&key(subnet)).unwrap(), subnet);
        assert!(subnet_of("/coreos.com/network/config").is_err());
    }
}
