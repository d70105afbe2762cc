//! tweed: both daemons on each node, with leases from a file, for who has which subnet is no part of what is measured.

use contract::stats::{DropReason, PortCounter, PortCounters, StatsReader};
use contract::tables::PortKind;
use serde_json::json;

use super::bed::{self, BRIDGE, Counts, ENGINE, NIC};
use super::way::Way;
use super::{Network, Station};
use crate::bench::Result;
use crate::bench::model::Wire;
use crate::lab::lease::{self, Lease};
use crate::lab::{Cable, LabError, NodeConfig, Pod, TweedNode, tweed};

/// A way to set tweed up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Its name in tables.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// `overlay.kind`.
    overlay: &'static str,
    /// `underlay.mode`.
    mode: &'static str,
}

/// As it comes.
pub const DEFAULT: Setup = Setup {
    name: "tweed",
    what: "both daemons on each node, one worker each, which sleeps when idle",
    overlay: "veth",
    mode: "auto",
};
/// The uplink as a TUN.
pub const TUN: Setup = Setup {
    name: "tweed tun",
    what: "the same with overlay.kind = \"tun\": the host hands super-packets over and takes them",
    overlay: "tun",
    mode: "auto",
};
/// The uplink as a TUN and the underlay as a socket: super-packets on both sides.
pub const TUN_UDP: Setup = Setup {
    name: "tweed tun+udp",
    what: "the same with overlay.kind = \"tun\" and underlay.mode = \"udp\": no AF_XDP at all",
    overlay: "tun",
    mode: "udp",
};

/// Two tweed nodes; the worker of node 1 on CPU 1, that of node 2 on CPU 0.
pub struct Engine {
    setup: Setup,
    pods: [Pod; 2],
    nodes: [TweedNode; 2],
    _cable: Cable,
}

impl Engine {
    /// Starts the daemons; a ping goes through when this returns. They run on, for an idle engine sleeps.
    pub fn build(setup: Setup, wire: Wire) -> Result<Self> {
        let cable = Cable::new()?;
        let nodes = cable.nodes('t')?;
        bed::make(wire, &nodes)?;
        let mac = |number: usize| format!("02:74:00:00:00:{number:02x}");
        let mut subnets = serde_json::Map::new();
        for (number, node) in (1..).zip(&nodes) {
            let subnet = bed::subnet(number)?;
            let key = format!("{}-{}", subnet.network(), subnet.prefix_len());
            subnets.insert(key, json!(Lease::vxlan(node.address(), &mac(number))));
        }
        let leases = cable.directory().join("leases.json");
        let file = json!({
            "config": { "Network": "10.244.0.0/16", "Backend": { "Type": "vxlan", "VNI": lease::VNI } },
            "subnets": subnets,
        });
        std::fs::write(&leases, file.to_string())
            .map_err(LabError::io(format!("write {}", leases.display())))?;
        let config = NodeConfig {
            overlay: setup.overlay,
            mode: setup.mode,
            leases: Some(leases),
            ..NodeConfig::eth0(1)
        };
        let [one, two] = nodes;
        let mut nodes = [TweedNode::create(one)?, TweedNode::create(two)?];
        for (number, node) in (1..).zip(&mut nodes) {
            node.configure(&config)?;
            node.set_vtep_mac(&mac(number))?;
            node.start()?;
        }
        let pods = [nodes[0].pod()?, nodes[1].pod()?];
        cable.wait_reach(&pods[0], pods[1].ip)?;
        Ok(Engine {
            setup,
            pods,
            nodes,
            _cable: cable,
        })
    }
}

impl Network for Engine {
    fn name(&self) -> &'static str {
        self.setup.name
    }

    fn what(&self) -> &'static str {
        self.setup.what
    }

    fn pods(&self) -> [&Pod; 2] {
        self.pods.each_ref()
    }

    fn stations(&self) -> Result<Vec<Station>> {
        let spaces = self.nodes.each_ref().map(|node| node.ns());
        let counts = Counts::read(&self.pods, spaces)?;
        let [one, two] = self.nodes.each_ref();
        let ([in1, out1], [out2, in2]) = (sides(one)?, sides(two)?);
        let mut way = Way::default();
        counts.leave(&mut way);
        way.rx("node 1", &counts.nodes[0], BRIDGE);
        way.routed("node 1", &counts.nodes[0], tweed::DEVICE);
        let refused = counts.nodes[0].link(ENGINE).refused;
        let full = ("AF_XDP ring full".to_owned(), refused);
        received(&mut way, "node 1: engine, overlay side in", full, &in1);
        sent(&mut way, "node 1: engine, underlay side out", &out1);
        way.tx("node 1", &counts.nodes[0], NIC);
        counts.cross(&mut way);
        // Of the engine's own sockets: on this node nobody else has any. What AF_XDP refused stands at the NIC.
        let refused = counts.nodes[1].stack(&["Udp.RcvbufErrors"]);
        let full = ("socket's receive buffer full".to_owned(), refused);
        received(&mut way, "node 2: engine, underlay side in", full, &in2);
        sent(&mut way, "node 2: engine, overlay side out", &out2);
        way.rx("node 2", &counts.nodes[1], tweed::DEVICE);
        way.routed("node 2", &counts.nodes[1], BRIDGE);
        counts.arrive(&mut way);
        Ok(way.end())
    }
}

/// Counters of a node's engine: of its ports on the overlay side, and of those on the underlay side.
fn sides(node: &TweedNode) -> Result<[PortCounters; 2]> {
    let path = node.run_dir().join("stats");
    let unreadable = |error| LabError::Unexpected(format!("{error}"));
    let snapshot = StatsReader::open(&path).map_err(unreadable)?.snapshot();
    let mut sides = [PortCounters::default(); 2];
    for (index, port) in &snapshot.ports {
        let underlay = port.kind == Some(PortKind::Underlay);
        sides[usize::from(underlay)].merge(&snapshot.port(*index));
    }
    Ok(sides)
}

/// What the engine got by one side, what the kernel could not give it, and what it did not pass on.
fn received(way: &mut Way, place: &str, full: (String, u64), port: &PortCounters) {
    let dropped = |reason: &DropReason| (reason.name().to_owned(), port.drops[*reason as usize]);
    let lost = std::iter::once(full).chain(DropReason::ALL.iter().map(dropped));
    way.station(place, port.count(PortCounter::RxPackets), lost.collect());
}

fn sent(way: &mut Way, place: &str, port: &PortCounters) {
    way.station(place, port.count(PortCounter::TxPackets), Vec::new());
}
