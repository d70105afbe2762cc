//! What a reader has to know before believing a figure.

use crate::bench::measure::Spent;
use crate::bench::model::Measure;

/// Who everyone is compared to.
pub const BASELINE: &str = "kernel vxlan";

/// Spread of the baseline's samples above which a measure says nothing, as a share of their median.
const SPREAD: f64 = 0.15;
/// Rounds below which a spread says nothing.
const ROUNDS: u32 = 5;
/// One-minute load average at the start above which something else ran.
const LOAD: f64 = 0.5;
/// Share of the CPUs' time given to others above which the neighbours of a virtual machine show.
const STEAL: f64 = 0.01;

/// All that there is to say.
pub fn remarks(
    measures: &[Measure],
    rounds: u32,
    load: &str,
    spent: Option<&Spent>,
) -> Vec<String> {
    let mut remarks = Vec::new();
    if rounds < ROUNDS {
        remarks.push(format!(
            "few rounds: {rounds}, where {ROUNDS} are the least that show a spread"
        ));
    }
    let one_minute: f64 = first_number(load).unwrap_or(0.0);
    if one_minute > LOAD {
        remarks.push(format!(
            "something else ran: the load average was {one_minute:.2} at the start (above {LOAD})"
        ));
    }
    if let Some(spent) = spent.filter(|spent| spent.stolen > STEAL) {
        remarks.push(format!(
            "the hypervisor gave {:.1} % of the CPUs' time to others (above {} %)",
            spent.stolen * 100.0,
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

    #[test]
    fn a_quiet_run_needs_no_remark() {
        let spent = Spent {
            busy: 1.0,
            stolen: 0.01,
            seconds: 10.0,
        };
        let measures = [measure(&[100.0, 114.0], None)];
        assert_eq!(
            remarks(&measures, 5, "0.50 0.3 0.1 1/2 3", Some(&spent)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn each_disturbance_is_named() {
        let spent = Spent {
            busy: 1.0,
            stolen: 0.02,
            seconds: 10.0,
        };
        let measures = [
            measure(&[100.0, 120.0], Some(50.0)),
            measure(&[0.0, 0.0, 7.0], None),
        ];
        let remarks = remarks(&measures, 4, "0.51 0.3 0.1 1/2 3", Some(&spent));
        assert_eq!(remarks.len(), 4, "{remarks:?}");
        assert!(remarks[0].contains("few rounds: 4"));
        assert!(remarks[1].contains("0.51"));
        assert!(remarks[2].contains("2.0 %"));
        assert!(
            remarks[3].contains("pods.test at 50 kpps (18 %), pods.test (0 to 7)"),
            "{remarks:?}"
        );
    }

    #[test]
    fn the_others_may_be_as_noisy_as_they_like() {
        let mut measure = measure(&[1.0, 9.0], None);
        measure.cells[0].contender = "tweed".to_owned();
        assert_eq!(remarks(&[measure], 5, "", None), Vec::<String>::new());
    }
}
