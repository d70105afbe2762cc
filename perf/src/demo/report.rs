//! What the demo found: tables for people, JSON for programs.

use std::fmt;

use contract::stats::StatsError;
use serde::Serialize;

use crate::lab::traffic::{IperfReport, PingReport};
use crate::lab::{Pod, Result};
use crate::stats;
use crate::style::Style;

/// All results.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Pings between all pods.
    pub pings: Vec<PingRow>,
    /// iperf3 runs.
    pub iperf: Vec<IperfRow>,
    /// What each tweed node's engine counted.
    pub engines: Vec<EngineRow>,
}

/// Pings of one size from one pod to another.
#[derive(Debug, Serialize)]
pub struct PingRow {
    from: String,
    to: String,
    /// Bytes after the ICMP header.
    size: u16,
    sent: u32,
    received: u32,
    best_ms: Option<f64>,
    error: Option<String>,
}

/// One run of iperf3.
#[derive(Debug, Serialize)]
pub struct IperfRow {
    from: String,
    to: String,
    protocol: &'static str,
    gbits: Option<f64>,
    retransmits: Option<u64>,
    lost_percent: Option<f64>,
    error: Option<String>,
}

/// What an engine counted, drops by reason included.
#[derive(Debug, Serialize)]
pub struct EngineRow {
    node: String,
    counted: Option<stats::Report>,
    error: Option<String>,
}

impl EngineRow {
    /// A row of what was found in a node's stats segment.
    pub fn new(node: &str, counted: std::result::Result<stats::Report, StatsError>) -> Self {
        let (counted, error) = split(counted);
        EngineRow {
            node: node.to_owned(),
            counted,
            error,
        }
    }

    /// Every frame is accounted for.
    fn good(&self) -> bool {
        let counted = self.counted.as_ref();
        counted.is_some_and(|report| report.conservation.holds)
    }
}

impl PingRow {
    /// A row of what a ping brought.
    pub fn new(from: &Pod, to: &Pod, size: u16, result: Result<PingReport>) -> Self {
        let (report, error) = split(result);
        let report = report.unwrap_or_default();
        PingRow {
            from: from.name.clone(),
            to: to.name.clone(),
            size,
            sent: report.sent,
            received: report.received,
            best_ms: report.fastest_ms(),
            error,
        }
    }

    fn good(&self) -> bool {
        self.error.is_none() && self.sent > 0 && self.received == self.sent
    }
}

impl IperfRow {
    /// A row of what a run brought.
    pub fn new(from: &Pod, to: &Pod, protocol: &'static str, result: Result<IperfReport>) -> Self {
        let (report, error) = split(result);
        IperfRow {
            from: from.name.clone(),
            to: to.name.clone(),
            protocol,
            gbits: report.map(|r| r.gbits),
            retransmits: report.and_then(|r| r.retransmits),
            lost_percent: report.and_then(|r| r.lost_percent),
            error,
        }
    }

    fn good(&self) -> bool {
        self.gbits.is_some_and(|gbits| gbits > 0.0)
    }
}

fn split<T, E: ToString>(result: std::result::Result<T, E>) -> (Option<T>, Option<String>) {
    match result {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(error.to_string())),
    }
}

impl Report {
    /// Whether everything arrived. An empty report is not good: nothing was tried.
    pub fn good(&self) -> bool {
        !self.pings.is_empty()
            && self.pings.iter().all(PingRow::good)
            && self.iperf.iter().all(IperfRow::good)
            && self.engines.iter().all(EngineRow::good)
    }

    /// One JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers always serialize")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = Style::of_stdout();
        writeln!(
            f,
            "\n{:8} {:8} {:>6} {:>9} {:>9}",
            "from", "to", "bytes", "answered", "best ms"
        )?;
        for row in &self.pings {
            let answered = format!("{:>9}", format!("{}/{}", row.received, row.sent));
            write!(f, "{:8} {:8} {:>6} ", row.from, row.to, row.size)?;
            write!(f, "{} ", style.verdict(row.good(), &answered))?;
            finish(f, row.best_ms, &row.error)?;
        }
        writeln!(f, "\n{:8} {:8} {:>6} {:>9}", "from", "to", "", "Gbit/s")?;
        for row in &self.iperf {
            let gbits = format!("{:>9}", row.gbits.map_or("-".into(), |g| format!("{g:.2}")));
            write!(f, "{:8} {:8} {:>6} ", row.from, row.to, row.protocol)?;
            write!(f, "{}", style.verdict(row.good(), &gbits))?;
            if let Some(count) = row.retransmits {
                write!(f, "  {count} retransmits")?;
            }
            if let Some(percent) = row.lost_percent {
                write!(f, "  {percent:.2} % lost")?;
            }
            if let Some(error) = &row.error {
                write!(f, "  {error}")?;
            }
            writeln!(f)?;
        }
        for row in &self.engines {
            writeln!(f, "\n{}", style.bold(&format!("engine of {}", row.node)))?;
            match (&row.counted, &row.error) {
                (Some(counted), _) => write!(f, "{}", stats::render(counted, style))?,
                (None, Some(error)) => writeln!(f, "{}", style.verdict(false, error))?,
                (None, None) => {}
            }
        }
        let verdict = if self.good() {
            "everything arrived"
        } else {
            "something failed"
        };
        writeln!(f, "\n{}", style.verdict(self.good(), verdict))
    }
}

fn finish(f: &mut fmt::Formatter<'_>, ms: Option<f64>, error: &Option<String>) -> fmt::Result {
    let ms = ms.map_or("-".into(), |ms| format!("{ms:.3}"));
    match error {
        None => writeln!(f, "{ms:>9}"),
        Some(error) => writeln!(f, "{ms:>9}  {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sent: u32, received: u32) -> PingRow {
        PingRow {
            from: "t1/10".into(),
            to: "t2/10".into(),
            size: 56,
            sent,
            received,
            best_ms: Some(0.1234),
            error: None,
        }
    }

    #[test]
    fn one_lost_ping_spoils_the_report() {
        let mut report = Report {
            pings: vec![row(3, 3)],
            ..Report::default()
        };
        assert!(report.good());
        report.pings.push(row(3, 2));
        assert!(!report.good());
    }

    #[test]
    fn an_engine_that_is_not_there_spoils_the_report() {
        let absent = stats::totals(std::path::Path::new("/nonexistent"));
        let report = Report {
            pings: vec![row(3, 3)],
            engines: vec![EngineRow::new("t1", absent)],
            ..Report::default()
        };
        assert!(!report.good());
        let text = report.to_string();
        assert!(text.contains("is tweed-dataplane running"), "{text}");
    }

    #[test]
    fn a_report_of_nothing_is_not_good() {
        assert!(!Report::default().good());
        assert!(!row(0, 0).good());
    }

    #[test]
    fn the_table_shows_each_row() {
        let report = Report {
            pings: vec![row(3, 3)],
            ..Report::default()
        };
        let text = report.to_string();
        assert!(
            text.contains("t1/10") && text.contains("3/3") && text.contains("0.123"),
            "{text}"
        );
        assert!(report.to_json().contains("\"received\": 3"));
    }
}
