//! The search of `ndr`: each trial at its rate and loss, with its number; the loss allowed, and the rate found.

use super::Named;
use super::panel::{Axis, Corner, Curve, Mark, Panel, round};
use crate::report::grid::short;
use crate::report::units::{count, percent, pps};

/// The plot of a run; `None` if it was no search.
pub fn panel((name, report): &Named) -> Option<Panel> {
    let ndr = report.ndr.as_ref()?;
    let finite = |trial: &&crate::report::Trial| {
        (0.0..1e12).contains(&trial.sent_pps) && (0.0..=1.0).contains(&trial.loss)
    };
    let trials: Vec<_> = ndr
        .trials
        .iter()
        .enumerate()
        .filter(|(_, trial)| finite(trial))
        .collect();
    if trials.is_empty() {
        return None;
    }
    let losses = trials.iter().map(|(_, trial)| trial.loss).chain([ndr.loss]);
    let least = losses
        .filter(|loss| *loss > 0.0)
        .fold(0.01, f64::min)
        .max(1e-12);
    // Loss is drawn in decades, and none at all a decade below the least.
    let none = least.log10().floor() - 1.0;
    let up = |loss: f64| if loss > 0.0 { loss.log10() } else { none };
    let rates = || trials.iter().map(|(_, trial)| trial.sent_pps);
    let (slowest, fastest) = (
        rates().fold(f64::INFINITY, f64::min),
        rates().fold(1.0, f64::max),
    );
    let x = Axis::linear(
        "packets a second sent",
        slowest * 0.95,
        fastest * 1.05,
        |value| round(pps(value)),
    );
    let decades = (none as i32 + 1..=0).map(f64::from);
    let y = Axis {
        title: "loss",
        // Air below none and above all, or the marks lie on the frame.
        range: none - 0.3..0.3,
        ticks: [(none, "none".to_owned())]
            .into_iter()
            .chain(decades.map(|at| (at, round(percent(10f64.powf(at))))))
            .collect(),
    };
    let mut curves = vec![Curve {
        name: format!("loss allowed: {}", percent(ndr.loss)),
        colour: 4,
        dashed: true,
        points: vec![(x.range.start, up(ndr.loss)), (x.range.end, up(ndr.loss))],
    }];
    if let Some(found) = ndr.pps.filter(|found| x.range.contains(found)) {
        curves.push(Curve {
            name: format!("found: {} pps", count(found as u64)),
            colour: 2,
            dashed: false,
            points: vec![(found, y.range.start), (found, y.range.end)],
        });
    }
    let marks = trials.iter().map(|(index, trial)| Mark {
        at: (trial.sent_pps, up(trial.loss)),
        good: trial.passed,
        label: (index + 1).to_string(),
    });
    Some(Panel {
        title: format!(
            "Throughput search (RFC 2544), trials by number: {}",
            short(name, 40)
        ),
        x,
        y,
        curves,
        marks: marks.collect(),
        legend: Corner::LowerRight,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Ndr, Report, Trial};

    #[test]
    fn trials_are_marks_and_wild_ones_are_not() {
        let trial = |sent_pps: f64, loss: f64| Trial {
            sent_pps,
            loss,
            passed: loss == 0.0,
            ..Trial::default()
        };
        let ndr = Ndr {
            pps: Some(1e6),
            loss: 1e-5,
            trials: vec![
                trial(2e6, 0.5),
                trial(f64::NAN, 0.0),
                trial(1e6, 0.0),
                trial(1e6, f64::INFINITY),
            ],
            ..Ndr::default()
        };
        let panel = panel(&(
            "n".into(),
            Report {
                ndr: Some(ndr),
                ..Report::default()
            },
        ))
        .unwrap();
        assert_eq!(
            panel
                .marks
                .iter()
                .map(|m| m.label.as_str())
                .collect::<Vec<_>>(),
            ["1", "3"]
        );
        assert_eq!(
            (panel.marks[1].at, panel.marks[1].good),
            ((1e6, -6.0), true)
        );
        assert_eq!(
            (panel.y.range.clone(), panel.y.label(-6.0)),
            (-6.3..0.3, "none".into())
        );
        assert_eq!(panel.curves.len(), 2);
    }
}
