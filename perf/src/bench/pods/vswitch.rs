//! Open vSwitch with its userspace datapath: the other engine outside the kernel that runs on any device, without DPDK.
//!
//! ```text
//!   pod 1: eth0 == veth10 - br-int - vxlan0 ~ br-phy - eth0 ===== cable ===== the same on node 2
//!                           192.168.77.1 is on br-phy, as Open vSwitch wants it for tunnels
//! ```
//!
//! Its daemons are our own, with their database, sockets and logs in the lab's directory: an Open vSwitch that the machine
//! runs for itself is not touched.

use std::path::Path;
use std::process::Command;

use super::bed::{self, Counts, NIC, VETH};
use super::counters::Counters;
use super::way::Way;
use super::{Network, Station};
use crate::bench::Result;
use crate::bench::model::Wire;
use crate::lab::lease::VNI;
use crate::lab::{Cable, LabError, MTU, Namespace, Node, Pod, Process, flannel, run, wait_until};

/// Its name.
pub const NAME: &str = "Open vSwitch";
/// What it is.
pub const WHAT: &str = "userspace datapath (netdev) over AF_PACKET, vxlan; pods are neighbours in one subnet and send whole checksums, \
                        for it passes partial ones on";

/// The database's shape, which the package has beside its programs.
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// Two nodes with a switch each. Its main thread moves the packets, on any CPU, and sleeps when there are none.
pub struct Vswitch {
    _daemons: Vec<Process>,
    pods: [Pod; 2],
    nodes: [Node; 2],
    _cable: Cable,
}

impl Vswitch {
    /// Starts its daemons; a ping goes through when this returns.
    pub fn build(wire: Wire) -> Result<Self> {
        installed(&["ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl"])?;
        let cable = Cable::new()?;
        let nodes = cable.nodes('o')?;
        bed::make(wire, &nodes)?;
        let pods = bed::neighbours(&cable, &nodes, MTU - flannel::OVERHEAD)?;
        let mut daemons = Vec::new();
        for (node, peer) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
            // The address goes to the switch before that asks the kernel for its routes.
            let address = node.address();
            node.ns().ip(&format!("addr del {address}/24 dev {NIC}"))?;
            daemons.extend(start(node)?);
            configure(node, &bridges(node, peer))?;
            node.ns().ip(&format!(
                "addr add {address}/24 dev br-phy\nlink set br-phy up\nlink set br-int up"
            ))?;
        }
        cable.wait_reach(&pods[0], pods[1].ip)?;
        Ok(Vswitch {
            _daemons: daemons,
            pods,
            nodes,
            _cable: cable,
        })
    }
}

/// An error that says what to install when one of these does not run.
fn installed(programs: &[&str]) -> Result<()> {
    programs.iter().try_for_each(|program| {
        run(Command::new(program).arg("--version"))
            .map(drop)
            .map_err(|error| LabError::Unexpected(format!("install openvswitch-switch: {error}")))
    })
}

/// The database's server, then the switch itself.
fn start(node: &Node) -> Result<[Process; 2]> {
    let directory = node.directory();
    let database = directory.join("conf.db");
    run(command(Command::new("ovsdb-tool"), directory)
        .arg("create")
        .arg(&database)
        .arg(SCHEMA))?;
    let daemon = |name: &str, what: &[String], socket: &str| {
        let mut command = command(node.ns().command(name), directory);
        command.args(what);
        // Where others would ask it; without this it takes a place that is the machine's.
        command.arg(format!("--unixctl={}", directory.join(socket).display()));
        Process::start(name, command, &directory.join(format!("{name}.log")))
    };
    let socket = directory.join("db.sock");
    let listen = format!("--remote=punix:{}", socket.display());
    let mut server = daemon(
        "ovsdb-server",
        &[database.display().to_string(), listen],
        "ovsdb.ctl",
    )?;
    let mut ended = Ok(());
    wait_until("ovsdb-server to listen", 10, || {
        ended = server.check_running();
        ended.is_err() || socket.exists()
    })?;
    ended?;
    configure(node, "--no-wait init")?;
    let switch = daemon("ovs-vswitchd", &[remote(directory)], "vswitchd.ctl")?;
    Ok([server, switch])
}

