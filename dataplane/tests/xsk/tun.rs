//! Queues of a real TUN: who may attach, and packets through the kernel.

use std::time::Duration;

use contract::stats::{EngineStats, PortCounter, StatsReader};
use contract::tables::{PortKind, Publisher, Tables, TablesReader};
use contract::tun;
use dataplane::tun::{Tun, TunError};
use dataplane::xsk::{DEFAULT_HEADROOM, Device, Hugepages, Umem};
use dataplane::{Answerer, Budget, IpIds, Worker};

use super::lab::{Lab, ip};

/// A TUN as control makes it, up, with an address and so a route.
fn make(lab: &Lab) {
    lab.in_node(|| tun::attach("t0").and_then(|queue| tun::persist(&queue)))
        .unwrap();
    let node = lab.node();
    ip(&format!("-n {node} addr add 10.9.0.1/24 dev t0"));
    ip(&format!("-n {node} link set t0 up"));
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_tun_has_a_carrier_while_it_has_queues_and_others_are_refused() {
    let lab = Lab::new(1);
    make(&lab);
    lab.in_node(|| {
        let carrier = || Device::find("t0").unwrap().has_carrier;
        assert!(!carrier(), "nobody is attached, and the device is there");
        let queues = Tun::open("t0", 3, 1).unwrap();
        assert_eq!((queues.len(), carrier()), (3, true));
        drop(queues);
        assert!(!carrier(), "the last queue is closed, and the device stays");

        let refused = Tun::open("a0", 1, 1).err().unwrap();
        assert!(matches!(refused, TunError::NoTun { .. }), "{refused}");
        assert!(refused.to_string().contains("a0 is no TUN"), "{refused}");
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_the_host_sends_is_received_once_and_accounted_for() {
    let lab = Lab::new(1);
    make(&lab);
    let dir = tempfile::tempdir().unwrap();
    let (mut publisher, _) = Publisher::open_or_create(&dir.path().join("tables")).unwrap();
    publisher.publish(&Tables::default()).unwrap();
    let tables = TablesReader::open(&dir.path().join("tables")).unwrap();
    let stats = EngineStats::create(&dir.path().join("stats"), 1, 1_000_000_000).unwrap();
    let (umem, pool) = Umem::map(256, 2048, DEFAULT_HEADROOM, Hugepages::Off).unwrap();
    let answerer = Answerer::new(Budget::new(0, 1));
    let mut worker = Worker::new(pool, stats.worker(0), IpIds::starting_at(0), answerer);
    worker.use_tables(tables.worker().unwrap());
    let [queue] = lab
        .in_node(|| Tun::open("t0", 1, 1))
        .unwrap()
        .try_into()
        .ok()
        .unwrap();
    worker.open(1, PortKind::Uplink, queue);
    lab.in_node(|| {
        let socket = std::net::UdpSocket::bind("10.9.0.1:0").unwrap();
        for len in [100, 1400] {
            socket.send_to(&vec![7; len], "10.9.0.2:9").unwrap();
        }
    });
    let mut received = 0;
    for _ in 0..1000 {
        received += worker.turn();
        worker.slept();
        if received >= 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    worker.commit();
    let reader = StatsReader::open(&dir.path().join("stats")).unwrap();
    let snapshot = reader.snapshot();
    let (_, counters) = snapshot.workers[0]
        .ports
        .iter()
        .find(|(number, _)| *number == 1)
        .unwrap();
    // There are no routes in the tables, so both are lost, by name, and their frames are back.
    assert_eq!(counters.count(PortCounter::RxPackets), 2);
    assert_eq!(
        counters.count(PortCounter::RxBytes),
        2 * (14 + 28) + 100 + 1400
    );
    assert_eq!(counters.drops.iter().sum::<u64>(), 2);
    assert_eq!(worker.frames_accounted(), umem.frames());
}
