use std::collections::BTreeMap;
use std::sync::Arc;

use contract::wire::Mac;
use proptest::prelude::*;

use super::*;
use crate::lease::{NetworkConfig, OwnLease, Vxlan};
use crate::slots::FIRST;

const OUR_IP: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
const VTEP_MAC: Mac = Mac([2, 0, 0, 0, 0, 0x10]);
const ENGINE_MAC: Mac = Mac([2, 0, 0, 0, 0, 0x11]);
const UNDERLAY_MAC: Mac = Mac([2, 0, 0, 0, 0, 0x20]);
const NEXT_HOP: Mac = Mac([2, 0, 0, 0, 0, 0x30]);

const PLAIN: Vxlan = Vxlan {
    vni: 1,
    port: 8472,
    mtu: None,
    gbp: false,
    learning: false,
    direct_routing: false,
};
const VXLAN: NetworkBackend = NetworkBackend::Vxlan(PLAIN);

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

fn peer_ip(n: u32) -> Ipv4Addr {
    (u32::from(Ipv4Addr::new(192, 168, 0, 0)) + 0x1_0000 + n).into()
}

fn peer_mac(n: u32) -> Mac {
    let [_, b, c, d] = n.to_be_bytes();
    Mac([0x0a, 0, 0, b, c, d])
}

fn peer_subnet(n: u32) -> Ipv4Net {
    Ipv4Net::new(
        (u32::from(Ipv4Addr::new(10, 0, 0, 0)) + (n << 8)).into(),
        24,
    )
    .unwrap()
}

fn lease(n: u32) -> Lease {
    Lease {
        subnet: peer_subnet(n),
        subnet6: None,
        public_ip: peer_ip(n),
        public_ip6: None,
        backend: Backend::Vxlan {
            vtep_mac: peer_mac(n),
        },
    }
}

fn cluster(leases: impl IntoIterator<Item = Lease>) -> Cluster {
    Cluster {
        network: NetworkConfig {
            network: net("10.0.0.0/8"),
            subnet_len: 24,
            subnet_min: Ipv4Addr::new(10, 0, 1, 0),
            subnet_max: Ipv4Addr::new(10, 255, 255, 0),
            network6: None,
            nftables: false,
            backend: VXLAN,
        },
        own: OwnLease::Acquiring,
        leases: Arc::new(
            leases
                .into_iter()
                .map(|lease| (lease.subnet, lease))
                .collect(),
        ),
        skipped: Arc::default(),
    }
}

fn underlay() -> Underlay {
    Underlay {
        index: 2,
        name: "eth0".into(),
        mac: UNDERLAY_MAC,
        mtu: 1500,
        address: OUR_IP,
        // As behind NAT: nothing in the tables may have it.
        public_ip: Ipv4Addr::new(198, 51, 100, 1),
    }
}

fn uplink() -> Uplink {
    Uplink {
        mode: BindMode::Auto,
        engine_device: "tweed0x".into(),
        host_mac: VTEP_MAC,
        engine_mac: ENGINE_MAC,
        mtu: 1450,
    }
}

fn ready(mtu: u32) -> Hop {
    Hop::Ready {
        mac: NEXT_HOP,
        mtu,
        gateway: None,
    }
}

fn run(cluster: &Cluster, hops: &HashMap<Ipv4Addr, Hop>, slots: Slots) -> Compiled {
    let config = Config::default();
    compile(
        cluster,
        net("10.0.1.0/24"),
        &underlay(),
        &uplink(),
        hops,
        &config,
        slots,
    )
}

