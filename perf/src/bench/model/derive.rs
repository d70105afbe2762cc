//! What follows from the samples.

use super::{Better, Cell, Flood, Measure};

/// Middle and ends of a cell's samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The middle.
    pub median: f64,
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

impl Summary {
    /// Of whatever there is; `None` of nothing.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Some(Summary {
            median: median(&values)?,
            low: *values.first()?,
            high: *values.last()?,
        })
    }

    /// Distance of the ends, as a share of the middle; 0 when all are 0.
    pub fn spread(&self) -> f64 {
        match self.median {
            0.0 => 0.0,
            middle => (self.high - self.low) / middle,
        }
    }
}

/// How a contender did beside another at one point: ratios within each round, so what slowed a whole round down is not in them.
///
/// Above 1 the contender did better, whichever way is better.
pub type Ratio = Summary;

/// The middle of sorted values, or the mean of the two in the middle.
pub fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

impl Cell {
    /// Of the rounds that gave a sample.
    pub fn summary(&self) -> Option<Summary> {
        Summary::of(self.samples.iter().copied().flatten())
    }
}

impl Measure {
    /// A contender's cell at a point.
    pub fn cell(&self, contender: &str, x: Option<f64>) -> Option<&Cell> {
        let here = |cell: &&Cell| cell.contender == contender && cell.x == x;
        self.cells.iter().find(here)
    }

    /// The points of the axis, in the order measured.
    pub fn points(&self) -> Vec<Option<f64>> {
        let mut points = Vec::new();
        for cell in &self.cells {
            if !points.contains(&cell.x) {
                points.push(cell.x);
            }
        }
        points
    }

    /// `contender` beside `baseline`; `None` when no round has both, or the divisor is 0.
    pub fn ratio(&self, contender: &str, baseline: &str, x: Option<f64>) -> Option<Ratio> {
        let (one, other) = (self.cell(contender, x)?, self.cell(baseline, x)?);
        let rounds = one.samples.iter().zip(&other.samples);
        let ratios = rounds.filter_map(|(one, other)| {
            let (over, under) = match self.better {
                Better::More => ((*one)?, (*other)?),
                Better::Less => ((*other)?, (*one)?),
            };
            (under != 0.0).then(|| over / under)
        });
        Summary::of(ratios)
    }
}

impl Flood {
    /// Packets sent that neither arrived nor are in any counter. Negative: counted twice somewhere.
    pub fn unaccounted(&self) -> i128 {
        let ends = (self.stations.first(), self.stations.last());
        let (Some(sent), Some(arrived)) = ends else {
            return 0;
        };
        let losses = self.stations.iter().flat_map(|station| &station.lost);
        let lost: i128 = losses.map(|loss| i128::from(loss.packets)).sum();
        i128::from(sent.packets) - i128::from(arrived.packets) - lost
    }
}

#[cfg(test)]
mod tests;
