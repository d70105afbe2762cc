//! tweed: the real `tweed-dataplane` of this build, with tables that this process publishes in place of control.
//!
//! Between runs it is stopped as an operator would, so each run also shows that it ends well with rings full of frames.

use std::path::Path;

use contract::config::BindMode;
use contract::stats::{DropReason, PortCounters, PortState, Snapshot, StatsReader};
use contract::tables::{Adjacency, Encap, Node, Port, PortKind, Publisher, Route, Tables};
use rustix::process::Signal;

use super::contender::{Contender, Drops};
use super::plan::{
    GATEWAY, Leg, Link, OVERLAY, OWN_POD, OWN_VTEP, OWN_VTEP_MAC, Peer, SUBNET_LEN, UNDERLAY, VNI,
};
use super::rig::Rig;
use crate::bench::{Result, cpu};
use crate::lab::flannel::PORT;
use crate::lab::{LabError, MTU, Process, binary, wait_for, wait_until};

/// Its name in the report.
pub const NAME: &str = "tweed";

/// Numbers of the ports in the tables.
const OVERLAY_PORT: u8 = 0;
const UNDERLAY_PORT: u8 = 1;

/// Bytes that VXLAN over IPv4 takes from the MTU.
const OVERHEAD: u16 = contract::wire::Vxlan::OVERHEAD_IPV4 as u16;

/// The engine.
pub struct Engine {
    rig: Rig,
    /// Holds the segment for as long as the engine may start.
    _publisher: Publisher,
}

impl Engine {
    /// In a rig of its own, with tables for this many peers.
    pub fn build(peers: u16) -> Result<Self> {
        let rig = Rig::build()?;
        let config = rig.directory().join("node.toml");
        std::fs::write(&config, render(rig.directory()))
            .map_err(LabError::io(format!("write {}", config.display())))?;
        let unexpected = |error: &dyn std::error::Error| LabError::Unexpected(error.to_string());
        let (mut publisher, _) = Publisher::open_or_create(&rig.directory().join("tables"))
            .map_err(|error| unexpected(&error))?;
        publisher
            .publish(&tables(peers))
            .map_err(|error| unexpected(&error))?;
        Ok(Engine {
            rig,
            _publisher: publisher,
        })
    }

    /// The segment of the engine that runs, or nothing while it does not.
    fn stats(&self) -> Option<StatsReader> {
        StatsReader::open(&self.rig.directory().join("stats")).ok()
    }

    /// Waits until both ports carry traffic.
    fn wait_ready(&self, process: &mut Process) -> Result<()> {
        let pid = process.pid();
        let mut ended = Ok(());
        wait_until("tweed-dataplane to open both ports", 15, || {
            ended = process.check_running();
            let up = self.stats().is_some_and(|stats| {
                let snapshot = stats.snapshot();
                // The slow path is a port too, and up before these are.
                snapshot.pid == pid
                    && [OVERLAY, UNDERLAY]
                        .iter()
                        .all(|link| is_up(&snapshot, link))
            });
            ended.is_err() || up
        })
        .map_err(|error| LabError::Unexpected(format!("{error}\n{}", process.output())))?;
        ended
    }
}

fn is_up(snapshot: &Snapshot, link: &Link) -> bool {
    let mut ports = snapshot.ports.iter();
    ports.any(|(_, port)| port.name == link.device && port.state == PortState::Up)
}

impl Contender for Engine {
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
        let mut command = self.rig.device.command(binary("tweed-dataplane")?);
        command
            .arg("--config")
            .arg(self.rig.directory().join("node.toml"));
        let log = self.rig.directory().join("tweed-dataplane.log");
        let _ = std::fs::remove_file(&log);
        let mut process = Process::start("tweed-dataplane", command, &log)?;
        self.wait_ready(&mut process)?;
        // The worker pins itself; the other threads stay ordinary and leave it its core.
        let threads = format!("/proc/{}/task", process.pid());
        let worker = wait_for("the worker's thread", 5, || {
            cpu::threads(Path::new(&threads), "worker-")
                .ok()?
                .pop_first()
        })?;
        cpu::isolate(worker, cpu::DEVICE)?;
        Ok(Some(process))
    }

    fn drops(&self) -> Drops {
        self.stats()
            .map(|stats| all_drops(&stats))
            .unwrap_or_default()
    }

    fn stop(&mut self, running: Option<Process>) -> Result<()> {
        let Some(process) = running else {
            return Ok(());
        };
        let (status, output) = process.stop(Signal::TERM, 10)?;
        match status.success() {
            true => Ok(()),
            false => Err(LabError::Unexpected(format!(
                "tweed-dataplane ended with {status}:\n{output}"
            ))),
        }
    }
}