/// Runs `ovs-vsctl`, which returns once the switch has done it all.
fn configure(node: &Node, words: &str) -> Result<()> {
    let mut vsctl = command(Command::new("ovs-vsctl"), node.directory());
    vsctl.arg("--timeout=20");
    vsctl.arg(format!("--db={}", remote(node.directory())));
    run(vsctl.args(words.split_whitespace())).map(drop)
}

fn bridges(node: &Node, peer: &Node) -> String {
    format!(
        "-- add-br br-phy -- set bridge br-phy datapath_type=netdev -- add-port br-phy {NIC} \
         -- add-br br-int -- set bridge br-int datapath_type=netdev -- add-port br-int {VETH} \
         -- add-port br-int vxlan0 -- set interface vxlan0 type=vxlan options:local_ip={} options:remote_ip={} \
         options:key={VNI} options:dst_port={}",
        node.address(),
        peer.address(),
        flannel::PORT
    )
}

fn remote(directory: &Path) -> String {
    format!("unix:{}", directory.join("db.sock").display())
}

/// A program of theirs whose files are ours.
fn command(mut command: Command, directory: &Path) -> Command {
    for place in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
        command.env(place, directory);
    }
    command
}

impl Network for Vswitch {
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
        let spaces = self.nodes.each_ref().map(Node::ns);
        let counts = Counts::read(&self.pods, spaces)?;
        let mut way = Way::default();
        counts.leave(&mut way);
        read(&mut way, "node 1", &counts.nodes[0], spaces[0], VETH)?;
        way.tx("node 1", &counts.nodes[0], NIC);
        counts.cross(&mut way);
        read(&mut way, "node 2", &counts.nodes[1], spaces[1], NIC)?;
        counts.arrive(&mut way);
        Ok(way.end())
    }
}

/// What the switch read of a device: all that came by it, but for what its AF_PACKET socket had no room for.
fn read(
    way: &mut Way,
    whose: &str,
    counters: &Counters,
    ns: &Namespace,
    device: &str,
) -> Result<()> {
    let full = full(&ns.run("ss -0 -n -m")?, device);
    let came = counters.link(device).rx;
    way.station(
        format!("{whose}: read from {device}"),
        came.saturating_sub(full),
        vec![("AF_PACKET socket full".to_owned(), full)],
    );
    Ok(())
}

/// Drops of the sockets bound to a device, from what `ss -0 -n -m` prints: `*:eth0 * skmem:(r0,rb212992,..,d7)`.
fn full(told: &str, device: &str) -> u64 {
    let bound = format!("*:{device}");
    let drops = |line: &str| {
        let mut words = line.split_whitespace();
        words.find(|word| *word == bound)?;
        let memory = words.find_map(|word| word.strip_prefix("skmem:("))?;
        let last = memory.strip_suffix(')')?.rsplit(',').next()?;
        last.strip_prefix('d')?.parse::<u64>().ok()
    };
    told.lines().filter_map(drops).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_installed_is_named_by_its_package() {
        let message = installed(&["ovs-nonesuch"]).unwrap_err().to_string();
        assert!(message.contains("install openvswitch-switch"), "{message}");
        assert!(message.contains("ovs-nonesuch"), "{message}");
    }

    #[test]
    fn drops_are_those_of_the_sockets_of_the_device() {
        let told = "Netid Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n\
            p_raw 0 0 *:veth10 * skmem:(r0,rb212992,t0,tb212992,f0,w0,o176,bl0,d140723)\n\
            p_raw 0 0 *:veth1 * skmem:(r0,rb212992,t0,tb212992,f0,w0,o176,bl0,d5)\n\
            p_raw 0 0 [0]:* * skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d9)\n";
        assert_eq!(full(told, "veth10"), 140_723);
        assert_eq!(full(told, "eth0"), 0);
    }
}
