//! Cycles and nanoseconds per packet: encap, decap and lookup, over memory rings.
//!
//! `verdict`: the pure functions `encap` and `decap` on bursts of frames in place: every check, lookups, rewrite, both
//! checksums. It is the share of the packet path that other engines call their graph nodes.
//!
//! `turn`: whole turns of a worker, that is tables snapshot, receive 64 from the rx ring, every
//! check, lookups, rewrite, both checksums, counters of port, worker and peer, stage, submit to the tx ring, completions to
//! the pool, pool to the fill ring, commits to the stats segment. What is not timed: the other side of the rings, which puts
//! packets into chunks and takes them out between timed runs; and the kernel's part of AF_XDP, which memory rings do not
//! have. `lookup` is the table alone.
//!
//! Traffic: UDP in IPv4, random ports, destinations (encap) or sources (decap) uniformly random over the routes; 4,096
//! packets in flight, each in a chunk of its own, so that headers come from beyond the first-level cache.
//!
//! The measurement is TSC cycles, shown per packet. Nanoseconds = cycles / TSC rate, printed at the start.

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use contract::tables::{Adjacency, Encap, Fib, OwnedFib, Route, Tables};
use contract::wire::{Ipv4, Mac, Protocol, Sum, Udp};
use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dataplane::clock::{tsc, tsc_hz};
use dataplane::xsk::{BURST, DEFAULT_HEADROOM, Frame, Hugepages, Umem};
use support::{OWN_NIC, OWN_VTEP, PEER_NIC, PEER_VTEP, Rig, UNDERLAY, UPLINK, golden_tables};
use zerocopy::IntoBytes;

/// Packets in flight, in chunks of their own.
const FLIGHT: usize = 4096;
/// Routes, and adjacencies that they lead to.
const TABLES: [(u32, u32); 4] = [(1, 1), (1_000, 1_000), (100_000, 1_000), (100_000, 1)];
/// Bytes of the pod's Ethernet frame: 64 is the shortest on a wire (60 and the check sequence), 1,400 a typical large one.
const SIZES: [usize; 2] = [64, 1400];

struct Cycles;

impl Measurement for Cycles {
    type Intermediate = u64;
    type Value = u64;

    fn start(&self) -> u64 {
        tsc()
    }
    fn end(&self, start: u64) -> u64 {
        tsc() - start
    }
    fn add(&self, a: &u64, b: &u64) -> u64 {
        a + b
    }
    fn zero(&self) -> u64 {
        0
    }
    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }
    fn formatter(&self) -> &dyn ValueFormatter {
        &CyclesPerPacket
    }
}

/// One iteration is one packet.
struct CyclesPerPacket;

impl ValueFormatter for CyclesPerPacket {
    fn scale_values(&self, _: f64, _: &mut [f64]) -> &'static str {
        "cycles"
    }
    fn scale_throughputs(
        &self,
        _: f64,
        throughput: &Throughput,
        values: &mut [f64],
    ) -> &'static str {
        if let Throughput::Elements(n) = throughput {
            let hz = tsc_hz() as f64;
            values
                .iter_mut()
                .for_each(|cycles| *cycles = *n as f64 * hz / *cycles / 1e6);
        }
        "Mpackets/s"
    }
    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        "cycles"
    }
}

/// xorshift64*: the same packets in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) * u64::from(n)) >> 32) as u32
    }
}

/// Network address of route `n`: consecutive /24s from 11.0.0.0 on.
fn subnet(n: u32) -> u32 {
    (11 << 24) + (n << 8)
}

/// `routes` subnets spread over `peers` nodes, and ours (10.244.1.0/24).
fn tables(routes: u32, peers: u32) -> Tables {
    let mut tables = golden_tables();
    tables.adjacencies.truncate(2);
    tables.routes.truncate(1);
    for n in 0..peers {
        tables.adjacencies.push(Adjacency::Peer {
            port: UNDERLAY,
            mtu: 1450,
            next_hop: PEER_NIC,
            own: OWN_NIC,
            src: IpAddr::V4(Ipv4Addr::new(192, 168, 77, 1)),
            peer: IpAddr::V4(peer_ip(n)),
            encap: Encap::Vxlan {
                peer_vtep: Mac([2, 0, 1, (n >> 16) as u8, (n >> 8) as u8, n as u8]),
                own_vtep: OWN_VTEP,
            },
        });
    }
    tables.routes.extend((0..routes).map(|n| Route {
        prefix: IpAddr::V4(subnet(n).into()),
        len: 24,
        adjacency: 2 + (n % peers) as u16,
    }));
    tables
}

fn peer_ip(n: u32) -> Ipv4Addr {
    (u32::from(Ipv4Addr::new(192, 169, 0, 0)) + n).into()
}

