//! Latency by percentile, as HdrHistogram plots it: to the right the rarity of a packet (each step ten times rarer), so
//! that the tail has as much room as it deserves. Up, the latency, in decades.

use super::Named;
use super::panel::{Axis, Corner, Curve, Panel, round};
use crate::report::Distribution;
use crate::report::grid::short;
use crate::report::units::ns;

/// Curves at most: more cannot be told apart.
const CURVES: usize = 14;

/// The plot; `None` if no run has latencies.
pub fn panel(runs: &[Named]) -> Option<Panel> {
    let mut curves = Vec::new();
    let mut nines = 2.0f64;
    for (run, report) in runs {
        let streams = report
            .received
            .as_ref()
            .map_or(&[][..], |received| &received.streams);
        let alone = streams.len() == 1;
        for stream in streams {
            let Some(latency) = stream.latency.as_ref().filter(|latency| latency.count != 0) else {
                continue;
            };
            let name = if alone {
                short(run, 40)
            } else {
                format!("{}: {}", short(run, 30), short(&stream.name, 20))
            };
            let points = points(latency);
            nines = points.iter().map(|(x, _)| *x).fold(nines, f64::max);
            curves.push(Curve {
                name,
                colour: curves.len(),
                dashed: curves.len() >= super::COLOURS.len(),
                points,
            });
        }
    }
    curves.truncate(CURVES);
    let values = || {
        curves
            .iter()
            .flat_map(|curve| &curve.points)
            .map(|(_, y)| 10f64.powf(*y))
    };
    let (least, most) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(1.0, f64::max),
    );
    let nines = nines.ceil();
    (!curves.is_empty()).then(|| Panel {
        title: "Latency by percentile".into(),
        x: Axis {
            title: "percentile of packets",
            range: 0.0..nines,
            ticks: (0..=nines as u32)
                .map(|nines| (f64::from(nines), percentile(nines)))
                .collect(),
        },
        y: Axis::logarithmic("latency", least, most, |value| round(ns(value))),
        curves,
        marks: Vec::new(),
        legend: Corner::LowerRight,
    })
}

/// Of quantile q: log10(1 / (1 - q)) to the right, log10 of the nanoseconds up. The largest value is where a packet is
/// one in all.
fn points(latency: &Distribution) -> Vec<(f64, f64)> {
    let last = (latency.count as f64).log10();
    let at = |quantile: f64, value: u64| {
        let x = if quantile < 1.0 {
            -(1.0 - quantile).log10()
        } else {
            last
        };
        (x.min(last).max(0.0), (value.max(1) as f64).log10())
    };
    let mut points = match latency.decode().filter(|histogram| !histogram.is_empty()) {
        Some(histogram) => {
            let mut points = vec![at(0.0, histogram.min())];
            points.extend(
                histogram
                    .iter_recorded()
                    .map(|step| at(step.quantile(), step.value_iterated_to())),
            );
            points
        }
        None => {
            let mut points = vec![at(0.0, latency.min)];
            points.extend(
                latency
                    .percentiles()
                    .map(|(_, quantile, value)| at(quantile, value)),
            );
            points
        }
    };
    // Of a short list, the high percentiles are all its maximum, at the same place.
    points.dedup();
    points
}

/// `99.9 %` for 3.
fn percentile(nines: u32) -> String {
    match nines {
        0 => "0 %".into(),
        1 => "90 %".into(),
        2 => "99 %".into(),
        more => format!("99.{} %", "9".repeat((more - 2) as usize)),
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::*;
    use crate::report::{Received, ReceivedStream, Report};

    fn run(latency: Distribution) -> Named {
        let stream = ReceivedStream {
            latency: Some(latency),
            ..ReceivedStream::default()
        };
        let received = Received {
            streams: vec![stream],
            ..Received::default()
        };
        (
            "run".into(),
            Report {
                received: Some(received),
                ..Report::default()
            },
        )
    }

    #[test]
    fn a_curve_is_the_histogram() {
        let mut histogram = Histogram::new_with_bounds(1, 1 << 40, 3).unwrap();
        (1..=1000u64).for_each(|ns| histogram.record(ns).unwrap());
        let panel = panel(&[run(Distribution::of(&histogram))]).unwrap();
        let points = &panel.curves[0].points;
        let near = |at: f64, expected: f64| {
            let (_, y) = points
                .iter()
                .min_by(|a, b| (a.0 - at).abs().total_cmp(&(b.0 - at).abs()))
                .unwrap();
            assert!(
                (10f64.powf(*y) - expected).abs() <= expected * 0.01,
                "{at}: {y}"
            );
        };
        near(0.0, 1.0);
        near(1.0, 900.0);
        near(2.0, 990.0);
        near(3.0, 1000.0);
        assert_eq!(panel.x.range, 0.0..3.0);
        assert!(points.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
    }

    #[test]
    fn without_the_histogram_the_percentiles_do() {
        let latency = Distribution {
            count: 100,
            min: 10,
            p50: 20,
            p90: 40,
            p99: 80,
            p99_9: 90,
            p99_99: 90,
            p99_999: 90,
            max: 90,
            histogram: "damaged".into(),
            ..Distribution::default()
        };
        let panel = panel(&[run(latency)]).unwrap();
        let values: Vec<u32> = panel.curves[0]
            .points
            .iter()
            .map(|(_, y)| 10f64.powf(*y).round() as u32)
            .collect();
        assert_eq!(values, [10, 20, 40, 80, 90]);
    }

    #[test]
    fn labels() {
        let labels: Vec<String> = (0..=5).map(percentile).collect();
        assert_eq!(
            labels,
            ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"]
        );
    }
}
