//! `ndr` finds the limit of a path that has one: a token bucket in the kernel.

mod support;

use pktgen::report::{Ndr, Report, Trial};
use support::path::{Kind, Path};
use support::run::promptly;

/// Frame, with FCS. The bucket counts it without: Ethernet header to end of payload.
const SIZE: u32 = 1_000;
const COUNTED: f64 = (SIZE - 4) as f64;

/// The limit, bits a second.
const LIMIT: f64 = 20e6;

/// A path with a queue looks a little better than it is, by what the queue holds in the length of a trial: 20 frames of 2,510,
/// less than a percent. A shorter queue would overrun whenever the sender is kept from its core for some milliseconds.
const QUEUE: &str = "burst 4kb limit 20kb";

fn throughput(path: &Path, flags: &str) -> Report {
    path.a
        .run(&format!("ping -q -c 1 -W 2 {}", path.to()))
        .unwrap();
    let outcome = promptly(format!(
        "ndr --tx {} --rx {} --dst {} --size {SIZE} --trial 1s --confirm 1s --confirmations 2 --settle 100ms --json --quiet {flags}",
        path.tx(),
        path.rx(),
        path.to()
    ));
    outcome.report()
}

/// The trials, a line each, for a failure.
fn trials(ndr: &Ndr) -> String {
    let line = |t: &Trial| {
        let (verdict, remark) = (
            if t.passed { "passed" } else { "failed" },
            t.remark.as_deref(),
        );
        format!(
            "\n{:.1} pps, {} of {}: {verdict} {}",
            t.wanted_pps,
            t.received,
            t.sent,
            remark.unwrap_or_default()
        )
    };
    ndr.trials.iter().map(line).collect()
}

/// Finds the limit, in three attempts at most: on a machine that is busy with something else, a sender that is kept from its
/// core cannot load a path evenly.
fn finds_the_limit(kind: Kind, flags: &str) {
    let path = Path::new(kind);
    path.limit(&format!("rate 20mbit {QUEUE}"));
    let limit = LIMIT / 8.0 / COUNTED;
    let mut missed = String::new();
    for _ in 0..3 {
        let ndr = throughput(&path, flags).ndr.expect("what was found");
        is_consistent(&ndr);
        let found = ndr
            .pps
            .unwrap_or_else(|| panic!("nothing found: {}", trials(&ndr)));
        println!(
            "{found:.1} pps found in {} trials, the limit is {limit:.1}",
            ndr.trials.len()
        );
        if (found / limit - 1.0).abs() <= 0.02 {
            return;
        }
        missed = format!(
            "{found:.1} pps found, the limit is {limit:.1}: {}",
            trials(&ndr)
        );
        println!("once more: {missed}");
    }
    panic!("{missed}");
}

/// What holds whatever was found.
fn is_consistent(ndr: &Ndr) {
    let found = ndr.pps.unwrap_or_default();
    assert_eq!(ndr.confirmed, (2, 2));
    assert!(
        ndr.failed_pps.is_some_and(|failed| failed > found),
        "{ndr:?}"
    );
    let bits = found * f64::from(SIZE) * 8.0;
    assert!(
        (ndr.bits_l2.expect("bits") / bits - 1.0).abs() < 1e-6,
        "{ndr:?}"
    );
    assert!(ndr.bits_wire > ndr.bits_l2);
    let lost = |trial: &Trial| !trial.passed && trial.loss > ndr.loss;
    assert!(ndr.trials.iter().any(lost), "{ndr:?}");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_limit_of_a_bridge_is_found_from_maximum() {
    finds_the_limit(Kind::Bridge, "");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_limit_of_a_router_is_found_by_packet_sockets() {
    finds_the_limit(Kind::Router, "--tx-io packet --rx-io packet --rate 4kpps");
}

/// Where nothing limits but what was asked for.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_path_that_carries_everything_has_the_highest_rate_asked_for() {
    let path = Path::new(Kind::Bridge);
    let ndr = throughput(&path, "--rate 2kpps")
        .ndr
        .expect("what was found");
    let found = ndr.pps.unwrap_or_else(|| panic!("{ndr:?}"));
    assert!((1_960.0..=2_000.0).contains(&found), "{ndr:?}");
    assert_eq!((ndr.confirmed, ndr.failed_pps), ((2, 2), None));
}
