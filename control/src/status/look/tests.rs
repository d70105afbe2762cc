//! Over a real run directory, written as the daemons write it.

use contract::stats::EngineStats;
use contract::tables::{Publisher, Route, Tables};

use super::super::{Own, PeerStatus, StatusFile};
use super::*;

/// A run directory with control's files.
struct Node {
    directory: tempfile::TempDir,
    publisher: Option<Publisher>,
}

fn route(subnet: &str, adjacency: u16) -> Route {
    let subnet: Ipv4Net = subnet.parse().unwrap();
    Route {
        prefix: subnet.network().into(),
        len: subnet.prefix_len(),
        adjacency,
    }
}

fn peer(slot: u16, subnet: &str, obstacle: Option<&str>) -> PeerStatus {
    PeerStatus {
        slot: Some(slot),
        public_ip: Some(Ipv4Addr::new(192, 168, 7, 2)),
        subnets: vec![subnet.parse().unwrap()],
        obstacle: obstacle.map(str::to_owned),
        ..PeerStatus::default()
    }
}

impl Node {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (publisher, _) = Publisher::open_or_create(&directory.path().join("tables")).unwrap();
        Node {
            directory,
            publisher: Some(publisher),
        }
    }

    fn publish(&mut self, routes: &[Route]) {
        let unresolved = || Adjacency::Unresolved {
            peer: Ipv4Addr::new(192, 168, 7, 2).into(),
        };
        let local = Adjacency::Local {
            port: 0,
            dst: contract::wire::Mac([2, 0, 0, 0, 0, 1]),
            src: contract::wire::Mac([2, 0, 0, 0, 0, 2]),
        };
        let tables = Tables {
            ports: vec![contract::tables::Port {
                name: "tweed0x".into(),
                kind: contract::tables::PortKind::Uplink,
                mode: contract::config::BindMode::Auto,
                mtu: 1450,
                mac: contract::wire::Mac::default(),
                peer_mac: contract::wire::Mac::default(),
            }],
            adjacencies: vec![Adjacency::Empty, local, unresolved(), unresolved()],
            routes: routes.to_vec(),
            ..Tables::default()
        };
        self.publisher.as_mut().unwrap().publish(&tables).unwrap();
    }

    fn say(&self, generation: u64, peers: Vec<PeerStatus>) {
        let status = Status {
            generation,
            own: Own {
                state: OwnState::Held,
                subnet: Some("10.1.1.0/24".parse().unwrap()),
                ..Own::default()
            },
            peers,
            ..Status::default()
        };
        StatusFile::new(self.directory.path())
            .write(status)
            .unwrap();
    }

    fn look(&self) -> Seen {
        look(self.directory.path()).unwrap()
    }
}

#[test]
fn what_was_compiled_is_what_the_tables_have() {
    let mut node = Node::new();
    node.publish(&[route("10.1.1.0/24", OWN), route("10.1.2.0/24", 2)]);
    node.say(1, vec![peer(2, "10.1.2.0/24", Some("no ARP"))]);
    let seen = node.look();
    assert_eq!(seen.control, Life::Running);
    let tables = seen.tables.unwrap();
    let whole = Programmed {
        generation: 1,
        expected: 2,
        ..Programmed::default()
    };
    assert_eq!(tables, whole);
    assert!(seen.engine.unwrap_err().why.contains("tweed-dataplane"));
}

#[test]
fn routes_that_are_missing_astray_or_too_many_are_told() {
    let mut node = Node::new();
    node.publish(&[route("10.1.1.0/24", OWN), route("10.1.9.0/24", 3)]);
    node.say(1, vec![peer(2, "10.1.2.0/24", None)]);
    let tables = node.look().tables.unwrap();
    assert_eq!(tables.missing, ["10.1.2.0/24".parse().unwrap()]);
    // Packets should flow to it, and its adjacency is unresolved.
    assert_eq!(tables.astray, [Ipv4Addr::new(192, 168, 7, 2)]);
    assert_eq!(tables.surplus, [3]);
}

#[test]
fn a_control_that_ended_is_gone_at_once() {
    let mut node = Node::new();
    node.say(0, Vec::new());
    assert_eq!(node.look().control, Life::Running);
    node.publisher = None;
    assert_eq!(node.look().control, Life::Gone);
}

#[test]
fn an_engine_is_seen_with_what_its_workers_acknowledge() {
    let node = Node::new();
    node.say(0, Vec::new());
    let stats = EngineStats::create(&node.directory.path().join("stats"), 1, 1_000_000).unwrap();
    stats.beat();
    let engine = node.look().engine.unwrap();
    assert_eq!(engine.life, Life::Running);
    assert!(engine.generations().eq([(0, 0)]));
}

#[test]
fn without_a_file_there_is_nothing_to_show() {
    let directory = tempfile::tempdir().unwrap();
    let message = look(directory.path()).unwrap_err().to_string();
    assert!(
        message.contains("control.json") && message.contains("node.run_dir"),
        "{message}"
    );
    std::fs::write(directory.path().join(FILE), "{").unwrap();
    let message = look(directory.path()).unwrap_err().to_string();
    assert!(message.contains("start tweed-control"), "{message}");
    // What an older version wrote lacks keys, and is a status all the same.
    std::fs::write(
        directory.path().join(FILE),
        r#"{"generation": 3, "new": 1}"#,
    )
    .unwrap();
    assert_eq!(look(directory.path()).unwrap().status.generation, 3);
}
