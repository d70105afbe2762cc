//! Two nodes with one cable between them and nothing else: no switch, no router and no etcd take a share of what is measured.

use std::net::Ipv4Addr;
use std::path::Path;

use super::Directory;
use super::error::Result;
use super::name::Prefix;
use super::namespace::Namespace;
use super::node::Node;
use super::sweep;
use super::underlay::{MTU, Place};

/// A cable, and where the files of its two nodes are. Drop pods and nodes before it.
pub struct Cable {
    prefix: Prefix,
    directory: Directory,
}

impl Cable {
    /// A cable with nothing at its ends. Sweeps first what killed labs left.
    pub fn new() -> Result<Self> {
        sweep::sweep_dead();
        let prefix = Prefix::unique();
        let directory = Directory::create(prefix.directory())?;
        Ok(Cable { prefix, directory })
    }

    /// Nodes 1 and 2, at the ends of a veth pair `eth0`, with all that a veth can do left on.
    pub fn nodes(&self, kind: char) -> Result<[Node; 2]> {
        let places = [1, 2].map(Place::near);
        let names = places.map(|place| format!("{kind}{}", place.host));
        let spaces = [
            Namespace::create(&self.prefix, &names[0])?,
            Namespace::create(&self.prefix, &names[1])?,
        ];
        spaces[0].ip(&format!(
            "link add eth0 mtu {MTU} type veth peer name eth0 mtu {MTU} netns {}",
            spaces[1].name()
        ))?;
        for (ns, place) in spaces.iter().zip(places) {
            ns.ip(&format!(
                "addr add {}/24 dev eth0\nlink set eth0 up",
                place.address()
            ))?;
        }
        let ([ns1, ns2], [name1, name2]) = (spaces, names);
        Ok([
            Node::of(&self.prefix, ns1, name1, places[0])?,
            Node::of(&self.prefix, ns2, name2, places[1])?,
        ])
    }

    /// A namespace beside them, for what is no pod of `cni0`.
    pub fn namespace(&self, what: &str) -> Result<Namespace> {
        Namespace::create(&self.prefix, what)
    }

    /// Where files and logs are.
    pub fn directory(&self) -> &Path {
        &self.directory.0
    }

    /// Waits until a ping from `from` to `to` is answered.
    pub fn wait_reach(&self, from: &impl AsRef<Namespace>, to: Ipv4Addr) -> Result<()> {
        super::wait_reach(from.as_ref(), to)
    }
}
