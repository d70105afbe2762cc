//! A cluster of 5,000 nodes: from start to full tables, from a put in etcd to the tables, and the memory for it.
//!
//! Prints figures, which mean something for a release build on an idle machine only
//! (`cargo test --release -p tweed-control --test netlink -- --ignored --nocapture five_thousand`). Only correctness and
//! memory are asserted.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use contract::tables::{Adjacency, Encap, TablesReader};
use contract::wire::Mac;
use etcd_client::{Client, Txn, TxnOp};

use super::netns::Netns;

const PEERS: u32 = 5_000;
const CHANGES: u32 = 200;
/// Most that control may take, KiB.
const MEMORY: u64 = 100 * 1024;
const PREFIX: &str = "/coreos.com/network";
const ENDPOINT: &str = "http://127.0.0.1:2379";
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is killed when the value goes.
struct Process(Child);

impl Process {
    fn start(netns: &Netns, program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", netns.name(), program])
            .args(arguments)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null());
        Process(command.spawn().unwrap())
    }

    /// Resident memory, KiB. What `ip netns exec` starts takes its place.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.unwrap().trim().trim_end_matches(" kB");
        number.parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Peer `n` and how often it moved.
#[derive(Clone, Copy)]
struct Peer {
    n: u32,
    moves: u32,
}

impl Peer {
    fn subnet(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(0x0a80_0000 + (self.n << 8))
    }

    /// Behind the gateway: the next hop of all.
    fn public_ip(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(0xac10_0000 + self.n + self.moves * 2 * PEERS)
    }

    fn vtep_mac(self) -> Mac {
        let [_, a, b, c] = (self.n + self.moves * 2 * PEERS).to_be_bytes();
        Mac([2, 0, 0, a, b, c])
    }

    fn key(self) -> String {
        format!("{PREFIX}/subnets/{}-24", self.subnet())
    }

    fn value(self) -> String {
        format!(
            r#"{{"PublicIP":"{}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{{"VNI":1,"VtepMAC":"{}"}}}}"#,
            self.public_ip(),
            self.vtep_mac()
        )
    }

    /// Whether the tables lead its pods to it.
    fn is_in(self, tables: &mut TablesReader) -> bool {
        let pod = self.subnet().to_bits() + 10;
        tables.read(|fib| {
            let slot = fib.lookup4(pod.to_be_bytes());
            matches!(fib.adjacency(slot), Adjacency::Peer { peer, encap: Encap::Vxlan { peer_vtep, .. }, .. }
                if peer == self.public_ip() && peer_vtep == self.vtep_mac())
        })
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited for {what}");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

async fn connect() -> Client {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(mut client) = Client::connect([ENDPOINT], None).await
            && client.get("ready?", None).await.is_ok()
        {
            return client;
        }
        assert!(Instant::now() < deadline, "etcd does not answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn configure(directory: &Path) {
    let path = |name: &str| directory.join(name);
    let text = format!(
        "[node]\nrun_dir = {:?}\nstate_dir = {:?}\n[underlay]\ninterface = \"eth0\"\n[lease]\nsubnet_env = {:?}\n\
         [etcd]\nendpoints = [{ENDPOINT:?}]\n",
        path("run"),
        path("state"),
        path("subnet.env"),
    );
    std::fs::write(path("node.toml"), text).unwrap();
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn five_thousand_peers() {
    let (node, gateway) = (Netns::new("scale"), Netns::new("scale-gw"));
    node.join("192.168.77.1/24", &gateway, "192.168.77.2/24");
    node.ip("route add default via 192.168.77.2");
    // In memory, as /run is where systemd is.
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    configure(directory.path());
    let data = directory.path().join("etcd");
    let _etcd = Process::start(
        &node,
        "etcd",
        &[
            "--data-dir",
            data.to_str().unwrap(),
            "--logger",
            "zap",
            "--log-level",
            "error",
        ],
    );
    node.enter(async || run(&node, directory.path()).await);
}

async fn run(node: &Netns, directory: &Path) {
    let mut client = connect().await;
    let config = r#"{"Network":"10.0.0.0/8","SubnetMin":"10.1.0.0","SubnetMax":"10.2.0.0","Backend":{"Type":"vxlan"}}"#;
    client
        .put(format!("{PREFIX}/config"), config, None)
        .await
        .unwrap();
    let peers: Vec<_> = (0..PEERS).map(|n| Peer { n, moves: 0 }).collect();
    let puts = |peers: &[Peer]| -> Vec<_> {
        (peers.iter())
            .map(|peer| TxnOp::put(peer.key(), peer.value(), None))
            .collect()
    };
    // etcd takes 128 operations in a transaction.
    for peers in peers.chunks(128) {
        client.txn(Txn::new().and_then(puts(peers))).await.unwrap();
    }

    let began = Instant::now();
    let config = directory.join("node.toml");
    let control = Process::start(
        node,
        env!("CARGO_BIN_EXE_tweed-control"),
        &["--config", config.to_str().unwrap()],
    );
    let path = directory.join("run/tables");
    let mut tables = None;
    until("the tables", || {
        tables = TablesReader::open(&path).ok();
        tables.is_some()
    })
    .await;
    let mut tables = tables.unwrap();
    // Published whole, so one of them says enough until all are looked at.
    until("every peer", || {
        peers[0].is_in(&mut tables) && peers.iter().all(|peer| peer.is_in(&mut tables))
    })
    .await;
    let start = began.elapsed();

    let mut waits = Vec::new();
    for change in 0..CHANGES {
        let peer = Peer {
            n: change * (PEERS / CHANGES),
            moves: 1,
        };
        let began = Instant::now();
        client.put(peer.key(), peer.value(), None).await.unwrap();
        until("the change", || peer.is_in(&mut tables)).await;
        waits.push(began.elapsed());
    }
    waits.sort_unstable();
    let rank = |percent: usize| waits[waits.len() * percent / 100];
    println!(
        "{PEERS} peers: tables after {start:.2?}; a change after {:.1?} (median), {:.1?} (99th of 100), {:.1?} (most of \
         {CHANGES}); {} KiB of memory",
        rank(50),
        rank(99),
        waits[waits.len() - 1],
        control.memory()
    );
    // Nobody else was harmed by it.
    let left = (peers.iter()).filter(|peer| peer.n % (PEERS / CHANGES) != 0);
    assert!(left.copied().all(|peer| peer.is_in(&mut tables)));
    assert!(control.memory() < MEMORY, "{} KiB", control.memory());
}
