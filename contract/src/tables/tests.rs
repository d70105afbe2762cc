//! The segment as a whole, in one process. What processes do to each other is in `tests/tables_processes.rs`.

use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, PermissionsExt};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn dir() -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tables");
    (dir, path)
}

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

fn port(name: &str, kind: PortKind) -> Port {
    Port {
        name: name.into(),
        kind,
        mode: BindMode::Copy,
        mtu: 1500,
        mac: mac(7),
        peer_mac: mac(8),
    }
}

fn route(prefix: &str, len: u8, adjacency: u16) -> Route {
    Route {
        prefix: prefix.parse().unwrap(),
        len,
        adjacency,
    }
}

/// A node with everything that tables can say.
fn sample() -> Tables {
    let peer = |src: &str, peer: &str| Adjacency::Peer {
        port: 0,
        mtu: 1450,
        next_hop: mac(1),
        own: mac(2),
        src: src.parse().unwrap(),
        peer: peer.parse().unwrap(),
        encap: Encap::Vxlan {
            peer_vtep: mac(3),
            own_vtep: mac(4),
        },
    };
    let bare = |to: &str, by| match peer("192.168.77.1", to) {
        Adjacency::Peer {
            port,
            mtu,
            next_hop,
            own,
            src,
            peer,
            ..
        } => Adjacency::Peer {
            port,
            mtu,
            next_hop,
            own,
            src,
            peer,
            encap: by,
        },
        other => other,
    };
    Tables {
        node: Node {
            tunnel: Tunnel::VxlanGbp,
            vtep_mac: mac(4),
            vtep_mac6: mac(9),
            vtep_ip4: Ipv4Addr::new(192, 168, 77, 1),
            vtep_ip6: "fd77::1".parse().unwrap(),
            vni: 0xabcdef,
            tunnel_dport: 8472,
            tunnel_port: TunnelPort::Awaited,
            gateway_ip4: Ipv4Addr::new(10, 244, 1, 1),
            gateway_ip6: "fd00:1::1".parse().unwrap(),
        },
        ports: vec![
            port("eth0", PortKind::Underlay),
            port("tweed0x", PortKind::Uplink),
        ],
        adjacencies: vec![
            Adjacency::Empty,
            Adjacency::Local {
                port: 1,
                dst: mac(5),
                src: mac(6),
            },
            peer("192.168.77.1", "192.168.77.2"),
            Adjacency::Empty,
            Adjacency::Unresolved {
                peer: "192.168.77.3".parse().unwrap(),
            },
            peer("fd77::1", "fd77::2"),
            Adjacency::Unresolved {
                peer: "fd77::3".parse().unwrap(),
            },
            bare("192.168.77.14", Encap::Udp),
            bare("192.168.77.15", Encap::Ipip),
            bare("192.168.77.16", Encap::HostGw),
        ],
        routes: vec![
            route("10.244.1.0", 24, 1),
            route("10.244.2.0", 24, 2),
            route("10.244.4.0", 24, 4),
            route("fd00:1::", 64, 1),
            route("fd00:5::", 64, 5),
            route("fd00:6::", 64, 6),
        ],
    }
}

#[test]
fn what_is_published_is_read() {
    let (_dir, path) = dir();
    let (mut publisher, origin) = Publisher::open_or_create(&path).unwrap();
    assert_eq!(origin, Origin::Created);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let mut reader = TablesReader::open(&path).unwrap();
    let mut worker = reader.worker().unwrap();
    assert_eq!(worker.snapshot().tables().unwrap(), Tables::default());

    let published = publisher.publish(&sample()).unwrap();
    assert_eq!((published.generation, reader.generation()), (1, 1));
    let fib = worker.snapshot();
    assert_eq!(fib.generation(), 1);
    assert_eq!(fib.tables().unwrap(), sample());
    assert_eq!(reader.read(|fib| fib.ports().unwrap()), sample().ports);
    assert_eq!(publisher.tables().unwrap(), sample());
}

