//! The panel of ports.

use super::column::{Column, Key};
use super::view::port_name;
use crate::stats::{Port, PortRates, rate, short};

type Col = Column<Port>;

/// 78 characters, with a gap of two; the rest where there is room.
pub const COLUMNS: &[Col] = &[
    Col::numbers("#", 2, |port, _| port.index.to_string()),
    Col::words("name", 15, |port, _| port_name(&port.name, port.index))
        .by(|port| Key::Text(port.name.clone())),
    Col::words("side", 8, |port, _| port.side.to_owned()),
    Col::words("mode", 9, mode),
    Col::numbers("rx/s", 5, |port, _| text(port, |now| now.rx_packets))
        .by(|port| key(port, |now| now.rx_packets)),
    Col::numbers("bit/s", 5, |port, _| text(port, |now| now.rx_bits)),
    Col::numbers("tx/s", 5, |port, _| text(port, |now| now.tx_packets))
        .by(|port| key(port, |now| now.tx_packets)),
    Col::numbers("bit/s", 5, |port, _| text(port, |now| now.tx_bits)),
    Col::numbers("drops/s", 7, |port, _| text(port, |now| now.dropped))
        .by(|port| key(port, |now| now.dropped)),
    Col::numbers("dropped", 7, |port, _| short(port.dropped))
        .by(|port| Key::Number(port.dropped as f64))
        .wide(),
    Col::numbers("ifindex", 7, |port, _| port.ifindex.to_string()).wide(),
    Col::rest("", 20, |port, _| port.error.clone()),
];

/// Whether something is wrong with it.
pub fn alarms(port: &Port) -> bool {
    port.state == "failed"
}

fn mode(port: &Port, _: super::theme::Theme) -> String {
    match port.state {
        "up" => port.mode.to_owned(),
        state => state.to_owned(),
    }
}

fn text(port: &Port, of: fn(&PortRates) -> f64) -> String {
    let now = port.per_second.as_ref();
    now.map_or("-".to_owned(), |now| rate(of(now)))
}

fn key(port: &Port, of: fn(&PortRates) -> f64) -> Key {
    port.per_second.as_ref().map(of).into()
}
