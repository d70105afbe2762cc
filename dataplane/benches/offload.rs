//! Segmenting and coalescing, in bytes of payload per second, beside a copy that looks at nothing.
//!
//! A packet of 65,535 bytes (TCP over IPv4, timestamps) is cut into 47 segments, each into a chunk of its own behind headroom;
//! those are put together again, with their checksums known to be right or not. `copy` moves the same payload between the
//! same places: the least that segmenting can cost. Coalescing copies nothing, for the kernel does.

#[path = "../tests/offload/packets.rs"]
#[expect(dead_code, reason = "what only tests ask of it")]
mod packets;

use std::hint::black_box;

use contract::wire::Sum;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dataplane::offload::{Gro, Packet, Super};
use packets::Recipe;

/// As frames lie in a UMEM.
const CHUNK: usize = 2048;
/// Before the packet: what encap prepends, and the pod's Ethernet header.
const HEADROOM: usize = 128;

fn offload(c: &mut Criterion) {
    let recipe = Recipe {
        payload: 65_535 - 52,
        ..Recipe::tcp()
    };
    let (vnet, packet) = recipe.build();
    let headers = recipe.header_len();
    let size = usize::from(recipe.gso_size);
    let segments = recipe.segments();
    let mut chunks = vec![0; segments.len() * CHUNK];

    let mut group = c.benchmark_group("offload");
    group.throughput(Throughput::Bytes(recipe.payload as u64));
    group.bench_function("copy", |b| {
        b.iter(|| {
            let payloads = black_box(&packet)[headers..].chunks(size);
            for (payload, chunk) in payloads.zip(chunks.chunks_exact_mut(CHUNK)) {
                chunk[HEADROOM + headers..][..payload.len()].copy_from_slice(payload);
            }
            black_box(&mut chunks);
        });
    });
    group.bench_function("copy and sum", |b| {
        b.iter(|| {
            let payloads = black_box(&packet)[headers..].chunks(size);
            for (payload, chunk) in payloads.zip(chunks.chunks_exact_mut(CHUNK)) {
                black_box(Sum::copying(payload, &mut chunk[HEADROOM + headers..]));
            }
            black_box(&mut chunks);
        });
    });
    group.bench_function("segment", |b| {
        b.iter(|| {
            let parsed = Super::parse(&vnet, black_box(&packet)).expect("a valid packet");
            for (n, chunk) in chunks.chunks_exact_mut(CHUNK).enumerate() {
                black_box(parsed.write(n, &mut chunk[HEADROOM..]));
            }
            black_box(&mut chunks);
        });
    });
    for (name, verified) in [("coalesce, verified", true), ("coalesce", false)] {
        let burst: Vec<_> = segments
            .iter()
            .map(|bytes| Packet { bytes, verified })
            .collect();
        let mut gro = Gro::new(true);
        group.bench_function(name, |b| {
            b.iter(|| {
                for group in gro.gather(black_box(&burst)) {
                    black_box(group.head().len());
                    group.parts().for_each(|part| {
                        black_box(part.bytes);
                    });
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, offload);
criterion_main!(benches);
