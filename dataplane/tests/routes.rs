//! 100,000 leases, random destinations, through a whole worker: each packet leaves for the node whose lease is the longest
//! that covers it, by a linear scan over all of them, or it is dropped.

mod support;

use std::net::{IpAddr, Ipv4Addr};

use contract::stats::{DropReason, PortCounter};
use contract::tables::{Adjacency, Route, Tables};
use fastrand::Rng;
use support::mend::mend_ip;
use support::model::OUTER;
use support::{Rig, UNDERLAY, UPLINK, golden_tables, kernel_frames};

const LEASES: usize = 100_000;
/// Peers. Fewer than leases: an adjacency's number has 16 bits.
const NODES: u32 = 65_000;
const DESTINATIONS: usize = 10_000;
/// The first adjacency that is a node here.
const FIRST: usize = 6;

#[derive(Clone, Copy)]
struct Lease {
    network: u32,
    len: u8,
    adjacency: u16,
}

impl Lease {
    fn covers(&self, address: u32) -> bool {
        (self.network ^ address) >> (32 - self.len) == 0
    }

    fn last(&self) -> u32 {
        self.network | u32::MAX.checked_shr(self.len.into()).unwrap_or(0)
    }
}

/// The node of an adjacency: all PublicIPs are different.
fn public_ip(adjacency: u16) -> Ipv4Addr {
    Ipv4Addr::from(0xac10_0000 + u32::from(adjacency))
}

/// The golden tables with these leases at many nodes; the golden routes stay, their 10.244.0.0/16 is left free by the leases.
fn tables(leases: &[Lease]) -> Tables {
    let mut tables = golden_tables();
    let template = tables.adjacencies[2].clone();
    for number in 0..NODES as usize {
        let mut node = template.clone();
        if let Adjacency::Peer { peer, .. } = &mut node {
            *peer = IpAddr::V4(public_ip((FIRST + number) as u16));
        }
        tables.adjacencies.push(node);
    }
    tables.routes.extend(leases.iter().map(|lease| Route {
        prefix: IpAddr::V4(lease.network.into()),
        len: lease.len,
        adjacency: lease.adjacency,
    }));
    tables
}

fn node(rng: &mut Rng) -> u16 {
    FIRST as u16 + rng.u32(..NODES) as u16
}

/// Leases of /24 to /28 that do not overlap, in no order, with gaps: each in a /24 of its own in 16.0.0.0/6.
fn separate(rng: &mut Rng) -> Vec<Lease> {
    let mut slots: Vec<u32> = (0..1 << 18).collect();
    rng.shuffle(&mut slots);
    slots.truncate(LEASES);
    let lease = |slot: u32| {
        let len = rng.u8(24..=28);
        let within = rng.u32(..256) & !(0xff >> (len - 24));
        Lease {
            network: 0x1000_0000 + (slot << 8) + within,
            len,
            adjacency: node(rng),
        }
    };
    slots.into_iter().map(lease).collect()
}

/// Leases of /12 to /32 that lie within each other. No prefix comes twice: which of two counts is for control to say.
fn nested(rng: &mut Rng) -> Vec<Lease> {
    let mut leases = std::collections::HashMap::new();
    while leases.len() < LEASES {
        let len = rng.u8(12..=32);
        // In 16.0.0.0/8, bits from few values, so that many share their beginning.
        let address = 0x1000_0000
            | rng.u32(..1 << 24) & [0x00f0_ffff, 0x00ff_0fff, 0x00ff_ffff][rng.usize(..3)];
        let network = address & (u32::MAX << (32 - len));
        leases.insert((network, len), node(rng));
    }
    let lease = |((network, len), adjacency)| Lease {
        network,
        len,
        adjacency,
    };
    let mut leases: Vec<_> = leases.into_iter().map(lease).collect();
    leases.sort_by_key(|lease| (lease.network, lease.len));
    rng.shuffle(&mut leases);
    leases
}

/// The definition.
fn scan(leases: &[Lease], address: u32) -> Option<u16> {
    let covering = leases.iter().filter(|lease| lease.covers(address));
    covering
        .max_by_key(|lease| lease.len)
        .map(|lease| lease.adjacency)
}

/// Inside of a lease, at its edges and beyond them, and anywhere around.
fn destination(leases: &[Lease], rng: &mut Rng) -> u32 {
    let lease = leases[rng.usize(..leases.len())];
    match rng.u8(..8) {
        0 => lease.network,
        1 => lease.last(),
        2 => lease.network.wrapping_sub(1),
        3 => lease.last().wrapping_add(1),
        4 => 0x1000_0000 | rng.u32(..1 << 26),
        _ => rng.u32(lease.network..=lease.last()),
    }
}

fn forwards_like_a_scan(leases: &[Lease], mut rng: Rng) {
    let mut rig = Rig::new(&tables(leases));
    let mut frame = kernel_frames().remove(0).split_off(OUTER);
    let (mut forwarded, mut refused) = (0, 0);
    for _ in 0..DESTINATIONS / 50 {
        let mut expected = Vec::new();
        for _ in 0..50 {
            let address = destination(leases, &mut rng);
            frame[30..34].copy_from_slice(&address.to_be_bytes());
            mend_ip(&mut frame[14..]);
            rig.deliver(UPLINK, &frame);
            match scan(leases, address) {
                Some(adjacency) => expected.push((Ipv4Addr::from(address), public_ip(adjacency))),
                None => refused += 1,
            }
        }
        rig.settle();
        let quad = |bytes: &[u8]| Ipv4Addr::from(*bytes.first_chunk::<4>().unwrap());
        let sent: Vec<_> = rig
            .sent(UNDERLAY)
            .iter()
            .map(|frame| (quad(&frame[OUTER + 30..]), quad(&frame[30..])))
            .collect();
        // The ICMP errors about the others.
        rig.sent(UPLINK);
        assert_eq!(
            sent, expected,
            "(inner, outer) destinations in order of arrival"
        );
        forwarded += expected.len() as u64;
    }
    let counters = rig.counters(UPLINK);
    assert_eq!(counters.count(PortCounter::Forwarded), forwarded);
    assert_eq!(counters.drops[DropReason::NoRoute as usize], refused);
    assert!(
        forwarded > DESTINATIONS as u64 / 2 && refused > 0,
        "{forwarded}, {refused}"
    );
}

#[test]
fn separate_leases_of_many_sizes() {
    let mut rng = Rng::with_seed(1);
    let leases = separate(&mut rng);
    forwards_like_a_scan(&leases, rng);
}

#[test]
fn leases_within_leases() {
    let mut rng = Rng::with_seed(2);
    let leases = nested(&mut rng);
    forwards_like_a_scan(&leases, rng);
}
