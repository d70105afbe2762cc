//! What a packet costs the machine: CPU-seconds of all cores, kernel and tools included, at a rate that all can carry.
//!
//! The load is iperf3's, which sleeps between its packets. A sender that is to be on time to the microsecond, as tweed-pktgen is,
//! spins until it is: a core is busy then whatever the network does, and all cost the same.

use std::time::Duration;

use super::usage::Usage;
use super::{Figures, Moment, Probe, measure, whole};
use crate::bench::Result;
use crate::bench::model::{Better, Measure, Wire};
use crate::bench::pods::Network;
use crate::lab::LabError;
use crate::lab::traffic::{self, Iperf};

/// Thousands of packets a second.
const KPPS: f64 = 20.0;
/// Ethernet, IPv4 and UDP around the payload, and the FCS.
const AROUND: u32 = 14 + 20 + 8 + 4;
/// The shortest run: starting and ending iperf3 is in it, and costs what some thousand packets do.
const SHORTEST: Duration = Duration::from_secs(2);

/// Cost by frame size.
pub struct Cost {
    /// Bytes of a frame, FCS included.
    pub sizes: Vec<u32>,
    /// Of a run.
    pub time: Duration,
}

impl Cost {
    fn seconds(&self) -> u32 {
        whole(self.time.max(SHORTEST))
    }
}

impl Probe for Cost {
    fn measures(&self) -> Vec<Measure> {
        let how = format!(
            "iperf3 -u, one flow of some {KPPS} kpps for {} s; all that both cores did from its start to its end (/proc/stat: all but \
             idle and iowait), less what this machine does in that time without load, by packets that arrived. iperf3 at both ends is \
             in it for all alike.",
            self.seconds()
        );
        let cost = measure(
            Wire::Plain,
            "cost",
            "Cost of a packet from pod to pod",
            "CPU s / M packets",
            Better::Less,
        );
        vec![cost.in_group("Cost", &how).along("Frame size", "B", false)]
    }

    fn points(&self) -> Vec<Option<f64>> {
        self.sizes.iter().map(|size| Some((*size).into())).collect()
    }

    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds().into())
    }

    fn look(&self, network: &dyn Network, at: Moment) -> Result<Figures> {
        let [from, to] = network.pods();
        let payload = at.x.unwrap_or(64.0) - f64::from(AROUND);
        let iperf = Iperf {
            udp: Some(traffic::Udp {
                mbits: (KPPS * payload * 8.0 / 1000.0).round().max(1.0) as u32,
                len: Some(payload as u16),
                gso: false,
            }),
            ..Iperf::tcp(self.seconds())
        };
        let earlier = Usage::now()?;
        let report = iperf.run(from, to, to.ip)?;
        let spent = Usage::now()?.since(&earlier);
        let arrived = report.gbits * 1e9 / 8.0 / payload * f64::from(self.seconds());
        let cost = per_million(spent.busy - at.idle * spent.seconds, arrived)?;
        let mut notes = Vec::new();
        if cost.is_none() {
            notes.push("no sample: the machine was as busy before".to_owned());
        }
        if report.lost_percent.is_some_and(|lost| lost > 1.0) {
            notes.push("a round lost over 1 % of the packets".to_owned());
        }
        Ok(Figures {
            values: vec![cost],
            notes,
            flood: None,
        })
    }
}

/// `None`: no more was spent than without load, so the machine had other things to do.
fn per_million(seconds: f64, packets: f64) -> Result<Option<f64>> {
    match packets {
        packets if packets >= 1.0 => Ok((seconds > 0.0).then(|| seconds / packets * 1e6)),
        _ => Err(LabError::Unexpected("no packet arrived".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_needs_packets_and_is_above_zero() {
        assert_eq!(per_million(0.5, 100_000.0).unwrap(), Some(5.0));
        assert_eq!(per_million(-0.1, 100_000.0).unwrap(), None);
        assert!(per_million(0.5, 0.0).is_err());
    }
}