#[test]
fn the_packet_path_finds_what_it_needs() {
    let fib = OwnedFib::new(&sample()).unwrap();
    assert_eq!(
        [1, 2, 3, 4].map(|subnet| fib.lookup4([10, 244, subnet, 9])),
        [1, 2, 0, 4]
    );
    let inner6 = |net| fib.lookup6(Ipv6Addr::new(0xfd00, net, 0, 0, 0, 0, 0, 9).octets());
    assert_eq!([1, 2, 5, 6].map(inner6), [1, 0, 5, 6]);

    let meta = fib.meta(2);
    assert_eq!(
        (meta.kind, meta.port, meta.mtu),
        (AdjacencyKind::Vxlan4, 0, 1450)
    );
    assert!(meta.is_peer4([192, 168, 77, 2]) && !meta.is_peer4([192, 168, 77, 3]));
    assert!(fib.meta(4).is_peer4([192, 168, 77, 3]));
    assert!(!fib.meta(0).is_peer4([0; 4]) && !fib.meta(1).is_peer4([0; 4]));
    let vtep6 = |last| Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, last).octets();
    assert!(fib.is_peer6(5, vtep6(2)) && fib.is_peer6(6, vtep6(3)) && !fib.is_peer6(5, vtep6(3)));
    // The IPv4 peer's address in the place of an IPv6 one is no IPv6 peer.
    assert!(!fib.is_peer6(4, Ipv6Addr::from(0xc0a8_4d03).octets()) && !fib.is_peer6(1, [0; 16]));
    assert_eq!(
        [2, 3, 4].map(|last| fib.is_vtep4([192, 168, 77, last])),
        [true, true, false]
    );
    assert_eq!(
        [2, 3, 4].map(|last| fib.is_vtep6(vtep6(last))),
        [true, true, false]
    );

    assert_eq!(fib.port(0).kind, Some(PortKind::Underlay));
    assert_eq!(
        (fib.port(1).mtu, fib.port(1).mac, fib.port(1).peer_mac),
        (1500, mac(7), mac(8))
    );
    assert_eq!((fib.port(2).kind, fib.port(255).kind), (None, None));
    let node = fib.node();
    assert_eq!(
        (node.vtep_ip4, node.vni, node.tunnel_dport.get()),
        ([192, 168, 77, 1], [0xab, 0xcd, 0xef], 8472)
    );
}

#[test]
fn a_smaller_table_leaves_nothing_of_a_larger_one() {
    let (_dir, path) = dir();
    let (mut publisher, _) = Publisher::open_or_create(&path).unwrap();
    let mut reader = TablesReader::open(&path).unwrap();
    for _ in 0..2 {
        publisher.publish(&sample()).unwrap();
    }
    publisher.publish(&Tables::default()).unwrap();
    reader.read(|fib| {
        assert_eq!(fib.tables().unwrap(), Tables::default());
        assert_eq!(fib.lookup4([10, 244, 1, 9]), 0);
        assert!((0..=u16::MAX).all(|adjacency| fib.meta(adjacency).kind == AdjacencyKind::Empty));
        assert!((0..=u8::MAX).all(|port| fib.port(port).kind.is_none()));
    });
}

#[test]
fn a_reader_that_stands_still_holds_back_one_generation_and_is_named() {
    let (_dir, path) = dir();
    let (mut publisher, _) = Publisher::open_or_create(&path).unwrap();
    let reader = TablesReader::open(&path).unwrap();
    let (mut moving, mut still) = (reader.worker().unwrap(), reader.worker().unwrap());
    let held = still.snapshot();
    moving.snapshot();
    publisher.publish(&sample()).unwrap();
    assert_eq!(moving.snapshot().generation(), 1);
    match publisher.publish(&sample()) {
        // The publisher's own line is 0, then the reader's view, then `moving`.
        Err(PublishError::Busy(busy)) => assert_eq!(busy, Busy { reader: 3, held: 0 }),
        other => panic!("{other:?}"),
    }
    assert_eq!(held.generation(), 0);
    still.quiesce();
    assert_eq!(publisher.publish(&sample()).unwrap().generation, 2);
    assert_eq!(still.snapshot().generation(), 2);
    drop(still);
    drop(moving);
    for generation in 3..6 {
        assert_eq!(publisher.publish(&sample()).unwrap().generation, generation);
    }
}

