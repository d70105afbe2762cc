//! From the value to the bytes: checks [`Tables`] and encodes them as the parts of a bank.
//!
//! Private memory, no I/O. What passes here cannot confuse a reader: every index names something that exists.

use std::net::IpAddr;

use thiserror::Error;
use zerocopy::{FromZeros, IntoBytes};

use super::layout::{Bank, BankHead, FibNode, LPM_LINES, RawMeta, RawPort, Root, TRIES, Trie};
use super::lpm::{Builder, Full, Prefix};
use super::rewrite::Rewrite;
use super::{Adjacency, Encap, MAX_ADJACENCIES, MAX_PORTS, Node, Port, Route, Tables};

/// Why tables cannot be published. Each names what has to change in them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(
    missing_docs,
    reason = "each variant's message says it, its fields are the message's"
)]
pub enum TablesError {
    #[error("the tables have {count} ports; the engine has room for {MAX_PORTS}")]
    TooManyPorts { count: usize },
    #[error(
        "the tables have {count} adjacencies; indices are 16 bits, so at most {MAX_ADJACENCIES}"
    )]
    TooManyAdjacencies { count: usize },
    #[error(
        "{count} routes need more than the {LPM_LINES} cache lines of a bank; aggregate the prefixes"
    )]
    TooManyRoutes { count: usize },
    #[error(
        "adjacency 0 is {adjacency:?}; it is what a lookup without a route returns and must be Empty"
    )]
    SlotZero { adjacency: Box<Adjacency> },
    #[error(
        "port {port} is named {name:?}; an interface name has 1 to 15 bytes and no '/', space or NUL"
    )]
    PortName { port: usize, name: String },
    #[error("ports {first} and {second} are both {name}; a device is one port")]
    PortTwice {
        first: usize,
        second: usize,
        name: String,
    },
    #[error("adjacency {adjacency} sends by port {port}, but there are {ports} ports")]
    NoSuchPort {
        adjacency: usize,
        port: u8,
        ports: usize,
    },
    #[error(
        "adjacency {adjacency} tunnels from {src} to {peer}; both ends must be of one address family"
    )]
    Families {
        adjacency: usize,
        src: IpAddr,
        peer: IpAddr,
    },
    #[error(
        "adjacency {adjacency} sends to {peer} by {encap:?}, which there is over IPv4 alone; use VXLAN over IPv6"
    )]
    OverIpv6 {
        adjacency: usize,
        peer: IpAddr,
        encap: Encap,
    },
    #[error("adjacency {adjacency} is a node at {peer}; a node has an address")]
    Unspecified { adjacency: usize, peer: IpAddr },
    #[error("the VNI is {vni}; VXLAN has 24 bits for it")]
    Vni { vni: u32 },
    #[error("route {prefix}/{len}: the prefix length is at most {max}")]
    RouteLen { prefix: IpAddr, len: u8, max: u8 },
    #[error("route {prefix}/{len} leads to adjacency {adjacency}, but there are {adjacencies}")]
    NoSuchAdjacency {
        prefix: IpAddr,
        len: u8,
        adjacency: u16,
        adjacencies: usize,
    },
}

/// Checked tables, encoded.
pub(super) struct Compiled {
    pub head: Box<BankHead>,
    roots: Vec<Root>,
    meta: Vec<RawMeta>,
    lines: Vec<[u8; 64]>,
    heads: Vec<[u8; 20]>,
    builder: Builder,
}

