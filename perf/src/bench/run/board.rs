//! The samples of one task as they come in: a cell for each measure, contender and point.

use super::schedule::{PATIENCE, Seat};
use crate::bench::Result;
use crate::bench::measure::Figures;
use crate::bench::model::{Cell, Measure};

/// Longest note; what is longer is cut, and stands whole on stderr.
const NOTE: usize = 240;

/// The measures of a task, being filled.
pub struct Board {
    measures: Vec<Measure>,
    /// The points of their axis.
    pub points: Vec<Option<f64>>,
    /// Who is asked.
    pub seats: Vec<Seat>,
    /// Of each seat: how often in a row it has failed.
    failures: Vec<u32>,
}

impl Board {
    /// Empty cells for all.
    pub fn new(mut measures: Vec<Measure>, points: Vec<Option<f64>>, seats: Vec<Seat>) -> Self {
        for measure in &mut measures {
            for seat in &seats {
                let cell = |x: &Option<f64>| Cell {
                    contender: seat.name.clone(),
                    x: *x,
                    samples: Vec::new(),
                    notes: seat.absent.iter().map(|why| line(why)).collect(),
                };
                measure.cells.extend(points.iter().map(cell));
            }
        }
        Board {
            measures,
            points,
            failures: vec![0; seats.len()],
            seats,
        }
    }

    /// The id of its first measure, which stands for all.
    pub fn id(&self) -> &str {
        self.measures.first().map_or("", |measure| &measure.id)
    }

    /// Whether a seat is (still) asked.
    pub fn takes_part(&self, seat: usize) -> bool {
        self.seats[seat].absent.is_none() && self.failures[seat] < PATIENCE
    }

    /// Enters what a look gave in a round, counted from 1.
    pub fn enter(&mut self, round: u32, seat: usize, point: usize, looked: Result<Figures>) {
        let index = seat * self.points.len() + point;
        match looked {
            Ok(figures) => {
                self.failures[seat] = 0;
                for (number, measure) in self.measures.iter_mut().enumerate() {
                    let cell = &mut measure.cells[index];
                    // JSON knows no infinity: what is no number is no sample.
                    let value = figures.values.get(number).copied().flatten();
                    put(cell, round, value.filter(|value| value.is_finite()));
                    figures.notes.iter().for_each(|text| note(cell, text));
                }
            }
            Err(error) => {
                self.failures[seat] += 1;
                for measure in &mut self.measures {
                    let cell = &mut measure.cells[index];
                    put(cell, round, None);
                    note(cell, &format!("no sample: {error}"));
                }
                if !self.takes_part(seat) {
                    self.dismiss(seat);
                }
            }
        }
    }

    /// Says at each point of a seat that it is asked no more.
    fn dismiss(&mut self, seat: usize) {
        let text = format!("absent from here on: failed {PATIENCE} times in a row");
        let points = self.points.len();
        for measure in &mut self.measures {
            for cell in &mut measure.cells[seat * points..(seat + 1) * points] {
                note(cell, &text);
            }
        }
    }

    /// The measures, with a sample or none for each of so many rounds.
    pub fn finish(mut self, rounds: u32) -> Vec<Measure> {
        for cell in self.measures.iter_mut().flat_map(|m| &mut m.cells) {
            cell.samples.resize(rounds as usize, None);
        }
        self.measures
    }
}

/// Puts a round's sample into its place; rounds that were left out gave none.
fn put(cell: &mut Cell, round: u32, value: Option<f64>) {
    cell.samples.resize(round as usize - 1, None);
    cell.samples.push(value);
}

/// Adds a note, unless one is there that says the same with other numbers.
fn note(cell: &mut Cell, text: &str) {
    let text = line(text);
    let same = |other: &String| words(other) == words(&text);
    if !cell.notes.iter().any(same) {
        cell.notes.push(text);
    }
}

/// The first line of a text, not too long.
fn line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default().trim();
    match first.char_indices().nth(NOTE) {
        Some((end, _)) => format!("{}...", &first[..end]),
        None => first.to_owned(),
    }
}

