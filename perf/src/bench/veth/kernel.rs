//! The kernel's own forwarding: flannel's vxlan device and routes (FLANNEL.md section 2), IP forwarding, no filter.
//!
//! Its receive work, and all that follows from it, is done by a NAPI thread on the core of the device under test. Without
//! one it would be done by whoever put the frame into the veth, on the generator's core.

use std::fmt::Write;
use std::path::Path;

use super::contender::Contender;
use super::plan::{
    GATEWAY, Leg, OVERLAY, OWN_POD, OWN_VTEP, OWN_VTEP_MAC, Peer, SUBNET_LEN, UNDERLAY, VNI,
};
use super::rig::Rig;
use crate::bench::{Result, cpu};
use crate::lab::flannel::{DEVICE, PORT};
use crate::lab::{LabError, Namespace, Process, batch, wait_for};

/// Its name in the report.
pub const NAME: &str = "kernel vxlan";

/// The kernel as a flannel node.
pub struct Kernel {
    rig: Rig,
}

impl Kernel {
    /// In a rig of its own.
    pub fn build(peers: u16) -> Result<Self> {
        let kernel = Kernel { rig: Rig::build()? };
        let ns = &kernel.rig.device;
        ns.sysctl("net/ipv4/ip_forward", "1")?;
        ns.ip(&devices())?;
        let peers = || (0..peers).map(Peer);
        ns.ip(&routes(peers()))?;
        batch("bridge", ns.name(), &forwarding(peers()))?;
        for link in [OVERLAY, UNDERLAY] {
            receive_in_thread(ns, link.device)?;
        }
        Ok(kernel)
    }
}

/// Has a NAPI thread on the core of the device under test do what a device receives.
pub fn receive_in_thread(ns: &Namespace, device: &str) -> Result<()> {
    // A veth without an XDP program has NAPI only for the sake of GRO (drivers/net/veth.c, veth_set_features).
    ns.run(&format!("ethtool -K {device} gro on"))?;
    let threads = || cpu::threads(Path::new("/proc"), &format!("napi/{device}-"));
    let before = threads()?;
    let path = format!("/sys/class/net/{device}/threaded");
    // Through `ip netns exec`, for only there /sys is the namespace's.
    let set = format!("echo 1 > {path}");
    let status = ns.command("sh").args(["-c", &set]).status();
    if !status.is_ok_and(|status| status.success()) {
        return Err(LabError::Unexpected(format!(
            "cannot write 1 to {path}: threaded NAPI needs Linux 5.12 or newer"
        )));
    }
    let thread = wait_for(&format!("the NAPI thread of {device}"), 5, || {
        threads().ok()?.difference(&before).next().copied()
    })?;
    cpu::isolate(thread, cpu::DEVICE)
}

/// Devices and neighbours, all permanent: nothing outside answers ARP.
fn devices() -> String {
    format!(
        "link add {DEVICE} address {OWN_VTEP_MAC} type vxlan id {VNI} dev {underlay} local {OWN_VTEP} dstport {PORT} nolearning\n\
         link set {DEVICE} up\n\
         addr add {GATEWAY}/{SUBNET_LEN} dev {overlay}\n\
         neigh replace {OWN_POD} lladdr {pod} dev {overlay} nud permanent\n",
        overlay = OVERLAY.device,
        underlay = UNDERLAY.device,
        pod = OVERLAY.outside_mac,
    )
}

/// What flanneld installs for each lease, but for the forwarding entries.
fn routes(peers: impl Iterator<Item = Peer>) -> String {
    peers.fold(String::new(), |mut script, peer| {
        let (subnet, vtep) = (peer.subnet(), peer.vtep());
        let _ = writeln!(
            script,
            "neigh replace {vtep} lladdr {} dev {} nud permanent\n\
             neigh replace {subnet} lladdr {} dev {DEVICE} nud permanent\n\
             route replace {subnet}/{SUBNET_LEN} via {subnet} dev {DEVICE} onlink",
            UNDERLAY.outside_mac,
            UNDERLAY.device,
            peer.vtep_mac(),
        );
        script
    })
}

/// The forwarding entries.
fn forwarding(peers: impl Iterator<Item = Peer>) -> String {
    peers.fold(String::new(), |mut script, peer| {
        let (mac, vtep) = (peer.vtep_mac(), peer.vtep());
        let _ = writeln!(
            script,
            "fdb replace {mac} dev {DEVICE} dst {vtep} self permanent"
        );
        script
    })
}

impl Contender for Kernel {
    fn name(&self) -> &'static str {
        NAME
    }

    fn rig(&self) -> &Rig {
        &self.rig
    }

    fn arrives_len(&self, leg: Leg, size: usize) -> usize {
        leg.done_len(size)
    }

    fn start(&mut self, _: Leg) -> Result<Option<Process>> {
        Ok(None)
    }

    fn stop(&mut self, _: Option<Process>) -> Result<()> {
        Ok(())
    }
}
