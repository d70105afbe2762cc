//! The profile as it is written: TOML keys, and flags, which fill in the same structure. Everything that has a default
//! may be left out; a key that is not known is refused, so that a slip cannot pass for a default. Nothing is believed
//! yet: [`Raw::profile`] checks it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::problem::{At, Origin, Problem, ProfileError, shown};
use super::range::{Addresses, addresses};
use super::scalar::Scalar;

/// A value that may be left out.
pub type Key = Option<Scalar>;

/// A whole file, or the flags for one stream.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "configs/pktgen/udp-64.toml explains every key")]
pub struct Raw {
    #[serde(skip)]
    pub origin: Origin,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Key,
    pub stream: Vec<RawStream>,
}

/// A `[[stream]]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "as Raw")]
pub struct RawStream {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sport: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dport: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flows: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_mac: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_mac: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vxlan: Option<RawVxlan>,
}

/// A `[stream.vxlan]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "as Raw")]
pub struct RawVxlan {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vni: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_src_mac: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_dst_mac: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Key,
}

impl Raw {
    /// Reads TOML.
    ///
    /// # Errors
    /// No TOML, a key that is not known (the text lists those that are), a list or a table where a value belongs. The
    /// error's key is the line.
    pub fn parse(text: &str) -> Result<Raw, ProfileError> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            // The span may begin inside a character of broken text.
            let before = text.as_bytes()[..at].iter();
            let line = before.filter(|&&byte| byte == b'\n').count();
            let typed = text.lines().nth(line).unwrap_or_default().trim();
            let message = error.message().trim().replace(char::is_control, " ");
            ProfileError {
                key: format!("line {}", line + 1),
                problem: format!("{}; {message}", shown(typed)),
            }
        })
    }

    /// Whether a source address was left out that the sending interface can give.
    pub fn lacks_source(&self) -> bool {
        (self.stream.iter()).any(|stream| match &stream.vxlan {
            Some(vxlan) => vxlan.src.is_none(),
            None => stream.src.is_none(),
        })
    }

    /// Fills in sources that were left out, from the interface's own addresses: for a packet the first of its
    /// destination's family (and, over IPv6, link-local if the destination is), for a tunnel the first IPv4 address.
    /// What is inside a tunnel has no address of this interface. Where there is none to be had, the source stays out,
    /// and [`Raw::profile`] says so.
    pub fn fill_sources(&mut self, own: &[IpAddr]) {
        for stream in &mut self.stream {
            let in_tunnel = stream.vxlan.is_some();
            let (source, destination) = match &mut stream.vxlan {
                Some(vxlan) => (&mut vxlan.src, None),
                None => (&mut stream.src, stream.dst.as_ref()),
            };
            let destination = destination.and_then(|dst| addresses(&dst.to_string()).ok());
            let fits = |own: &&IpAddr| match (&destination, own) {
                (None, IpAddr::V4(_)) => in_tunnel,
                (Some(Addresses::V4(_)), IpAddr::V4(_)) => true,
                (Some(Addresses::V6(dst)), IpAddr::V6(own)) => {
                    own.is_unicast_link_local() == dst.start().is_unicast_link_local()
                }
                _ => false,
            };
            if source.is_none() {
                *source = own.iter().find(fits).map(|own| own.to_string().into());
            }
        }
    }
}

/// Reads a key, if it is there.
pub fn read<T>(
    at: At,
    name: &str,
    key: &Key,
    parse: impl FnOnce(&str) -> Result<T, Problem>,
) -> Result<Option<T>, ProfileError> {
    let Some(value) = key else { return Ok(None) };
    let value = parse(&value.to_string()).map_err(|problem| at.error(name, problem))?;
    Ok(Some(value))
}
