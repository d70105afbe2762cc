//! Families of ports: one for each [`PortCounter`], drops by reason, and how each port is bound.

use contract::stats::{DropReason, PortCounter, PortCounters, PortState};
use prometheus_client::registry::Unit;

use super::family::{Family, Kind, Value};
use crate::stats::{Sample, port_side};

fn told(counter: PortCounter) -> (&'static str, Option<Unit>) {
    match counter {
        PortCounter::RxPackets => ("port_receive_packets", None),
        PortCounter::RxBytes => ("port_receive", Some(Unit::Bytes)),
        PortCounter::TxPackets => ("port_transmit_packets", None),
        PortCounter::TxBytes => ("port_transmit", Some(Unit::Bytes)),
        PortCounter::Forwarded => ("port_forwarded_packets", None),
        PortCounter::Originated => ("port_originated_packets", None),
        PortCounter::IcmpSuppressed => ("port_suppressed_icmp_errors", None),
        PortCounter::FullBursts => ("port_full_bursts", None),
        PortCounter::Kicks => ("port_transmit_kicks", None),
        PortCounter::KickRetries => ("port_transmit_kick_retries", None),
    }
}

pub fn families(sample: Option<&Sample>) -> Vec<Family> {
    let mut families: Vec<Family> = PortCounter::ALL
        .iter()
        .map(|c| family(*c, sample))
        .collect();
    families.push(drops(sample));
    families.push(up(sample));
    families
}

/// The name of what a counter is told as, without prefix and suffix.
#[cfg(test)]
pub fn name(counter: PortCounter) -> &'static str {
    told(counter).0
}

fn family(counter: PortCounter, sample: Option<&Sample>) -> Family {
    let (name, unit) = told(counter);
    let mut family = Family::new(Kind::Counter, name, unit, counter.meaning());
    for (worker, port, counters) in counted(sample) {
        family.push(
            [("worker", &*worker), ("port", &*port)],
            Value::Whole(counters.count(counter)),
        );
    }
    family
}

/// Zeros as well: a reason whose series begins with its first drop would have no rate for that one.
fn drops(sample: Option<&Sample>) -> Family {
    let help = "Frames received here that were dropped, each under exactly one reason.";
    let mut family = Family::new(Kind::Counter, "port_dropped_packets", None, help);
    for (worker, port, counters) in counted(sample) {
        for reason in DropReason::ALL {
            let labels = [
                ("worker", &*worker),
                ("port", &*port),
                ("reason", reason.name()),
            ];
            family.push(labels, Value::Whole(counters.drops[*reason as usize]));
        }
    }
    family
}

fn up(sample: Option<&Sample>) -> Family {
    let help =
        "1 when a port that control wants is bound on all workers' queues; 0 when it cannot be.";
    let mut family = Family::new(Kind::Gauge, "port_up", None, help);
    let Some(sample) = sample else { return family };
    for (index, status) in &sample.snapshot.ports {
        let labels = [
            ("port", &*label(sample, *index)),
            ("kind", port_side(status)),
            ("mode", status.mode.name()),
        ];
        family.push(
            labels,
            Value::Whole(u64::from(status.state == PortState::Up)),
        );
    }
    family
}

/// What each worker counted at each port, with both labels.
fn counted(sample: Option<&Sample>) -> impl Iterator<Item = (String, String, &PortCounters)> {
    sample.into_iter().flat_map(|sample| {
        sample.snapshot.workers.iter().flat_map(move |worker| {
            let ports = worker.ports.iter();
            ports.map(move |(index, counters)| {
                (worker.index.to_string(), label(sample, *index), counters)
            })
        })
    })
}

/// The device's name, which people and queries know; the number where there is none or two ports claim it. Never a
/// joined series: sums by port stay true.
fn label(sample: &Sample, index: usize) -> String {
    let ports = &sample.snapshot.ports;
    let name = ports
        .iter()
        .find(|(number, _)| *number == index)
        .map(|(_, status)| &*status.name);
    match name {
        Some(name)
            if !name.is_empty() && ports.iter().filter(|(_, s)| s.name == name).count() == 1 =>
        {
            name.to_owned()
        }
        _ => index.to_string(),
    }
}
