//! A bank whose bytes say anything: each read ends, stays inside and does not panic; what it gives is wrong at worst.
//!
//! ```text
//! input:  patch, patch, ...
//! patch:  | area | place in it, 3 bytes | length | as many bytes, or what is left |
//! area:   0 head, 1 roots, 2 meta, 3 lines, 4 heads, 5 tries; the low bits of a byte. Places wrap.
//! ```

use std::cell::RefCell;
use std::hint::black_box;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use contract::tables::{Adjacency, Encap, Fib, OwnedFib, Route, Tables};

use crate::support::golden_tables;

/// Where the parts of a bank are (`contract::tables::layout`); of the tries, what small tables use and some more.
const AREAS: [Range<usize>; 6] = [
    0..4096,
    4096..1_052_672,
    1_052_672..1_576_960,
    1_576_960..5_771_264,
    5_771_264..7_081_984,
    7_081_984..7_081_984 + 64 * 64,
];

thread_local! {
    // One for all inputs: a bank is half a gigabyte of address space. Patches are undone.
    static FIB: RefCell<OwnedFib> = RefCell::new(OwnedFib::new(&both_families()).expect("valid tables"));
}

/// The golden tables with an IPv6 peer: every kind of adjacency, a node in both tries.
fn both_families() -> Tables {
    let mut tables = golden_tables();
    let [.., vxlan, _, _, _] = tables.adjacencies.as_slice() else {
        unreachable!("the golden tables have six adjacencies");
    };
    let mut peer6 = vxlan.clone();
    if let Adjacency::Peer { src, peer, .. } = &mut peer6 {
        (*src, *peer) = (IpAddr::V6(1.into()), IpAddr::V6(2.into()));
    }
    tables.routes.push(Route {
        prefix: IpAddr::V6(Ipv6Addr::new(0xfdfd, 0xfdfd, 0x0af4, 0x0200, 0, 0, 0, 0)),
        len: 64,
        adjacency: tables.adjacencies.len() as u16,
    });
    tables.adjacencies.push(peer6);
    for by in [Encap::HostGw, Encap::Udp, Encap::Ipip] {
        let mut bare = tables.adjacencies[2].clone();
        if let Adjacency::Peer { encap, .. } = &mut bare {
            *encap = by;
        }
        tables.adjacencies.push(bare);
    }
    tables
}

/// Patches the bank, reads everything, restores it.
pub fn check(input: &[u8]) {
    FIB.with_borrow_mut(|fib| {
        let (mut undo, mut rest) = (Vec::new(), input);
        while let [area, a, b, c, len, after @ ..] = rest {
            let (bytes, next) = after.split_at(usize::from(*len).min(after.len()));
            rest = next;
            let area = &AREAS[usize::from(*area) % AREAS.len()];
            let at = area.start + u32::from_be_bytes([0, *a, *b, *c]) as usize % area.len();
            let end = (at + bytes.len()).min(area.end);
            let place = &mut fib.bytes_mut()[at..end];
            undo.push((at, place.to_vec()));
            place.copy_from_slice(&bytes[..end - at]);
        }
        read_everything(fib, input);
        for (at, bytes) in undo.into_iter().rev() {
            fib.bytes_mut()[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    });
}

/// Everything that reads a bank, at addresses that are routed and at some from the input.
fn read_everything(fib: &Fib, input: &[u8]) {
    let routed = (0..6).flat_map(|third| [0, 1, 99, 255].map(|host| [10, 244, third, host]));
    let random = input.as_chunks::<4>().0.iter().take(64).copied();
    for address in routed.chain(random) {
        let mut six = [0xfd; 16];
        six[4..8].copy_from_slice(&address);
        let [a, b, ..] = address;
        for adjacency in [
            fib.lookup4(address),
            fib.lookup6(six),
            u16::from_be_bytes([a, b]),
        ] {
            let meta = fib.meta(adjacency);
            black_box((meta.is_peer4(address), fib.is_peer6(adjacency, six)));
            black_box((
                fib.port(meta.port),
                *fib.rewrite4(adjacency),
                fib.rewrite6(adjacency),
            ));
            black_box(fib.adjacency(adjacency));
        }
        black_box((fib.is_vtep4(address), fib.is_vtep6(six)));
    }
    black_box((fib.generation(), fib.node_value()));
    let _ = black_box(fib.ports());
    if let Ok(tables) = fib.tables() {
        check_tables(&tables);
    }
}

/// What comes back holds together: control goes on from it after a restart.
fn check_tables(tables: &Tables) {
    for port in &tables.ports {
        assert!((1..=15).contains(&port.name.len()) && !port.name.contains('/'));
    }
    let mut last = None;
    for route in &tables.routes {
        assert!(usize::from(route.adjacency) < tables.adjacencies.len());
        let bits = if route.prefix.is_ipv4() { 32 } else { 128 };
        let address = match route.prefix {
            IpAddr::V4(ip) => u128::from(ip.to_bits()),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        assert!(route.len <= bits);
        let host = 1u128
            .checked_shl((bits - route.len).into())
            .map_or(u128::MAX, |size| size - 1);
        assert_eq!(address & host, 0, "{route:?} has host bits");
        // In order of address, none within another.
        let first = Some((bits, address));
        assert!(last < first, "{route:?} overlaps what came before");
        last = Some((bits, address | host));
    }
}
