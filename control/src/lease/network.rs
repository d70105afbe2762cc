//! `<prefix>/config`: the network configuration that all nodes of a flannel cluster share.
//!
//! A [`NetworkConfig`] is one that this node can serve, over IPv4. Defaults and checks are those of flannel's
//! `pkg/subnet/config.go`; what it refuses is refused here, and so is what this node cannot serve, before a lease is taken.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use serde_json::Value;
use thiserror::Error;

use super::backend::NetworkBackend;
use super::json::{JsonError, Object};

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
    /// How packets travel between nodes.
    pub backend: NetworkBackend,
}

/// Why a network configuration is refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NetworkError {
    /// Not JSON, or a field of the wrong type.
    #[error("{0}")]
    Json(String),
    /// flannel would refuse it too.
    #[error("{field} {problem}")]
    Value {
        /// The field as flannel's documentation spells it.
        field: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// flannel serves it, we do not.
    #[error(
        "{what} is not supported; tweed serves vxlan, host-gw, udp, ipip and alloc over IPv4 (\"Backend\": {{\"Type\": \"vxlan\"}})"
    )]
    Unsupported {
        /// What was asked for.
        what: String,
    },
}

impl From<JsonError> for NetworkError {
    fn from(error: JsonError) -> Self {
        NetworkError::Json(error.to_string())
    }
}

pub(super) fn refuse<T>(
    field: &'static str,
    problem: impl Into<String>,
) -> Result<T, NetworkError> {
    Err(NetworkError::Value {
        field,
        problem: problem.into(),
    })
}

impl NetworkConfig {
    /// Parses and checks the value of `<prefix>/config`.
    pub fn parse(text: &[u8]) -> Result<Self, NetworkError> {
        Self::from_object(&Object::parse(text)?)
    }

    pub(super) fn from_object(json: &Object) -> Result<Self, NetworkError> {
        let ipv4 = json.flag("EnableIPv4", true)?;
        let ipv6 = json.flag("EnableIPv6", false)?;
        if !ipv4 {
            let what = if ipv6 {
                "an IPv6-only network"
            } else {
                "a network with neither IPv4 nor IPv6"
            };
            return Err(NetworkError::Unsupported { what: what.into() });
        }
        let network = json.read_strict(
            "Network",
            "an IPv4 network such as \"10.244.0.0/16\"",
            |s| s.parse::<Ipv4Net>().ok().map(|net| net.trunc()),
        )?;
        let Some(network) = network.filter(|net| *net != Ipv4Net::default()) else {
            return refuse(
                "Network",
                "is missing; name the pod network, such as \"10.244.0.0/16\"",
            );
        };
        let address = |s: &str| {
            s.parse::<Ipv4Addr>()
                .ok()
                .map(|ip| u128::from(ip.to_bits()))
        };
        let plan = Plan {
            fields: ["SubnetLen", "SubnetMin", "SubnetMax"],
            bits: 32,
            usual_len: 24,
            network: network.network().to_bits().into(),
            prefix_len: network.prefix_len(),
            subnet_len: read_len(json, "SubnetLen")?,
            min: json.read_strict("SubnetMin", "an IPv4 address", address)?,
            max: json.read_strict("SubnetMax", "an IPv4 address", address)?,
        };
        let (subnet_len, min, max) =
            plan.check(|bits| Ipv4Addr::from_bits(bits as u32).to_string())?;
        Ok(NetworkConfig {
            network,
            subnet_len,
            subnet_min: Ipv4Addr::from_bits(min as u32),
            subnet_max: Ipv4Addr::from_bits(max as u32),
            network6: if ipv6 { Some(network6(json)?) } else { None },
            nftables: json.flag("EnableNFTables", false)?,
            backend: NetworkBackend::from_config(json)?,
        })
    }

    /// Whether `subnet` is one that this configuration would lease out.
    pub fn leases_out(&self, subnet: Ipv4Net) -> bool {
        subnet.prefix_len() == self.subnet_len
            && subnet == subnet.trunc()
            && (self.subnet_min..=self.subnet_max).contains(&subnet.network())
    }

    /// Every subnet that may be leased, lowest first.
    pub fn subnets(&self) -> impl Iterator<Item = Ipv4Net> + use<> {
        let (len, min, max) = (
            self.subnet_len,
            self.subnet_min.to_bits(),
            self.subnet_max.to_bits(),
        );
        (min..=max)
            .step_by(1 << (32 - len))
            .map(move |bits| Ipv4Net::new_assert(Ipv4Addr::from_bits(bits), len))
    }
}