#[test]
fn there_is_one_writer_and_its_successor_goes_on() {
    let (_dir, path) = dir();
    let (mut publisher, _) = Publisher::open_or_create(&path).unwrap();
    publisher.publish(&sample()).unwrap();
    let mut worker = TablesReader::open(&path).unwrap().worker().unwrap();
    assert_eq!(worker.snapshot().generation(), 1);
    assert!(matches!(
        Publisher::open_or_create(&path),
        Err(SegmentError::Taken { .. })
    ));
    drop(publisher);
    let (mut publisher, origin) = Publisher::open_or_create(&path).unwrap();
    assert_eq!(origin, Origin::Continued { generation: 1 });
    assert_eq!(publisher.tables().unwrap(), sample());
    assert_eq!(publisher.publish(&Tables::default()).unwrap().generation, 2);
    assert_eq!(worker.snapshot().generation(), 2);
}

#[test]
fn readers_are_counted() {
    let (_dir, path) = dir();
    let (_publisher, _) = Publisher::open_or_create(&path).unwrap();
    let reader = TablesReader::open(&path).unwrap();
    let mut workers: Vec<_> = (2..MAX_READERS).map(|_| reader.worker().unwrap()).collect();
    assert!(matches!(
        reader.worker(),
        Err(SegmentError::TooManyReaders { .. })
    ));
    workers.pop();
    reader.worker().unwrap();
}

#[test]
fn a_foreign_file_is_refused_by_readers_and_replaced_by_the_writer() {
    type Spoil = fn(&std::fs::File);
    let spoils: [(Spoil, &str); 5] = [
        (|file| file.write_all_at(b"something", 0).unwrap(), "magic"),
        (
            |file| file.write_all_at(&7u64.to_ne_bytes(), 8).unwrap(),
            "ABI 7",
        ),
        (|file| file.set_len(0).unwrap(), "0 bytes"),
        (
            |file| file.set_len(file.metadata().unwrap().len() - 1).unwrap(),
            "bytes, not",
        ),
        (|file| file.set_len(100_000).unwrap(), "100000 bytes, not"),
    ];
    for (spoil, found) in spoils {
        let (_dir, path) = dir();
        let (publisher, _) = Publisher::open_or_create(&path).unwrap();
        let reader = TablesReader::open(&path).unwrap();
        drop(publisher);
        assert!(!reader.is_replaced());
        spoil(&OpenOptions::new().write(true).open(&path).unwrap());
        let refused = TablesReader::open(&path)
            .err()
            .expect("refused")
            .to_string();
        assert!(
            refused.contains(found) && refused.contains("same version"),
            "{refused}"
        );
        let (mut publisher, origin) = Publisher::open_or_create(&path).unwrap();
        assert!(
            matches!(&origin, Origin::Replaced { reason } if reason.contains(found)),
            "{origin:?}"
        );
        assert!(reader.is_replaced());
        publisher.publish(&sample()).unwrap();
        assert_eq!(
            TablesReader::open(&path)
                .unwrap()
                .read(|fib| fib.tables().unwrap()),
            sample()
        );
    }
}

#[test]
fn a_generation_that_cannot_be_is_not_counted_on_from() {
    let (_dir, path) = dir();
    drop(Publisher::open_or_create(&path).unwrap());
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&u64::MAX.to_ne_bytes(), 4096).unwrap();
    let mut worker = TablesReader::open(&path).unwrap().worker().unwrap();
    for _ in 0..3 {
        assert_eq!(worker.snapshot().lookup4([10, 0, 0, 1]), 0);
    }
    let (_, origin) = Publisher::open_or_create(&path).unwrap();
    assert_eq!(
        origin,
        Origin::Replaced {
            reason: format!("generation {}", u64::MAX)
        }
    );
}

