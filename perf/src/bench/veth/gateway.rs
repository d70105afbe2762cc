//! flannel's host-gw backend: the kernel routes and wraps nothing. What forwarding costs before any tunnel does.
//!
//! On the decap leg there is nothing to take off: the peers' packets are routed on to the pods' side as they are.

use std::fmt::Write;

use super::contender::Contender;
use super::kernel::receive_in_thread;
use super::plan::{Leg, OVERLAY, OWN_VTEP, Peer, SUBNET_LEN, UNDERLAY, UNDERLAY_LEN};
use super::rig::Rig;
use crate::bench::Result;
use crate::lab::Process;

/// Its name in the report.
pub const NAME: &str = "host-gw";

/// The kernel as a router.
pub struct Gateway {
    rig: Rig,
}

impl Gateway {
    /// In a rig of its own.
    pub fn build(peers: u16) -> Result<Self> {
        let gateway = Gateway { rig: Rig::build()? };
        let ns = &gateway.rig.device;
        ns.sysctl("net/ipv4/ip_forward", "1")?;
        ns.ip(&routes((0..peers).map(Peer)))?;
        for link in [OVERLAY, UNDERLAY] {
            receive_in_thread(ns, link.device)?;
        }
        Ok(gateway)
    }
}

/// A gateway for each peer's pods. The address that the peers send to stands for a pod of ours.
fn routes(peers: impl Iterator<Item = Peer>) -> String {
    let own = format!(
        "addr del {OWN_VTEP}/{UNDERLAY_LEN} dev {underlay}\n\
         route add {OWN_VTEP}/32 dev {overlay}\n\
         neigh replace {OWN_VTEP} lladdr {pod} dev {overlay} nud permanent\n",
        underlay = UNDERLAY.device,
        overlay = OVERLAY.device,
        pod = OVERLAY.outside_mac,
    );
    peers.fold(own, |mut script, peer| {
        let (subnet, vtep) = (peer.subnet(), peer.vtep());
        let _ = writeln!(
            script,
            "neigh replace {vtep} lladdr {} dev {underlay} nud permanent\n\
             route replace {subnet}/{SUBNET_LEN} via {vtep} dev {underlay} onlink",
            UNDERLAY.outside_mac,
            underlay = UNDERLAY.device,
        );
        script
    })
}

impl Contender for Gateway {
    fn name(&self) -> &'static str {
        NAME
    }

    fn rig(&self) -> &Rig {
        &self.rig
    }

    fn arrives_len(&self, leg: Leg, size: usize) -> usize {
        leg.sent_len(size)
    }

    fn start(&mut self, _: Leg) -> Result<Option<Process>> {
        Ok(None)
    }

    fn stop(&mut self, _: Option<Process>) -> Result<()> {
        Ok(())
    }
}
