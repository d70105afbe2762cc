//! flannel's vxlan backend: the kernel's vxlan device with the entries that flanneld makes for its one peer.

use super::{Network, Station, bed};
use crate::bench::Result;
use crate::bench::model::Wire;
use crate::lab::lease::Lease;
use crate::lab::{Cable, MTU, Node, Pod, flannel};

/// Its name.
pub const NAME: &str = "kernel vxlan";
/// What it is.
pub const WHAT: &str = "flannel's vxlan backend: the kernel's vxlan device, routes and forwarding";

/// Two flannel nodes.
pub struct Kernel {
    pods: [Pod; 2],
    _nodes: [Node; 2],
    _cable: Cable,
}

impl Kernel {
    /// Builds it; a ping goes through when this returns.
    pub fn build(wire: Wire) -> Result<Self> {
        let (cable, nodes) = bed::nodes(wire, 'v', MTU - flannel::OVERHEAD)?;
        let mac = |number: usize| format!("02:f1:00:00:00:{number:02x}");
        for (number, node) in (1..).zip(&nodes) {
            flannel::vxlan(node, bed::subnet(number)?, &mac(number))?;
        }
        for (own, peer) in [(1, 2), (2, 1)] {
            let lease = Lease::vxlan(nodes[peer - 1].address(), &mac(peer));
            flannel::add_peer(nodes[own - 1].ns().name(), bed::subnet(peer)?, &lease)?;
        }
        let pods = [nodes[0].pod()?, nodes[1].pod()?];
        cable.wait_reach(&pods[0], pods[1].ip)?;
        Ok(Kernel {
            pods,
            _nodes: nodes,
            _cable: cable,
        })
    }
}

impl Network for Kernel {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        WHAT
    }

    fn pods(&self) -> [&Pod; 2] {
        self.pods.each_ref()
    }

    fn stations(&self) -> Result<Vec<Station>> {
        Ok(Vec::new())
    }
}
