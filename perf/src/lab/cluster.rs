//! The cluster that the demo shows and that `lab up` leaves running: some tweed nodes, some flannel nodes, a pod on each.

use super::Lab;
use super::error::Result;
use super::flannel::FlannelNode;
use super::node::Node;
use super::pod::Pod;
use super::tweed::TweedNode;

/// How many nodes of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Nodes that run our daemons; host numbers from 1.
    pub tweed: u8,
    /// Nodes that run the kernel's vxlan as flannel does; host numbers follow.
    pub flannel: u8,
}

/// A running cluster.
pub struct Cluster {
    /// A pod per node, tweed's first. Declared first so that pods go before their nodes.
    pub pods: Vec<Pod>,
    /// Ours.
    pub tweed: Vec<TweedNode>,
    /// Theirs.
    pub flannel: Vec<FlannelNode>,
}

impl Cluster {
    /// Builds it and waits until every pod reaches every other.
    pub fn build(lab: &Lab, size: Size) -> Result<Self> {
        let tweed = (1..=size.tweed)
            .map(|host| lab.tweed(host))
            .collect::<Result<Vec<_>>>()?;
        let flannel = (size.tweed + 1..=size.tweed + size.flannel)
            .map(|host| lab.flannel(host, &format!("10.244.{}.0/24", 200 + host)))
            .collect::<Result<Vec<_>>>()?;
        let mut cluster = Cluster {
            pods: Vec::new(),
            tweed,
            flannel,
        };
        cluster.pods = cluster.nodes().map(Node::pod).collect::<Result<_>>()?;
        for (from, to) in cluster.pairs() {
            lab.wait_reach(from, to.ip)?;
        }
        Ok(cluster)
    }

    /// All nodes, tweed's first.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        let tweed = self.tweed.iter().map(|node| &**node);
        tweed.chain(self.flannel.iter().map(|node| &**node))
    }

    /// Every ordered pair of different pods.
    pub fn pairs(&self) -> impl Iterator<Item = (&Pod, &Pod)> {
        let different = |(from, to): &(&Pod, &Pod)| from.ip != to.ip;
        self.pods
            .iter()
            .flat_map(|from| self.pods.iter().map(move |to| (from, to)))
            .filter(different)
    }
}
