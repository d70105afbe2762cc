use super::super::{Better, Cell, Flood, Loss, Measure, Station, Wire};
use super::*;

fn cell(contender: &str, samples: &[Option<f64>]) -> Cell {
    Cell {
        contender: contender.to_owned(),
        x: None,
        samples: samples.to_vec(),
        notes: Vec::new(),
    }
}

fn measure(better: Better) -> Measure {
    Measure {
        id: "pods.test".into(),
        group: "Test".into(),
        title: "Test".into(),
        how: "By hand".into(),
        unit: "kpps".into(),
        better,
        wire: Wire::Plain,
        axis: None,
        // The second round was slow for everybody, and the third lost one sample.
        cells: vec![
            cell(
                "tweed",
                &[Some(200.0), Some(20.0), Some(180.0), Some(220.0)],
            ),
            cell("kernel", &[Some(100.0), Some(10.0), None, Some(100.0)]),
        ],
    }
}

#[test]
fn a_slow_round_is_not_in_the_ratio_and_a_missing_one_neither() {
    let ratio = measure(Better::More)
        .ratio("tweed", "kernel", None)
        .unwrap();
    assert_eq!((ratio.low, ratio.median, ratio.high), (2.0, 2.0, 2.2));
}

#[test]
fn where_less_is_better_the_smaller_one_is_above_one() {
    let ratio = measure(Better::Less)
        .ratio("kernel", "tweed", None)
        .unwrap();
    assert_eq!(ratio.median, 2.0);
}

#[test]
fn no_ratio_to_nobody_or_to_nothing() {
    let mut measure = measure(Better::More);
    assert_eq!(measure.ratio("tweed", "ovs", None), None);
    measure.cells[1].samples = vec![Some(0.0); 4];
    assert_eq!(measure.ratio("tweed", "kernel", None), None);
}

#[test]
fn medians_of_odd_even_and_nothing() {
    let of = |values: &[f64]| Summary::of(values.iter().copied()).map(|s| s.median);
    assert_eq!(of(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    assert_eq!(of(&[]), None);
}

#[test]
fn what_no_counter_has_is_unaccounted() {
    let station = |packets, lost: &[u64]| Station {
        place: "somewhere".into(),
        packets,
        lost: lost
            .iter()
            .map(|packets| Loss {
                reason: "ring full".into(),
                packets: *packets,
            })
            .collect(),
    };
    let flood = Flood {
        contender: "tweed".into(),
        title: "64 B".into(),
        stations: vec![station(100, &[]), station(80, &[15]), station(70, &[10])],
    };
    assert_eq!(flood.unaccounted(), 5);
}