#[test]
fn no_segment_and_no_directory_are_told_apart() {
    let (dir, path) = dir();
    let absent = TablesReader::open(&path).err().expect("absent").to_string();
    assert!(absent.contains("is tweed-control running"), "{absent}");
    let nowhere = dir.path().join("nowhere/tables");
    let refused = Publisher::open_or_create(&nowhere)
        .err()
        .expect("refused")
        .to_string();
    assert!(
        refused.contains("nowhere") && refused.contains("run_dir"),
        "{refused}"
    );
}

#[test]
fn tables_that_contradict_themselves_are_refused_by_name() {
    type Change = fn(&mut Tables);
    let refused = |change: Change| {
        let mut tables = sample();
        change(&mut tables);
        OwnedFib::new(&tables).err().expect("refused").to_string()
    };
    let cases: [(Change, &str); 14] = [
        (|t| t.node.vni = 1 << 24, "the VNI is 16777216"),
        (
            |t| t.ports[1].name = "sixteen-bytes-ab".into(),
            "port 1 is named \"sixteen-bytes-ab\"",
        ),
        (|t| t.ports[0].name = String::new(), "port 0 is named \"\""),
        (
            |t| t.ports[1].name = "eth0".into(),
            "ports 0 and 1 are both eth0",
        ),
        (|t| t.ports.resize(65, port("p", PortKind::Pod)), "65 ports"),
        (
            |t| t.adjacencies.resize(65_537, Adjacency::Empty),
            "65537 adjacencies",
        ),
        (
            |t| t.adjacencies[0] = t.adjacencies[4].clone(),
            "adjacency 0 is Unresolved",
        ),
        (
            |t| {
                t.adjacencies[1] = Adjacency::Local {
                    port: 2,
                    dst: mac(1),
                    src: mac(1),
                }
            },
            "adjacency 1 sends by port 2",
        ),
        (
            |t| {
                if let Adjacency::Peer { src, .. } = &mut t.adjacencies[2] {
                    *src = "fd77::1".parse().unwrap();
                }
            },
            "adjacency 2 tunnels from fd77::1 to 192.168.77.2",
        ),
        (
            |t| {
                if let Adjacency::Peer { encap, .. } = &mut t.adjacencies[5] {
                    *encap = Encap::Ipip;
                }
            },
            "adjacency 5 sends to fd77::2 by Ipip, which there is over IPv4 alone",
        ),
        (
            |t| {
                t.adjacencies[4] = Adjacency::Unresolved {
                    peer: Ipv4Addr::UNSPECIFIED.into(),
                }
            },
            "adjacency 4 is a node at 0.0.0.0",
        ),
        (
            |t| t.routes[0].adjacency = 10,
            "route 10.244.1.0/24 leads to adjacency 10, but there are 10",
        ),
        (
            |t| t.routes[0].len = 33,
            "route 10.244.1.0/33: the prefix length is at most 32",
        ),
        (|t| t.routes[3].len = 129, "at most 128"),
    ];
    for (change, message) in cases {
        let error = refused(change);
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn tables_that_are_refused_change_nothing() {
    let (_dir, path) = dir();
    let (mut publisher, _) = Publisher::open_or_create(&path).unwrap();
    publisher.publish(&sample()).unwrap();
    let mut wrong = sample();
    wrong.node.vni = u32::MAX;
    assert!(matches!(
        publisher.publish(&wrong),
        Err(PublishError::Tables(TablesError::Vni { vni: u32::MAX }))
    ));
    assert_eq!(
        (publisher.generation(), publisher.tables().unwrap()),
        (1, sample())
    );
}

/// One mangled word for each /16 would be 65,536 times the routes of one: gigabytes.
#[test]
fn a_node_that_two_values_lead_to_is_refused() {
    let mut fib = OwnedFib::new(&sample()).unwrap();
    assert_eq!(fib.tables().unwrap(), sample());
    // The root's slots of 10.244.0.0/16 and of the next.
    let slot = std::mem::offset_of!(layout::Bank, roots) + 4 * 0x0af4;
    fib.bytes_mut().copy_within(slot..slot + 4, slot + 4);
    let refused = fib.tables().unwrap_err().to_string();
    assert!(
        refused.contains("trie node") && refused.contains("is there already"),
        "{refused}"
    );
}

/// Everything that reads a bank, on a bank that says anything.
fn exercise(fib: &Fib, addresses: &[[u8; 16]]) {
    for address in addresses {
        let [a, b, c, d, e, f, ..] = *address;
        for adjacency in [
            fib.lookup4([a, b, c, d]),
            fib.lookup6(*address),
            u16::from_ne_bytes([e, f]),
        ] {
            let meta = fib.meta(adjacency);
            std::hint::black_box((
                meta.is_peer4([a, b, c, d]),
                fib.is_peer6(adjacency, *address),
            ));
            std::hint::black_box((
                fib.port(meta.port),
                *fib.rewrite4(adjacency),
                fib.rewrite6(adjacency),
            ));
            std::hint::black_box(fib.adjacency(adjacency));
        }
        std::hint::black_box((fib.is_vtep4([a, b, c, d]), fib.is_vtep6(*address)));
    }
    std::hint::black_box((fib.generation(), *fib.node(), fib.node_value()));
    // An error or wrong tables: either will do.
    let _ = (fib.ports(), fib.tables());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_mangled_bank_is_wrong_at_worst(
        patches in proptest::collection::vec((0usize..7_200_000, proptest::collection::vec(any::<u8>(), 1..64)), 1..200),
        head in proptest::collection::vec((0usize..4096, any::<u8>()), 0..20),
        addresses in proptest::collection::vec(any::<[u8; 16]>(), 20),
        noise in any::<bool>(),
    ) {
        let mut fib = OwnedFib::new(&sample()).unwrap();
        let bytes = fib.bytes_mut();
        if noise {
            // Roots and adjacencies of noise; the tries' first lines too.
            let mut state = patches.len() as u64;
            for chunk in bytes[4096..7_200_000].as_chunks_mut::<8>().0 {
                *chunk = lpm::tests::splitmix(&mut state).to_ne_bytes();
            }
        }
        for (at, patch) in patches {
            let end = (at + patch.len()).min(7_200_000);
            bytes[at..end].copy_from_slice(&patch[..end - at]);
        }
        for (at, byte) in head {
            bytes[at] = byte;
        }
        exercise(&fib, &addresses);
    }

    /// The routes that come back decide every address as those that went in.
    #[test]
    fn routes_read_back_mean_the_same(
        routes in proptest::collection::vec((any::<[u8; 4]>(), 0u8..=32, 1u16..7), 0..100),
        routes6 in proptest::collection::vec((any::<[u8; 16]>(), 0u8..=128, 1u16..7), 0..20),
        addresses in proptest::collection::vec(any::<[u8; 16]>(), 50),
    ) {
        let mut tables = sample();
        tables.routes = routes.iter().map(|(ip, len, adjacency)| Route { prefix: (*ip).into(), len: *len, adjacency: *adjacency })
            .chain(routes6.iter().map(|(ip, len, adjacency)| Route { prefix: (*ip).into(), len: *len, adjacency: *adjacency }))
            .collect();
        let fib = OwnedFib::new(&tables).unwrap();
        let back = fib.tables().unwrap();
        let again = OwnedFib::new(&back).unwrap();
        prop_assert_eq!(again.tables().unwrap(), back);
        let given = routes.iter().map(|(ip, ..)| *ip).chain(addresses.iter().map(|ip| [ip[0], ip[1], ip[2], ip[3]]));
        for ip in given {
            prop_assert_eq!(fib.lookup4(ip), again.lookup4(ip));
        }
        for ip in routes6.iter().map(|(ip, ..)| *ip).chain(addresses) {
            prop_assert_eq!(fib.lookup6(ip), again.lookup6(ip));
        }
    }
}