/// Drops of all ports together.
fn all_drops(stats: &StatsReader) -> Drops {
    let mut all = PortCounters::default();
    for worker in stats.snapshot().workers {
        for (_, port) in &worker.ports {
            all.merge(port);
        }
    }
    let counts = DropReason::ALL
        .iter()
        .map(|reason| (reason.name(), all.drops[*reason as usize]));
    counts.filter(|(_, count)| *count > 0).collect()
}

/// `node.toml`: the defaults, but for one worker that never sleeps, on the core of the device under test.
fn render(directory: &Path) -> String {
    format!(
        "[node]\nrun_dir = {directory:?}\nstate_dir = {directory:?}\n\n\
         [underlay]\ninterface = {underlay:?}\n\n\
         [dataplane]\nidle = \"spin\"\n\n\
         [[worker]]\nqueue = 0\ncpu = {cpu}\n",
        underlay = UNDERLAY.device,
        cpu = cpu::DEVICE,
    )
}

/// What control would publish: a pod port, the underlay, our pod's subnet, and a lease for each peer.
fn tables(peers: u16) -> Tables {
    let port = |link: Link, kind, mtu| Port {
        name: link.device.to_owned(),
        kind,
        mode: BindMode::Auto,
        mtu,
        mac: link.mac,
        peer_mac: link.outside_mac,
    };
    let mut tables = Tables {
        node: Node {
            vtep_mac: OWN_VTEP_MAC,
            vtep_ip4: OWN_VTEP,
            vni: VNI,
            tunnel_dport: PORT,
            gateway_ip4: GATEWAY,
            ..Node::default()
        },
        ports: vec![
            port(OVERLAY, PortKind::Pod, MTU - OVERHEAD),
            port(UNDERLAY, PortKind::Underlay, MTU),
        ],
        adjacencies: vec![
            Adjacency::Empty,
            Adjacency::Local {
                port: OVERLAY_PORT,
                dst: OVERLAY.outside_mac,
                src: OVERLAY.mac,
            },
        ],
        routes: vec![Route {
            prefix: OWN_POD.into(),
            len: SUBNET_LEN,
            adjacency: 1,
        }],
    };
    for peer in (0..peers).map(Peer) {
        tables.routes.push(Route {
            prefix: peer.subnet().into(),
            len: SUBNET_LEN,
            adjacency: tables.adjacencies.len() as u16,
        });
        tables.adjacencies.push(Adjacency::Peer {
            port: UNDERLAY_PORT,
            mtu: MTU - OVERHEAD,
            next_hop: UNDERLAY.outside_mac,
            own: UNDERLAY.mac,
            src: OWN_VTEP.into(),
            peer: peer.vtep().into(),
            encap: Encap::Vxlan {
                peer_vtep: peer.vtep_mac(),
                own_vtep: OWN_VTEP_MAC,
            },
        });
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::veth::plan::MAX_PEERS;
    use contract::config::Config;
    use contract::tables::OwnedFib;

    #[test]
    fn the_tables_lead_every_far_pod_to_its_peer() {
        let fib = OwnedFib::new(&tables(MAX_PEERS)).unwrap();
        for peer in [0, 1, MAX_PEERS - 1].map(Peer) {
            let mut pod = peer.subnet().octets();
            pod[3] = 129;
            let line = fib.rewrite4(fib.lookup4(pod));
            assert_eq!(line.ip.dst, peer.vtep().octets());
            assert_eq!(line.inner.dst, peer.vtep_mac());
        }
    }

    #[test]
    fn the_configuration_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.toml");
        std::fs::write(&path, render(directory.path())).unwrap();
        let config = Config::load(&path).unwrap();
        assert_eq!(config.workers.len(), 1);
    }
}
