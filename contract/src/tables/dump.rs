//! The way back, from a bank to values: for a control that starts again, for those who look, for tests.
//!
//! Routes come back as the fewest prefixes that say the same, not as those that were given. The bytes are input: what cannot
//! have been published is refused. A trie is a tree: a node that two values lead to is refused, so circles end, and a few
//! mangled words do not become millions of routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use super::compile::is_device_name;
use super::fib::Fib;
use super::layout::{LPM_LINES, Line, Trie};
use super::lpm::{self, NODE};
use super::rewrite::{AdjacencyKind, PEER6};
use super::{
    Adjacency, Encap, MAX_ADJACENCIES, MAX_PORTS, Node, Port, PortKind, Route, Tables, TunnelPort,
};
use crate::config::BindMode;
use crate::wire::{Ethernet, Rewrite6};

/// The bytes are not what a [`Publisher`](super::Publisher) writes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the tables segment is mangled: {0}; stop control, remove the file, start control")]
pub struct Mangled(String);

impl Fib {
    /// Everything.
    pub fn tables(&self) -> Result<Tables, Mangled> {
        let count = self.0.head.adjacencies as usize;
        if count > MAX_ADJACENCIES {
            return Err(Mangled(format!("{count} adjacencies")));
        }
        let mut routes = Vec::new();
        self.walk(Trie::Inner4, 32, &mut routes)?;
        self.walk(Trie::Inner6, 128, &mut routes)?;
        if let Some(Route {
            prefix,
            len,
            adjacency,
        }) = routes
            .iter()
            .find(|route| usize::from(route.adjacency) >= count)
        {
            return Err(Mangled(format!(
                "route {prefix}/{len} leads to adjacency {adjacency} of {count}"
            )));
        }
        Ok(Tables {
            node: self.node_value(),
            ports: self.ports()?,
            adjacencies: (0..count)
                .map(|index| self.adjacency(index as u16))
                .collect(),
            routes,
        })
    }

    /// This node, as a value.
    pub fn node_value(&self) -> Node {
        let node = self.node();
        let [a, b, c] = node.vni;
        Node {
            tunnel: node.tunnel(),
            vtep_mac: node.vtep_mac,
            vtep_mac6: node.vtep_mac6,
            vtep_ip4: node.vtep_ip4.into(),
            vtep_ip6: node.vtep_ip6.into(),
            vni: u32::from_be_bytes([0, a, b, c]),
            tunnel_dport: node.tunnel_dport.get(),
            tunnel_port: TunnelPort::from_byte(node.tunnel_port),
            gateway_ip4: node.gateway_ip4.into(),
            gateway_ip6: node.gateway_ip6.into(),
        }
    }

    /// The ports to open.
    pub fn ports(&self) -> Result<Vec<Port>, Mangled> {
        let count = self.0.head.ports as usize;
        if count > MAX_PORTS {
            return Err(Mangled(format!("{count} ports")));
        }
        let port = |(index, raw): (usize, &super::layout::RawPort)| {
            let mangled = |what| Mangled(format!("port {index} has {what}"));
            let name = raw.name.split(|byte| *byte == 0).next().unwrap_or_default();
            let name = str::from_utf8(name)
                .ok()
                .filter(|name| is_device_name(name));
            Ok(Port {
                name: name
                    .ok_or_else(|| {
                        mangled(format!(
                            "the name {:?}",
                            raw.name.escape_ascii().to_string()
                        ))
                    })?
                    .into(),
                kind: PortKind::from_byte(raw.kind)
                    .ok_or_else(|| mangled(format!("kind {}", raw.kind)))?,
                mode: bind_mode(raw.mode).ok_or_else(|| mangled(format!("mode {}", raw.mode)))?,
                mtu: raw.mtu,
                mac: raw.mac,
                peer_mac: raw.peer_mac,
            })
        };
        self.0
            .head
            .port
            .iter()
            .take(count)
            .enumerate()
            .map(port)
            .collect()
    }