#[test]
fn one_peer_spelled_out() {
    let hops = HashMap::from([(peer_ip(2), ready(1500))]);
    let tables = run(&cluster([lease(2)]), &hops, Slots::default()).tables;
    let expected = Tables {
        node: Node {
            tunnel: Tunnel::Vxlan,
            vtep_mac: VTEP_MAC,
            vtep_mac6: VTEP_MAC,
            vtep_ip4: OUR_IP,
            vtep_ip6: Ipv6Addr::UNSPECIFIED,
            vni: 1,
            tunnel_dport: 8472,
            tunnel_port: TunnelPort::Held,
            gateway_ip4: Ipv4Addr::new(10, 0, 1, 1),
            gateway_ip6: Ipv6Addr::UNSPECIFIED,
        },
        ports: vec![
            Port {
                name: "eth0".into(),
                kind: PortKind::Underlay,
                mode: BindMode::Auto,
                mtu: 1500,
                mac: UNDERLAY_MAC,
                peer_mac: Mac::default(),
            },
            Port {
                name: "tweed0x".into(),
                kind: PortKind::Uplink,
                mode: BindMode::Auto,
                mtu: 1450,
                mac: ENGINE_MAC,
                peer_mac: VTEP_MAC,
            },
        ],
        adjacencies: vec![
            Adjacency::Empty,
            Adjacency::Local {
                port: 1,
                dst: VTEP_MAC,
                src: ENGINE_MAC,
            },
            Adjacency::Peer {
                port: 0,
                mtu: 1450,
                next_hop: NEXT_HOP,
                own: UNDERLAY_MAC,
                src: OUR_IP.into(),
                peer: peer_ip(2).into(),
                encap: Encap::Vxlan {
                    peer_vtep: peer_mac(2),
                    own_vtep: VTEP_MAC,
                },
            },
        ],
        routes: vec![
            Route {
                prefix: Ipv4Addr::new(10, 0, 1, 0).into(),
                len: 24,
                adjacency: 1,
            },
            Route {
                prefix: Ipv4Addr::new(10, 0, 2, 0).into(),
                len: 24,
                adjacency: 2,
            },
        ],
    };
    assert_eq!(tables, expected);
}

/// A row: the lease's backend, the hop, and what becomes of the peer.
#[test]
fn a_peer_is_reached_or_said_why_not() {
    let vxlan = Backend::Vxlan {
        vtep_mac: peer_mac(2),
    };
    let blocked = |obstacle: Obstacle| Some(Hop::Blocked(obstacle));
    let rows = [
        (vxlan.clone(), Some(ready(1500)), Ok(1450)),
        (vxlan.clone(), Some(ready(1400)), Ok(1350)),
        (vxlan.clone(), Some(ready(118)), Ok(68)),
        (vxlan.clone(), Some(ready(117)), Err(Obstacle::Narrow(117))),
        (vxlan.clone(), Some(ready(100_000)), Ok(65_535)),
        (vxlan.clone(), None, Err(Obstacle::Unknown)),
        (
            vxlan.clone(),
            blocked(Obstacle::NoNeighbour(peer_ip(9))),
            Err(Obstacle::NoNeighbour(peer_ip(9))),
        ),
        (
            vxlan,
            blocked(Obstacle::OtherDevice(3)),
            Err(Obstacle::OtherDevice(3)),
        ),
        (
            Backend::HostGw,
            Some(ready(1500)),
            Err(Obstacle::Backend {
                theirs: "host-gw".into(),
                ours: "vxlan",
            }),
        ),
    ];
    for (backend, hop, expected) in rows {
        let lease = Lease {
            backend,
            ..lease(2)
        };
        let hops = hop.into_iter().map(|hop| (peer_ip(2), hop)).collect();
        let compiled = run(&cluster([lease]), &hops, Slots::default());
        let adjacency = &compiled.tables.adjacencies[usize::from(FIRST)];
        // Reached or not, its packets to us are welcome, so the route and the address are there.
        assert!(
            compiled
                .tables
                .routes
                .contains(&route(peer_subnet(2), FIRST))
        );
        match (expected, adjacency) {
            (Ok(mtu), Adjacency::Peer { mtu: found, .. }) => {
                assert_eq!(*found, mtu);
                assert_eq!(compiled.peers[0].obstacle, None);
            }
            (Err(obstacle), Adjacency::Unresolved { peer }) => {
                assert_eq!(*peer, IpAddr::V4(peer_ip(2)));
                assert_eq!(compiled.peers[0].obstacle, Some(obstacle));
            }
            (expected, found) => panic!("expected {expected:?}, found {found:?}"),
        }
    }
}

