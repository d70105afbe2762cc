//! What is in a plot: axes with their ticks, curves, marks. Numbers are in the drawing's own space: where an axis is
//! logarithmic, they are logarithms already, and the labels undo it.

use std::ops::Range;

/// One plot.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// To the right.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// Lines.
    pub curves: Vec<Curve>,
    /// Single points.
    pub marks: Vec<Mark>,
    /// Where there is room for the names of the curves.
    pub legend: Corner,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it counts.
    pub title: &'static str,
    /// From where to where.
    pub range: Range<f64>,
    /// Where it has labels, and which.
    pub ticks: Vec<(f64, String)>,
}

/// A line with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// In the legend.
    pub name: String,
    /// Which colour.
    pub colour: usize,
    /// Broken.
    pub dashed: bool,
    /// In order.
    pub points: Vec<(f64, f64)>,
}

/// A point that passed or failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where.
    pub at: (f64, f64),
    /// Green or red.
    pub good: bool,
    /// Beside it.
    pub label: String,
}

/// Part of a plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corner {
    /// For curves that stay up.
    LowerMiddle,
    /// For what rises.
    LowerRight,
}

impl Axis {
    /// Linear, from `least` to a round number at or above `most`, a label at each of four to ten round numbers.
    pub fn linear(title: &'static str, least: f64, most: f64, label: fn(f64) -> String) -> Self {
        let span = if most > least { most - least } else { 1.0 };
        let power = 10f64.powf((span / 8.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = step
            .into_iter()
            .find(|step| span / step <= 8.0)
            .unwrap_or(span);
        let (from, to) = ((least / step).floor(), ((least + span) / step).ceil());
        let ticks = (0..=(to - from) as usize).map(|i| (from + i as f64) * step);
        let ticks = ticks.map(|at| (at, label(at))).collect();
        Axis {
            title,
            range: from * step..to * step,
            ticks,
        }
    }

    /// Logarithmic, for values from `least` to `most` (above 0): whole decades, within which 2 and 5 are labelled when
    /// they are few.
    pub fn logarithmic(
        title: &'static str,
        least: f64,
        most: f64,
        label: fn(f64) -> String,
    ) -> Self {
        let from = least.log10().floor();
        let to = most.log10().ceil().max(from + 1.0);
        let between: &[f64] = if to - from <= 3.0 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let decades = (0..(to - from) as usize).map(|i| from + i as f64);
        let mut ticks: Vec<f64> = decades
            .flat_map(|decade| between.iter().map(move |f| decade + f.log10()))
            .collect();
        ticks.push(to);
        let ticks = ticks
            .into_iter()
            .map(|at| (at, label(10f64.powf(at))))
            .collect();
        Axis {
            title,
            range: from..to,
            ticks,
        }
    }

    /// The label at a tick.
    pub fn label(&self, at: f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| *tick == at);
        tick.map_or(String::new(), |(_, label)| label.clone())
    }
}

/// Without zeros behind the point: `10 µs`, not `10.0 µs`.
pub fn round(text: String) -> String {
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!(
                "{} {unit}",
                number.trim_end_matches('0').trim_end_matches('.')
            )
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_all() {
        let axis = Axis::linear("", 0.0, 1_234_567.0, |value| value.to_string());
        assert_eq!(axis.range, 0.0..1_400_000.0);
        assert_eq!(axis.ticks.len(), 8);
        for most in [0.0, 0.3, 1.0, 59.0, 1e18] {
            let axis = Axis::linear("", 0.0, most, |value| value.to_string());
            assert!(
                axis.range.end >= most && (4..=10).contains(&axis.ticks.len()),
                "{axis:?}"
            );
        }
        let axis = Axis::logarithmic("", 870.0, 123_456.0, |value| value.to_string());
        assert_eq!((axis.range, axis.ticks.len()), (2.0..6.0, 5));
        assert_eq!(
            Axis::logarithmic("", 1.0, 1.0, |value| value.to_string()).range,
            0.0..1.0
        );
    }

    #[test]
    fn labels_are_round() {
        for (text, expected) in [
            ("10.0 µs", "10 µs"),
            ("1.50 s", "1.5 s"),
            ("100 ns", "100 ns"),
            ("-", "-"),
        ] {
            assert_eq!(round(text.into()), expected);
        }
    }
}
