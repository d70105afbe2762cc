//! What every network of this stage lies in: a cable as the wire variant says, two nodes on it, and a pod on each.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::counters::Counters;
use super::way::Way;
use crate::bench::Result;
use crate::bench::model::Wire;
use crate::lab::{Cable, LabError, Namespace, Node, Pod};

/// The NIC of every node, and the device of every pod.
pub const NIC: &str = "eth0";
/// The bridge of a node's pods.
pub const BRIDGE: &str = "cni0";
/// A pod's device on its node ([`Node::pod`]).
pub const VETH: &str = "veth10";

/// The engine's end of the veth pair whose other end is [`tweed::DEVICE`](crate::lab::tweed::DEVICE).
pub const ENGINE: &str = "tweed0x";

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

/// The subnet of node 1 or 2.
pub fn subnet(node: usize) -> Result<Ipv4Net> {
    let net = format!("10.244.{node}.0/24");
    net.parse().map_err(|_| LabError::parse("a subnet", &net))
}

/// Pods in one subnet, whose frames go to their node's [`VETH`] and no further by themselves: there is no bridge and no route.
///
/// They leave nothing to a NIC: who takes frames from a veth by AF_XDP or AF_PACKET as they are would pass on their
/// partial checksums as wrong ones.
pub fn neighbours(cable: &Cable, nodes: &[Node; 2], mtu: u16) -> Result<[Pod; 2]> {
    let [one, two] = nodes;
    Ok([neighbour(cable, one, mtu)?, neighbour(cable, two, mtu)?])
}

fn neighbour(cable: &Cable, node: &Node, mtu: u16) -> Result<Pod> {
    let ip = Ipv4Addr::new(10, 244, 0, node.place().host + 10);
    let ns = cable.namespace(&format!("{}-p10", node.name()))?;
    node.ns().ip(&format!(
        "link add {VETH} mtu {mtu} type veth peer name {NIC} mtu {mtu} netns {}\nlink set {VETH} up",
        ns.name()
    ))?;
    ns.ip(&format!("link set {NIC} up\naddr add {ip}/24 dev {NIC}"))?;
    ns.run(&format!("ethtool -K {NIC} tx off tso off gso off"))?;
    Ok(Pod {
        name: format!("{}/10", node.name()),
        ns,
        ip,
        mtu,
    })
}

/// A network whose nodes are the kernel's: they have subnets, pods behind a bridge, and routes of some kind.
///
/// Declared in the order in which things have to go.
pub struct Bed {
    /// One on each node.
    pub pods: [Pod; 2],
    /// Machines 1 and 2.
    pub nodes: [Node; 2],
    /// Between them; has the files.
    pub cable: Cable,
}

impl Bed {
    /// Nodes whose pods have this MTU, and nothing yet that joins them.
    pub fn build(wire: Wire, kind: char, mtu: u16) -> Result<Self> {
        let cable = Cable::new()?;
        let nodes = cable.nodes(kind)?;
        make(wire, &nodes)?;
        for (number, node) in (1..).zip(&nodes) {
            node.write_subnet_env(subnet(number)?, mtu)?;
        }
        let pods = [nodes[0].pod()?, nodes[1].pod()?];
        Ok(Bed { pods, nodes, cable })
    }

    /// Both directions: number and namespace of a node, and the number of its peer.
    pub fn ways(&self) -> [(&Node, usize, usize); 2] {
        [(&self.nodes[0], 1, 2), (&self.nodes[1], 2, 1)]
    }

    /// Waits until the pods reach each other.
    pub fn wait_reach(&self) -> Result<()> {
        self.cable.wait_reach(&self.pods[0], self.pods[1].ip)
    }

    /// Stations of a kernel that routes, by way of a tunnel or of none.
    pub fn stations(&self, tunnel: &Tunnel) -> Result<Vec<super::Station>> {
        let counts = Counts::read(&self.pods, self.nodes.each_ref().map(Node::ns))?;
        let [one, two] = &counts.nodes;
        let mut way = Way::default();
        counts.leave(&mut way);
        way.rx("node 1", one, BRIDGE);
        match tunnel {
            Tunnel::None => way.routed("node 1", one, NIC),
            Tunnel::Kernel(device) => {
                way.routed("node 1", one, device);
                way.tx("node 1", one, NIC);
            }
            Tunnel::Process(device) => {
                way.routed("node 1", one, device);
                way.socket_out("node 1", one);
                way.tx("node 1", one, NIC);
            }
        }
        counts.cross(&mut way);
        match tunnel {
            Tunnel::None => {}
            Tunnel::Kernel(device) => way.rx("node 2", two, device),
            Tunnel::Process(device) => {
                way.socket_in("node 2", two);
                way.rx("node 2", two, device);
            }
        }
        way.routed("node 2", two, BRIDGE);
        counts.arrive(&mut way);
        Ok(way.end())
    }
}

/// What a routing kernel sends the other node's packets into.
pub enum Tunnel {
    /// The NIC itself.
    None,
    /// A device of the kernel.
    Kernel(&'static str),
    /// A device whose packets a process wraps and sends by a UDP socket.
    Process(&'static str),
}

/// The kernel's counters of everyone.
pub struct Counts {
    /// Of the pods.
    pub pods: [Counters; 2],
    /// Of the nodes.
    pub nodes: [Counters; 2],
}

impl Counts {
    /// Reads them all.
    pub fn read(pods: &[Pod; 2], nodes: [&Namespace; 2]) -> Result<Self> {
        let pod = |pod: &Pod| Counters::read(&pod.ns, &[NIC]);
        let node = |ns| Counters::read(ns, &[NIC, VETH, ENGINE]);
        Ok(Counts {
            pods: [pod(&pods[0])?, pod(&pods[1])?],
            nodes: [node(nodes[0])?, node(nodes[1])?],
        })
    }

    /// Out of pod 1 and into its node.
    pub fn leave(&self, way: &mut Way) {
        way.tx("pod 1", &self.pods[0], NIC);
        way.crossed("node 1", &self.nodes[0], VETH, self.pods[0].link(NIC));
    }

    /// Out of the cable.
    pub fn cross(&self, way: &mut Way) {
        way.crossed("node 2", &self.nodes[1], NIC, self.nodes[0].link(NIC));
    }

    /// Out of node 2 and into its pod.
    pub fn arrive(&self, way: &mut Way) {
        way.tx("node 2", &self.nodes[1], VETH);
        way.crossed("pod 2", &self.pods[1], NIC, self.nodes[1].link(VETH));
    }
}
