//! A report that nobody measured: every figure of it is invented, and looks it.

use crate::bench::machine::Machine;
use crate::bench::model::{
    Axis, Better, Cell, Entrant, Flood, Loss, Measure, Report, SCHEMA, Station, Wire,
};

/// Contenders, and how much each does of what tweed does.
const FIELD: [(&str, &str, f64); 6] = [
    ("tweed", "both daemons on each node, one worker", 1.0),
    (
        "kernel vxlan",
        "the kernel's vxlan device, as flannel sets it up",
        0.8,
    ),
    ("host-gw", "plain routes, nothing is encapsulated", 1.6),
    (
        "flannel udp",
        "a TUN device and a socket, one packet a system call",
        0.3,
    ),
    (
        "bare AF_XDP",
        "a forwarder in C that looks at nothing: the limit",
        1.03,
    ),
    ("Open vSwitch", "userspace datapath over AF_PACKET", 0.4),
];

/// Of everything something: each kind of measure, missing samples, notes, remarks, an absent contender, floods that add up and that do not.
pub fn report() -> Report {
    let mut measures = Vec::new();
    for (wire, tag, factor) in [
        (Wire::Plain, "", 1.0),
        (Wire::Gro, ".gro", 0.72),
        (Wire::Offloads, ".offloads", 0.5),
    ] {
        let mut one = bars(
            &format!("pods.tcp1{tag}"),
            "TCP goodput",
            "Goodput of one TCP flow",
            "Gbit/s",
            Better::More,
            7.1,
        );
        slow_down(&mut one, factor);
        one.wire = wire;
        measures.push(one);
    }
    measures.push(bars(
        "pods.tcp4",
        "TCP goodput",
        "Goodput of four TCP flows",
        "Gbit/s",
        Better::More,
        9.3,
    ));
    let mut retransmits = bars(
        "pods.tcp1-retransmits",
        "TCP goodput",
        "Segments sent again by one flow",
        "segments",
        Better::Less,
        12.0,
    );
    retransmits.cells[0].samples = vec![Some(0.0); 5];
    measures.push(retransmits);
    let mut p50 = bars(
        "pods.rr.p50",
        "Request and response",
        "Median round trip of 64 bytes over TCP",
        "us",
        Better::Less,
        41.0,
    );
    p50.cells[2].notes = vec!["a connection had to be made anew".into()];
    measures.push(p50);
    let rates = [10.0, 25.0, 50.0, 75.0, 100.0];
    for (id, title, base) in [
        ("pods.latency-p50", "One-way delay, median", 21.0),
        ("pods.latency-p999", "One-way delay, p99.9", 180.0),
    ] {
        let mut delay = lines(
            id,
            "Delay by load",
            title,
            "us",
            Better::Less,
            base,
            ("Offered rate", "kpps", false),
            &rates,
            0.2,
        );
        let at_most = delay.cells.len() - 1;
        delay.cells[at_most].notes = vec!["3.1 % lost at this rate".into()];
        delay.cells[at_most - 7].samples = vec![None; 5];
        measures.push(delay);
    }
    measures.push(lines(
        "veth.encap",
        "One core, frames forwarded",
        "Encapsulated by one core",
        "kpps",
        Better::More,
        930.0,
        ("Frame size", "B", true),
        &[64.0, 256.0, 512.0, 1400.0],
        -0.05,
    ));
    measures.push(lines(
        "veth.routes",
        "One core, frames forwarded",
        "Encapsulated by one core, by number of routes",
        "kpps",
        Better::More,
        930.0,
        ("Routes", "", true),
        &[1.0, 100.0, 10_000.0, 100_000.0],
        -0.1,
    ));
    Report {
        schema: SCHEMA,
        version: "0.1.0".into(),
        began: "2001-02-03T04:05:06Z".into(),
        seconds: 1234.5,
        machine: Machine {
            cpu: "Made-up Processor 9000".into(),
            cpus: 2,
            kernel: "6.18.99-madeup".into(),
            load: "0.07 0.11 0.13 1/200 4711".into(),
            command: "tweed-perf bench --rounds 5".into(),
        },
        rounds: 5,
        contenders: FIELD
            .iter()
            .map(|(name, what, _)| Entrant {
                name: (*name).into(),
                what: (*what).into(),
                absent: None,
            })
            .chain([Entrant {
                name: "absentee".into(),
                what: "one that could not come".into(),
                absent: Some("its program is missing: install made-up-package".into()),
            }])
            .collect(),
        measures,
        floods: floods(),
        remarks: vec![
            "made up: none of these figures was measured".into(),
            "pods.tcp4: kernel vxlan differs by 17 % between rounds: too noisy to say".into(),
        ],
    }
}

