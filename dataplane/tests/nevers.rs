//! The five nevers of a turn, as far as a test can hold them: no allocation in a million frames, and no system call on rings
//! that ask for none. (No lock, no log, no clock per packet: by reading `worker`, `turn`, `encap`, `decap`; the crate's lints
//! and the absence of `Mutex` and `tracing` in these files are checked below.)

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use contract::wire::Sum;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use contract::stats::PortCounter;
use contract::tables::PortKind;
use dataplane::udp::Udp;
use support::dual::{Over, dual_tables, kernel6_frames, pod_side, sender};
use support::{Rig, UNDERLAY, UPLINK, golden_tables, kernel_frames, loopback_tables};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; this one counts and passes on"
)]
// SAFETY: every call is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn a_million_frames_are_forwarded_dropped_and_answered_without_an_allocation() {
    let frames = kernel_frames();
    let out: Vec<Vec<u8>> = frames
        .iter()
        .filter(|f| f[29] == 1)
        .map(|f| [&[0x0a; 12], &f[62..]].concat())
        .collect();
    let inward: Vec<Vec<u8>> = frames.into_iter().filter(|f| f[29] == 2).collect();
    let mut lost = out[0].clone();
    lost[30..34].copy_from_slice(&[10, 244, 200, 1]); // wrong checksum now
    let mut rig = Rig::with_rings(&golden_tables(), 4096, 256);
    let mut passed = 0u64;
    let round = |rig: &mut Rig, passed: &mut u64| {
        for n in 0..32 {
            assert!(rig.kernel[usize::from(UPLINK)].deliver(&out[n % out.len()]));
            assert!(rig.kernel[usize::from(UNDERLAY)].deliver(&inward[n % inward.len()]));
        }
        assert!(rig.kernel[usize::from(UPLINK)].deliver(&lost));
        *passed += 65;
        while rig.worker.turn() > 0 {}
        for kernel in &mut rig.kernel {
            kernel.collect(|_| ());
        }
    };
    round(&mut rig, &mut passed); // pools and tables are touched for the first time
    let before = allocations();
    while passed < 1_000_000 {
        round(&mut rig, &mut passed);
    }
    assert_eq!(allocations() - before, 0);
    assert!(allocations() > 0, "the counter counts");
}

#[test]
fn frames_with_ipv6_are_forwarded_dropped_and_answered_without_an_allocation() {
    let mut rig = Rig::with_rings(&dual_tables(1, Over::V6), 1024, 256);
    let frames: Vec<_> = kernel6_frames()
        .into_iter()
        .filter(|frame| Over::of(frame) == Over::V6)
        .collect();
    let mut lost = pod_side(&frames[0]);
    lost[45] = 200; // a subnet without a node
    let round = |rig: &mut Rig| {
        for frame in &frames {
            match sender(frame) {
                1 => rig.deliver(UPLINK, &pod_side(frame)),
                _ => rig.deliver(UNDERLAY, frame),
            }
        }
        rig.deliver(UPLINK, &lost);
    };
    let turn = |rig: &mut Rig| {
        let before = allocations();
        while rig.worker.turn() > 0 {}
        let after = allocations();
        rig.kernel.iter_mut().for_each(|side| {
            side.collect(|_| ());
        });
        after - before
    };
    round(&mut rig);
    turn(&mut rig);
    for _ in 0..1_000 {
        round(&mut rig);
        assert_eq!(turn(&mut rig), 0);
    }
    rig.settle();
    assert_eq!(rig.drops(UPLINK), [("no-route", 1_001)]);
    assert_eq!(rig.drops(UNDERLAY), []);
    assert!(rig.counters(UPLINK).count(PortCounter::Originated) > 0);
}

/// A TCP packet of `len` bytes as a TUN gives it: to be cut into segments of 1,400 bytes.
fn large_packet(len: u16) -> Vec<u8> {
    let vnet = [1, 1, 40, 0, 0x78, 5, 20, 0, 16, 0];
    let mut packet = vec![0; usize::from(len)];
    packet[..2].copy_from_slice(&[0x45, 0]);
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[6..10].copy_from_slice(&[0x40, 0, 64, 6]);
    packet[12..20].copy_from_slice(&[10, 244, 1, 10, 10, 244, 2, 10]);
    let checksum = Sum::of(&packet[..20]).checksum();
    packet[10..12].copy_from_slice(&checksum);
    packet[32..34].copy_from_slice(&[0x50, 0x10]);
    [&vnet[..], &packet].concat()
}

