//! Ports in the view.

use contract::stats::{DropReason, PortCounter, PortCounters, PortStatus};
use contract::tables::PortKind;
use serde::{Serialize, Serializer};

use super::report::Since;
use super::sample::Sample;

/// A port, all workers together.
#[derive(Debug, Serialize)]
pub struct Port {
    /// Its number in the tables.
    pub index: usize,
    /// Device, or what stands for one.
    pub name: String,
    /// `underlay`, `uplink` or `pod`; empty when closed.
    pub side: &'static str,
    /// `up`, `failed` or `closed`.
    pub state: &'static str,
    /// How it is bound.
    pub mode: &'static str,
    /// Kernel index of the device.
    pub ifindex: u32,
    /// Queues bound.
    pub queues: u32,
    /// Why it failed; empty when it did not.
    pub error: String,
    /// Sum of `drops`.
    pub dropped: u64,
    /// By [`PortCounter`].
    #[serde(serialize_with = "port_counts")]
    pub counters: PortCounters,
    /// By [`DropReason`], zeros included.
    #[serde(serialize_with = "drops")]
    pub drops: Vec<(DropReason, u64)>,
    /// Per second of the interval.
    pub per_second: Option<PortRates>,
}

/// Changes per second.
#[derive(Debug, Serialize)]
pub struct PortRates {
    /// Frames received.
    pub rx_packets: f64,
    /// Bits received, from the Ethernet header on.
    pub rx_bits: f64,
    /// Frames sent.
    pub tx_packets: f64,
    /// Bits sent.
    pub tx_bits: f64,
    /// Frames dropped.
    pub dropped: f64,
}

/// The ports of `now`.
pub fn ports(now: &Sample, since: &Since) -> Vec<Port> {
    let snapshot = &now.snapshot;
    let counted = snapshot.workers.iter().flat_map(|worker| &worker.ports);
    let mut indices: Vec<usize> = counted
        .map(|(index, _)| *index)
        .chain(snapshot.ports.iter().map(|(index, _)| *index))
        .collect();
    indices.sort_unstable();
    indices.dedup();
    indices
        .into_iter()
        .map(|index| {
            let status = snapshot.ports.iter().find(|(number, _)| *number == index);
            let status = status.map(|(_, status)| status.clone());
            let before = since.before.map(|sample| sample.snapshot.port(index));
            port(
                index,
                status.unwrap_or_default(),
                snapshot.port(index),
                before,
                since,
            )
        })
        .collect()
}

fn port(
    index: usize,
    status: PortStatus,
    counters: PortCounters,
    before: Option<PortCounters>,
    since: &Since,
) -> Port {
    let per_second = before.map(|before| {
        let rate = |counter| since.per_second(counters.count(counter), before.count(counter));
        PortRates {
            rx_packets: rate(PortCounter::RxPackets),
            rx_bits: 8.0 * rate(PortCounter::RxBytes),
            tx_packets: rate(PortCounter::TxPackets),
            tx_bits: 8.0 * rate(PortCounter::TxBytes),
            dropped: since.per_second(counters.dropped(), before.dropped()),
        }
    });
    Port {
        index,
        side: side(&status),
        name: status.name,
        state: status.state.name(),
        mode: status.mode.name(),
        ifindex: status.ifindex,
        queues: status.queues,
        error: status.error,
        dropped: counters.dropped(),
        counters,
        drops: all_drops(&counters),
        per_second,
    }
}

/// `underlay`, `uplink` or `pod`; empty when the port is closed.
pub fn side(status: &PortStatus) -> &'static str {
    status.kind.map_or("", PortKind::name)
}

fn port_counts<S: Serializer>(counters: &PortCounters, to: S) -> Result<S::Ok, S::Error> {
    let all = PortCounter::ALL.iter();
    to.collect_map(all.map(|counter| (counter.name(), counters.count(*counter))))
}

fn all_drops(counters: &PortCounters) -> Vec<(DropReason, u64)> {
    let all = DropReason::ALL.iter();
    all.map(|reason| (*reason, counters.drops[*reason as usize]))
        .collect()
}

fn drops<S: Serializer>(drops: &[(DropReason, u64)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(drops.iter().map(|(reason, count)| (reason.name(), count)))
}