    /// One adjacency, as a value. Any bytes are one.
    pub fn adjacency(&self, index: u16) -> Adjacency {
        let meta = self.meta(index);
        let rewrite = *self.rewrite4(index);
        match meta.kind {
            AdjacencyKind::Empty => Adjacency::Empty,
            AdjacencyKind::Unresolved => Adjacency::Unresolved {
                peer: match meta.peer4() {
                    Some(peer) => peer.into(),
                    None => {
                        let mut peer = [0; 16];
                        peer.copy_from_slice(&self.line(index)[PEER6]);
                        peer.into()
                    }
                },
            },
            AdjacencyKind::Local => Adjacency::Local {
                port: meta.port,
                dst: rewrite.inner.dst,
                src: rewrite.inner.src,
            },
            AdjacencyKind::Vxlan4
            | AdjacencyKind::Udp4
            | AdjacencyKind::Ipip4
            | AdjacencyKind::HostGw4 => Adjacency::Peer {
                port: meta.port,
                mtu: meta.mtu,
                next_hop: rewrite.ethernet.dst,
                own: rewrite.ethernet.src,
                src: rewrite.ip.src.into(),
                peer: rewrite.ip.dst.into(),
                encap: match meta.kind {
                    AdjacencyKind::Udp4 => Encap::Udp,
                    AdjacencyKind::Ipip4 => Encap::Ipip,
                    AdjacencyKind::HostGw4 => Encap::HostGw,
                    _ => Encap::Vxlan {
                        peer_vtep: rewrite.inner.dst,
                        own_vtep: rewrite.inner.src,
                    },
                },
            },
            AdjacencyKind::Vxlan6 => {
                let Rewrite6 {
                    ethernet: Ethernet { dst, src, .. },
                    ip,
                    inner,
                    ..
                } = self.rewrite6(index);
                Adjacency::Peer {
                    port: meta.port,
                    mtu: meta.mtu,
                    next_hop: dst,
                    own: src,
                    src: ip.src.into(),
                    peer: ip.dst.into(),
                    encap: Encap::Vxlan {
                        peer_vtep: inner.dst,
                        own_vtep: inner.src,
                    },
                }
            }
        }
    }

    fn walk(&self, trie: Trie, bits: u8, routes: &mut Vec<Route>) -> Result<(), Mangled> {
        let used = (self.0.head.lpm_lines as usize).min(LPM_LINES);
        let mut walk = Walk {
            lines: &self.0.lpm,
            seen: vec![false; used],
            bits,
            run: (0, 0),
            routes,
        };
        for (slot, value) in self.0.roots[trie as usize].iter().enumerate() {
            walk.value((slot as u128) << 112, 16, *value)?;
        }
        walk.emit(u128::MAX);
        Ok(())
    }
}

/// Visits the runs of a trie in order of address and joins those that say the same.
struct Walk<'a> {
    lines: &'a [Line; LPM_LINES],
    /// The lines that a value may name, and whether one has.
    seen: Vec<bool>,
    /// Of an address: 32 or 128.
    bits: u8,
    /// Where the current run started, the address's first bit on top, and its value.
    run: (u128, u32),
    routes: &'a mut Vec<Route>,
}

impl Walk<'_> {
    fn value(&mut self, start: u128, depth: u8, value: u32) -> Result<(), Mangled> {
        if value & NODE == 0 {
            if value != self.run.1 {
                self.emit(start.wrapping_sub(1));
                self.run = (start, value);
            }
            return Ok(());
        }
        let node = (value & !NODE) as usize;
        let mangled = |what| Err(Mangled(format!("trie node {node} at depth {depth} {what}")));
        match self.seen.get_mut(node) {
            _ if depth >= self.bits => return mangled("is below the last bit of an address"),
            None => return mangled("is not among the lines in use"),
            Some(true) => return mangled("is there already"),
            Some(seen) => *seen = true,
        }
        for (slot, value) in lpm::runs(self.lines, value) {
            self.value(start | u128::from(slot) << (120 - depth), depth + 8, value)?;
        }
        Ok(())
    }

    /// The prefixes that cover the current run, which ends with `last`.
    fn emit(&mut self, last: u128) {
        let (mut start, value) = self.run;
        if value == 0 {
            return;
        }
        loop {
            // As long as alignment asks, or longer to fit.
            let aligned = 128 - start.trailing_zeros();
            let fitting = (last - start)
                .checked_add(1)
                .map_or(0, |size| size.leading_zeros() + 1);
            let len = aligned.max(fitting);
            let prefix = match self.bits {
                32 => IpAddr::V4(Ipv4Addr::from((start >> 96) as u32)),
                _ => IpAddr::V6(Ipv6Addr::from(start)),
            };
            self.routes.push(Route {
                prefix,
                len: len as u8,
                adjacency: value as u16,
            });
            let end = start | u128::MAX.checked_shr(len).unwrap_or(0);
            if end >= last {
                return;
            }
            start = end + 1;
        }
    }
}

fn bind_mode(byte: u8) -> Option<BindMode> {
    [
        BindMode::Auto,
        BindMode::ZeroCopy,
        BindMode::Copy,
        BindMode::Generic,
        BindMode::Tun,
        BindMode::Udp,
    ]
    .into_iter()
    .find(|mode| *mode as u8 == byte)
}
