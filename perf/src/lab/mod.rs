//! The lab: topologies of network namespaces as code, for the namespace tests, the demo and the benchmarks.
//!
//! ```no_run
//! # fn main() -> perf::lab::Result<()> {
//! use perf::lab::{Lab, traffic::Ping};
//! let lab = Lab::new()?;
//! let a = lab.tweed(1)?;
//! let b = lab.flannel(2, "10.244.202.0/24")?;
//! let (x, y) = (a.pod()?, b.pod()?);
//! lab.wait_reach(&x, y.ip)?;
//! println!("{}", Ping::default().run(&x, y.ip)?);
//! # Ok(()) }
//! ```
//!
//! Invariant: nothing of a lab outlives it. Namespaces, processes and files are values that remove themselves, also when a
//! test panics; what SIGKILL leaves is swept by the next lab. Nothing touches the machine's own network: even the switch
//! lives in a namespace. Drop nodes and pods before their lab, as the order of declaration does.

mod binaries;
mod cable;
pub mod capture;
mod cluster;
mod error;
mod etcd;
pub mod flannel;
mod follower;
pub mod lease;
pub mod name;
mod namespace;
mod node;
mod pod;
mod process;
mod sums;
pub mod sweep;
pub mod traffic;
pub mod tweed;
mod underlay;
mod wait;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;

pub use binaries::binary;
pub use cable::Cable;
pub use cluster::{Cluster, Size};
pub use error::{LabError, Result, expect};
pub use etcd::{ENDPOINT, Etcd};
pub use flannel::FlannelNode;
pub use follower::Follower;
pub use namespace::{Namespace, batch};
pub use node::{Node, SubnetEnv};
pub use pod::Pod;
pub use process::{Process, run, tail};
pub use sums::Sums;
pub use tweed::{NodeConfig, TweedNode};
pub use underlay::{MTU, Place, Underlay};
pub use wait::{wait_for, wait_until};

/// A topology: an underlay, an etcd, and the nodes that its methods make.
pub struct Lab {
    prefix: name::Prefix,
    underlay: Underlay,
    etcd: std::sync::Mutex<Etcd>,
    /// Last, for daemons and etcd write here until they are dead.
    directory: Directory,
}

impl Lab {
    /// An underlay with an etcd on it. Sweeps first what killed labs left.
    pub fn new() -> Result<Self> {
        sweep::sweep_dead();
        let prefix = name::Prefix::unique();
        let directory = Directory::create(prefix.directory())?;
        let underlay = Underlay::build(&prefix)?;
        let etcd = Etcd::start_in(
            Namespace::create(&prefix, "etcd")?,
            &underlay,
            directory.0.clone(),
        )?;
        Ok(Lab {
            prefix,
            underlay,
            etcd: std::sync::Mutex::new(etcd),
            directory,
        })
    }

    /// A tweed node with a lease; returns once `subnet.env` is written.
    pub fn tweed(&self, place: impl Into<Place>) -> Result<TweedNode> {
        let mut node = self.tweed_stopped(place)?;
        node.start()?;
        Ok(node)
    }

    /// A tweed node whose daemons do not run yet.
    pub fn tweed_stopped(&self, place: impl Into<Place>) -> Result<TweedNode> {
        TweedNode::create(self.node('t', place.into())?)
    }

    /// A flannel node with the subnet given, registered. Beside tweed nodes choose the third octet above 100: flannel's
    /// allocation, and so tweed's, draws from the first hundred free subnets.
    pub fn flannel(&self, place: impl Into<Place>, subnet: &str) -> Result<FlannelNode> {
        let node = self.flannel_unregistered(place, subnet)?;
        node.register(&self.etcd())?;
        Ok(node)
    }

    /// A flannel node that knows all others and that none knows yet.
    pub fn flannel_unregistered(
        &self,
        place: impl Into<Place>,
        subnet: &str,
    ) -> Result<FlannelNode> {
        let subnet: Ipv4Net = subnet
            .parse()
            .map_err(|_| LabError::parse("a subnet", subnet))?;
        FlannelNode::create(self.node('f', place.into())?, subnet)
    }

    /// A plain machine on the underlay.
    pub fn host(&self, place: impl Into<Place>) -> Result<Node> {
        self.node('h', place.into())
    }

    fn node(&self, kind: char, place: Place) -> Result<Node> {
        let side = if place.far { "far" } else { "" };
        let name = format!("{kind}{}{side}", place.host);
        Node::create(&self.prefix, &self.underlay, name, place)
    }

    /// The etcd. One user at a time, for some of its verbs stop it.
    pub fn etcd(&self) -> std::sync::MutexGuard<'_, Etcd> {
        self.etcd
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The common part of the names of everything in it.
    pub fn name(&self) -> String {
        self.prefix.to_string()
    }

    /// The network between the nodes.
    pub fn underlay(&self) -> &Underlay {
        &self.underlay
    }

    /// Where the lab's files and logs are.
    pub fn directory(&self) -> &Path {
        &self.directory.0
    }

    /// Waits until a ping from `from` to `to` is answered: for the moments after a start, while tables fill.
    pub fn wait_reach(&self, from: &impl AsRef<Namespace>, to: Ipv4Addr) -> Result<()> {
        wait_reach(from.as_ref(), to)
    }
}

fn wait_reach(from: &Namespace, to: Ipv4Addr) -> Result<()> {
    wait_until(&format!("{} to reach {to}", from.name()), 15, || {
        from.run(&format!("ping -n -q -c 1 -W 0.2 {to}")).is_ok()
    })
}

/// The lab's directory, removed with it. When a test fails it first shows the ends of the logs.
struct Directory(PathBuf);

impl Directory {
    fn create(path: PathBuf) -> Result<Self> {
        std::fs::create_dir(&path).map_err(LabError::io(format!("create {}", path.display())))?;
        Ok(Directory(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            show_logs(&self.0);
        }
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn show_logs(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            show_logs(&path);
        } else if path.extension().is_some_and(|e| e == "log") {
            let log = std::fs::read_to_string(&path).unwrap_or_default();
            eprintln!("--- {} ---\n{}", path.display(), tail(&log, 40));
        }
    }
}
