//! Peers in the view.

use contract::stats::PeerCounters;
use serde::{Serialize, Serializer};

use super::control::{ControlStatus, PeerStatus};
use super::report::Since;
use super::sample::Sample;

/// Another node.
#[derive(Debug, Serialize)]
pub struct Peer {
    /// Its adjacency; `null` when it has none.
    pub slot: Option<u16>,
    /// Its pod subnets; empty when control does not say.
    pub subnets: Vec<String>,
    /// Its underlay address.
    pub public_ip: Option<String>,
    /// Why nothing is sent to it.
    pub obstacle: Option<String>,
    /// Inner packets and bytes.
    #[serde(serialize_with = "peer_counts")]
    pub counters: PeerCounters,
    /// Per second of the interval.
    pub per_second: Option<PeerRates>,
}

/// Changes per second.
#[derive(Debug, Serialize)]
pub struct PeerRates {
    /// Inner packets sent to it.
    pub tx_packets: f64,
    /// Bits of them, from the inner IP header on.
    pub tx_bits: f64,
    /// Inner packets received from it.
    pub rx_packets: f64,
    /// Bits of them.
    pub rx_bits: f64,
}

/// The peers of `now`, the busiest first.
pub fn peers(now: &Sample, since: &Since, control: Option<&ControlStatus>) -> Vec<Peer> {
    let unnamed = |slot: &u16| PeerStatus {
        slot: Some(*slot),
        ..PeerStatus::default()
    };
    let known: Vec<PeerStatus> = match control {
        Some(control) => control.peers.clone(),
        None => now.peers.keys().map(unnamed).collect(),
    };
    let mut peers: Vec<Peer> = known
        .into_iter()
        .map(|status| {
            let of = |sample: &Sample| {
                let counters = status.slot.and_then(|slot| sample.peers.get(&slot));
                counters.copied().unwrap_or_default()
            };
            let counters = of(now);
            Peer {
                slot: status.slot,
                subnets: status.subnets.clone(),
                public_ip: status.public_ip.clone(),
                obstacle: status.obstacle.clone(),
                counters,
                per_second: since
                    .before
                    .map(|before| peer_rates(counters, of(before), since)),
            }
        })
        .collect();
    // By traffic: of the interval where there is one, else of all time. The sort is stable, so equals stay as control has them.
    peers.sort_by(|a, b| traffic(b).total_cmp(&traffic(a)));
    peers
}

fn peer_rates(now: PeerCounters, before: PeerCounters, since: &Since) -> PeerRates {
    PeerRates {
        tx_packets: since.per_second(now.tx_packets, before.tx_packets),
        tx_bits: 8.0 * since.per_second(now.tx_bytes, before.tx_bytes),
        rx_packets: since.per_second(now.rx_packets, before.rx_packets),
        rx_bits: 8.0 * since.per_second(now.rx_bytes, before.rx_bytes),
    }
}

/// What peers are ordered by.
fn traffic(peer: &Peer) -> f64 {
    match &peer.per_second {
        Some(rates) => rates.tx_bits + rates.rx_bits,
        None => peer.counters.tx_bytes as f64 + peer.counters.rx_bytes as f64,
    }
}

fn peer_counts<S: Serializer>(counters: &PeerCounters, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map([
        ("tx_packets", counters.tx_packets),
        ("tx_bytes", counters.tx_bytes),
        ("rx_packets", counters.rx_packets),
        ("rx_bytes", counters.rx_bytes),
    ])
}
