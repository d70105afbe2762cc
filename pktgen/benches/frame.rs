//! Nanoseconds per frame, written and classified: `cargo bench -p tweed-pktgen --bench frame`.

#[path = "../tests/kinds/mod.rs"]
mod kinds;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kinds::{Kind, PORTS, RUN, Tunnel, builder, frames};
use pktgen::frame::build::body;
use pktgen::frame::classify::{Seen, classify};
use pktgen::io::BURST;
use pktgen::profile::{Flows, Order, Payload, Size, Stream};

const UDP: Kind = Kind {
    protocol: "udp",
    v6: false,
    tunnel: Tunnel::Plain,
};
const FLOWS: u32 = 800;

fn streams() -> Vec<(&'static str, Stream)> {
    let tunnel = |tunnel| Kind { tunnel, ..UDP };
    let sized = |kind: Kind, size| {
        let mut stream = kind.stream();
        (stream.size, stream.flows.count) = (size, FLOWS);
        stream
    };
    let imix = Size::Mix(vec![(64, 7), (594, 4), (1518, 1)]);
    let mut random = sized(UDP, Size::Fixed(64));
    random.flows = Flows {
        count: FLOWS,
        order: Order::Random,
    };
    let tcp6 = Kind {
        protocol: "tcp",
        v6: true,
        tunnel: Tunnel::Plain,
    };
    vec![
        ("64", sized(UDP, Size::Fixed(64))),
        ("64-random-flows", random),
        ("1518", sized(UDP, Size::Fixed(1518))),
        ("imix", sized(UDP, imix)),
        ("tcp6-96", sized(tcp6, Size::Fixed(96))),
        (
            "vxlan-114",
            sized(tunnel(Tunnel::Unsummed), Size::Fixed(114)),
        ),
        (
            "vxlan-summed-114",
            sized(tunnel(Tunnel::Summed), Size::Fixed(114)),
        ),
    ]
}

/// Into a burst of buffers, one after the other, as a sender does.
fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("write");
    for (name, stream) in streams() {
        let mut builder = builder(&stream);
        let mut buffers = vec![body(Payload::Random, 1); BURST];
        let mut stamp = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                stamp += 1;
                let buffer = &mut buffers[stamp % BURST];
                black_box(builder.write(buffer, stamp as u64))
            });
        });
    }
}

fn recognise(c: &mut Criterion) {
    let mut group = c.benchmark_group("classify");
    for (name, stream) in streams() {
        let frames = frames(&stream, 60);
        let mut number = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                number = if number + 1 < frames.len() {
                    number + 1
                } else {
                    0
                };
                let seen = classify(black_box(&frames[number]), Some(RUN), &PORTS);
                assert!(matches!(seen, Seen::Intact(_)));
                seen
            });
        });
    }
    let foreign = vec![0x5a; 1514];
    group.bench_function("unreadable-1518", |b| {
        b.iter(|| classify(black_box(&foreign), Some(RUN), &PORTS));
    });
}

criterion_group!(benches, write, recognise);
criterion_main!(benches);
