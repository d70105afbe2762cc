//! TCP goodput by iperf3.

use std::time::Duration;

use super::{Figures, Moment, Probe, measure, whole};
use crate::bench::Result;
use crate::bench::model::{Better, Measure, Wire};
use crate::bench::pods::Network;
use crate::lab::traffic::Iperf;

/// Flows as fast as they go.
pub struct Tcp {
    /// The underlay.
    pub wire: Wire,
    /// Flows beside each other.
    pub flows: u32,
    /// From pod 2 to pod 1.
    pub reverse: bool,
    /// How long.
    pub time: Duration,
}

impl Probe for Tcp {
    fn measures(&self) -> Vec<Measure> {
        let direction = if self.reverse { "-reverse" } else { "" };
        let name = format!("tcp{}{direction}", self.flows);
        let flows = match self.flows {
            1 => "one TCP flow".to_owned(),
            flows => format!("{flows} TCP flows"),
        };
        let way = if self.reverse { ", pod 2 to pod 1" } else { "" };
        let how = format!(
            "iperf3 -t {} -P {}{}; what the receiver counted. Congestion control: {}.",
            whole(self.time),
            self.flows,
            if self.reverse { " -R" } else { "" },
            congestion_control(),
        );
        vec![
            measure(
                self.wire,
                &name,
                &format!("Goodput of {flows}{way}"),
                "Gbit/s",
                Better::More,
            )
            .in_group("TCP goodput", &how),
            measure(
                self.wire,
                &format!("{name}-retransmits"),
                &format!("Retransmissions of {flows}{way}"),
                "segments/s",
                Better::Less,
            )
            .in_group("TCP goodput", &format!("In the same runs. {how}")),
        ]
    }

    fn time(&self) -> Duration {
        Duration::from_secs(whole(self.time).into())
    }

    fn look(&self, network: &dyn Network, _: Moment) -> Result<Figures> {
        let [from, to] = network.pods();
        let seconds = whole(self.time);
        let iperf = Iperf {
            flows: self.flows,
            reverse: self.reverse,
            ..Iperf::tcp(seconds)
        };
        let report = iperf.run(from, to, to.ip)?;
        let again = report
            .retransmits
            .map(|count| count as f64 / f64::from(seconds));
        Ok(Figures {
            values: vec![Some(report.gbits), again],
            ..Figures::default()
        })
    }
}

/// What this machine gives every new namespace.
fn congestion_control() -> String {
    let path = "/proc/sys/net/ipv4/tcp_congestion_control";
    match std::fs::read_to_string(path) {
        Ok(name) => name.trim().to_owned(),
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_ids_of_its_own() {
        let id = |wire, flows, reverse| {
            let tcp = Tcp {
                wire,
                flows,
                reverse,
                time: Duration::from_millis(1200),
            };
            tcp.measures()[0].id.clone()
        };
        assert_eq!(id(Wire::Plain, 1, false), "pods.tcp1");
        assert_eq!(id(Wire::Plain, 1, true), "pods.tcp1-reverse");
        assert_eq!(id(Wire::Gro, 4, false), "pods-gro.tcp4");
    }
}
