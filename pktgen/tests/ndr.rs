//! `ndr` finds the limit of a path that has one: a token bucket in the kernel.

mod support;

use pktgen::report::Report;
use support::path::{Kind, Path};
use support::run::pktgen;

/// Frame, with FCS. The bucket counts it without: Ethernet header to end of payload.
const SIZE: u32 = 1_000;
const COUNTED: f64 = (SIZE - 4) as f64;

/// The limit, bits a second.
const LIMIT: f64 = 50e6;

/// Trials of three quarters of a second: the bucket's burst and queue (12 kB, 12 frames) are a third of a percent of one.
fn throughput(path: &Path, flags: &str) -> Report {
    path.a
        .run(&format!("ping -q -c 1 -W 2 {}", path.to()))
        .unwrap();
    let outcome = pktgen(format!(
        "ndr --tx {} --rx {} --dst {} --size {SIZE} --trial 700ms --confirm 1s --confirmations 2 --settle 150ms --json --quiet {flags}",
        path.tx(),
        path.rx(),
        path.to()
    ));
    outcome.report()
}

fn finds_the_limit(kind: Kind, flags: &str) {
    let path = Path::new(kind);
    path.limit("rate 50mbit burst 6kb limit 12kb");
    let report = throughput(&path, flags);
    let ndr = report.ndr.expect("what was found");
    let found = ndr.pps.unwrap_or_else(|| panic!("{ndr:?}"));
    let limit = LIMIT / 8.0 / COUNTED;
    println!(
        "{found:.1} pps found in {} trials, the limit is {limit:.1}",
        ndr.trials.len()
    );
    assert!(
        (found / limit - 1.0).abs() <= 0.02,
        "{found} pps found, the limit is {limit}: {ndr:#?}"
    );
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
    assert!(
        ndr.trials
            .iter()
            .any(|trial| !trial.passed && trial.loss > ndr.loss),
        "{ndr:?}"
    );
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_limit_of_a_bridge_is_found_from_maximum() {
    finds_the_limit(Kind::Bridge, "");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_limit_of_a_router_is_found_by_packet_sockets() {
    finds_the_limit(Kind::Router, "--tx-io packet --rx-io packet --rate 30kpps");
}

/// Where nothing limits but what was asked for.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_path_that_carries_everything_has_the_highest_rate_asked_for() {
    let path = Path::new(Kind::Bridge);
    let ndr = throughput(&path, "--rate 5kpps")
        .ndr
        .expect("what was found");
    let found = ndr.pps.unwrap_or_else(|| panic!("{ndr:?}"));
    assert!((4_900.0..=5_000.0).contains(&found), "{ndr:?}");
    assert_eq!((ndr.confirmed, ndr.failed_pps), ((2, 2), None));
}