#[test]
fn a_fence_keeps_the_ports_and_nothing_else() {
    let hops = HashMap::from([(peer_ip(2), ready(1500))]);
    let tables = run(&cluster([lease(2)]), &hops, Slots::default()).tables;
    let fenced = fence(&tables);
    assert_eq!(fenced.ports, tables.ports);
    assert_eq!(fenced.node, tables.node);
    assert_eq!(fenced.routes, []);
    assert_eq!(fenced.adjacencies, [Adjacency::Empty]);
}

#[test]
fn leases_of_one_node_share_an_adjacency_unless_their_macs_differ() {
    let second = Lease {
        subnet: peer_subnet(3),
        ..lease(2)
    };
    let reinstalled = Lease {
        subnet: peer_subnet(4),
        backend: Backend::Vxlan {
            vtep_mac: peer_mac(4),
        },
        ..lease(2)
    };
    let hops = HashMap::from([(peer_ip(2), ready(1500))]);
    let compiled = run(
        &cluster([lease(2), second, reinstalled]),
        &hops,
        Slots::default(),
    );
    assert_eq!(compiled.peers.len(), 2);
    let routes = &compiled.tables.routes;
    assert!(routes.contains(&route(peer_subnet(2), FIRST)));
    assert!(routes.contains(&route(peer_subnet(3), FIRST)));
    assert!(routes.contains(&route(peer_subnet(4), FIRST + 1)));
}

#[test]
fn more_peers_than_slots_are_left_out_by_name() {
    let leases = (2..=MAX_PEERS as u32 + 2).map(lease);
    let compiled = run(&cluster(leases), &HashMap::new(), Slots::default());
    assert_eq!(compiled.tables.adjacencies.len(), 65_536);
    let out: Vec<_> = compiled
        .peers
        .iter()
        .filter(|peer| peer.slot.is_none())
        .collect();
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].obstacle, Some(Obstacle::NoSlot));
    assert_eq!(compiled.tables.routes.len(), MAX_PEERS + 1);
}

#[test]
fn the_overlay_mtu_is_configured_or_what_is_left() {
    let mut cluster = cluster([]);
    let mut config = Config::default();
    assert_eq!(overlay_mtu(&cluster, 1500, &config), 1450);
    cluster.network.backend = NetworkBackend::Vxlan(Vxlan {
        mtu: Some(1400),
        ..PLAIN
    });
    assert_eq!(overlay_mtu(&cluster, 1500, &config), 1350);
    assert_eq!(overlay_mtu(&cluster, 1300, &config), 1250);
    for (backend, mtu) in [
        (NetworkBackend::Udp { port: 8285 }, 1472),
        (ipip(false), 1480),
        (NetworkBackend::HostGw, 1500),
        (NetworkBackend::Alloc, 1500),
    ] {
        cluster.network.backend = backend;
        assert_eq!(overlay_mtu(&cluster, 1500, &config), mtu);
    }
    config.overlay.mtu = Some(1200);
    assert_eq!(overlay_mtu(&cluster, 1500, &config), 1200);
}

fn ipip(direct_routing: bool) -> NetworkBackend {
    NetworkBackend::Ipip { direct_routing }
}

fn behind_a_gateway() -> Hop {
    Hop::Ready {
        mac: NEXT_HOP,
        mtu: 1500,
        gateway: Some(peer_ip(200)),
    }
}

