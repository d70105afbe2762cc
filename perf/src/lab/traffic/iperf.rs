//! iperf3 between two namespaces, read from its JSON.

use std::net::Ipv4Addr;
use std::process::Command;

use serde_json::Value;

use crate::lab::error::{LabError, Result};
use crate::lab::namespace::Namespace;
use crate::lab::process::{Process, run};
use crate::lab::wait::wait_until;

/// iperf3's port.
const PORT: u16 = 5201;

/// Longest that a run may take beyond its own time, seconds: what hangs then is broken.
const PATIENCE: u32 = 20;

/// A run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iperf {
    /// How long, seconds.
    pub seconds: u32,
    /// Flows beside each other.
    pub flows: u32,
    /// From the server to the client.
    pub reverse: bool,
    /// UDP; `None`: TCP as fast as it goes.
    pub udp: Option<Udp>,
}

/// How datagrams are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Mbit/s; 0: as fast as it goes.
    pub mbits: u32,
    /// Payload of a datagram, bytes; `None`: what iperf3 takes from the path's MTU.
    pub len: Option<u16>,
    /// Super-packets down to the device (UDP_SEGMENT) and up from it (UDP_GRO). See [`Iperf::knows_gso`].
    pub gso: bool,
}

impl Iperf {
    /// TCP, one flow.
    pub fn tcp(seconds: u32) -> Self {
        Iperf {
            seconds,
            flows: 1,
            reverse: false,
            udp: None,
        }
    }

    /// UDP at a fixed rate.
    pub fn udp(seconds: u32, mbits: u32) -> Self {
        Iperf {
            udp: Some(Udp {
                mbits,
                len: None,
                gso: false,
            }),
            ..Iperf::tcp(seconds)
        }
    }

    /// Whether the iperf3 installed here can send UDP super-packets: Debian 12's 3.12 cannot.
    pub fn knows_gso() -> bool {
        run(Command::new("iperf3").arg("--help")).is_ok_and(|help| help.contains("--gsro"))
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

        let mut command = from.as_ref().command("timeout");
        command
            .args([&(self.seconds + PATIENCE).to_string(), "iperf3"])
            .args(["-J", "-c", &address.to_string()])
            .args(self.arguments());
        IperfReport::parse(&run(&mut command)?)
    }

    /// The client's arguments but for its server.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "-t".to_owned(),
            self.seconds.to_string(),
            "-P".to_owned(),
            self.flows.to_string(),
            "--connect-timeout".to_owned(),
            "3000".to_owned(),
        ];
        let mut add =
            |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
        if self.reverse {
            add(&["-R"]);
        }
        if let Some(udp) = self.udp {
            add(&["-u", "-b", &format!("{}M", udp.mbits)]);
            if let Some(len) = udp.len {
                add(&["-l", &len.to_string()]);
            }
            if udp.gso {
                add(&["--gsro"]);
            }
        }
        arguments
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
    fn what_is_asked_for_is_what_iperf3_is_told() {
        let line = |iperf: Iperf| iperf.arguments().join(" ");
        assert_eq!(line(Iperf::tcp(2)), "-t 2 -P 1 --connect-timeout 3000");
        let mut iperf = Iperf::udp(1, 0);
        (iperf.reverse, iperf.flows) = (true, 4);
        iperf.udp = iperf.udp.map(|udp| Udp {
            len: Some(1422),
            ..udp
        });
        assert_eq!(
            line(iperf),
            "-t 1 -P 4 --connect-timeout 3000 -R -u -b 0M -l 1422"
        );
    }

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
