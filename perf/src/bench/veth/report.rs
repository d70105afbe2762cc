//! Medians, spreads and ratios, as a table and as JSON.
//!
//! A ratio is the median of the ratios within each round, not the ratio of medians: what slowed a whole round down is not
//! in it.

use std::fmt;

use serde::Serialize;

use super::sample::{Case, Sample};
use super::{bare, engine, kernel, watched};
use crate::bench::machine::Machine;

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    machine: Machine,
    /// Other nodes that frames went to or came from.
    peers: u16,
    rows: Vec<Row>,
}

/// One contender in one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    case: Case,
    contender: &'static str,
    /// Frames a second that arrived: median, least and most.
    arrived: f64,
    least: f64,
    most: f64,
    /// Frames a second offered, median.
    offered: f64,
    /// By round.
    samples: Vec<Sample>,
}

/// A row, beside the others of its case.
#[derive(Serialize)]
struct Compared<'a> {
    #[serde(flatten)]
    row: &'a Row,
    of_bare: Option<f64>,
    of_kernel: Option<f64>,
    /// Only beside a watched engine: what is there to be compared with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_tweed: Option<f64>,
}

impl Row {
    fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
        let arrived = || self.samples.iter().map(|sample| sample.arrived);
        self.arrived = median(arrived());
        self.least = arrived().fold(f64::INFINITY, f64::min);
        self.most = arrived().fold(0.0, f64::max);
        self.offered = median(self.samples.iter().map(|sample| sample.offered));
    }
}

impl Report {
    /// Nothing measured yet.
    pub fn new(machine: Machine, peers: u16) -> Self {
        Report {
            machine,
            peers,
            rows: Vec::new(),
        }
    }

    /// Adds what was seen in the next round.
    pub fn add(&mut self, contender: &'static str, case: Case, sample: Sample) {
        let same = |row: &&mut Row| row.case == case && row.contender == contender;
        if let Some(row) = self.rows.iter_mut().find(same) {
            return row.add(sample);
        }
        let mut row = Row {
            case,
            contender,
            arrived: 0.0,
            least: 0.0,
            most: 0.0,
            offered: 0.0,
            samples: Vec::new(),
        };
        row.add(sample);
        self.rows.push(row);
    }

    /// All of it, every sample included.
    pub fn to_json(&self) -> String {
        let rows = self.rows.iter().map(|row| Compared {
            row,
            of_bare: self.ratio(row, bare::NAME),
            of_kernel: self.ratio(row, kernel::NAME),
            of_tweed: self.of_tweed(row),
        });
        let report = serde_json::json!({
            "machine": self.machine,
            "peers": self.peers,
            "rows": rows.collect::<Vec<_>>(),
        });
        format!("{report:#}")
    }

    /// A row against the others of its case: 1 for itself.
    fn ratio(&self, row: &Row, name: &str) -> Option<f64> {
        let same = |other: &&Row| other.case == row.case && other.contender == name;
        let other = self.rows.iter().find(same)?;
        let rounds = row.samples.iter().zip(&other.samples);
        Some(median(rounds.map(|(a, b)| a.arrived / b.arrived)))
    }

    /// A row against the engine that nobody watches, if one was watched.
    fn of_tweed(&self, row: &Row) -> Option<f64> {
        let watched = self.rows.iter().any(|row| row.contender == watched::NAME);
        watched.then(|| self.ratio(row, engine::NAME)).flatten()
    }

