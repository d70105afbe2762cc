//! flannel's host-gw backend: the other node is the gateway to its pods. Nothing is wrapped: what routing alone costs.

use super::bed::{self, Bed, Tunnel};
use super::{Network, Station};
use crate::bench::Result;
use crate::bench::model::Wire;
use crate::lab::{MTU, Pod};

/// Its name.
pub const NAME: &str = "host-gw";
/// What it is.
pub const WHAT: &str = "flannel's host-gw backend: plain routes by way of the other node, no encapsulation, pods with 1,500 bytes";

/// Two routers.
pub struct Gateway(Bed);

impl Gateway {
    /// Builds it; a ping goes through when this returns.
    pub fn build(wire: Wire) -> Result<Self> {
        let bed = Bed::build(wire, 'g', MTU)?;
        for (node, _, peer) in bed.ways() {
            node.ns().ip(&format!(
                "route add {} via {}",
                bed::subnet(peer)?,
                bed.nodes[peer - 1].address()
            ))?;
        }
        bed.wait_reach()?;
        Ok(Gateway(bed))
    }
}

impl Network for Gateway {
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
        self.0.stations(&Tunnel::None)
    }
}
