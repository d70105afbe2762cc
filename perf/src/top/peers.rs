//! The panel of peers.

use std::net::Ipv4Addr;

use super::column::{Column, Key};
use crate::stats::{Peer, PeerRates, rate, short};

type Col = Column<Peer>;

/// 77 characters, with a gap of two; the rest where there is room.
pub const COLUMNS: &[Col] = &[
    Col::numbers("slot", 5, |peer, _| {
        peer.slot.map_or("-".to_owned(), |slot| slot.to_string())
    })
    .by(|peer| peer.slot.map(f64::from).into()),
    Col::words("subnet", 18, |peer, _| subnet(peer)).by(|peer| address(&subnet(peer))),
    Col::words("public ip", 15, |peer, _| public_ip(peer)).by(|peer| address(&public_ip(peer))),
    Col::numbers("tx/s", 5, |peer, _| text(peer, |now| now.tx_packets))
        .by(|peer| key(peer, |now| now.tx_packets)),
    Col::numbers("bit/s", 5, |peer, _| text(peer, |now| now.tx_bits))
        .by(|peer| key(peer, |now| now.tx_bits)),
    Col::numbers("rx/s", 5, |peer, _| text(peer, |now| now.rx_packets))
        .by(|peer| key(peer, |now| now.rx_packets)),
    Col::numbers("bit/s", 5, |peer, _| text(peer, |now| now.rx_bits))
        .by(|peer| key(peer, |now| now.rx_bits)),
    Col::numbers("tx bytes", 8, |peer, _| short(peer.counters.tx_bytes))
        .by(|peer| Key::Number(peer.counters.tx_bytes as f64))
        .wide(),
    Col::numbers("rx bytes", 8, |peer, _| short(peer.counters.rx_bytes))
        .by(|peer| Key::Number(peer.counters.rx_bytes as f64))
        .wide(),
    Col::rest("", 15, |peer, _| peer.obstacle.clone().unwrap_or_default()),
];

/// Whether nothing is sent to it.
pub fn alarms(peer: &Peer) -> bool {
    peer.obstacle.is_some()
}

fn subnet(peer: &Peer) -> String {
    match &peer.subnets[..] {
        [] => "-".to_owned(),
        [subnet] => subnet.clone(),
        [subnet, more @ ..] => format!("{subnet} +{}", more.len()),
    }
}

fn public_ip(peer: &Peer) -> String {
    peer.public_ip.clone().unwrap_or_else(|| "-".to_owned())
}

/// Addresses go by their number, so that 10.0.0.9 stands before 10.0.0.10.
fn address(text: &str) -> Key {
    let start = text.split(['/', ' ']).next().unwrap_or_default();
    match start.parse::<Ipv4Addr>() {
        Ok(address) => Key::Number(f64::from(u32::from(address))),
        Err(_) => Key::Text(text.to_owned()),
    }
}

fn text(peer: &Peer, of: fn(&PeerRates) -> f64) -> String {
    let now = peer.per_second.as_ref();
    now.map_or("-".to_owned(), |now| rate(of(now)))
}

fn key(peer: &Peer, of: fn(&PeerRates) -> f64) -> Key {
    peer.per_second.as_ref().map(of).into()
}