    fn write_drops(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            for (reason, count) in row.samples.iter().flat_map(|sample| &sample.drops) {
                writeln!(
                    f,
                    "{} dropped {count} frames of {} B on the {} leg: {reason}",
                    row.contender,
                    row.case.size,
                    row.case.leg.name()
                )?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.machine)?;
        writeln!(
            f,
            "Frames that arrive, thousands a second, median and spread of the rounds; {} peers, random flows.\n",
            self.peers
        )?;
        writeln!(
            f,
            "{:5} {:>6}  {:14} {:>8} {:>13} {:>8} {:>8} {:>9}{}",
            "leg",
            "size",
            "device",
            "arrived",
            "spread",
            "offered",
            "of bare",
            "of kernel",
            match self.rows.iter().any(|row| self.of_tweed(row).is_some()) {
                true => "  of tweed",
                false => "",
            }
        )?;
        for row in &self.rows {
            let ratio = |name| match self.ratio(row, name) {
                Some(ratio) => format!("{ratio:.2}"),
                None => "-".to_owned(),
            };
            writeln!(
                f,
                "{:5} {:>4} B  {:14} {:>8} {:>13} {:>8} {:>8} {:>9}{}",
                row.case.leg.name(),
                row.case.size,
                row.contender,
                thousands(row.arrived),
                format!("{}..{}", thousands(row.least), thousands(row.most)),
                thousands(row.offered),
                ratio(bare::NAME),
                ratio(kernel::NAME),
                match self.of_tweed(row) {
                    Some(ratio) => format!("{ratio:>10.3}"),
                    None => String::new(),
                },
            )?;
        }
        self.write_drops(f)
    }
}

fn thousands(rate: f64) -> String {
    format!("{:.0}", rate / 1000.0)
}

/// The middle value, or the mean of the two in the middle; 0 for none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::veth::contender::Drops;
    use crate::bench::veth::plan::Leg;

    const CASE: Case = Case {
        leg: Leg::Encap,
        size: 64,
    };

    fn sample(arrived: f64) -> Sample {
        Sample {
            arrived,
            offered: 5e6,
            drops: Drops::new(),
        }
    }

    /// Three rounds, of which the second was slow for everybody.
    fn report() -> Report {
        let mut report = Report::new(Machine::here(), 256);
        for (bare, tweed) in [(1e6, 9e5), (1e5, 95e3), (1e6, 99e4)] {
            report.add(bare::NAME, CASE, sample(bare));
            report.add("tweed", CASE, sample(tweed));
        }
        report
    }

    #[test]
    fn a_slow_round_is_not_in_the_ratio() {
        let report = report();
        assert_eq!(report.ratio(&report.rows[1], bare::NAME), Some(0.95));
        assert_eq!(report.ratio(&report.rows[1], kernel::NAME), None);
    }

    #[test]
    fn the_table_has_a_line_for_each_contender_and_drops_below() {
        let mut report = report();
        report.rows[1].samples[0].drops = Drops::from([("no-route", 7)]);
        let text = report.to_string();
        assert!(text.contains("900       95..990"), "{text}");
        assert!(
            text.contains("tweed dropped 7 frames of 64 B on the encap leg: no-route"),
            "{text}"
        );
    }

    #[test]
    fn json_keeps_every_sample() {
        let json: serde_json::Value = serde_json::from_str(&report().to_json()).unwrap();
        assert_eq!(json["rows"][1]["samples"].as_array().unwrap().len(), 3);
        assert_eq!(json["rows"][1]["case"]["leg"], "encap");
        assert_eq!(json["rows"][1]["of_bare"], 0.95);
        assert!(json["rows"][1]["of_kernel"].is_null());
    }

    #[test]
    fn what_watching_costs_is_told_when_somebody_watched() {
        let mut report = report();
        assert!(!report.to_string().contains("of tweed"));
        assert!(!report.to_json().contains("of_tweed"));
        for tweed in [9e5, 95e3, 495e3] {
            report.add(watched::NAME, CASE, sample(tweed * 0.99));
        }
        let text = report.to_string();
        assert!(
            text.contains("of tweed") && text.contains("0.990"),
            "{text}"
        );
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        assert_eq!(json["rows"][1]["of_tweed"], 1.0);
        assert_eq!(json["rows"][2]["of_tweed"], 0.99);
    }

    #[test]
    fn medians_of_odd_even_and_nothing() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }
}
