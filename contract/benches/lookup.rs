//! The longest-prefix match alone: bursts of 64 destinations, drawn at random from what the routes cover, each looked up and
//! its adjacency's decision read. Counted are nothing but the lookups; the destinations (up to 262,144, as many as keep the
//! caches honest) come from memory in order.
//!
//! `dense`: /24 side by side, as flannel hands out leases. `spread`: /24 anywhere. `mixed`: /8 to /32 anywhere.
//! `v6`: /64 side by side under one /40.
//!
//! Run it with `cargo bench -p tweed-contract`. Criterion prints time; TSC cycles are printed before it for each case.

use std::hint::black_box;

use contract::tables::{Adjacency, OwnedFib, Route, Tables};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const BURST: usize = 64;
const ROUNDS: usize = 25;

/// Numbers that look random and are the same in every run (Steele, Lea, Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The n-th route's prefix, as the top half of an IPv6 address or as an IPv4 address in its top 32 bits, and its length.
fn prefix(kind: &str, n: u64, random: u64) -> (u64, u8) {
    match kind {
        "dense" => ((0x0a00_0000 + (n << 8)) << 32, 24),
        "spread" => ((random << 40), 24),
        "mixed" => (random << 32, 8 + (random >> 40) as u8 % 25),
        _ => (0xfd00_0000_0000_0000 | n, 64),
    }
}

fn tables(kind: &str, count: u64) -> (Tables, Vec<u64>) {
    let adjacencies = count.min(1000);
    let mut random = SplitMix(count);
    let prefixes: Vec<_> = (0..count).map(|n| prefix(kind, n, random.draw())).collect();
    let routes = prefixes
        .iter()
        .enumerate()
        .map(|(n, (bits, len))| Route {
            prefix: if kind == "v6" {
                u128::from(*bits).rotate_left(64).to_be_bytes().into()
            } else {
                ((bits >> 32) as u32).to_be_bytes().into()
            },
            len: *len,
            adjacency: 1 + (n as u64 % adjacencies) as u16,
        })
        .collect();
    let local = Adjacency::Unresolved {
        peer: [192, 168, 0, 1].into(),
    };
    let tables = Tables {
        adjacencies: std::iter::once(Adjacency::Empty)
            .chain((0..adjacencies).map(|_| local.clone()))
            .collect(),
        routes,
        ..Tables::default()
    };
    let destinations = (0..1usize << 18)
        .map(|_| {
            let (bits, len) = prefixes[(random.draw() % count) as usize];
            if len == 64 {
                bits
            } else {
                bits | random.draw() >> len
            }
        })
        .collect();
    (tables, destinations)
}

#[cfg(target_arch = "x86_64")]
fn tsc() -> u64 {
    #[expect(unsafe_code, reason = "reads the time stamp counter")]
    // SAFETY: every x86-64 has one.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn tsc() -> u64 {
    0
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup");
    group.throughput(Throughput::Elements(BURST as u64));
    for (kind, counts) in [
        ("dense", &[1u64, 1_000, 100_000, 1_000_000][..]),
        ("spread", &[1_000, 100_000, 1_000_000]),
        ("mixed", &[100_000, 1_000_000]),
        ("v6", &[1, 1_000, 100_000]),
    ] {
        for &count in counts {
            let (tables, destinations) = tables(kind, count);
            let fib = OwnedFib::new(&tables).expect("valid tables");
            let fib = &*fib;
            let burst = |burst: &[u64; BURST]| {
                let mut found = [0u32; BURST];
                for (found, bits) in found.iter_mut().zip(burst) {
                    let adjacency = if kind == "v6" {
                        fib.lookup6((u128::from(*bits) << 64 | 7).to_be_bytes())
                    } else {
                        fib.lookup4(((bits >> 32) as u32).to_be_bytes())
                    };
                    let meta = fib.meta(adjacency);
                    *found = u32::from(adjacency) << 16 | u32::from(meta.mtu) | meta.kind as u32;
                }
                found
            };
            let (bursts, _) = destinations.as_chunks::<BURST>();
            for found in bursts.iter().map(burst) {
                assert!(
                    found.iter().all(|found| found >> 16 != 0),
                    "every destination has a route"
                );
            }
            let mut rounds: Vec<u64> = (0..ROUNDS)
                .map(|_| {
                    let start = tsc();
                    for at in bursts {
                        black_box(burst(black_box(at)));
                    }
                    tsc() - start
                })
                .collect();
            rounds.sort_unstable();
            let cycles = |round: u64| round as f64 / destinations.len() as f64;
            let (best, median) = (cycles(rounds[0]), cycles(rounds[ROUNDS / 2]));
            println!(
                "{kind} {count}: {best:.1} TSC cycles a lookup at best, {median:.1} in the median of {ROUNDS} rounds"
            );
            let mut next = bursts.iter().cycle();
            group.bench_function(BenchmarkId::new(kind, count), |bencher| {
                bencher.iter(|| burst(black_box(next.next().expect("a cycle"))));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
