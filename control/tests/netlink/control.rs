//! The whole of `tweed-control` with the file source: what stands in the tables segment, read through the contract's reader.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::netns::Netns;
use contract::tables::{Adjacency, Tables, TablesReader};
use contract::wire::Mac;
use serde_json::{Value, json};

pub(super) const OWN: &str = "10.244.1.0-24";
const PEER_VTEP: &str = "02:00:00:00:00:02";
/// How long a test waits for something before it fails. Making and removing namespaces alone takes seconds under load.
const PATIENCE: Duration = Duration::from_secs(30);

/// A node, a peer on its link, and the node's files.
pub(super) struct Site {
    pub(super) node: Netns,
    peer: Netns,
    directory: tempfile::TempDir,
    leases: Value,
}

impl Site {
    pub(super) fn new() -> Self {
        let (node, peer) = (Netns::new("ctl"), Netns::new("peer"));
        node.join("10.77.0.1/24", &peer, "10.77.0.2/24");
        let site = Site {
            node,
            peer,
            directory: tempfile::tempdir().unwrap(),
            leases: json!({
                "config": { "Network": "10.244.0.0/16", "Backend": { "Type": "vxlan" } },
                "subnets": {}
            }),
        };
        site.write_config("eth0");
        site
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write_config(&self, interface: &str) {
        let text = format!(
            "[node]\nrun_dir = {:?}\nstate_dir = {:?}\n[underlay]\ninterface = {interface:?}\n\
             [lease]\nsource = \"file\"\nfile = {:?}\nsubnet_env = {:?}\n",
            self.path("run"),
            self.path("state"),
            self.path("leases.json"),
            self.path("subnet.env"),
        );
        std::fs::write(self.path("node.toml"), text).unwrap();
    }

    pub(super) fn lease(&mut self, key: &str, public_ip: &str, vtep_mac: &str) {
        self.leases["subnets"][key] = json!({
            "PublicIP": public_ip,
            "BackendType": "vxlan",
            "BackendData": { "VNI": 1, "VtepMAC": vtep_mac }
        });
        self.write_leases();
    }

    fn unlease(&mut self, key: &str) {
        self.leases["subnets"].as_object_mut().unwrap().remove(key);
        self.write_leases();
    }

    fn write_leases(&self) {
        let next = self.path("leases.next");
        std::fs::write(&next, self.leases.to_string()).unwrap();
        std::fs::rename(&next, self.path("leases.json")).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", self.node.name()])
            .arg(env!("CARGO_BIN_EXE_tweed-control"))
            .arg("--config")
            .arg(self.path("node.toml"));
        command
    }

    pub(super) fn start(&self) -> Daemon {
        Daemon(self.command().spawn().unwrap())
    }

    /// Runs a control that is expected to end by itself.
    fn refusal(&self) -> (Option<i32>, String) {
        let Output { status, stderr, .. } = self.command().output().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap())
    }

    fn tables(&self) -> Option<(u64, Tables)> {
        let mut reader = TablesReader::open(&self.path("run/tables")).ok()?;
        Some((
            reader.generation(),
            reader.read(|fib| fib.tables()).unwrap(),
        ))
    }

    /// Waits for tables of which this holds.
    pub(super) fn until(&self, what: &str, holds: impl Fn(&Tables) -> bool) -> (u64, Tables) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let tables = self.tables();
            if let Some((_, value)) = &tables
                && holds(value)
            {
                return tables.unwrap();
            }
            assert!(
                Instant::now() < deadline,
                "waited for {what}; there is {tables:#?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn until_file(&self, name: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(text) = std::fs::read_to_string(self.path(name)) {
                return text;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("waited for {name}");
    }

