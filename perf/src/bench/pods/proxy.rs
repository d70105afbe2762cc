//! flannel's udp backend: perf/bench/tun_udp.c between a TUN device and a UDP socket on each node.

use super::bed::{self, Bed, Tunnel};
use super::{Network, Station};
use crate::bench::Result;
use crate::bench::model::Wire;
use crate::bench::tools::Tools;
use crate::lab::{MTU, Pod, Process, wait_until};

/// Its name.
pub const NAME: &str = "flannel udp";
/// What it is.
pub const WHAT: &str = "as flannel's udp backend: a process between TUN and UDP socket on each node, a system call for each packet";

/// flannel's name for its device.
const DEVICE: &str = "flannel0";
/// flannel's port for this backend.
const PORT: u16 = 8285;
/// IPv4 and UDP headers, bytes.
const OVERHEAD: u16 = 28;

/// Two proxies, which sleep while there is nothing to read.
pub struct Proxy {
    _processes: Vec<Process>,
    bed: Bed,
}

impl Proxy {
    /// Builds it; a ping goes through when this returns.
    pub fn build(wire: Wire) -> Result<Self> {
        let program = Tools::tun_udp()?;
        let mtu = MTU - OVERHEAD;
        let bed = Bed::build(wire, 'u', mtu)?;
        let mut processes = Vec::new();
        for (node, own, peer) in bed.ways() {
            let mut command = node.ns().command(&program);
            command.arg(DEVICE);
            command.arg(node.address().to_string());
            command.arg(bed.nodes[peer - 1].address().to_string());
            command.args([PORT, mtu].map(|number| number.to_string()));
            let log = node.directory().join("tun_udp.log");
            let mut process = Process::start("the udp proxy", command, &log)?;
            let mut ended = Ok(());
            wait_until("the udp proxy to be ready", 10, || {
                ended = process.check_running();
                ended.is_err() || process.output().lines().any(|line| line == "ready")
            })?;
            ended?;
            processes.push(process);
            // The whole network lies behind the device, but for the bridge's subnet, whose route is longer.
            let subnet = bed::subnet(own)?;
            node.ns().ip(&format!(
                "addr add {}/16 dev {DEVICE}\nlink set {DEVICE} mtu {mtu} up",
                subnet.network()
            ))?;
        }
        bed.wait_reach()?;
        Ok(Proxy {
            _processes: processes,
            bed,
        })
    }
}

impl Network for Proxy {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        WHAT
    }

    fn pods(&self) -> [&Pod; 2] {
        self.bed.pods.each_ref()
    }

    fn stations(&self) -> Result<Vec<Station>> {
        self.bed.stations(&Tunnel::Process(DEVICE))
    }
}
