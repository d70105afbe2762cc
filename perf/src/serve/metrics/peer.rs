//! Families of peers: inner packets and bytes, by the node's underlay address.
//!
//! With control's status every peer has its series, at zero as well; without it a peer is known by its slot only.

use contract::stats::PeerCounters;
use prometheus_client::registry::Unit;

use super::super::view::View;
use super::family::{Family, Kind, Value};

/// A family and what it takes from the counters.
type Told = (
    &'static str,
    Option<Unit>,
    &'static str,
    fn(&PeerCounters) -> u64,
);

pub fn families(view: &View) -> Vec<Family> {
    let told: [Told; 4] = [
        (
            "peer_transmit_packets",
            None,
            "Inner packets sent to the peer.",
            |c| c.tx_packets,
        ),
        (
            "peer_transmit",
            Some(Unit::Bytes),
            "Their bytes, from the inner IP header on.",
            |c| c.tx_bytes,
        ),
        (
            "peer_receive_packets",
            None,
            "Inner packets received from the peer.",
            |c| c.rx_packets,
        ),
        (
            "peer_receive",
            Some(Unit::Bytes),
            "Their bytes, from the inner IP header on.",
            |c| c.rx_bytes,
        ),
    ];
    let mut families: Vec<Family> = told
        .into_iter()
        .map(|(name, unit, help, count)| {
            let mut family = Family::new(Kind::Counter, name, unit, help);
            for peer in view.report.iter().flat_map(|report| &report.peers) {
                family.push(
                    [("peer", &*label(peer.public_ip.as_deref(), peer.slot))],
                    Value::Whole(count(&peer.counters)),
                );
            }
            family
        })
        .collect();
    let help = "1 when packets to the peer are sent; 0 while there is an obstacle, which /api/stats tells.";
    let mut reachable = Family::new(Kind::Gauge, "peer_reachable", None, help);
    for peer in view.control.iter().flat_map(|control| &control.peers) {
        let labels = [("peer", &*label(peer.public_ip.as_deref(), peer.slot))];
        // A flag: of two entries under one name the sum would be none.
        reachable.push(
            labels,
            Value::Real(f64::from(u8::from(peer.obstacle.is_none()))),
        );
    }
    families.push(reachable);
    families
}

fn label(public_ip: Option<&str>, slot: Option<u16>) -> String {
    match (public_ip, slot) {
        (Some(address), _) => address.to_owned(),
        (None, Some(slot)) => format!("slot {slot}"),
        (None, None) => "unknown".to_owned(),
    }
}