impl Compiled {
    /// Checks and encodes. The generation is still zero.
    pub fn new(tables: &Tables) -> Result<Compiled, TablesError> {
        if tables.node.vni >= 1 << 24 {
            return Err(TablesError::Vni {
                vni: tables.node.vni,
            });
        }
        let port = ports(&tables.ports)?;
        let mut compiled = Compiled {
            head: Box::new(BankHead {
                ports: tables.ports.len() as u32,
                adjacencies: tables.adjacencies.len() as u32,
                routes: tables.routes.len() as u32,
                node: node(&tables.node),
                port,
                ..BankHead::new_zeroed()
            }),
            roots: vec![[0; _]; TRIES],
            // All of them: what the bank held before must not be reachable.
            meta: vec![RawMeta::default(); MAX_ADJACENCIES],
            lines: Vec::with_capacity(tables.adjacencies.len()),
            heads: Vec::with_capacity(tables.adjacencies.len()),
            builder: Builder::default(),
        };
        compiled.adjacencies(tables)?;
        let full = |Full| TablesError::TooManyRoutes {
            count: tables.routes.len(),
        };
        let (inner4, inner6) = routes(&tables.routes, tables.adjacencies.len())?;
        let (vtep4, vtep6) = vteps(&tables.adjacencies);
        // The VTEPs last: the tries of every packet lie together.
        for (trie, prefixes) in [
            (Trie::Inner4, inner4),
            (Trie::Inner6, inner6),
            (Trie::Vtep4, vtep4),
            (Trie::Vtep6, vtep6),
        ] {
            compiled
                .builder
                .trie(&mut compiled.roots[trie as usize], prefixes)
                .map_err(full)?;
        }
        compiled.head.lpm_lines = compiled.builder.lines.len() as u32;
        Ok(compiled)
    }

    fn adjacencies(&mut self, tables: &Tables) -> Result<(), TablesError> {
        let count = tables.adjacencies.len();
        if count > MAX_ADJACENCIES {
            return Err(TablesError::TooManyAdjacencies { count });
        }
        match tables.adjacencies.first() {
            None | Some(Adjacency::Empty) => {}
            Some(other) => {
                return Err(TablesError::SlotZero {
                    adjacency: Box::new(other.clone()),
                });
            }
        }
        let node = &tables.node;
        for (index, adjacency) in tables.adjacencies.iter().enumerate() {
            check(index, adjacency, tables.ports.len())?;
            let Some(rewrite) = Rewrite::of(adjacency, node.vni, node.tunnel_dport) else {
                unreachable!("check() refuses mixed families, and IPv6 for what has none");
            };
            self.meta[index] = rewrite.meta;
            self.lines.push(rewrite.line);
            self.heads.push(rewrite.head);
        }
        Ok(())
    }

    /// What to write, and where in the bank, in bytes. What is not named here may keep what it held: nothing refers to it.
    pub fn parts(&self) -> [(usize, &[u8]); 6] {
        [
            (std::mem::offset_of!(Bank, head), self.head.as_bytes()),
            (std::mem::offset_of!(Bank, roots), self.roots.as_bytes()),
            (std::mem::offset_of!(Bank, meta), self.meta.as_bytes()),
            (std::mem::offset_of!(Bank, lines), self.lines.as_bytes()),
            (std::mem::offset_of!(Bank, heads), self.heads.as_bytes()),
            (
                std::mem::offset_of!(Bank, lpm),
                self.builder.lines.as_bytes(),
            ),
        ]
    }
}

fn ports(ports: &[Port]) -> Result<[RawPort; MAX_PORTS], TablesError> {
    let mut raw = [RawPort::new_zeroed(); MAX_PORTS];
    if ports.len() > MAX_PORTS {
        return Err(TablesError::TooManyPorts { count: ports.len() });
    }
    for (index, (raw, port)) in raw.iter_mut().zip(ports).enumerate() {
        if !is_device_name(&port.name) {
            return Err(TablesError::PortName {
                port: index,
                name: port.name.clone(),
            });
        }
        if let Some(first) = ports[..index]
            .iter()
            .position(|other| other.name == port.name)
        {
            return Err(TablesError::PortTwice {
                first,
                second: index,
                name: port.name.clone(),
            });
        }
        raw.kind = port.kind as u8;
        raw.mode = port.mode as u8;
        raw.mtu = port.mtu;
        raw.mac = port.mac;
        raw.peer_mac = port.peer_mac;
        raw.name[..port.name.len()].copy_from_slice(port.name.as_bytes());
    }
    Ok(raw)
}