/// A text without its numbers.
fn words(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_ascii_digit() && *c != '.')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::model::{Better, Wire};
    use crate::lab::LabError;

    fn board(absent: Option<&str>) -> Board {
        let measure = |id: &str| Measure {
            id: id.to_owned(),
            group: "Test".to_owned(),
            title: "Test".to_owned(),
            how: String::new(),
            unit: "kpps".to_owned(),
            better: Better::More,
            wire: Wire::Plain,
            axis: None,
            cells: Vec::new(),
        };
        let seat = |name: &str, absent: Option<&str>| Seat {
            name: name.to_owned(),
            absent: absent.map(str::to_owned),
        };
        Board::new(
            vec![measure("a"), measure("b")],
            vec![Some(1.0), Some(2.0)],
            vec![seat("tweed", None), seat("ovs", absent)],
        )
    }

    fn failure() -> Result<Figures> {
        Err(LabError::Unexpected("it burns\nand more".to_owned()))
    }

    #[test]
    fn a_look_feeds_every_measure_at_its_point() {
        let mut board = board(None);
        board.enter(1, 1, 0, Ok(Figures::of([3.0, 4.0])));
        let measures = board.finish(1);
        let samples = |measure: usize, x| {
            measures[measure]
                .cell("ovs", Some(x))
                .unwrap()
                .samples
                .clone()
        };
        assert_eq!(samples(0, 1.0), [Some(3.0)]);
        assert_eq!(samples(1, 1.0), [Some(4.0)]);
        assert_eq!(samples(1, 2.0), [None]);
    }

    #[test]
    fn a_failure_is_no_sample_and_one_note_and_the_next_round_has_its_place() {
        let mut board = board(None);
        board.enter(1, 0, 0, failure());
        board.enter(2, 0, 0, failure());
        board.enter(4, 0, 0, Ok(Figures::of([7.0, f64::INFINITY])));
        assert!(board.takes_part(0));
        let measures = board.finish(4);
        let cell = measures[0].cell("tweed", Some(1.0)).unwrap();
        assert_eq!(cell.samples, [None, None, None, Some(7.0)]);
        assert_eq!(cell.notes, ["no sample: it burns"]);
        let cell = measures[1].cell("tweed", Some(1.0)).unwrap();
        assert_eq!(cell.samples[3], None, "infinity is no sample");
    }

    #[test]
    fn three_failures_in_a_row_are_enough_and_said_at_every_point() {
        let mut board = board(None);
        for point in [0, 1, 0] {
            assert!(board.takes_part(0));
            board.enter(1, 0, point, failure());
        }
        assert!(!board.takes_part(0));
        assert!(board.takes_part(1));
        for cell in board.finish(1)[1]
            .cells
            .iter()
            .filter(|c| c.contender == "tweed")
        {
            assert!(cell.notes.iter().any(|note| note.contains("3 times")));
        }
    }

    #[test]
    fn a_success_between_failures_is_a_new_chance() {
        let mut board = board(None);
        for looked in [failure(), failure(), Ok(Figures::of([1.0, 1.0])), failure()] {
            board.enter(1, 0, 0, looked);
        }
        assert!(board.takes_part(0));
    }

    #[test]
    fn an_empty_seat_says_why() {
        let board = board(Some("install it"));
        assert!(!board.takes_part(1));
        assert_eq!(
            board.finish(2)[0].cell("ovs", Some(2.0)).unwrap().notes,
            ["install it"]
        );
    }

    #[test]
    fn notes_that_differ_by_numbers_only_are_one() {
        let mut board = board(None);
        for round in 1..=3 {
            let mut figures = Figures::of([1.0, 1.0]);
            figures.notes = vec![format!("{round}.5 % lost"), "another".to_owned()];
            board.enter(round, 0, 0, Ok(figures));
        }
        assert_eq!(board.finish(3)[0].cells[0].notes, ["1.5 % lost", "another"]);
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let cut = line(&"ä".repeat(1000));
        assert_eq!(cut.chars().count(), NOTE + 3);
    }
}
