//! Any report that there could be: reports are read from files, and files are input.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::bench::html::made_up;
use crate::bench::model::{
    Axis, Better, Cell, Entrant, Flood, Loss, Measure, Report, Station, Wire,
};
use crate::bench::verdict::{BASELINE, OURS};

/// Few entrants and many collisions between them, for that is where code goes wrong.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(OURS.to_owned()),
        3 => Just(BASELINE.to_owned()),
        2 => Just("</td><script>".to_owned()),
        1 => any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..1000.0,
        1 => Just(0.0),
        1 => prop::num::f64::ANY,
    ]
}

fn point() -> impl Strategy<Value = Option<f64>> {
    option::of(prop_oneof![
        3 => Just(64.0),
        3 => Just(1400.0),
        1 => value(),
    ])
}

prop_compose! {
    fn cell()(contender in name(), x in point(), samples in vec(option::of(value()), 0..4), notes in vec(any::<String>(), 0..2)) -> Cell {
        Cell { contender, x, samples, notes }
    }
}

fn axis() -> impl Strategy<Value = Axis> {
    let parts = (any::<String>(), any::<String>(), any::<bool>());
    parts.prop_map(|(title, unit, log)| Axis { title, unit, log })
}

prop_compose! {
    fn measure()(
        texts: [String; 5],
        less: bool,
        wire in prop_oneof![Just(Wire::Plain), Just(Wire::Gro), Just(Wire::Offloads)],
        axis in option::of(axis()),
        cells in vec(cell(), 0..8),
    ) -> Measure {
        let [id, group, title, how, unit] = texts;
        let better = if less { Better::Less } else { Better::More };
        Measure { id, group, title, how, unit, better, wire, axis, cells }
    }
}

fn loss() -> impl Strategy<Value = Loss> {
    let parts = (any::<String>(), any::<u64>());
    parts.prop_map(|(reason, packets)| Loss { reason, packets })
}

fn station() -> impl Strategy<Value = Station> {
    let parts = (any::<String>(), any::<u64>(), vec(loss(), 0..3));
    parts.prop_map(|(place, packets, lost)| Station {
        place,
        packets,
        lost,
    })
}

fn flood() -> impl Strategy<Value = Flood> {
    let parts = (name(), any::<String>(), vec(station(), 0..4));
    parts.prop_map(|(contender, title, stations)| Flood {
        contender,
        title,
        stations,
    })
}

fn entrant() -> impl Strategy<Value = Entrant> {
    let parts = (name(), any::<String>(), option::of(any::<String>()));
    parts.prop_map(|(name, what, absent)| Entrant { name, what, absent })
}

/// Any report.
pub fn report() -> impl Strategy<Value = Report> {
    let parts = (
        any::<[String; 4]>(),
        prop::num::f64::ANY,
        any::<u32>(),
        vec(entrant(), 0..5),
        vec(measure(), 0..4),
        vec(flood(), 0..3),
        vec(any::<String>(), 0..3),
    );
    parts.prop_map(
        |(texts, seconds, rounds, contenders, measures, floods, remarks)| {
            let mut report = made_up::report();
            [
                report.version,
                report.began,
                report.machine.cpu,
                report.machine.command,
            ] = texts;
            Report {
                seconds,
                rounds,
                contenders,
                measures,
                floods,
                remarks,
                ..report
            }
        },
    )
}