/// What Linux takes for one (`dev_valid_name`).
pub(super) fn is_device_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.contains(|c: char| c == '/' || c == ':' || c == '\0' || c.is_ascii_whitespace())
}

fn node(node: &Node) -> FibNode {
    let [_, vni @ ..] = node.vni.to_be_bytes();
    FibNode {
        vtep_mac: node.vtep_mac,
        tunnel: node.tunnel as u8,
        vtep_mac6: node.vtep_mac6,
        tunnel_dport: node.tunnel_dport.into(),
        vtep_ip4: node.vtep_ip4.octets(),
        vni,
        tunnel_port: node.tunnel_port as u8,
        vtep_ip6: node.vtep_ip6.octets(),
        gateway_ip6: node.gateway_ip6.octets(),
        gateway_ip4: node.gateway_ip4.octets(),
        ..FibNode::new_zeroed()
    }
}

fn check(index: usize, adjacency: &Adjacency, ports: usize) -> Result<(), TablesError> {
    let has_address = |peer: IpAddr| match peer.is_unspecified() {
        true => Err(TablesError::Unspecified {
            adjacency: index,
            peer,
        }),
        false => Ok(()),
    };
    let sends_by = |port: u8| match usize::from(port) < ports {
        true => Ok(()),
        false => Err(TablesError::NoSuchPort {
            adjacency: index,
            port,
            ports,
        }),
    };
    match *adjacency {
        Adjacency::Empty => Ok(()),
        Adjacency::Unresolved { peer } => has_address(peer),
        Adjacency::Local { port, .. } => sends_by(port),
        Adjacency::Peer {
            port,
            src,
            peer,
            encap,
            ..
        } => {
            if src.is_ipv4() != peer.is_ipv4() {
                return Err(TablesError::Families {
                    adjacency: index,
                    src,
                    peer,
                });
            }
            if peer.is_ipv6() && !matches!(encap, Encap::Vxlan { .. }) {
                return Err(TablesError::OverIpv6 {
                    adjacency: index,
                    peer,
                    encap,
                });
            }
            has_address(peer)?;
            sends_by(port)
        }
    }
}

/// Prefixes by family.
fn routes(routes: &[Route], adjacencies: usize) -> Result<(Vec<Prefix>, Vec<Prefix>), TablesError> {
    let (mut four, mut six) = (Vec::new(), Vec::new());
    for &Route {
        prefix,
        len,
        adjacency,
    } in routes
    {
        let max = if prefix.is_ipv4() { 32 } else { 128 };
        if len > max {
            return Err(TablesError::RouteLen { prefix, len, max });
        }
        if usize::from(adjacency) >= adjacencies {
            return Err(TablesError::NoSuchAdjacency {
                prefix,
                len,
                adjacency,
                adjacencies,
            });
        }
        match prefix {
            IpAddr::V4(ip) => four.push(Prefix::new(ip.octets(), len, adjacency)),
            IpAddr::V6(ip) => six.push(Prefix::new(ip.octets(), len, adjacency)),
        }
    }
    Ok((four, six))
}

/// The nodes' PublicIPs as host routes.
fn vteps(adjacencies: &[Adjacency]) -> (Vec<Prefix>, Vec<Prefix>) {
    let (mut four, mut six) = (Vec::new(), Vec::new());
    for (index, adjacency) in adjacencies.iter().enumerate() {
        let (Adjacency::Peer { peer, .. } | Adjacency::Unresolved { peer }) = *adjacency else {
            continue;
        };
        match peer {
            IpAddr::V4(ip) => four.push(Prefix::new(ip.octets(), 32, index as u16)),
            IpAddr::V6(ip) => six.push(Prefix::new(ip.octets(), 128, index as u16)),
        }
    }
    (four, six)
}
