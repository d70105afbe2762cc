//! UDP in bulk by iperf3: datagrams that fill the pods' MTU, as fast as the sender can.

use std::time::Duration;

use super::{Figures, Moment, Probe, measure, whole};
use crate::bench::Result;
use crate::bench::model::{Better, Measure, Wire};
use crate::bench::pods::Network;
use crate::lab::traffic::{self, Iperf};

/// IPv4 and UDP headers, bytes.
const HEADERS: u16 = 28;

/// Bulk without a rate.
pub struct Udp {
    /// The underlay.
    pub wire: Wire,
    /// With super-packets, as QUIC's better servers send. See [`Iperf::knows_gso`].
    pub gso: bool,
    /// How long.
    pub time: Duration,
}

impl Probe for Udp {
    fn measures(&self) -> Vec<Measure> {
        let name = if self.gso { "udp-gso" } else { "udp" };
        let kind = if self.gso { "UDP with GSO" } else { "UDP" };
        let how = format!(
            "iperf3 -u -b 0 -t {}{}, datagrams that fill the pod's MTU. The sender does not wait for the receiver, and both, \
             and both nodes, share the machine's cores: what is lost is the slowest part's, at a load that no one asked for.",
            whole(self.time),
            if self.gso { " --gsro" } else { "" },
        );
        vec![
            measure(
                self.wire,
                name,
                &format!("Goodput of {kind} in bulk"),
                "Gbit/s",
                Better::More,
            )
            .in_group("UDP goodput", &how),
            measure(
                self.wire,
                &format!("{name}-loss"),
                &format!("Loss of {kind} in bulk"),
                "%",
                Better::Less,
            )
            .in_group("UDP goodput", &format!("In the same runs. {how}")),
        ]
    }

    fn time(&self) -> Duration {
        Duration::from_secs(whole(self.time).into())
    }

    fn look(&self, network: &dyn Network, _: Moment) -> Result<Figures> {
        let [from, to] = network.pods();
        let iperf = Iperf {
            udp: Some(traffic::Udp {
                mbits: 0,
                len: Some(from.mtu - HEADERS),
                gso: self.gso,
            }),
            ..Iperf::tcp(whole(self.time))
        };
        let report = iperf.run(from, to, to.ip)?;
        Ok(Figures {
            values: vec![Some(report.gbits), report.lost_percent],
            ..Figures::default()
        })
    }
}