/// A pod's UDP packet in an Ethernet frame of `size` bytes, check sequence included, as frame sizes are counted on a wire.
fn pod_frame(size: usize, src: Ipv4Addr, dst: Ipv4Addr, random: &mut Random) -> Vec<u8> {
    let len = size - 4 - 14;
    let mut ip = Ipv4 {
        version_ihl: Ipv4::VERSION_IHL,
        tos: 0,
        total_len: (len as u16).into(),
        id: (random.below(1 << 16) as u16).into(),
        flags_offset: Ipv4::DF.into(),
        ttl: 63,
        protocol: Protocol::UDP,
        checksum: [0; 2],
        src: src.octets(),
        dst: dst.octets(),
    };
    ip.checksum = Sum::of(ip.as_bytes()).checksum();
    let (sport, dport) = (random.below(1 << 16) as u16, random.below(1 << 16) as u16);
    let mut udp = Udp {
        sport: sport.into(),
        dport: dport.into(),
        len: (len as u16 - 20).into(),
        checksum: [0; 2],
    };
    let payload = vec![0x5a; len - 28];
    let pseudo = Sum::of(&ip.as_bytes()[12..])
        .plus(Sum::word(17))
        .plus(Sum::word(len as u16 - 20));
    udp.checksum = pseudo
        .plus(Sum::of(udp.as_bytes()))
        .plus(Sum::of(&payload))
        .udp_checksum();
    [
        &[0x0a; 12][..],
        &[8, 0],
        ip.as_bytes(),
        udp.as_bytes(),
        &payload,
    ]
    .concat()
}

/// Packets for `encap`, and the same ones as they arrive for `decap`: encapsulated by a node that is each peer in turn.
fn traffic(decap: bool, size: usize, routes: u32, peers: u32) -> Vec<Vec<u8>> {
    let mut random = Random(7);
    let own = Ipv4Addr::new(10, 244, 1, 10);
    (0..FLIGHT)
        .map(|_| {
            let route = random.below(routes);
            let pod = Ipv4Addr::from(subnet(route) + 1 + random.below(254));
            if !decap {
                return pod_frame(size, own, pod, &mut random);
            }
            let mut there = golden_tables();
            there.routes.truncate(2);
            there.node.vtep_mac = PEER_VTEP;
            // Our node as that peer's only adjacency.
            there.adjacencies.truncate(2);
            there.adjacencies.push(Adjacency::Peer {
                port: UNDERLAY,
                mtu: 1450,
                next_hop: OWN_NIC,
                own: PEER_NIC,
                src: IpAddr::V4(peer_ip(route % peers)),
                peer: IpAddr::V4(Ipv4Addr::new(192, 168, 77, 1)),
                encap: Encap::Vxlan {
                    peer_vtep: OWN_VTEP,
                    own_vtep: PEER_VTEP,
                },
            });
            there.routes = vec![Route {
                prefix: IpAddr::V4(own),
                len: 24,
                adjacency: 2,
            }];
            encapsulated(&there, &pod_frame(size, pod, own, &mut random))
        })
        .collect()
}

/// The frame that a node with these tables emits for a pod's frame.
fn encapsulated(tables: &Tables, frame: &[u8]) -> Vec<u8> {
    thread_local!(static FIB: std::cell::RefCell<Option<(Tables, OwnedFib)>> = const { std::cell::RefCell::new(None) });
    FIB.with_borrow_mut(|cached| {
        if cached.as_ref().is_none_or(|(known, _)| known != tables) {
            *cached = Some((tables.clone(), OwnedFib::new(tables).unwrap()));
        }
        let (_, fib) = cached.as_ref().unwrap();
        let (_, mut pool) =
            dataplane::xsk::Umem::map(1, 2048, 50, dataplane::xsk::Hugepages::Off).unwrap();
        let mut out = pool.alloc().unwrap();
        out.append(frame).unwrap();
        dataplane::encap(&mut out, UPLINK, fib, &mut dataplane::IpIds::starting_at(1)).unwrap();
        out.bytes().to_vec()
    })
}

/// Times the worker's turns over `packets` packets.
fn turns(rig: &mut Rig, from: u8, to: u8, traffic: &[Vec<u8>], packets: u64) -> u64 {
    let mut bursts = Vec::with_capacity(FLIGHT / BURST);
    let mut cycles = 0;
    for _ in 0..packets.div_ceil(FLIGHT as u64) {
        let mut next = traffic.iter();
        let delivered = rig.kernel[usize::from(from)].deliver_with(FLIGHT, |_, room| {
            let packet = next.next().expect("no more than a flight");
            room[..packet.len()].copy_from_slice(packet);
            packet.len()
        });
        assert_eq!(delivered, FLIGHT, "the fill ring holds a flight");
        bursts.clear();
        loop {
            let start = tsc();
            let received = rig.worker.turn();
            bursts.push(tsc() - start);
            if received == 0 {
                break;
            }
        }
        bursts.pop();
        let sent = rig.kernel[usize::from(to)].collect(|bytes| {
            black_box(bytes.len());
        });
        assert_eq!(
            sent,
            FLIGHT,
            "every packet was forwarded: {:?}",
            rig.drops(from)
        );
        cycles += undisturbed(&mut bursts);
    }
    cycles * packets / (packets.div_ceil(FLIGHT as u64) * FLIGHT as u64)
}