/// A row: the cluster's backend, the lease's, the hop, and what the peer is sent under which MTU.
#[test]
fn the_backend_and_the_hop_decide_the_encapsulation() {
    let vxlan = Backend::Vxlan {
        vtep_mac: peer_mac(2),
    };
    let encap = Encap::Vxlan {
        peer_vtep: peer_mac(2),
        own_vtep: VTEP_MAC,
    };
    let direct = NetworkBackend::Vxlan(Vxlan {
        direct_routing: true,
        ..PLAIN
    });
    let udp = NetworkBackend::Udp { port: 8285 };
    let (near, far) = (ready(1500), behind_a_gateway());
    let other = |theirs: &str, ours| {
        Err(Obstacle::Backend {
            theirs: theirs.into(),
            ours,
        })
    };
    let rows = [
        (VXLAN, vxlan.clone(), &near, Ok((encap, 1450))),
        (VXLAN, vxlan.clone(), &far, Ok((encap, 1450))),
        (direct, vxlan.clone(), &near, Ok((Encap::HostGw, 1500))),
        (direct, vxlan.clone(), &far, Ok((encap, 1450))),
        (direct, Backend::HostGw, &near, other("host-gw", "vxlan")),
        (ipip(false), Backend::Ipip, &near, Ok((Encap::Ipip, 1480))),
        (ipip(true), Backend::Ipip, &near, Ok((Encap::HostGw, 1500))),
        (ipip(true), Backend::Ipip, &far, Ok((Encap::Ipip, 1480))),
        (ipip(true), Backend::Unnamed, &far, other("udp", "ipip")),
        (
            NetworkBackend::HostGw,
            Backend::HostGw,
            &near,
            Ok((Encap::HostGw, 1500)),
        ),
        (
            NetworkBackend::HostGw,
            Backend::HostGw,
            &far,
            Err(Obstacle::NotOnLink(peer_ip(200))),
        ),
        (
            NetworkBackend::HostGw,
            vxlan.clone(),
            &near,
            other("vxlan", "host-gw"),
        ),
        // flannel's udp does not look at types.
        (udp, Backend::Unnamed, &far, Ok((Encap::Udp, 1472))),
        (udp, vxlan, &near, Ok((Encap::Udp, 1472))),
    ];
    for (backend, theirs, hop, expected) in rows {
        let (found, obstacle) = one_peer(backend, theirs.clone(), hop, &Config::default());
        let found = found.ok_or_else(|| obstacle.unwrap());
        assert_eq!(found, expected, "{backend:?} to {theirs:?} by {hop:?}");
    }
}

/// The encapsulation and MTU that the only peer gets, or why it gets none.
fn one_peer(
    backend: NetworkBackend,
    theirs: Backend,
    hop: &Hop,
    config: &Config,
) -> (Option<(Encap, u16)>, Option<Obstacle>) {
    let lease = Lease {
        backend: theirs,
        ..lease(2)
    };
    let mut cluster = cluster([lease]);
    cluster.network.backend = backend;
    let compiled = compile(
        &cluster,
        net("10.0.1.0/24"),
        &underlay(),
        &uplink(),
        &HashMap::from([(peer_ip(2), hop.clone())]),
        config,
        Slots::default(),
    );
    let found = match compiled.tables.adjacencies[usize::from(FIRST)] {
        Adjacency::Peer { encap, mtu, .. } => Some((encap, mtu)),
        _ => None,
    };
    (found, compiled.peers[0].obstacle.clone())
}

/// Sockets cannot send bare packets: DirectRouting is left out then, and what has no UDP is refused by name.
#[test]
fn an_underlay_over_udp_carries_only_what_runs_over_udp() {
    let mut config = Config::default();
    config.underlay.mode = BindMode::Udp;
    let near = ready(1500);
    let direct = NetworkBackend::Vxlan(Vxlan {
        direct_routing: true,
        ..PLAIN
    });
    let vxlan = Backend::Vxlan {
        vtep_mac: peer_mac(2),
    };
    let (found, obstacle) = one_peer(direct, vxlan, &near, &config);
    assert!(matches!(found, Some((Encap::Vxlan { .. }, 1450))));
    assert_eq!(obstacle, None);
    for (backend, theirs) in [
        (NetworkBackend::HostGw, Backend::HostGw),
        (ipip(false), Backend::Ipip),
        (ipip(true), Backend::Ipip),
    ] {
        let (found, obstacle) = one_peer(backend, theirs, &near, &config);
        assert_eq!(
            (found, obstacle),
            (None, Some(Obstacle::OverUdp(backend.name())))
        );
    }
}

