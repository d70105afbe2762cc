//! Flow numbers: distinct packets, in the order that is promised.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use pktgen::frame::flow::{FlowFields, FlowOrder, fields, outer_sport};
use pktgen::frame::signature::Lane;
use pktgen::profile::{Flows, Ip, Order, Transport};
use proptest::prelude::*;

use crate::kinds::kinds;

#[test]
fn the_source_port_varies_fastest() {
    let mut stream = kinds()[0].stream();
    stream.transport = Transport::Udp {
        sport: 7..=8,
        dport: 100..=101,
    };
    let last = |address: Ipv4Addr, more: u32| Ipv4Addr::from(address.to_bits() + more);
    let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 1, 1));
    stream.ip = Ip::V4 {
        src: src..=last(src, 1),
        dst: dst..=last(dst, 2),
    };
    let row = |flow| {
        let FlowFields {
            src,
            dst,
            sport,
            dport,
        } = fields(&stream, flow);
        (sport, dst, src, dport)
    };
    let rows: Vec<_> = (0..24).map(row).collect();
    assert_eq!(
        rows[..4],
        [
            (7, 0, 0, 100),
            (8, 0, 0, 100),
            (7, 1, 0, 100),
            (8, 1, 0, 100)
        ]
    );
    assert_eq!(rows[5..8], [(8, 2, 0, 100), (7, 0, 1, 100), (8, 0, 1, 100)]);
    assert_eq!(rows[11..13], [(8, 2, 1, 100), (7, 0, 0, 101)]);
    assert_eq!(rows[23], (8, 2, 1, 101));
}

#[test]
fn whole_ranges() {
    let mut stream = kinds()[0].stream();
    let all = Ipv4Addr::new(0, 0, 0, 0)..=Ipv4Addr::new(255, 255, 255, 255);
    stream.ip = Ip::V4 {
        src: all.clone(),
        dst: all,
    };
    stream.transport = Transport::Icmp { id: 0..=65_535 };
    let seen = fields(&stream, 999_999);
    assert_eq!(
        (seen.sport, seen.dst, seen.src, seen.dport),
        (16_959, 15, 0, 0)
    );
    // A digit for a source address above 2^16 * 2^4.
    stream.transport = Transport::Icmp { id: 5..=5 };
    assert_eq!(fields(&stream, 999_999).dst, 999_999);
}

proptest! {
    #[test]
    fn no_two_flows_are_alike(
        spans in (1u16..200, 1u32..200, 1u32..200, 1u16..200),
        firsts in (1u16..60_000, any::<u16>(), any::<u16>(), 1u16..60_000),
        count in 1u32..20_000,
    ) {
        let mut stream = kinds()[0].stream();
        let range = |first: u16, span: u32| {
            let first = u32::from(first) << 8;
            Ipv4Addr::from(first)..=Ipv4Addr::from(first + span - 1)
        };
        stream.ip = Ip::V4 { src: range(firsts.1, spans.1), dst: range(firsts.2, spans.2) };
        stream.transport = Transport::Tcp {
            sport: firsts.0..=firsts.0 + spans.0 - 1,
            dport: firsts.3..=firsts.3 + spans.3 - 1,
        };
        let most = u64::from(spans.0) * u64::from(spans.1) * u64::from(spans.2) * u64::from(spans.3);
        let count = u64::from(count).min(most) as u32;
        let seen: HashSet<FlowFields> = (0..count).map(|flow| fields(&stream, flow)).collect();
        prop_assert_eq!(seen.len(), count as usize);
        for flow in seen {
            prop_assert!(flow.src < spans.1 && flow.dst < spans.2);
            prop_assert!((firsts.0..firsts.0 + spans.0).contains(&flow.sport));
            prop_assert!((firsts.3..firsts.3 + spans.3).contains(&flow.dport));
        }
    }
}

#[test]
fn round_robin_goes_round() {
    let flows = Flows {
        count: 3,
        order: Order::RoundRobin,
    };
    let mut order = FlowOrder::new(flows, 1, Lane(0));
    let seen = [(); 7].map(|()| order.next());
    assert_eq!(seen, [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn random_order_is_the_seeds_and_the_lanes() {
    let flows = Flows {
        count: 1_000,
        order: Order::Random,
    };
    let first = |seed, lane| {
        let mut order = FlowOrder::new(flows, seed, Lane(lane));
        (0..100).map(|_| order.next()).collect::<Vec<_>>()
    };
    assert_eq!(first(1, 0), first(1, 0));
    assert_ne!(first(1, 0), first(2, 0));
    assert_ne!(first(1, 0), first(1, 1));
    let mut order = FlowOrder::new(flows, 1, Lane(0));
    let seen: HashSet<u32> = (0..20_000).map(|_| order.next()).collect();
    assert_eq!((seen.len(), seen.iter().max()), (1_000, Some(&999)));
}

#[test]
fn outer_ports_are_spread() {
    let mut ports = [0u32; 1 << 14];
    for flow in 0..1 << 14 {
        let port = outer_sport(flow);
        assert!(port >= 49_152);
        ports[usize::from(port & 0x3fff)] += 1;
    }
    let used = ports.iter().filter(|&&flows| flows > 0).count();
    // A random function would use 10,356 of 16,384.
    assert!(used > 10_356, "{used}");
}
