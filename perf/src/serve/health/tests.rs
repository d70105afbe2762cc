//! A table: what is done to a node where all is well, and what is then said.

use contract::stats::{PortState, WorkerCounter};
use contract::tables::PortKind;

use super::super::tests::{CONTROL, Node, counters, port};
use super::super::view::View;
use super::Health;

/// Dead, unready or warned of; and a part of the text.
enum Said {
    Dead(&'static str),
    Unready(&'static str),
    Warning(&'static str),
}

fn judged(change: impl FnOnce(&mut Node)) -> Health {
    let mut node = Node::running();
    change(&mut node);
    node.view(None).health
}

#[test]
fn all_is_well() {
    let health = judged(|node| node.control(r#"{"generation": 7, "own": {"state": "held"}}"#));
    assert_eq!(health, Health::default());
    assert!(health.is_live() && health.is_ready());
}

#[test]
fn each_trouble_is_named_and_weighed() {
    type Change = fn(&mut Node);
    let cases: [(Change, Said); 12] = [
        (
            |n| std::fs::remove_file(n.path().join("stats")).unwrap(),
            Said::Dead("is tweed-dataplane running"),
        ),
        (
            |n| std::fs::write(n.path().join("stats"), "short").unwrap(),
            Said::Dead("has 5 bytes"),
        ),
        (
            |n| n.commit(1, &counters(6)),
            Said::Unready("worker 1 uses generation 6 of the tables, control published 7"),
        ),
        (
            |n| n.commit(0, &counters(0)),
            Said::Unready("worker 0 has no tables yet"),
        ),
        (
            |n| {
                let mut stuck = counters(7);
                stuck.set(WorkerCounter::HeartbeatNs, 0);
                n.commit(0, &stuck);
            },
            Said::Unready("worker 0 has been silent"),
        ),
        (
            |n| {
                let mut failed = port("eth0", PortState::Failed, PortKind::Underlay);
                failed.error = "no such device".into();
                n.set_port(0, &failed);
            },
            Said::Unready("port 0 (eth0) is down: no such device"),
        ),
        (
            |n| (0..2).for_each(|i| n.set_port(i, &port("", PortState::Absent, PortKind::Pod))),
            Said::Unready("the tables name no port"),
        ),
        (
            |n| n.control(&CONTROL.replace("\"held\"", "\"lost\", \"loss\": \"deleted\"")),
            Said::Unready("holds no lease (10.244.1.0/24 lost deleted)"),
        ),
        (
            |n| n.control(CONTROL),
            Said::Warning("192.168.77.3 is not sent to: does not answer ARP"),
        ),
        (
            |n| n.control(&CONTROL.replacen('{', "{\"trouble\": \"etcd does not answer\",", 1)),
            Said::Warning("tweed-control: etcd does not answer"),
        ),
        (
            |n| std::fs::remove_file(n.path().join("control.json")).unwrap(),
            Said::Warning("no control.json"),
        ),
        (
            |n| {
                let mut lost = counters(7);
                lost.set(WorkerCounter::Frames, 1);
                n.commit(0, &lost);
            },
            Said::Warning("chunks are missing"),
        ),
    ];
    for (change, said) in cases {
        let health = judged(change);
        let (list, text, live, ready) = match said {
            Said::Dead(text) => (&health.dead, text, false, false),
            Said::Unready(text) => (&health.unready, text, true, false),
            Said::Warning(text) => (&health.warnings, text, true, true),
        };
        assert!(
            list.iter().any(|line| line.contains(text)),
            "{text:?} is not said: {health:?}"
        );
        assert_eq!(
            (health.is_live(), health.is_ready()),
            (live, ready),
            "{text}: {health:?}"
        );
    }
}

#[test]
fn a_generation_that_is_new_has_a_moment_to_be_taken_up() {
    let node = Node::running();
    let before = node.view(None);
    node.control(&CONTROL.replace("\"generation\": 7", "\"generation\": 8"));
    let fresh = node.view(Some(&before));
    assert!(fresh.health.is_ready(), "{:?}", fresh.health);
    let old = View {
        generation_age: super::TAKE_UP,
        ..fresh
    };
    assert!(Health::judge(&old).unready[0].contains("control published 8"));
}

#[test]
fn thousands_of_unreachable_peers_are_a_short_list() {
    let peer = "{\"public_ip\": \"10.0.0.1\", \"obstacle\": \"x\"}";
    let peers = vec![peer; 3000].join(",");
    let health = judged(|node| {
        node.control(&format!(
            "{{\"generation\": 7, \"own\": {{\"state\": \"held\"}}, \"peers\": [{peers}]}}"
        ));
    });
    assert_eq!(health.warnings.len(), super::AT_MOST + 1);
    assert!(health.warnings[super::AT_MOST].contains("2990 other peers"));
}
