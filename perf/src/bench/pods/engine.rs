//! tweed: both daemons on each node, with leases from a file, for who has which subnet is no part of what is measured.

use serde_json::json;

use super::{Network, Station, bed};
use crate::bench::Result;
use crate::bench::model::Wire;
use crate::lab::lease::{self, Lease};
use crate::lab::{Cable, LabError, NodeConfig, Pod, TweedNode};

/// Its name.
pub const NAME: &str = "tweed";
/// What it is.
pub const WHAT: &str = "both daemons on each node, one worker each, which sleeps when idle";

/// Two tweed nodes; the worker of node 1 on CPU 1, that of node 2 on CPU 0.
pub struct Engine {
    pods: [Pod; 2],
    _nodes: [TweedNode; 2],
    _cable: Cable,
}

impl Engine {
    /// Starts the daemons; a ping goes through when this returns. They run on, for an idle engine sleeps.
    pub fn build(wire: Wire) -> Result<Self> {
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
            pods,
            _nodes: nodes,
            _cable: cable,
        })
    }
}

impl Network for Engine {
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
