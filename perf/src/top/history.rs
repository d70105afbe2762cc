//! What the headline numbers were, for sparklines.
//!
//! Invariant: points follow each other in time and do not overlap. A cell of a sparkline stands for a fixed stretch of
//! the clock, so bars move to the left as they are and never change shape; a stretch nobody knows anything of (the
//! engine was down) has no bar.

use std::collections::VecDeque;

/// The numbers that have a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// Frames a second sent by underlay ports.
    Out,
    /// Frames a second received by underlay ports.
    In,
    /// Frames a second dropped, all ports.
    Drops,
    /// Busy share of the busiest worker.
    Busy,
}

/// The mean of each series over a stretch of time.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub start_ns: u64,
    /// Its end.
    pub end_ns: u64,
    /// By [`Series`].
    pub values: [f64; 4],
}

/// Points kept: an hour at one a second.
const POINTS: usize = 3600;

/// The points, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    points: VecDeque<Point>,
}

impl History {
    /// Adds what follows. A clock that went back begins anew.
    pub fn push(&mut self, point: Point) {
        if point.start_ns >= point.end_ns {
            return;
        }
        if self
            .points
            .back()
            .is_some_and(|last| last.end_ns > point.start_ns)
        {
            self.points.clear();
        }
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }

    /// The last `width` cells of `cell_ns` until `now_ns`, oldest first: means over their stretch.
    pub fn cells(
        &self,
        series: Series,
        width: usize,
        cell_ns: u64,
        now_ns: u64,
    ) -> Vec<Option<f64>> {
        let cell_ns = cell_ns.max(1);
        let last = now_ns / cell_ns;
        let first = last.saturating_sub(width.saturating_sub(1) as u64);
        // Sum of value x nanoseconds, and nanoseconds.
        let mut sums = vec![(0.0, 0.0); width];
        for point in self.points.iter().rev() {
            if point.end_ns / cell_ns < first {
                break;
            }
            let value = point.values[series as usize];
            let touched =
                (point.start_ns / cell_ns).max(first)..=(point.end_ns / cell_ns).min(last);
            for cell in touched {
                let start = point.start_ns.max(cell * cell_ns);
                let end = point
                    .end_ns
                    .min(cell.saturating_add(1).saturating_mul(cell_ns));
                let ns = end.saturating_sub(start) as f64;
                if let Some((sum, time)) = sums.get_mut((cell - first) as usize) {
                    *sum += value * ns;
                    *time += ns;
                }
            }
        }
        let mean = |(sum, ns): (f64, f64)| (ns > 0.0).then(|| sum / ns);
        sums.into_iter().map(mean).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(start_ns: u64, end_ns: u64, value: f64) -> Point {
        Point {
            start_ns,
            end_ns,
            values: [value, 0.0, 0.0, 0.0],
        }
    }

    #[test]
    fn a_cell_is_the_mean_over_its_stretch_and_gaps_stay_empty() {
        let mut history = History::default();
        history.push(point(0, 10, 1.0));
        history.push(point(10, 15, 4.0));
        // Down from 15 to 30.
        history.push(point(30, 38, 2.0));
        let cells = history.cells(Series::Out, 4, 10, 38);
        assert_eq!(cells, [Some(1.0), Some(4.0), None, Some(2.0)]);
    }

    #[test]
    fn time_moves_bars_and_does_not_change_them() {
        let mut history = History::default();
        for n in 0..20u64 {
            history.push(point(7 * n, 7 * (n + 1), n as f64));
        }
        let before = history.cells(Series::Out, 8, 10, 140);
        let after = history.cells(Series::Out, 8, 10, 150);
        assert_eq!(before[1..], after[..7]);
        assert_eq!(after[7], None);
    }

    #[test]
    fn a_clock_that_goes_back_begins_anew() {
        let mut history = History::default();
        history.push(point(100, 110, 1.0));
        history.push(point(0, 10, 2.0));
        assert_eq!(history.cells(Series::Out, 2, 10, 9), [Some(2.0), None]);
    }

    proptest! {
        #[test]
        fn means_stay_between_the_values(
            steps in proptest::collection::vec((1..100u64, 0..50u64, 0.0..10.0f64), 1..100),
            width in 0..50usize, cell in 0..200u64,
        ) {
            let (mut history, mut now) = (History::default(), 0);
            for (length, gap, value) in steps {
                history.push(point(now + gap, now + gap + length, value));
                now += gap + length;
            }
            let cells = history.cells(Series::Out, width, cell, now);
            prop_assert_eq!(cells.len(), width);
            for value in cells.into_iter().flatten() {
                prop_assert!((-1e-9..=10.0 + 1e-9).contains(&value));
            }
        }

        #[test]
        fn any_times_do(points in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..20), cell: u64, now: u64) {
            let mut history = History::default();
            for (start, end) in points {
                history.push(point(start, end, 1.0));
            }
            prop_assert_eq!(history.cells(Series::Busy, 30, cell, now).len(), 30);
        }
    }
}
