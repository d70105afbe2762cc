//! Who is measured when: round after round, in each measure after measure, point after point, contender after contender.
//!
//! So neighbours in time are contenders of one point, and what drifts drifts for all of them. A contender that fails gives no
//! sample and is asked again; one that failed three times in a row in a measure has been asked often enough.

use std::time::Duration;

use super::board::Board;
use super::progress::Progress;
use crate::bench::Result;
use crate::bench::measure::Figures;
use crate::bench::model::{Flood, Measure};

/// Failures in a row after which a contender is absent from a measure.
pub const PATIENCE: u32 = 3;

/// Something to be done with each contender at each point. `F` is where the contenders stand.
pub trait Task<F> {
    /// The measures that it feeds, without cells.
    fn measures(&self) -> Vec<Measure>;

    /// The points of their axis; one `None` where they have none.
    fn points(&self) -> Vec<Option<f64>>;

    /// Those who are asked, in the order of tables.
    fn seats(&self, field: &F) -> Vec<Seat>;

    /// About how long one look takes, all included.
    fn expected(&self) -> Duration;

    /// Looks at one contender at one point.
    fn look(&self, field: &mut F, contender: &str, x: Option<f64>, last: bool) -> Result<Figures>;
}

/// A contender's place in a measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Its name.
    pub name: String,
    /// Why it is empty.
    pub absent: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// With their cells.
    pub measures: Vec<Measure>,
    /// Of the last round.
    pub floods: Vec<Flood>,
    /// Rounds begun: so many samples every cell has.
    pub rounds: u32,
    /// Whether it was ended early.
    pub interrupted: bool,
}

/// Asks everyone everything, until done or until `stop` says so.
pub fn run<F, T: Task<F>>(
    tasks: &[T],
    field: &mut F,
    rounds: u32,
    stop: &dyn Fn() -> bool,
    progress: &mut Progress,
) -> Outcome {
    let mut boards: Vec<Board> = (tasks.iter())
        .map(|task| Board::new(task.measures(), task.points(), task.seats(field)))
        .collect();
    let mut outcome = Outcome::default();
    'rounds: for round in 1..=rounds {
        outcome.rounds = round;
        for (number, (task, board)) in tasks.iter().zip(&mut boards).enumerate() {
            for point in 0..board.points.len() {
                for seat in 0..board.seats.len() {
                    if stop() {
                        outcome.interrupted = true;
                        break 'rounds;
                    }
                    if !board.takes_part(seat) {
                        continue;
                    }
                    let (name, x) = (board.seats[seat].name.clone(), board.points[point]);
                    progress.begin(round, number, &name, x);
                    let mut looked = task.look(field, &name, x, round == rounds);
                    // What fails while everything is being stopped says nothing about the contender.
                    if stop() && looked.is_err() {
                        continue;
                    }
                    if let Err(error) = &looked {
                        progress.failed(&format!("{} of {name}: {error}", board.id()));
                    }
                    progress.end(number);
                    let flood = looked
                        .as_mut()
                        .ok()
                        .and_then(|figures| figures.flood.take());
                    outcome.floods.extend(flood);
                    board.enter(round, seat, point, looked);
                    if !board.takes_part(seat) {
                        progress.gone(number, board.points.len());
                    }
                }
            }
        }
    }
    for board in boards {
        outcome.measures.extend(board.finish(outcome.rounds));
    }
    outcome
}

#[cfg(test)]
mod tests;