#[test]
fn a_tun_is_read_and_written_without_an_allocation_and_no_frame_is_lost() {
    let inward: Vec<Vec<u8>> = kernel_frames().into_iter().filter(|f| f[29] == 2).collect();
    let mut rig = Rig::with_rings(&golden_tables(), 1024, 256);
    let host = rig.open_tun(UPLINK);
    let large = large_packet(65_000);
    let mut buffer = vec![0; 70_000];
    let (mut out, mut back) = (0, 0);
    let mut round = |rig: &mut Rig| {
        // What asks at once, as after a sleep.
        rig.worker.slept();
        host.send(&large).unwrap();
        for frame in inward.iter().cycle().take(32) {
            assert!(rig.kernel[usize::from(UNDERLAY)].deliver(frame));
        }
        while rig.worker.turn() > 0 {}
        rig.kernel[usize::from(UNDERLAY)].collect(|_| out += 1);
        while host.recv(&mut buffer).is_ok() {
            back += 1;
        }
    };
    round(&mut rig);
    let before = allocations();
    for _ in 0..1000 {
        round(&mut rig);
    }
    assert_eq!(allocations() - before, 0);
    // 64,960 bytes of payload in segments of 1,400.
    assert_eq!(out, 1001 * 47);
    assert!(back >= 1001, "{back} packets for 32,032 frames");
    rig.settle();
}

/// An underlay over real sockets, on loopback: bursts that leave as messages, and datagrams that come one by one.
#[test]
fn frames_that_come_and_go_by_udp_sockets_cost_no_allocation_and_none_is_lost() {
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    // Beside the addresses of the unit tests, which may run at the same time.
    let host = |last| Ipv4Addr::new(127, 128 | high & 63, low, last);
    let (own, node2) = (
        SocketAddrV4::new(host(1), 8472),
        SocketAddrV4::new(host(2), 8472),
    );
    let frames = kernel_frames();
    // From FLANNEL.md's capture; the first is the pod's packet, without the headers between nodes.
    let out = [
        &[0x0a; 12],
        &frames.iter().find(|f| f[29] == 1).unwrap()[62..],
    ]
    .concat();
    let inward = frames.iter().find(|f| f[29] == 2).unwrap()[42..].to_vec();
    let peer = UdpSocket::bind(node2).unwrap();
    peer.set_nonblocking(true).unwrap();
    let mut rig = Rig::with_rings(&loopback_tables(*own.ip(), *node2.ip()), 4096, 256);
    rig.close(UNDERLAY);
    let socket = Udp::bind(own, 1).unwrap().remove(0);
    let udp = Udp::underlay(socket, own, UNDERLAY, 1450).unwrap();
    rig.worker.open(UNDERLAY, PortKind::Underlay, udp);

    let mut buffer = [0; 2048];
    let mut round = |rig: &mut Rig| {
        for _ in 0..32 {
            rig.deliver(UPLINK, &out);
            peer.send_to(&inward, own).unwrap();
        }
        let mut inside = 0;
        while inside < 32 {
            rig.worker.turn();
            rig.kernel[usize::from(UPLINK)].collect(|frame| {
                assert_eq!(frame[14..], inward[22..]);
                inside += 1;
            });
        }
        for _ in 0..32 {
            let (len, from) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!(
                (buffer[22..len] == out[14..], from.ip()),
                (true, (*own.ip()).into())
            );
        }
    };
    (0..4).for_each(|_| round(&mut rig));
    let before = allocations();
    (0..300).for_each(|_| round(&mut rig));
    assert_eq!(allocations() - before, 0);
    rig.settle();
    let counters = rig.counters(UNDERLAY);
    assert_eq!(counters.count(PortCounter::RxPackets), 304 * 32);
    assert_eq!(counters.count(PortCounter::TxPackets), 304 * 32);
    assert_eq!(rig.drops(UPLINK), []);
}

#[test]
fn the_files_of_a_turn_neither_lock_nor_log_nor_read_the_wall_clock() {
    let files = [
        ("worker", include_str!("../src/worker.rs")),
        ("turn", include_str!("../src/turn.rs")),
        ("port", include_str!("../src/port.rs")),
        ("device", include_str!("../src/device.rs")),
        ("tun", include_str!("../src/tun/mod.rs")),
        ("tun/receive", include_str!("../src/tun/receive.rs")),
        ("tun/send", include_str!("../src/tun/send.rs")),
        ("encap", include_str!("../src/encap.rs")),
        ("decap", include_str!("../src/decap.rs")),
        ("inner", include_str!("../src/inner.rs")),
        ("sample", include_str!("../src/sample.rs")),
        ("trace", include_str!("../src/trace.rs")),
        ("udp/gather", include_str!("../src/udp/gather.rs")),
        ("udp/receive", include_str!("../src/udp/receive.rs")),
        ("udp/send", include_str!("../src/udp/send.rs")),
    ];
    for (name, text) in files {
        for never in [
            "Mutex",
            "RwLock",
            "tracing",
            "println",
            "Instant",
            "SystemTime",
            "Box<dyn",
            "format!",
        ] {
            assert!(!text.contains(never), "{name}.rs uses {never}");
        }
    }
    // One look at the counter in each turn (`account`), two for each burst that is timed, one in each commit, one after each
    // sleep, one at the start.
    assert_eq!(files[0].1.matches("tsc()").count(), 6);
    assert!(files[1..].iter().all(|(_, text)| !text.contains("tsc()")));
}
