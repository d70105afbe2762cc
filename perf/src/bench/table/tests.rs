use super::*;
use crate::bench::machine::Machine;
use crate::bench::model::{Axis, Better, Entrant, Loss, SCHEMA, Station, Wire};

fn cell(contender: &str, x: Option<f64>, samples: &[Option<f64>], notes: &[&str]) -> Cell {
    Cell {
        contender: contender.to_owned(),
        x,
        samples: samples.to_vec(),
        notes: notes.iter().map(|note| (*note).to_owned()).collect(),
    }
}

fn measure(id: &str, axis: Option<&str>, cells: Vec<Cell>) -> Measure {
    Measure {
        id: id.to_owned(),
        group: "Test".to_owned(),
        title: format!("Title of {id}"),
        how: "By hand".to_owned(),
        unit: "kpps".to_owned(),
        better: Better::More,
        wire: Wire::Plain,
        axis: axis.map(|title| Axis {
            title: title.to_owned(),
            unit: "B".to_owned(),
            log: false,
        }),
        cells,
    }
}

/// A made-up report.
fn report() -> Report {
    let entrant = |name: &str, absent: Option<&str>| Entrant {
        name: name.to_owned(),
        what: "made up".to_owned(),
        absent: absent.map(str::to_owned),
    };
    let size = Some(64.0);
    Report {
        schema: SCHEMA,
        version: "0.0.0".to_owned(),
        began: "2026-01-01T00:00:00Z".to_owned(),
        seconds: 90.0,
        machine: Machine::here(),
        rounds: 3,
        contenders: vec![
            entrant("tweed", None),
            entrant("kernel vxlan", None),
            entrant("Open vSwitch", Some("install openvswitch-switch")),
        ],
        measures: vec![
            measure(
                "pods.a",
                None,
                vec![
                    cell("tweed", None, &[Some(200.0), Some(220.0), Some(210.0)], &[]),
                    cell(
                        "kernel vxlan",
                        None,
                        &[Some(100.0), Some(100.0), Some(100.0)],
                        &["warm"],
                    ),
                ],
            ),
            measure(
                "pods.b",
                Some("Frame size"),
                vec![
                    cell("tweed", size, &[None, None], &["no sample: it burns"]),
                    cell("kernel vxlan", size, &[Some(0.5), None], &[]),
                ],
            ),
        ],
        floods: vec![Flood {
            contender: "tweed".to_owned(),
            title: "64 B".to_owned(),
            stations: vec![
                Station {
                    place: "generator".to_owned(),
                    packets: 100,
                    lost: Vec::new(),
                },
                Station {
                    place: "sink".to_owned(),
                    packets: 70,
                    lost: vec![Loss {
                        reason: "ring full".to_owned(),
                        packets: 25,
                    }],
                },
            ],
        }],
        remarks: vec!["few rounds: 2".to_owned()],
    }
}

fn text(style: Style) -> String {
    Table::new(&report(), style).to_string()
}

#[test]
fn a_line_has_median_spread_and_ratio_with_its_own() {
    let text = self::text(Style::new(false));
    let line = text.lines().find(|line| line.contains("210")).unwrap();
    for part in ["tweed", "200..220", "▲ 2.10 (2.00..2.20)"] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn what_is_missing_is_told() {
    let text = self::text(Style::new(false));
    for part in [
        "tweed at 64 B: no sample: it burns",
        "kernel vxlan: warm",
        "absent: Open vSwitch: install openvswitch-switch",
        "remark: few rounds: 2",
        "25    lost: ring full",
        "5  unaccounted",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn a_ratio_that_every_round_has_is_green() {
    let ratio = |text: &str| {
        let line = text.lines().find(|line| line.contains("2.10")).unwrap();
        line.contains("\x1b[32m")
    };
    assert!(ratio(&text(Style::new(true))));
    assert!(!ratio(&text(Style::new(false))));
}

#[test]
fn a_note_that_concerns_several_stands_once() {
    let mut report = report();
    for cell in &mut report.measures[0].cells {
        cell.notes = vec!["cold".to_owned()];
    }
    let text = Table::new(&report, Style::new(false)).to_string();
    assert!(text.contains("  tweed, kernel vxlan: cold\n"), "{text}");
}

#[test]
fn json_comes_back_as_it_was() {
    let report = report();
    let json = serde_json::to_string_pretty(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}