/// flannel's rules for cutting a network into subnets; the same for both families (`CheckNetworkConfig`).
struct Plan {
    fields: [&'static str; 3],
    bits: u8,
    usual_len: u8,
    network: u128,
    prefix_len: u8,
    subnet_len: Option<u8>,
    min: Option<u128>,
    max: Option<u128>,
}

impl Plan {
    /// Subnet length, first and last subnet.
    fn check(&self, show: impl Fn(u128) -> String) -> Result<(u8, u128, u128), NetworkError> {
        let [len_field, min_field, max_field] = self.fields;
        let (bits, prefix_len) = (self.bits, self.prefix_len);
        let len = match self.subnet_len {
            Some(len) if len > bits - 2 => {
                // Room for the bridge and a pod in each.
                return refuse(
                    len_field,
                    format!("is {len}; it must be at most {}", bits - 2),
                );
            }
            Some(len) if len < prefix_len + 2 => {
                return refuse(
                    len_field,
                    format!(
                        "is {len}; four subnets must fit the network, so at least {}",
                        prefix_len + 2
                    ),
                );
            }
            Some(len) => len,
            None if prefix_len > bits - 4 => {
                return refuse(
                    len_field,
                    format!(
                        "has no default in a network of /{prefix_len}; use a network of /{} or larger",
                        bits - 4
                    ),
                );
            }
            None => self.usual_len.max(prefix_len + 2),
        };
        // Never shifts by all bits: len >= prefix_len + 2 >= 2.
        let size = 1u128 << (bits - len);
        let last = self.network + (((1u128 << (len - prefix_len)) - 1) << (bits - len));
        let bound = |field, given: Option<u128>, default| match given.filter(|ip| *ip != 0) {
            None => Ok(default),
            Some(ip) if !(self.network..=last + (size - 1)).contains(&ip) => refuse(
                field,
                format!("is {}, which lies outside the network", show(ip)),
            ),
            Some(ip) if ip % size != 0 => refuse(
                field,
                format!("is {}, which does not begin a subnet of /{len}", show(ip)),
            ),
            Some(ip) => Ok(ip),
        };
        // flannel leaves the first subnet alone, for its `.0` is the network's own address.
        let min = bound(min_field, self.min, self.network + size)?;
        let max = bound(max_field, self.max, last)?;
        if min > max {
            return refuse(
                min_field,
                format!("is {}, above {max_field} {}", show(min), show(max)),
            );
        }
        Ok((len, min, max))
    }
}

/// A prefix length; 0 means "not given", as it does in Go.
fn read_len(json: &Object, field: &'static str) -> Result<Option<u8>, NetworkError> {
    let len = json.read(field, "a prefix length", |v| {
        v.as_u64().and_then(|n| u8::try_from(n).ok())
    })?;
    Ok(len.filter(|len| *len != 0))
}

fn network6(json: &Object) -> Result<Ipv6Net, NetworkError> {
    let network = json.read_strict(
        "IPv6Network",
        "an IPv6 network such as \"fc00::/48\"",
        |s| s.parse::<Ipv6Net>().ok().map(|net| net.trunc()),
    )?;
    let Some(network) = network.filter(|net| *net != Ipv6Net::default()) else {
        return refuse(
            "IPv6Network",
            "is missing though EnableIPv6 is true; name it or turn IPv6 off",
        );
    };
    let address = |v: &Value| v.as_str()?.parse::<Ipv6Addr>().ok().map(Ipv6Addr::to_bits);
    let plan = Plan {
        fields: ["IPv6SubnetLen", "IPv6SubnetMin", "IPv6SubnetMax"],
        bits: 128,
        usual_len: 64,
        network: network.network().to_bits(),
        prefix_len: network.prefix_len(),
        subnet_len: read_len(json, "IPv6SubnetLen")?,
        min: json.read("IPv6SubnetMin", "an IPv6 address", address)?,
        max: json.read("IPv6SubnetMax", "an IPv6 address", address)?,
    };
    plan.check(|bits| Ipv6Addr::from_bits(bits).to_string())?;
    Ok(network)
}

#[cfg(test)]
mod tests;
