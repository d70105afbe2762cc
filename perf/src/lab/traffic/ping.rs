//! A few pings and what came back.

use std::fmt;
use std::net::Ipv4Addr;

use crate::lab::error::{LabError, Result, expect};
use crate::lab::namespace::Namespace;

/// IPv4 and ICMP headers, bytes.
const HEADERS: u16 = 28;

/// How to ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Bytes after the ICMP header.
    pub size: u16,
    /// Set DF, and never fragment here.
    pub df: bool,
    /// How many.
    pub count: u32,
    /// TTL to send with.
    pub ttl: u8,
}

impl Default for Ping {
    /// What `ping -c 3` sends.
    fn default() -> Self {
        Ping {
            size: 56,
            df: false,
            count: 3,
            ttl: 64,
        }
    }
}

impl Ping {
    /// Packets of exactly `mtu` bytes with DF set.
    pub fn full(mtu: u16) -> Self {
        Ping {
            size: mtu - HEADERS,
            df: true,
            ..Ping::default()
        }
    }

    /// Sends, and reports also when nothing came back.
    pub fn run(&self, from: &impl AsRef<Namespace>, to: Ipv4Addr) -> Result<PingReport> {
        let df = if self.df { "do" } else { "dont" };
        let mut command = from.as_ref().command("ping");
        command
            .args(["-n", "-i", "0.05", "-W", "1", "-M", df])
            .args(["-c", &self.count.to_string()])
            .args(["-s", &self.size.to_string()])
            .args(["-t", &self.ttl.to_string()])
            .arg(to.to_string());
        // Its exit status says whether anything came back; the summary says it better.
        let output = command.output().map_err(|source| LabError::Start {
            command: "ping".to_owned(),
            source,
        })?;
        PingReport::parse(&String::from_utf8_lossy(&output.stdout))
    }

    /// Sends, and fails unless all came back.
    pub fn all(&self, from: &impl AsRef<Namespace>, to: Ipv4Addr) -> Result<PingReport> {
        let report = self.run(from, to)?;
        expect(report.lost() == 0, || {
            let from = from.as_ref().name();
            format!("ping of {} bytes from {from} to {to}: {report}", self.size)
        })?;
        Ok(report)
    }
}

/// What a ping brought back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PingReport {
    /// Requests sent.
    pub sent: u32,
    /// Distinct replies.
    pub received: u32,
    /// Round trips, milliseconds.
    pub rtts_ms: Vec<f64>,
    /// TTL of the last reply.
    pub ttl: Option<u8>,
    /// Lines about errors that came back instead ("Frag needed", "Time to live exceeded").
    pub errors: Vec<String>,
}

impl PingReport {
    /// Reads what iputils' ping prints.
    pub fn parse(text: &str) -> Result<Self> {
        let mut report = PingReport::default();
        for line in text.lines() {
            if let Some(ms) = field(line, "time=") {
                report.ttl = field(line, "ttl=");
                report.rtts_ms.push(ms);
            } else if line.starts_with("From ") {
                report.errors.push(line.to_owned());
            }
        }
        let summary = text
            .lines()
            .find(|line| line.contains(" packets transmitted, "))
            .ok_or_else(|| LabError::parse("ping's summary", text))?;
        let mut numbers = summary
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|word| word.parse().ok());
        let mut number = || {
            numbers
                .next()
                .ok_or_else(|| LabError::parse("ping's summary", summary))
        };
        report.sent = number()?;
        report.received = number()?;
        Ok(report)
    }

    /// An error unless a router told that the TTL was used up.
    pub fn expect_expired(&self) -> Result<()> {
        let expired = |line: &String| line.contains("Time to live exceeded");
        expect(self.errors.iter().any(expired), || {
            format!("no time exceeded: {self}")
        })
    }

    /// Requests without a reply.
    pub fn lost(&self) -> u32 {
        self.sent - self.received.min(self.sent)
    }

    /// The shortest round trip, milliseconds.
    pub fn fastest_ms(&self) -> Option<f64> {
        self.rtts_ms.iter().copied().min_by(f64::total_cmp)
    }
}

impl fmt::Display for PingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} answered", self.received, self.sent)?;
        if let Some(ms) = self.fastest_ms() {
            write!(f, ", best {ms:.3} ms")?;
        }
        self.errors
            .iter()
            .try_for_each(|line| write!(f, "; {line}"))
    }
}

/// The value after `key` in a line of words.
pub(super) fn field<T: std::str::FromStr>(line: &str, key: &str) -> Option<T> {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix(key)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_and_summary_are_read() {
        let report = PingReport::parse(
            "PING 10.244.2.10 (10.244.2.10) 56(84) bytes of data.\n\
             64 bytes from 10.244.2.10: icmp_seq=1 ttl=62 time=0.321 ms\n\
             64 bytes from 10.244.2.10: icmp_seq=3 ttl=62 time=0.123 ms\n\n\
             --- 10.244.2.10 ping statistics ---\n\
             3 packets transmitted, 2 received, 33.3333% packet loss, time 2041ms\n\
             rtt min/avg/max/mdev = 0.123/0.222/0.321/0.099 ms\n",
        )
        .unwrap();
        assert_eq!((report.sent, report.received, report.lost()), (3, 2, 1));
        assert_eq!(report.ttl, Some(62));
        assert_eq!(report.fastest_ms(), Some(0.123));
    }

    #[test]
    fn errors_are_kept() {
        let report = PingReport::parse(
            "From 10.244.1.1 icmp_seq=1 Frag needed and DF set (mtu = 1450)\n\
             1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms\n",
        )
        .unwrap();
        assert_eq!(report.lost(), 1);
        assert!(report.errors[0].contains("mtu = 1450"));
    }

    #[test]
    fn silence_is_not_a_report() {
        assert!(PingReport::parse("ping: socket: Operation not permitted\n").is_err());
    }

    #[test]
    fn a_full_ping_fills_the_mtu() {
        assert_eq!(Ping::full(1450).size, 1422);
    }
}
