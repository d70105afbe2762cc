//! What a reader has to know before believing a figure.

use crate::bench::measure::Spent;
use crate::bench::model::Measure;
use crate::bench::verdict::BASELINE;

/// Spread of the baseline's samples above which a measure says nothing, as a share of their median.
const SPREAD: f64 = 0.15;
/// Rounds below which a spread says nothing.
const ROUNDS: u32 = 5;
/// One-minute load average at the start above which something else ran.
const LOAD: f64 = 0.5;
/// CPU-seconds a second without load above which something else runs, or a contender does not sleep.
const IDLE: f64 = 0.1;
/// Share of the CPUs' time given to others above which the neighbours of a virtual machine show.
const STEAL: f64 = 0.01;

/// How the machine was, before and meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Load averages at the start.
    pub load: &'a str,
    /// CPU-seconds that it spent in a second in which nobody was asked.
    pub idle: f64,
    /// What was spent during the run.
    pub spent: Spent,
}

/// All that there is to say.
pub fn remarks(measures: &[Measure], rounds: u32, around: &Surroundings<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    if rounds < ROUNDS {
        remarks.push(format!(
            "few rounds: {rounds}, where {ROUNDS} are the least that show a spread"
        ));
    }
    let one_minute: f64 = first_number(around.load).unwrap_or(0.0);
    if one_minute > LOAD {
        remarks.push(format!(
            "something else ran: the load average was {one_minute:.2} at the start (above {LOAD})"
        ));
    }
    if around.idle > IDLE {
        remarks.push(format!(
            "the machine was not at rest when nobody was asked: {:.2} CPU-seconds a second (above {IDLE}), which costs are less by",
            around.idle
        ));
    }
    if around.spent.stolen > STEAL {
        remarks.push(format!(
            "the hypervisor gave {:.1} % of the CPUs' time to others (above {} %)",
            around.spent.stolen * 100.0,
            STEAL * 100.0
        ));
    }
    let noisy: Vec<_> = measures.iter().flat_map(noisy).collect();
    if !noisy.is_empty() {
        remarks.push(format!(
            "too noisy to say, for samples of {BASELINE} lie more than {:.0} % apart: {}",
            SPREAD * 100.0,
            noisy.join(", ")
        ));
    }
    remarks
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

/// Where the baseline's samples lie too far apart, and how far.
fn noisy(measure: &Measure) -> Vec<String> {
    let unit = measure.axis.as_ref().map_or("", |axis| &axis.unit);
    let of = |x: &Option<f64>| {
        let summary = measure.cell(BASELINE, *x)?.summary()?;
        let spread = match summary.median {
            // A count that is mostly 0 has no middle to compare to.
            0.0 if summary.high > summary.low => f64::INFINITY,
            _ => summary.spread(),
        };
        let at = match x {
            Some(x) => format!(" at {}", format!("{x} {unit}").trim_end()),
            None => String::new(),
        };
        let percent = match spread.is_finite() {
            true => format!("{:.0} %", spread * 100.0),
            false => format!("0 to {}", summary.high),
        };
        (spread > SPREAD).then(|| format!("{}{at} ({percent})", measure.id))
    };
    measure.points().iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::model::{Axis, Better, Cell, Wire};

    fn measure(samples: &[f64], x: Option<f64>) -> Measure {
        Measure {
            id: "pods.test".to_owned(),
            group: "Test".to_owned(),
            title: "Test".to_owned(),
            how: String::new(),
            unit: "kpps".to_owned(),
            better: Better::More,
            wire: Wire::Plain,
            axis: x.map(|_| Axis {
                title: "Load".to_owned(),
                unit: "kpps".to_owned(),
                log: false,
            }),
            cells: vec![Cell {
                contender: BASELINE.to_owned(),
                x,
                samples: samples.iter().copied().map(Some).collect(),
                notes: Vec::new(),
            }],
        }
    }

    fn around(load: &str, idle: f64, stolen: f64) -> Surroundings<'_> {
        Surroundings {
            load,
            idle,
            spent: Spent {
                busy: 1.0,
                stolen,
                seconds: 10.0,
            },
        }
    }

    #[test]
    fn a_quiet_run_needs_no_remark() {
        let around = around("0.50 0.3 0.1 1/2 3", 0.1, 0.01);
        let measures = [measure(&[100.0, 114.0], None)];
        assert_eq!(remarks(&measures, 5, &around), Vec::<String>::new());
    }

    #[test]
    fn each_disturbance_is_named() {
        let around = around("0.51 0.3 0.1 1/2 3", 0.5, 0.02);
        let measures = [
            measure(&[100.0, 120.0], Some(50.0)),
            measure(&[0.0, 0.0, 7.0], None),
        ];
        let remarks = remarks(&measures, 4, &around);
        assert_eq!(remarks.len(), 5, "{remarks:?}");
        assert!(remarks[0].contains("few rounds: 4"));
        assert!(remarks[1].contains("0.51"));
        assert!(remarks[2].contains("0.50 CPU-seconds"));
        assert!(remarks[3].contains("2.0 %"));
        assert!(
            remarks[4].contains("pods.test at 50 kpps (18 %), pods.test (0 to 7)"),
            "{remarks:?}"
        );
    }

    #[test]
    fn the_others_may_be_as_noisy_as_they_like() {
        let mut measure = measure(&[1.0, 9.0], None);
        measure.cells[0].contender = "tweed".to_owned();
        assert_eq!(
            remarks(&[measure], 5, &around("", 0.0, 0.0)),
            Vec::<String>::new()
        );
    }
}
