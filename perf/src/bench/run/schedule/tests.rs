//! The order of looks and what failures do to it. What is asked here is a list that writes itself down.

use std::cell::Cell;
use std::time::Duration;

use super::*;
use crate::bench::model::{Better, Wire};
use crate::lab::LabError;

/// What was asked, in order: task, point, contender, and whether in the last round.
#[derive(Default)]
struct Diary(Vec<(&'static str, Option<f64>, String, bool)>);

struct Fake {
    id: &'static str,
    points: Vec<Option<f64>>,
    seats: Vec<Seat>,
    fails: fn(looks: usize, contender: &str) -> bool,
}

fn fake(id: &'static str, points: &[Option<f64>]) -> Fake {
    let seat = |name: &str| Seat {
        name: name.to_owned(),
        absent: None,
    };
    Fake {
        id,
        points: points.to_vec(),
        seats: ["tweed", "kernel vxlan", "ovs"].map(seat).into(),
        fails: |_, _| false,
    }
}

impl Task<Diary> for Fake {
    fn measures(&self) -> Vec<Measure> {
        vec![Measure {
            id: self.id.to_owned(),
            group: "Test".to_owned(),
            title: "Test".to_owned(),
            how: String::new(),
            unit: "kpps".to_owned(),
            better: Better::More,
            wire: Wire::Plain,
            axis: None,
            cells: Vec::new(),
        }]
    }

    fn points(&self) -> Vec<Option<f64>> {
        self.points.clone()
    }

    fn seats(&self, _: &Diary) -> Vec<Seat> {
        self.seats.clone()
    }

    fn expected(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn look(
        &self,
        diary: &mut Diary,
        contender: &str,
        x: Option<f64>,
        last: bool,
    ) -> Result<Figures> {
        let looks = diary.0.len();
        diary.0.push((self.id, x, contender.to_owned(), last));
        match (self.fails)(looks, contender) {
            true => Err(LabError::Unexpected("it burns".to_owned())),
            false => Ok(Figures::of([looks as f64])),
        }
    }
}

fn go(tasks: &[Fake], rounds: u32, stop: &dyn Fn() -> bool) -> (Diary, Outcome) {
    let mut diary = Diary::default();
    let rows = tasks.iter().map(|task| {
        let looks = task.points.len() * task.seats.len();
        (task.id.to_owned(), looks, task.expected())
    });
    let mut progress = Progress::new(rounds, rows.collect());
    let outcome = run(tasks, &mut diary, rounds, stop, &mut progress);
    (diary, outcome)
}

#[test]
fn contenders_alternate_within_a_point_within_a_measure_within_a_round() {
    let tasks = [fake("a", &[Some(1.0), Some(2.0)]), fake("b", &[None])];
    let (diary, outcome) = go(&tasks, 2, &|| false);
    let mut expected = Vec::new();
    for last in [false, true] {
        for (id, x) in [("a", Some(1.0)), ("a", Some(2.0)), ("b", None)] {
            for name in ["tweed", "kernel vxlan", "ovs"] {
                expected.push((id, x, name.to_owned(), last));
            }
        }
    }
    assert_eq!(diary.0, expected);
    assert_eq!((outcome.rounds, outcome.interrupted), (2, false));
    let cell = outcome.measures[0].cell("kernel vxlan", Some(2.0)).unwrap();
    assert_eq!(cell.samples, [Some(4.0), Some(13.0)]);
}

#[test]
fn who_fails_once_has_a_hole_and_the_others_go_on() {
    let task = Fake {
        fails: |looks, _| looks == 1,
        ..fake("a", &[None])
    };
    let (_, outcome) = go(&[task], 3, &|| false);
    let samples = |name: &str| {
        outcome.measures[0]
            .cell(name, None)
            .unwrap()
            .samples
            .clone()
    };
    assert_eq!(samples("tweed"), [Some(0.0), Some(3.0), Some(6.0)]);
    assert_eq!(samples("kernel vxlan"), [None, Some(4.0), Some(7.0)]);
    assert_eq!(samples("ovs"), [Some(2.0), Some(5.0), Some(8.0)]);
}

#[test]
fn who_fails_three_times_in_a_row_is_not_asked_again_in_that_measure_only() {
    let task = |id, fails| Fake {
        fails,
        ..fake(id, &[None])
    };
    let tasks = [task("a", |_, name| name == "ovs"), task("b", |_, _| false)];
    let (diary, outcome) = go(&tasks, 5, &|| false);
    let asked = |id: &str| {
        let of_ovs = |look: &&(&str, Option<f64>, String, bool)| look.0 == id && look.2 == "ovs";
        diary.0.iter().filter(of_ovs).count()
    };
    assert_eq!((asked("a"), asked("b")), (3, 5));
    let cell = outcome.measures[0].cell("ovs", None).unwrap();
    assert_eq!(cell.samples, [None; 5]);
    assert!(
        cell.notes
            .iter()
            .any(|note| note.contains("3 times in a row")),
        "{cell:?}"
    );
}

#[test]
fn who_is_absent_is_not_asked_and_says_why() {
    let mut task = fake("a", &[None]);
    task.seats[2].absent = Some("install openvswitch-switch".to_owned());
    let (diary, outcome) = go(&[task], 2, &|| false);
    assert!(diary.0.iter().all(|look| look.2 != "ovs"));
    let cell = outcome.measures[0].cell("ovs", None).unwrap();
    assert_eq!(cell.notes, ["install openvswitch-switch"]);
    assert_eq!(cell.samples, [None, None]);
}

#[test]
fn an_interrupted_run_keeps_what_there_is_and_every_cell_has_as_many_samples() {
    // Asked before each look and after each failure.
    let asked = Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 8
    };
    let (diary, outcome) = go(&[fake("a", &[None])], 5, &stop);
    assert!(outcome.interrupted);
    assert!(!diary.0.is_empty() && diary.0.len() < 15);
    assert_eq!(outcome.rounds as usize, diary.0.len().div_ceil(3));
    for cell in &outcome.measures[0].cells {
        assert_eq!(cell.samples.len(), outcome.rounds as usize);
    }
    assert_eq!(outcome.measures[0].cells[0].samples[0], Some(0.0));
}

#[test]
fn what_fails_because_of_the_end_is_no_failure() {
    let (begun, task) = (
        Cell::new(false),
        Fake {
            fails: |_, _| true,
            ..fake("a", &[None])
        },
    );
    // Raised while the first look is under way.
    let stop = || begun.replace(true);
    let (diary, outcome) = go(&[task], 1, &stop);
    assert_eq!(diary.0.len(), 1);
    assert!(
        outcome.measures[0]
            .cells
            .iter()
            .all(|cell| cell.notes.is_empty())
    );
}
