//! Time from pod to pod by load: tweed-pktgen at several rates, percentiles of all packets.

use std::time::Duration;

use super::pktgen::{FLOWS, Load};
use super::{Figures, Moment, Probe, measure};
use crate::bench::Result;
use crate::bench::model::{Better, Measure, Wire};
use crate::bench::pods::Network;

/// Bytes of a frame, FCS included.
const SIZE: u32 = 64;

/// Percentiles at each of these rates.
pub struct Latency {
    /// Thousands of packets a second.
    pub rates: Vec<f64>,
    /// How long at each.
    pub time: Duration,
}

impl Probe for Latency {
    fn measures(&self) -> Vec<Measure> {
        let how = format!(
            "tweed-pktgen latency, {FLOWS} flows of {SIZE}-byte frames, evenly spread, for {:.1} s; from the time a packet was due \
             to its arrival in pod 2, lost ones left out. The receiver sleeps when nothing comes, and is woken.",
            self.time.as_secs_f64()
        );
        [("p50", "median"), ("p99", "99 %"), ("p99.9", "99.9 %")]
            .map(|(name, share)| {
                measure(
                    Wire::Plain,
                    &format!("latency.{name}"),
                    &format!("Time from pod to pod, {share}"),
                    "us",
                    Better::Less,
                )
                .in_group("Latency by load", &how)
                .along("Load", "kpps", false)
            })
            .into()
    }

    fn points(&self) -> Vec<Option<f64>> {
        self.rates.iter().copied().map(Some).collect()
    }

    fn time(&self) -> Duration {
        self.time
    }

    fn look(&self, network: &dyn Network, at: Moment) -> Result<Figures> {
        let load = Load {
            kpps: at.x,
            size: SIZE,
            time: self.time,
        };
        let report = load.run(network.pods())?;
        let latency = report.latency()?;
        let micros = |ns: u64| Some(ns as f64 / 1e3);
        Ok(Figures {
            values: [latency.p50, latency.p99, latency.p99_9].map(micros).into(),
            notes: report.remarks(),
            flood: None,
        })
    }
}
