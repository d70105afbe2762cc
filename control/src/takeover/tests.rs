use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

use contract::config::{BindMode, Config};
use contract::stats::{BoundMode, EngineStats, PortState, PortStatus, TAKEN};
use contract::tables::{Port, PortKind, Tables};
use contract::wire::Mac;

use super::*;
use crate::compile::{Hop, Uplink, compile};
use crate::lease::{Backend, Cluster, Lease, OwnLease};
use crate::slots::Slots;

fn ports() -> Vec<Port> {
    let port = |name: &str, kind| Port {
        name: name.into(),
        kind,
        mode: BindMode::Auto,
        mtu: 1500,
        mac: Mac::default(),
        peer_mac: Mac::default(),
    };
    vec![
        port("eth0", PortKind::Underlay),
        port("tweed0x", PortKind::Uplink),
    ]
}

fn status(name: &str, state: PortState, error: &str) -> PortStatus {
    PortStatus {
        state,
        mode: BoundMode::Copy,
        name: name.into(),
        error: error.into(),
        ..PortStatus::default()
    }
}

#[test]
fn an_engine_is_ready_when_nothing_but_the_udp_port_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stats");
    let why = engine::ready(&path, &ports()).unwrap_err();
    assert!(why.contains("does not run"), "{why}");

    let stats = EngineStats::create(&path, 1, 1).unwrap();
    stats.beat();
    let why = engine::ready(&path, &ports()).unwrap_err();
    assert!(why.contains("eth0 is not open yet"), "{why}");

    stats.set_port(0, &status("eth0", PortState::Up, ""));
    stats.set_port(1, &status("tweed0x", PortState::Failed, "no such queue"));
    let why = engine::ready(&path, &ports()).unwrap_err();
    assert!(
        why.contains("tweed0x") && why.contains("no such queue"),
        "{why}"
    );

    stats.set_port(1, &status("tweed0x", PortState::Up, ""));
    assert_eq!(engine::ready(&path, &ports()), Ok(()));
    stats.set_port(0, &status("eth0", PortState::Failed, TAKEN));
    assert_eq!(engine::ready(&path, &ports()), Ok(()));
    // The status is that of the device before: the tables name another now.
    stats.set_port(0, &status("eth1", PortState::Up, ""));
    assert!(engine::ready(&path, &ports()).is_err());
}

#[test]
fn an_engine_has_let_go_when_no_port_is_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stats");
    assert!(engine::has_let_go(&path));
    let stats = EngineStats::create(&path, 1, 1).unwrap();
    stats.beat();
    stats.set_port(1, &status("tweed0x", PortState::Up, ""));
    assert!(!engine::has_let_go(&path));
    stats.set_port(1, &PortStatus::default());
    assert!(engine::has_let_go(&path));
}

#[test]
fn nodes_are_waited_for_only_while_they_may_still_answer() {
    let peer = |obstacle| Peer {
        slot: Some(2),
        public_ip: Ipv4Addr::new(192, 168, 77, 2),
        subnets: Vec::new(),
        obstacle,
    };
    let next_hop = Ipv4Addr::new(192, 168, 77, 254);
    assert!(is_on_its_way(&peer(Some(Obstacle::NoNeighbour(next_hop)))));
    assert!(is_on_its_way(&peer(Some(Obstacle::Unknown))));
    assert!(!is_on_its_way(&peer(None)));
    assert!(!is_on_its_way(&peer(Some(Obstacle::NoRoute(
        "none".into()
    )))));
    assert!(!is_on_its_way(&peer(Some(Obstacle::NoSlot))));
}

const MAC: Mac = Mac([2, 0, 0, 0, 0, 0x10]);

fn underlay() -> Underlay {
    Underlay {
        index: 2,
        name: "eth0".into(),
        mac: Mac([2, 0, 0, 0, 0, 1]),
        mtu: 1500,
        address: Ipv4Addr::new(192, 168, 77, 1),
        public_ip: Ipv4Addr::new(192, 168, 77, 1),
    }
}

/// A cluster with a peer of ours and one of another backend.
fn cluster(config: &str) -> Cluster {
    let lease = |third: u8, backend| Lease {
        subnet: Ipv4Net::new_assert(Ipv4Addr::new(10, 244, third, 0), 24),
        subnet6: None,
        public_ip: Ipv4Addr::new(192, 168, 77, third),
        public_ip6: None,
        backend,
    };
    let vtep_mac = Mac([2, 0, 0, 0, 0, 9]);
    let leases = [
        lease(9, Backend::Vxlan { vtep_mac }),
        lease(11, Backend::Other("extension".into())),
    ];
    Cluster {
        network: NetworkConfig::parse(config.as_bytes()).unwrap(),
        own: OwnLease::Held {
            subnet: subnet(),
            expires: None,
        },
        leases: Arc::new(BTreeMap::from(leases.map(|lease| (lease.subnet, lease)))),
        skipped: Arc::default(),
    }
}

fn subnet() -> Ipv4Net {
    "10.244.1.0/24".parse().unwrap()
}

#[test]
fn the_device_is_that_of_the_network_config() {
    let options = r#"{"Type":"vxlan","VNI":7,"Port":8500,"MTU":1400,"Learning":true,"GBP":true}"#;
    let config = format!(r#"{{"Network":"10.244.0.0/16","Backend":{options}}}"#);
    let wanted = wish::from_cluster(&cluster(&config), subnet(), &underlay(), MAC);
    assert_eq!(
        wanted,
        Some(vxlan::Wanted {
            vni: 7,
            port: 8500,
            carrier: 2,
            local: Ipv4Addr::new(192, 168, 77, 1),
            mac: MAC,
            mtu: 1350,
            learning: true,
            gbp: true,
            subnet: subnet(),
            peers: vec![vxlan::Peer {
                subnet: "10.244.9.0/24".parse().unwrap(),
                public_ip: Ipv4Addr::new(192, 168, 77, 9),
                mac: Mac([2, 0, 0, 0, 0, 9]),
            }],
            direct: Vec::new(),
        })
    );
}

#[test]
fn tables_tell_the_same_as_the_leases_that_they_were_made_of() {
    let cluster = cluster(r#"{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}"#);
    let uplink = Uplink {
        mode: BindMode::Auto,
        engine_device: "tweed0x".into(),
        host_mac: MAC,
        engine_mac: Mac([2, 0, 0, 0, 0, 0x11]),
        mtu: 1450,
    };
    let hop = Hop::Ready {
        mac: Mac([2, 0, 0, 0, 0, 2]),
        mtu: 1500,
        gateway: None,
    };
    let hops = HashMap::from([9, 11].map(|last| (Ipv4Addr::new(192, 168, 77, last), hop.clone())));
    let config = Config::default();
    let underlay = underlay();
    let compiled = compile(
        &cluster,
        subnet(),
        &underlay,
        &uplink,
        &hops,
        &config,
        Slots::default(),
    );
    assert_eq!(
        wish::from_tables(&compiled.tables, &underlay),
        wish::from_cluster(&cluster, subnet(), &underlay, MAC)
    );
    assert_eq!(wish::from_tables(&Tables::default(), &underlay), None);
}