/// Times `encap` or `decap` alone, in bursts, over `packets` packets.
fn verdicts(
    decap: bool,
    fib: &Fib,
    frames: &mut [Frame],
    traffic: &[Vec<u8>],
    packets: u64,
) -> u64 {
    let mut ids = dataplane::IpIds::starting_at(1);
    let mut bursts = Vec::with_capacity(FLIGHT / BURST);
    let mut cycles = 0;
    for _ in 0..packets.div_ceil(FLIGHT as u64) {
        for (frame, packet) in frames.iter_mut().zip(traffic) {
            restore(frame, packet);
        }
        bursts.clear();
        for burst in frames.chunks_mut(BURST) {
            let start = tsc();
            for frame in burst {
                let verdict = if decap {
                    dataplane::decap(frame, fib)
                } else {
                    dataplane::encap(frame, UPLINK, fib, &mut ids)
                };
                assert!(black_box(verdict).is_ok());
            }
            bursts.push(tsc() - start);
        }
        cycles += undisturbed(&mut bursts);
    }
    cycles * packets / (packets.div_ceil(FLIGHT as u64) * FLIGHT as u64)
}

/// Makes a frame the received packet again: same place in its chunk, same bytes.
fn restore(frame: &mut Frame, packet: &[u8]) {
    const RECEIVED_AT: usize = 306;
    match frame.headroom().checked_sub(RECEIVED_AT) {
        Some(stripped) => frame.grow_head(stripped),
        None => frame.shrink_head(RECEIVED_AT - frame.headroom()),
    }
    .unwrap();
    frame.truncate(0);
    frame.append(packet).unwrap();
}

/// Sum of the bursts' cycles. A burst that the hypervisor or another process cut in two (over ten times the median) counts
/// as the median: on a shared machine those few would be the result.
fn undisturbed(bursts: &mut [u64]) -> u64 {
    bursts.sort_unstable();
    let median = bursts[bursts.len() / 2];
    bursts
        .iter()
        .map(|cycles| {
            if *cycles > 10 * median {
                median
            } else {
                *cycles
            }
        })
        .sum()
}

fn forward(c: &mut Criterion<Cycles>) {
    println!(
        "TSC rate: {:.3} GHz; cycles are TSC cycles per packet",
        tsc_hz() as f64 / 1e9
    );
    for (name, decap, from, to) in [
        ("encap", false, UPLINK, UNDERLAY),
        ("decap", true, UNDERLAY, UPLINK),
    ] {
        let mut group = c.benchmark_group(name);
        group
            .throughput(Throughput::Elements(1))
            .measurement_time(Duration::from_secs(1))
            .sample_size(20);
        for (routes, peers) in TABLES {
            let tables = tables(routes, peers);
            let fib = OwnedFib::new(&tables).unwrap();
            let mut rig = Rig::with_rings(&tables, 16384, FLIGHT as u32);
            let (_, mut pool) =
                Umem::map(FLIGHT as u32, 2048, DEFAULT_HEADROOM, Hugepages::Auto).unwrap();
            let mut frames: Vec<Frame> = (0..FLIGHT).map(|_| pool.alloc().unwrap()).collect();
            for size in SIZES {
                let traffic = traffic(decap, size, routes, peers);
                let what = format!("{routes} routes, {peers} peers");
                group.bench_function(BenchmarkId::new(format!("verdict, {size} B"), &what), |b| {
                    b.iter_custom(|packets| verdicts(decap, &fib, &mut frames, &traffic, packets))
                });
                group.bench_function(BenchmarkId::new(format!("turn, {size} B"), &what), |b| {
                    b.iter_custom(|packets| turns(&mut rig, from, to, &traffic, packets))
                });
            }
        }
        group.finish();
    }
}

fn lookup(c: &mut Criterion<Cycles>) {
    let mut group = c.benchmark_group("lookup");
    group
        .throughput(Throughput::Elements(1))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    for (routes, peers) in TABLES {
        let fib = OwnedFib::new(&tables(routes, peers)).unwrap();
        let mut random = Random(7);
        let addresses: Vec<[u8; 4]> = (0..1 << 16)
            .map(|_| (subnet(random.below(routes)) + random.below(256)).to_be_bytes())
            .collect();
        let id = BenchmarkId::from_parameter(format!("{routes} routes, {peers} peers"));
        group.bench_function(id, |b| {
            let mut next = addresses.iter().cycle();
            b.iter(|| fib.lookup4(*next.next().unwrap()));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(Cycles);
    targets = forward, lookup
}
criterion_main!(benches);
