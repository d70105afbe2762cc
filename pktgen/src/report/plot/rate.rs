//! Rates over time: sent (broken line) and received (whole line) of each run.

use super::Named;
use super::panel::{Axis, Corner, Curve, Panel, round};
use crate::report::Second;
use crate::report::grid::short;
use crate::report::units::pps;

/// Points of a curve at most; of longer runs, neighbours are averaged.
const POINTS: usize = 1000;

/// The plot; `None` if no run has two seconds.
pub fn panel(runs: &[Named]) -> Option<Panel> {
    let mut curves = Vec::new();
    for (colour, (name, report)) in runs.iter().enumerate() {
        let mut add = |what: &str, dashed: bool, value: fn(&Second) -> u64| {
            let points = points(&report.timeline, value);
            if points.len() >= 2 && points.iter().any(|(_, y)| *y > 0.0) {
                let name = format!("{}: {what}", short(name, 40));
                curves.push(Curve {
                    name,
                    colour,
                    dashed,
                    points,
                });
            }
        };
        add("sent", true, |second| second.sent);
        add("received", false, |second| second.received);
    }
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let longest = all().map(|(x, _)| *x).fold(0.0, f64::max);
    let highest = all().map(|(_, y)| *y).fold(0.0, f64::max);
    (!curves.is_empty()).then(|| Panel {
        title: "Rate over time".into(),
        x: Axis::linear("seconds since the start", 0.0, longest, |value| {
            format!("{}", (value * 10.0).round() / 10.0)
        }),
        // A little air above, or the curve lies on the frame.
        y: Axis::linear("packets a second", 0.0, highest * 1.05, |value| {
            round(pps(value))
        }),
        curves,
        marks: Vec::new(),
        legend: Corner::LowerMiddle,
    })
}

fn points(timeline: &[Second], value: fn(&Second) -> u64) -> Vec<(f64, f64)> {
    let timeline: Vec<&Second> = timeline
        .iter()
        .filter(|second| (0.0..1e9).contains(&second.at))
        .collect();
    timeline
        .chunks(timeline.len().div_ceil(POINTS).max(1))
        .map(|seconds| {
            let mean = |sum: f64| sum / seconds.len() as f64;
            (
                mean(seconds.iter().map(|s| s.at).sum()),
                mean(seconds.iter().map(|s| value(s) as f64).sum()),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    #[test]
    fn long_runs_are_thinned_and_wild_times_left_out() {
        let second = |at: f64| Second {
            at,
            sent: 10,
            ..Second::default()
        };
        let mut timeline: Vec<Second> = (1..=5000).map(|at| second(f64::from(at))).collect();
        timeline.extend([second(f64::NAN), second(f64::INFINITY), second(-1.0)]);
        let panel = panel(&[(
            "a".into(),
            Report {
                timeline,
                ..Report::default()
            },
        )])
        .unwrap();
        assert_eq!(panel.curves.len(), 1);
        assert_eq!(panel.curves[0].points.len(), 1000);
        assert!(
            panel.curves[0]
                .points
                .iter()
                .all(|(x, y)| *y == 10.0 && *x <= 5000.0)
        );
        assert_eq!(panel.x.range, 0.0..5000.0);
    }

    #[test]
    fn nothing_is_no_panel() {
        assert!(panel(&[("a".into(), Report::default())]).is_none());
    }
}