fn named(id: &str, group: &str, title: &str, unit: &str, better: Better) -> Measure {
    Measure {
        id: id.into(),
        group: group.into(),
        title: title.into(),
        how: format!("{title}: three seconds a turn, after one second that does not count."),
        unit: unit.into(),
        better,
        wire: Wire::Plain,
        axis: None,
        cells: Vec::new(),
    }
}

/// Around `base`, a little other in each round, and another little for each seed.
fn samples(base: f64, seed: usize) -> Vec<Option<f64>> {
    let wobble = |round: usize| ((round * 7 + seed * 13) % 11) as f64 / 11.0 - 0.5;
    (0..5)
        .map(|round| Some(base * (1.0 + 0.06 * wobble(round))))
        .collect()
}

fn bars(id: &str, group: &str, title: &str, unit: &str, better: Better, base: f64) -> Measure {
    let mut measure = named(id, group, title, unit, better);
    for (seed, (contender, _, times)) in FIELD.iter().enumerate() {
        let base = match better {
            Better::More => base * times,
            Better::Less => base / times,
        };
        measure.cells.push(Cell {
            contender: (*contender).into(),
            x: None,
            samples: samples(base, seed + id.len()),
            notes: Vec::new(),
        });
    }
    measure.cells[1].samples[3] = None;
    measure.cells[1]
        .notes
        .push("no sample in round 4: iperf3 ended early".into());
    measure
}

#[expect(
    clippy::too_many_arguments,
    reason = "a table's row, written once for each measure"
)]
fn lines(
    id: &str,
    group: &str,
    title: &str,
    unit: &str,
    better: Better,
    base: f64,
    (axis, axis_unit, log): (&str, &str, bool),
    points: &[f64],
    slope: f64,
) -> Measure {
    let mut measure = named(id, group, title, unit, better);
    measure.axis = Some(Axis {
        title: axis.into(),
        unit: axis_unit.into(),
        log,
    });
    for (place, x) in points.iter().enumerate() {
        for (seed, (contender, _, times)) in FIELD.iter().enumerate() {
            let base = match better {
                Better::More => base * times,
                Better::Less => base / times * (1.0 + (seed * place * place) as f64 * 0.2),
            };
            measure.cells.push(Cell {
                contender: (*contender).into(),
                x: Some(*x),
                samples: samples(base * (1.0 + slope * place as f64), seed + place + id.len()),
                notes: Vec::new(),
            });
        }
    }
    measure
}

fn slow_down(measure: &mut Measure, factor: f64) {
    for sample in measure.cells[0].samples.iter_mut().flatten() {
        *sample *= factor;
    }
}

fn floods() -> Vec<Flood> {
    let mut floods = Vec::new();
    for (size, sent) in [(64, 5_000_000_u64), (1400, 3_000_000)] {
        let title = format!("{size} B, pod to pod, as fast as one core can send");
        // The last one's counters do not have everything, those of the second have more than everything.
        for (place, (contender, _, times)) in FIELD[..4].iter().enumerate() {
            let arrived = (sent as f64 * 0.31 * times.min(1.0)) as u64 + 7;
            let (early, late) = (sent / 3, sent / 1000);
            let rest = sent - arrived - early - late;
            let rest = match place {
                3 => rest - 123_456,
                1 => rest + 1_234,
                _ => rest,
            };
            let station = |place: &str, packets, lost: &[(&str, u64)]| Station {
                place: place.into(),
                packets,
                lost: lost
                    .iter()
                    .map(|(reason, packets)| Loss {
                        reason: (*reason).into(),
                        packets: *packets,
                    })
                    .collect(),
            };
            floods.push(Flood {
                contender: (*contender).into(),
                title: title.clone(),
                stations: vec![
                    station("generator", sent, &[]),
                    station(
                        "node 1: overlay port of the engine",
                        sent - early,
                        &[("rx-ring-full", early)],
                    ),
                    station(
                        "node 2: underlay port",
                        arrived + late,
                        &[("softnet dropped", rest), ("no-route", 0)],
                    ),
                    station("sink", arrived, &[("pod's veth rx_dropped", late)]),
                ],
            });
        }
    }
    floods
}
