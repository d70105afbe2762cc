//! iperf3 between two namespaces, read from its JSON.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::lab::error::{LabError, Result};
use crate::lab::namespace::Namespace;
use crate::lab::process::{Process, run};
use crate::lab::wait::wait_until;

/// iperf3's port.
const PORT: u16 = 5201;

/// A run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iperf {
    /// How long, seconds.
    pub seconds: u32,
    /// UDP at this rate, Mbit/s; `None`: TCP as fast as it goes.
    pub udp_mbits: Option<u32>,
}

impl Iperf {
    /// TCP, one flow.
    pub fn tcp(seconds: u32) -> Self {
        Iperf {
            seconds,
            udp_mbits: None,
        }
    }

    /// UDP at a fixed rate.
    pub fn udp(seconds: u32, mbits: u32) -> Self {
        Iperf {
            seconds,
            udp_mbits: Some(mbits),
        }
    }

    /// Runs server and client.
    pub fn run(
        &self,
        from: &impl AsRef<Namespace>,
        to: &impl AsRef<Namespace>,
        address: Ipv4Addr,
    ) -> Result<IperfReport> {
        let mut command = to.as_ref().command("iperf3");
        command.args(["-s", "-1"]);
        let log = to.as_ref().directory().join("iperf3.txt");
        let server = Process::start("iperf3 -s", command, &log)?;
        wait_until("iperf3 to listen", 10, || listens(server.pid()))?;

        let mut command = from.as_ref().command("iperf3");
        command
            .args(["-J", "-c", &address.to_string()])
            .args(["-t", &self.seconds.to_string()])
            .args(["--connect-timeout", "3000"]);
        if let Some(mbits) = self.udp_mbits {
            command.args(["-u", "-b", &format!("{mbits}M")]);
        }
        IperfReport::parse(&run(&mut command)?)
    }
}

/// Whether the network namespace of `pid` has a listener on iperf3's port (proc(5): local address, state 0A).
fn listens(pid: u32) -> bool {
    let port = format!(":{PORT:04X}");
    ["tcp", "tcp6"].iter().any(|table| {
        std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).is_ok_and(|text| {
            text.lines().any(|line| {
                let words: Vec<_> = line.split_whitespace().collect();
                words.len() > 3 && words[1].ends_with(&port) && words[3] == "0A"
            })
        })
    })
}

/// What arrived.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IperfReport {
    /// Goodput at the receiver, Gbit/s.
    pub gbits: f64,
    /// TCP: segments sent again.
    pub retransmits: Option<u64>,
    /// UDP: datagrams lost, percent.
    pub lost_percent: Option<f64>,
}

impl IperfReport {
    /// Reads `iperf3 -J`.
    pub fn parse(text: &str) -> Result<Self> {
        let json: Value =
            serde_json::from_str(text).map_err(|_| LabError::parse("iperf3's JSON", text))?;
        if let Some(error) = json["error"].as_str() {
            return Err(LabError::Unexpected(format!("iperf3: {error}")));
        }
        let end = &json["end"];
        let bits = end["sum_received"]["bits_per_second"]
            .as_f64()
            .or_else(|| end["sum"]["bits_per_second"].as_f64())
            .ok_or_else(|| LabError::parse("a rate in iperf3's JSON", &end.to_string()))?;
        Ok(IperfReport {
            gbits: bits / 1e9,
            retransmits: end["sum_sent"]["retransmits"].as_u64(),
            lost_percent: end["sum"]["lost_percent"].as_f64(),
        })
    }
}

impl std::fmt::Display for IperfReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} Gbit/s", self.gbits)?;
        if let Some(count) = self.retransmits {
            write!(f, ", {count} retransmits")?;
        }
        if let Some(percent) = self.lost_percent {
            write!(f, ", {percent:.2} % lost")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_takes_the_receivers_rate() {
        let report = IperfReport::parse(
            r#"{"end":{"sum_sent":{"bits_per_second":6e9,"retransmits":7},"sum_received":{"bits_per_second":5.8e9}}}"#,
        )
        .unwrap();
        assert_eq!(report.retransmits, Some(7));
        assert_eq!(report.to_string(), "5.80 Gbit/s, 7 retransmits");
    }

    #[test]
    fn udp_tells_the_loss() {
        let report = IperfReport::parse(
            r#"{"end":{"sum":{"bits_per_second":1e8,"lost_percent":0.5,"lost_packets":4}}}"#,
        )
        .unwrap();
        assert_eq!(report.to_string(), "0.10 Gbit/s, 0.50 % lost");
    }

    #[test]
    fn an_error_is_an_error() {
        let text = r#"{"error":"unable to connect to server","end":{}}"#;
        assert!(
            IperfReport::parse(text)
                .unwrap_err()
                .to_string()
                .contains("unable")
        );
        assert!(IperfReport::parse("oops").is_err());
    }
}
