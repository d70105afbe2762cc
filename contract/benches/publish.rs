//! Compiling and publishing tables, on a tmpfs, with a worker that follows each generation.
//!
//! `5,000 nodes` is what control does on every change in a large cluster: a peer, a /24 and a /64 for each node. The others
//! say what a million routes take. Run it with `cargo bench -p tweed-contract`.

use std::hint::black_box;
use std::net::{Ipv4Addr, Ipv6Addr};

use contract::tables::{Adjacency, Encap, OwnedFib, Publisher, Route, Tables, TablesReader};
use contract::wire::Mac;
use criterion::{Criterion, criterion_group, criterion_main};

/// One lease for each of `nodes`, then IPv4 routes side by side until there are `routes`.
fn tables(nodes: u32, routes: u32) -> Tables {
    let peer = |n: u32| Adjacency::Peer {
        port: 0,
        mtu: 1450,
        next_hop: Mac([2, 0, 0, 0, 0, 1]),
        own: Mac([2, 0, 0, 0, 0, 2]),
        src: Ipv4Addr::new(172, 16, 0, 1).into(),
        peer: Ipv4Addr::from(0xac10_0100 + n).into(),
        encap: Encap::Vxlan {
            peer_vtep: Mac([2, 1, 0, 0, (n >> 8) as u8, n as u8]),
            own_vtep: Mac([2, 0, 0, 0, 0, 3]),
        },
    };
    let lease4 = |n: u32| Route {
        prefix: Ipv4Addr::from(0x0a00_0000 + (n << 8)).into(),
        len: 24,
        adjacency: 1 + (n % nodes) as u16,
    };
    let lease6 = |n: u32| Route {
        prefix: Ipv6Addr::new(0xfd00, 0, (n >> 16) as u16, n as u16, 0, 0, 0, 0).into(),
        len: 64,
        adjacency: 1 + n as u16,
    };
    let port = contract::tables::Port {
        name: "eth0".into(),
        kind: contract::tables::PortKind::Underlay,
        mode: contract::config::BindMode::Auto,
        mtu: 1500,
        mac: Mac::default(),
        peer_mac: Mac::default(),
    };
    Tables {
        ports: vec![port],
        adjacencies: std::iter::once(Adjacency::Empty)
            .chain((0..nodes).map(peer))
            .collect(),
        routes: (0..routes)
            .map(lease4)
            .chain((0..nodes).map(lease6))
            .collect(),
        ..Tables::default()
    }
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish");
    group.sample_size(20);
    for (name, nodes, routes) in [
        ("5,000 nodes", 5_000, 5_000),
        ("50,000 nodes", 50_000, 50_000),
        ("1,000,000 routes, 1,000 nodes", 1_000, 1_000_000),
    ] {
        let tables = tables(nodes, routes);
        let dir = tempfile::tempdir_in("/dev/shm").expect("a tmpfs at /dev/shm");
        let path = dir.path().join("tables");
        let (mut publisher, _) = Publisher::open_or_create(&path).expect("a fresh directory");
        let mut worker = TablesReader::open(&path)
            .and_then(|reader| reader.worker())
            .expect("a fresh segment");
        let bytes = publisher.publish(&tables).expect("valid tables").bytes;
        println!("{name}: {bytes} bytes in a bank");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                worker.snapshot();
                black_box(
                    publisher
                        .publish(black_box(&tables))
                        .expect("nobody holds the other bank"),
                )
            });
        });
        group.bench_function(format!("{name}, compiled only"), |bencher| {
            bencher.iter(|| OwnedFib::new(black_box(&tables)).expect("valid tables"));
        });
        drop(publisher);
        group.bench_function(format!("{name}, read back"), |bencher| {
            bencher.iter(|| worker.snapshot().tables().expect("whole tables"));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
