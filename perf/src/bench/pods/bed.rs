//! What every network of this stage lies in: a cable as the wire variant says, its nodes, and their subnets.

use ipnet::Ipv4Net;

use crate::bench::Result;
use crate::bench::model::Wire;
use crate::lab::{Cable, Node};

/// The NIC of every node.
pub const NIC: &str = "eth0";

/// The cable's two ends as NICs of this wire.
pub fn make(wire: Wire, nodes: &[Node; 2]) -> Result<()> {
    let gro = match wire {
        Wire::Plain => "off",
        Wire::Gro => "on",
        Wire::Offloads => return Ok(()),
    };
    for node in nodes {
        node.ns().make_wire(NIC)?;
        node.ns().run(&format!("ethtool -K {NIC} gro {gro}"))?;
    }
    Ok(())
}

/// The subnet of a node, by its number.
pub fn subnet(node: usize) -> Result<Ipv4Net> {
    Ipv4Net::new([10, 244, node as u8, 0].into(), 24)
        .map_err(|_| crate::lab::LabError::parse("a subnet", "24"))
}

/// A cable with two nodes that have subnets for pods of this MTU.
pub fn nodes(wire: Wire, kind: char, mtu: u16) -> Result<(Cable, [Node; 2])> {
    let cable = Cable::new()?;
    let nodes = cable.nodes(kind)?;
    make(wire, &nodes)?;
    for (number, node) in (1..).zip(&nodes) {
        node.write_subnet_env(subnet(number)?, mtu)?;
    }
    Ok((cable, nodes))
}
