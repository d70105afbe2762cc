//! flannel's vxlan backend: the kernel's vxlan device with the entries that flanneld makes for its one peer.

use super::bed::{self, Bed, Tunnel};
use super::{Network, Station};
use crate::bench::Result;
use crate::bench::model::Wire;
use crate::lab::lease::Lease;
use crate::lab::{MTU, Pod, flannel};

/// Its name.
pub const NAME: &str = "kernel vxlan";
/// What it is.
pub const WHAT: &str = "flannel's vxlan backend: the kernel's vxlan device, routes and forwarding";

/// Two flannel nodes.
pub struct Kernel(Bed);

impl Kernel {
    /// Builds it; a ping goes through when this returns.
    pub fn build(wire: Wire) -> Result<Self> {
        let bed = Bed::build(wire, 'v', MTU - flannel::OVERHEAD)?;
        let mac = |number: usize| format!("02:f1:00:00:00:{number:02x}");
        for (node, own, peer) in bed.ways() {
            flannel::vxlan(node, bed::subnet(own)?, &mac(own))?;
            let lease = Lease::vxlan(bed.nodes[peer - 1].address(), &mac(peer));
            flannel::add_peer(node.ns().name(), bed::subnet(peer)?, &lease)?;
        }
        bed.wait_reach()?;
        Ok(Kernel(bed))
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
        self.0.pods.each_ref()
    }

    fn stations(&self) -> Result<Vec<Station>> {
        self.0.stations(&Tunnel::Kernel(flannel::DEVICE))
    }
}
