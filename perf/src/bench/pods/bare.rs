//! The limit: perf/bench/forward.c on both nodes, which hands frames from the pod's veth to the NIC and back as they are.
//!
//! ```text
//!   pod 1: eth0 == veth10  node 1  eth0 ===== cable ===== eth0  node 2  veth10 == eth0: pod 2
//!                     `-- forward --'                       `-- forward --'
//! ```
//!
//! The pods are neighbours in one subnet: there is no bridge, no route and no header but theirs.

use std::path::PathBuf;

use super::bed::{self, Counts, NIC, VETH};
use super::way::Way;
use super::{Network, Station};
use crate::bench::Result;
use crate::bench::model::Wire;
use crate::bench::tools::Tools;
use crate::lab::{Cable, MTU, Node, Pod, Process, wait_until};

/// Its name.
pub const NAME: &str = "bare AF_XDP";
/// What it is.
pub const WHAT: &str = "the limit: frames moved between two AF_XDP sockets and never looked at; a forwarder spins on the CPU of each node; \
                        pods send whole checksums and no super-packets, for XDP sees neither";

/// Descriptors of each ring, frames handled together, frames that one system call may send: the engine's.
const SIZES: [&str; 3] = ["2048", "64", "64"];

/// Two forwarders, which run only between start and stop.
pub struct Bare {
    running: Vec<Process>,
    pods: [Pod; 2],
    nodes: [Node; 2],
    cable: Cable,
    program: PathBuf,
}

impl Bare {
    /// Builds everything; the forwarders do not run yet.
    pub fn build(wire: Wire) -> Result<Self> {
        let program = Tools::forward()?;
        let cable = Cable::new()?;
        let nodes = cable.nodes('b')?;
        bed::make(wire, &nodes)?;
        let pods = bed::neighbours(&cable, &nodes, MTU)?;
        Ok(Bare {
            running: Vec::new(),
            pods,
            nodes,
            cable,
            program,
        })
    }

    fn forward(&self, node: &Node) -> Result<Process> {
        // As with tweed, neighbouring nodes have different CPUs.
        let cpus = std::thread::available_parallelism().map_or(1, |n| n.get());
        let cpu = usize::from(node.place().host) % cpus;
        let mut command = node.ns().command("taskset");
        command.args(["-c", &cpu.to_string()]).arg(&self.program);
        // Without this, libxdp wants a BPF file system for the sake of programs beside its own.
        command.env("LIBXDP_SKIP_DISPATCHER", "1");
        command.args([VETH, NIC]).args(SIZES).arg("both");
        let log = node.directory().join("forward.log");
        let _ = std::fs::remove_file(&log);
        let mut process = Process::start("the bare forwarder", command, &log)?;
        let mut ended = Ok(());
        wait_until("the bare forwarder to be ready", 10, || {
            ended = process.check_running();
            ended.is_err() || process.output().lines().any(|line| line == "ready")
        })?;
        ended.map(|()| process)
    }
}

impl Network for Bare {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        WHAT
    }

    fn pods(&self) -> [&Pod; 2] {
        self.pods.each_ref()
    }

    fn start(&mut self) -> Result<()> {
        self.running = vec![self.forward(&self.nodes[0])?, self.forward(&self.nodes[1])?];
        self.cable.wait_reach(&self.pods[0], self.pods[1].ip)
    }

    fn stop(&mut self) -> Result<()> {
        // It knows no end but SIGKILL, which dropping it is; its socket and its program go with it.
        let mut running = std::mem::take(&mut self.running);
        running.iter_mut().try_for_each(Process::check_running)
    }

    fn stations(&self) -> Result<Vec<Station>> {
        let counts = Counts::read(&self.pods, self.nodes.each_ref().map(Node::ns))?;
        let mut way = Way::default();
        counts.leave(&mut way);
        way.tx("node 1", &counts.nodes[0], NIC);
        counts.cross(&mut way);
        counts.arrive(&mut way);
        Ok(way.end())
    }
}
