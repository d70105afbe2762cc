//! One second of the charts: a dozen numbers, so that minutes of them are small enough to be kept and sent whole.

use std::collections::BTreeMap;

use contract::stats::{DropReason, PortCounter};
use serde::Serialize;

use crate::stats::{Report, Sample, Since};

/// Rates over the second before `t_ms`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Milliseconds since the Unix epoch.
    pub t_ms: u64,
    /// Frames a second from the wire.
    pub rx_pps: f64,
    /// Frames a second to the wire.
    pub tx_pps: f64,
    /// Bits a second from the wire.
    pub rx_bps: f64,
    /// Bits a second to the wire.
    pub tx_bps: f64,
    /// Frames a second forwarded, both ways.
    pub forwarded_pps: f64,
    /// Frames a second dropped, all reasons.
    pub dropped_pps: f64,
    /// Share of time in turns with frames, by worker.
    pub busy: Vec<f64>,
    /// Frames a second by reason; those that did not move are left out.
    pub drops: BTreeMap<&'static str, f64>,
}

impl Point {
    /// Between two samples of one engine; `None` when they are not.
    pub fn new(t_ms: u64, now: &Sample, before: Option<&Sample>, report: &Report) -> Option<Self> {
        let since = Since::new(now, before);
        let before = since.before?;
        let wire = |rate: fn(&crate::stats::PortRates) -> f64| -> f64 {
            let ports = report.ports.iter().filter(|port| port.side == "underlay");
            ports
                .filter_map(|port| port.per_second.as_ref())
                .map(rate)
                .sum()
        };
        let forwarded = |sample: &Sample| {
            let ports = sample
                .snapshot
                .workers
                .iter()
                .flat_map(|worker| &worker.ports);
            ports.fold(0u64, |sum, (_, port)| {
                sum.wrapping_add(port.count(PortCounter::Forwarded))
            })
        };
        let dropped = |sample: &Sample, reason: DropReason| {
            let ports = sample
                .snapshot
                .workers
                .iter()
                .flat_map(|worker| &worker.ports);
            ports.fold(0u64, |sum, (_, port)| {
                sum.wrapping_add(port.drops[reason as usize])
            })
        };
        let drops: BTreeMap<_, _> = DropReason::ALL
            .iter()
            .map(|reason| {
                (
                    reason.name(),
                    since.per_second(dropped(now, *reason), dropped(before, *reason)),
                )
            })
            .filter(|(_, rate)| *rate > 0.0)
            .collect();
        Some(Point {
            t_ms,
            rx_pps: wire(|port| port.rx_packets),
            tx_pps: wire(|port| port.tx_packets),
            rx_bps: wire(|port| port.rx_bits),
            tx_bps: wire(|port| port.tx_bits),
            forwarded_pps: since.per_second(forwarded(now), forwarded(before)),
            dropped_pps: drops.values().sum(),
            busy: report.workers.iter().map(|worker| worker.busy).collect(),
            drops,
        })
    }
}