#[test]
fn the_node_takes_the_tunnel_of_its_cluster() {
    let gbp = NetworkBackend::Vxlan(Vxlan {
        vni: 7,
        port: 4789,
        gbp: true,
        ..PLAIN
    });
    for (backend, tunnel, vni, port) in [
        (VXLAN, Tunnel::Vxlan, 1, 8472),
        (gbp, Tunnel::VxlanGbp, 7, 4789),
        (NetworkBackend::Udp { port: 9000 }, Tunnel::Udp, 0, 9000),
        (ipip(true), Tunnel::Ipip, 0, 0),
        (NetworkBackend::HostGw, Tunnel::None, 0, 0),
    ] {
        let mut cluster = cluster([]);
        cluster.network.backend = backend;
        let node = run(&cluster, &HashMap::new(), Slots::default()).tables.node;
        let found = (node.tunnel, node.vni, node.tunnel_dport);
        assert_eq!(found, (tunnel, vni, port));
    }
}

#[test]
fn alloc_has_leases_and_nothing_for_the_engine() {
    let mut cluster = cluster([lease(2), lease(3)]);
    cluster.network.backend = NetworkBackend::Alloc;
    let compiled = without_path(&cluster, Slots::default());
    assert_eq!(compiled.tables, Tables::default());
    let obstacles: Vec<_> = compiled.peers.iter().map(|peer| &peer.obstacle).collect();
    assert_eq!(obstacles.len(), 2);
    assert!(obstacles.iter().all(|obstacle| obstacle.is_some()));
}

fn any_hop() -> impl Strategy<Value = Option<Hop>> {
    prop_oneof![
        Just(None),
        (0u32..70_000).prop_map(|mtu| Some(ready(mtu))),
        Just(Some(Hop::Blocked(Obstacle::NoNeighbour(OUR_IP)))),
    ]
}

proptest! {
    /// Whatever the cluster looks like: the tables are well-formed, every lease has a route or a reason, and what the engine
    /// would publish reads back into the same slots.
    #[test]
    fn tables_are_well_formed_and_read_back(
        peers in prop::collection::btree_map(2u32..200, (any_hop(), any::<bool>()), 0..60),
        earlier in prop::collection::btree_set(2u32..200, 0..60),
    ) {
        let earlier = run(
            &cluster(earlier.into_iter().map(lease)),
            &HashMap::new(),
            Slots::default(),
        );
        let leases: BTreeMap<_, _> = peers
            .iter()
            .map(|(n, (_, vxlan))| {
                let mut lease = lease(*n);
                if !vxlan {
                    lease.backend = Backend::Unnamed;
                }
                (*n, lease)
            })
            .collect();
        let hops: HashMap<_, _> = peers
            .iter()
            .filter_map(|(n, (hop, _))| Some((peer_ip(*n), hop.clone()?)))
            .collect();
        let compiled = run(&cluster(leases.into_values()), &hops, earlier.slots);
        let tables = &compiled.tables;

        prop_assert_eq!(&tables.adjacencies[0], &Adjacency::Empty);
        prop_assert_eq!(tables.routes.len(), peers.len() + 1);
        for route in &tables.routes {
            prop_assert_ne!(&tables.adjacencies[usize::from(route.adjacency)], &Adjacency::Empty);
        }
        for peer in &compiled.peers {
            let slot = peer.slot.unwrap();
            let vxlan = matches!(tables.adjacencies[usize::from(slot)], Adjacency::Peer { .. });
            prop_assert_eq!(vxlan, peer.obstacle.is_none());
        }
        let again = run(
            &cluster(compiled.peers.iter().flat_map(|peer| {
                peer.subnets.iter().map(|subnet| lease((u32::from(subnet.network()) >> 8) & 0xffff))
            })),
            &hops,
            Slots::read_back(tables),
        );
        for (before, after) in compiled.peers.iter().zip(&again.peers) {
            prop_assert_eq!(before.slot, after.slot);
        }
    }
}
