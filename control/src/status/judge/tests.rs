use contract::stats::{PortStatus, Snapshot, WorkerCounter, WorkerCounters, WorkerSnapshot};

use super::super::report::Report;
use super::super::{Own, Skipped, Status, show};
use super::*;

const NOW: u64 = 1_000_000_000_000;

fn engine() -> Engine {
    let mut counters = WorkerCounters::default();
    counters.set(WorkerCounter::Generation, 7);
    Engine {
        life: Life::Running,
        snapshot: Snapshot {
            taken_ns: 0,
            pid: 77,
            started_ns: 0,
            silent_ns: 0,
            tsc_hz: 1,
            ports: vec![(
                0,
                PortStatus {
                    state: PortState::Up,
                    name: "eth0".into(),
                    ..PortStatus::default()
                },
            )],
            workers: vec![WorkerSnapshot {
                index: 0,
                counters,
                ports: Vec::new(),
                residence: contract::stats::Residence::new(1),
            }],
        },
    }
}

fn good() -> Seen {
    Seen {
        control: Life::Running,
        heard: std::time::Duration::from_secs(3),
        status: Status {
            generation: 7,
            own: Own {
                state: OwnState::Held,
                subnet: Some("10.1.1.0/24".parse().unwrap()),
                expires_ns: Some(NOW + 3_600_000_000_000),
                ..Own::default()
            },
            peers: vec![PeerStatus {
                slot: Some(2),
                public_ip: Some(std::net::Ipv4Addr::new(192, 168, 7, 2)),
                ..PeerStatus::default()
            }],
            ..Status::default()
        },
        tables: Ok(Programmed {
            generation: 7,
            expected: 2,
            ..Programmed::default()
        }),
        engine: Ok(engine()),
    }
}

#[track_caller]
fn problem(change: impl FnOnce(&mut Seen), words: &str) {
    let mut seen = good();
    change(&mut seen);
    let verdict = judge(&seen, NOW);
    assert!(!verdict.well);
    assert!(
        verdict.problems.iter().any(|text| text.contains(words)),
        "{verdict:#?} has no {words:?}"
    );
    // And both ways of printing say so.
    let report = Report::at(seen, NOW);
    assert!(show::render(&report, false).contains("what is wrong"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["well"], false);
    assert!(json["problems"].to_string().contains(words));
}

#[track_caller]
fn note(change: impl FnOnce(&mut Seen), words: &str) -> Verdict {
    let mut seen = good();
    change(&mut seen);
    let verdict = judge(&seen, NOW);
    assert!(verdict.well, "{verdict:#?}");
    assert!(
        verdict.notes.iter().any(|text| text.contains(words)),
        "{verdict:#?} has no {words:?}"
    );
    verdict
}

#[test]
fn all_well() {
    let verdict = judge(&good(), NOW);
    assert!(
        verdict.well && verdict.whole && verdict.notes.is_empty(),
        "{verdict:#?}"
    );
    let report = Report::at(good(), NOW);
    let text = show::render(&report, false);
    for words in [
        "all well",
        "10.1.1.0/24 held",
        "1 h 0 min left",
        "2 of 2 programmed",
        "1 of 1 workers",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["lease"]["remaining_s"], 3600.0);
    assert_eq!(json["peers"][0]["state"], "up");
    assert_eq!(json["routes"]["programmed"], 2);
}

#[test]
fn each_problem_has_its_words() {
    problem(
        |seen| seen.status.own.state = OwnState::Acquiring,
        "no lease yet",
    );
    problem(|seen| seen.status.own.state = OwnState::Lost, "is lost");
    problem(
        |seen| seen.status.own.expires_ns = Some(NOW - 60_000_000_000),
        "ended 1 min 0 s ago",
    );
    problem(
        |seen| seen.control = Life::Gone,
        "does not run; what is shown is 3.0 s old",
    );
    problem(|seen| seen.control = Life::Silent, "silent");
    problem(
        |seen| seen.status.trouble = Some("etcd is away".into()),
        "etcd is away",
    );
    problem(|seen| seen.status.generation = 8, "of generation 7");
    let with_engine = |change: fn(&mut Engine)| {
        move |seen: &mut Seen| {
            if let Ok(engine) = &mut seen.engine {
                change(engine);
            }
        }
    };
    problem(
        with_engine(|engine| engine.life = Life::Gone),
        "start tweed-dataplane",
    );
    problem(
        with_engine(|engine| engine.life = Life::Silent),
        "process 77 is stopped or stuck",
    );
    problem(
        with_engine(|engine| engine.snapshot.ports.clear()),
        "no port open",
    );
    problem(
        with_engine(|engine| {
            engine.snapshot.ports[0].1.state = PortState::Failed;
            engine.snapshot.ports[0].1.error = "no queue".into();
        }),
        "eth0 is not open: no queue",
    );
    problem(
        with_engine(|engine| {
            engine.snapshot.workers[0]
                .counters
                .set(WorkerCounter::Generation, 6);
        }),
        "worker 0 uses generation 6",
    );
    let with_tables = |change: fn(&mut Programmed)| {
        move |seen: &mut Seen| {
            if let Ok(tables) = &mut seen.tables {
                change(tables);
            }
        }
    };
    problem(
        with_tables(|tables| tables.missing = vec!["10.1.2.0/24".parse().unwrap()]),
        "no route to 10.1.2.0/24",
    );
    problem(
        with_tables(|tables| tables.astray = vec![[192, 168, 7, 2].into()]),
        "192.168.7.2 as it was compiled",
    );
    problem(
        with_tables(|tables| tables.surplus = vec![9]),
        "in no lease",
    );
    problem(
        |seen| seen.status.peers[0].obstacle = Some("no ARP".into()),
        "192.168.7.2 is not sent to: no ARP",
    );
    let mangled = Unreadable {
        why: "ABI 1".into(),
        forbidden: false,
    };
    problem(|seen| seen.tables = Err(mangled), "ABI 1");
}

#[test]
fn what_is_left_out_or_not_ours_to_read_is_no_problem() {
    note(
        |seen| {
            seen.status.peers[0].obstacle = Some("backend host-gw".into());
            seen.status.peers[0].left_out = true;
        },
        "backend host-gw",
    );
    note(
        |seen| {
            seen.status.skipped = vec![Skipped {
                key: "/k".into(),
                reason: "no JSON".into(),
            }]
        },
        "/k is not used: no JSON",
    );
    let verdict = note(
        |seen| {
            seen.tables = Err(Unreadable {
                why: "cannot open".into(),
                forbidden: true,
            })
        },
        "as root",
    );
    assert!(!verdict.whole);
}

#[test]
fn many_unreachable_peers_do_not_drown_the_rest() {
    let mut seen = good();
    seen.status.peers[0].obstacle = Some("no ARP".into());
    seen.status.peers = vec![seen.status.peers[0].clone(); 100];
    let verdict = judge(&seen, NOW);
    assert_eq!(verdict.problems.len(), AT_MOST + 1);
    assert!(verdict.problems[AT_MOST].contains("95 more peers"));
}