    pub(super) fn until_ip_says(&self, question: &str, answer: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.node.ip(question).contains(answer) {
            assert!(Instant::now() < deadline, "waited for {answer}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn peer_mac(&self) -> Mac {
        let text = self.peer.exec("cat /sys/class/net/eth0/address");
        text.trim().parse().unwrap()
    }
}

/// A running control; killed when the value goes.
pub(super) struct Daemon(Child);

impl Daemon {
    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(status.success());
    }

    fn wait(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The slot of the VXLAN adjacency to this peer through this next hop.
fn slot(tables: &Tables, public_ip: Ipv4Addr, through: Mac) -> Option<usize> {
    tables.adjacencies.iter().position(|adjacency| {
        matches!(adjacency, Adjacency::Peer { peer, next_hop, .. }
            if *peer == public_ip && *next_hop == through)
    })
}

fn leads_to(tables: &Tables, prefix: [u8; 4], slot: usize) -> bool {
    let found = tables
        .routes
        .iter()
        .find(|route| route.prefix == Ipv4Addr::from(prefix));
    found.is_some_and(|route| usize::from(route.adjacency) == slot)
}

const PEER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn leases_become_adjacencies_and_follow_what_changes() {
    let mut site = Site::new();
    site.lease(OWN, "10.77.0.1", "02:00:00:00:00:01");
    site.lease("10.244.2.0-24", "10.77.0.2", PEER_VTEP);
    site.lease("10.244.9.0-24", "10.77.0.200", "02:00:00:00:00:09");
    let daemon = site.start();
    let mac = site.peer_mac();
    let (_, tables) = site.until("the peer", |tables| slot(tables, PEER, mac).is_some());

    let vtep: Mac = std::fs::read_to_string(site.path("state/vtep-mac"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert_eq!(tables.node.vtep_mac, vtep);
    assert_eq!(tables.node.gateway_ip4, Ipv4Addr::new(10, 244, 1, 1));
    assert_eq!((tables.node.vni, tables.node.tunnel_dport), (1, 8472));
    assert_eq!(tables.ports[0].name, "eth0");
    assert_eq!(tables.ports[1].name, "tweed0x");
    let Adjacency::Local { port: 1, dst, src } = tables.adjacencies[1] else {
        panic!("{:?}", tables.adjacencies[1]);
    };
    let end = |device: &str| {
        site.node
            .exec(&format!("cat /sys/class/net/{device}/address"))
    };
    assert_eq!(end("tweed0").trim(), dst.to_string());
    assert_eq!(end("tweed0x").trim(), src.to_string());
    assert!(leads_to(&tables, [10, 244, 1, 0], 1));
    assert!(leads_to(
        &tables,
        [10, 244, 2, 0],
        slot(&tables, PEER, mac).unwrap()
    ));
    let silent = Adjacency::Unresolved {
        peer: Ipv4Addr::new(10, 77, 0, 200).into(),
    };
    assert!(tables.adjacencies.contains(&silent));

    let env = site.until_file("subnet.env");
    assert!(
        env.contains("FLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\n"),
        "{env}"
    );
    let status: Value = serde_json::from_str(&site.until_file("run/control.json")).unwrap();
    assert_eq!(status["own"]["state"], "held");
    assert_eq!(status["peers"].as_array().unwrap().len(), 2);

    // A new MAC of the peer's underlay device, announced.
    let second: Mac = "02:00:00:00:77:77".parse().unwrap();
    site.peer.exec("sysctl -qw net.ipv4.conf.eth0.arp_notify=1");
    site.peer.ip(&format!("link set eth0 address {second}"));
    site.until("the new MAC", |tables| slot(tables, PEER, second).is_some());

    // A narrower path.
    site.node.ip("route add 10.77.0.2/32 dev eth0 mtu 1400");
    site.until("the narrower path", |tables| {
        let peer = slot(tables, PEER, second).map(|slot| &tables.adjacencies[slot]);
        matches!(peer, Some(Adjacency::Peer { mtu: 1350, .. }))
    });

    // Another lease comes, one goes.
    site.lease("10.244.3.0-24", "10.77.0.3", "02:00:00:00:00:03");
    site.unlease("10.244.9.0-24");
    site.until("the change", |tables| {
        tables
            .routes
            .iter()
            .any(|route| route.prefix == Ipv4Addr::new(10, 244, 3, 0))
            && !tables.adjacencies.contains(&silent)
    });

    // Somebody deletes our route, somebody the whole uplink.
    site.node.ip("route del 10.244.0.0/16");
    site.until_ip_says("-4 route", "10.244.0.0/16 via");
    site.node.ip("link del tweed0");
    site.until_ip_says("-4 -o addr", "10.244.1.0/32");
    site.until_ip_says("-4 route", "10.244.0.0/16 via");

    daemon.signal("-TERM");
    assert_eq!(daemon.wait(), Some(0));
    let routes = site.node.ip("-4 route");
    assert!(
        routes.contains("10.244.0.0/16"),
        "it stays at a stop: {routes}"
    );
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_killed_control_comes_back_without_a_trace() {
    let mut site = Site::new();
    site.lease(OWN, "10.77.0.1", "02:00:00:00:00:01");
    site.lease("10.244.2.0-24", "10.77.0.2", PEER_VTEP);
    let daemon = site.start();
    let mac = site.peer_mac();
    site.until("the peer", |tables| slot(tables, PEER, mac).is_some());
    site.until_file("subnet.env");
    let (generation, before) = site.tables().unwrap();
    let index = site.node.exec("cat /sys/class/net/tweed0/ifindex");

    daemon.signal("-KILL");
    daemon.wait();
    std::fs::remove_file(site.path("run/control.json")).unwrap();
    std::fs::remove_file(site.path("subnet.env")).unwrap();
    let _daemon = site.start();
    site.until_file("subnet.env");
    let (again, after) = site.tables().unwrap();
    assert_eq!(after, before);
    assert_eq!(again, generation, "the same tables need no publication");
    assert_eq!(site.node.exec("cat /sys/class/net/tweed0/ifindex"), index);

    // A peer before it in order must not move it.
    let place = slot(&before, PEER, mac).unwrap();
    site.lease("10.244.0.0-24", "10.77.0.3", "02:00:00:00:00:03");
    site.until("the newcomer", |tables| tables.routes.len() == 3);
    let (_, tables) = site.tables().unwrap();
    assert_eq!(slot(&tables, PEER, mac), Some(place));
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_lost_lease_is_fenced_and_a_regained_one_served() {
    let mut site = Site::new();
    site.lease(OWN, "10.77.0.1", "02:00:00:00:00:01");
    site.lease("10.244.2.0-24", "10.77.0.2", PEER_VTEP);
    let _daemon = site.start();
    let mac = site.peer_mac();
    let (_, before) = site.until("the peer", |tables| slot(tables, PEER, mac).is_some());

    site.unlease(OWN);
    let (_, fenced) = site.until("the fence", |tables| tables.routes.is_empty());
    assert_eq!(fenced.ports, before.ports);
    let deadline = Instant::now() + PATIENCE;
    while !site.until_file("run/control.json").contains("\"lost\"") {
        assert!(Instant::now() < deadline, "control.json does not say so");
        std::thread::sleep(Duration::from_millis(10));
    }

    site.lease(OWN, "10.77.0.1", "02:00:00:00:00:01");
    let (_, after) = site.until("the peer again", |tables| slot(tables, PEER, mac).is_some());
    assert_eq!(after.adjacencies, before.adjacencies);
}

/// The theft falls into a time without control; the pods that were made before it do not know.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_subnet_that_went_to_another_while_control_was_away_is_fenced() {
    let mut site = Site::new();
    site.lease(OWN, "10.77.0.1", "02:00:00:00:00:01");
    let daemon = site.start();
    site.until_file("subnet.env");
    daemon.signal("-KILL");
    daemon.wait();

    site.lease(OWN, "10.77.0.2", PEER_VTEP);
    let daemon = site.start();
    site.until("nothing served for another", |tables| {
        tables.routes.is_empty()
    });

    site.lease("10.244.5.0-24", "10.77.0.1", "02:00:00:00:00:01");
    site.until("our new subnet", |tables| {
        leads_to(tables, [10, 244, 5, 0], 1)
    });
    let fence = "from 10.244.1.0/24 to 10.244.0.0/16 prohibit";
    let rules = site.node.ip("rule");
    assert!(
        rules.contains(fence),
        "it was published before the fence stood: {rules}"
    );

    // Somebody deletes it, and control is killed once more.
    site.node.ip("rule del pref 117");
    site.until_ip_says("rule", fence);
    daemon.signal("-KILL");
    daemon.wait();
    site.node.ip("rule del pref 117");
    let _daemon = site.start();
    site.until_ip_says("rule", fence);

    // The subnet is ours again; the pods of the one between are not.
    site.unlease("10.244.5.0-24");
    site.lease(OWN, "10.77.0.1", "02:00:00:00:00:01");
    site.until_ip_says("rule", "from 10.244.5.0/24 to 10.244.0.0/16 prohibit");
    site.until("our first subnet", |tables| {
        leads_to(tables, [10, 244, 1, 0], 1)
    });
    let rules = site.node.ip("rule");
    assert!(!rules.contains("from 10.244.1.0/24"), "{rules}");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_lost_lease_is_fenced_though_the_underlay_is_down() {
    let mut site = Site::new();
    site.lease(OWN, "10.77.0.1", "02:00:00:00:00:01");
    let _daemon = site.start();
    site.until("our lease", |tables| tables.routes.len() == 1);

    site.node.ip("link set eth0 down");
    let deadline = Instant::now() + PATIENCE;
    while !site.until_file("run/control.json").contains("is down") {
        assert!(Instant::now() < deadline, "control.json does not say so");
        std::thread::sleep(Duration::from_millis(10));
    }
    site.unlease(OWN);
    site.until("the fence", |tables| tables.routes.is_empty());
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_node_that_is_readdressed_takes_its_new_address_up() {
    let mut site = Site::new();
    site.lease(OWN, "10.77.0.1", "02:00:00:00:00:01");
    let _daemon = site.start();
    site.until("our lease", |tables| tables.routes.len() == 1);

    site.node.ip("addr del 10.77.0.1/24 dev eth0");
    site.node.ip("addr add 10.77.0.11/24 dev eth0");
    site.lease(OWN, "10.77.0.11", "02:00:00:00:00:01");
    let new = Ipv4Addr::new(10, 77, 0, 11);
    site.until("the new address", |tables| {
        tables.node.vtep_ip4 == new && tables.routes.len() == 1
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_the_node_lacks_is_named_and_ends_with_3() {
    let mut site = Site::new();
    site.lease(OWN, "10.77.0.1", "02:00:00:00:00:01");
    site.write_config("eth7");
    let (code, said) = site.refusal();
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("eth7 does not exist") && said.contains("eth0"),
        "{said}"
    );

    site.write_config("eth0");
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", site.node.name(), "setpriv"])
        .args(["--inh-caps=-all", "--bounding-set=-all"])
        .arg(env!("CARGO_BIN_EXE_tweed-control"))
        .arg("--config")
        .arg(site.path("node.toml"));
    let output = command.stdout(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("CAP_NET_ADMIN"), "{said}");

    let _daemon = site.start();
    site.until_file("run/control.json");
    let (code, said) = site.refusal();
    assert_eq!(code, Some(3), "two at once: {said}");

    std::fs::write(
        site.path("node.toml"),
        "[underlay]\ninterfaces = \"eth0\"\n",
    )
    .unwrap();
    let (code, said) = site.refusal();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("interfaces"), "{said}");
}
