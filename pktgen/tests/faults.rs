//! A path that drops, duplicates, swaps and damages known frames: each is reported, with exactly the right count.
//!
//! The path is support/middlebox.c. Every N is prime, so that faults of different kinds meet in every order.

mod support;

use pktgen::report::{Received, Report};
use support::middlebox::Counts;
use support::path::{Kind, Path};
use support::run::pktgen;

/// Frames of a run, and how fast: slow enough for a middlebox that shares two cores with everything else.
const FRAMES: u64 = 6_000;
const RUN: &str = "--count 6000 --rate 12kpps --settle 400ms --json --quiet";

/// Runs `latency` through a middlebox that does `faults`; the report, and what the middlebox says it did.
fn through(path: &Path, faults: &str, flags: &str) -> (Report, Counts) {
    let middlebox = path.middlebox(faults);
    let outcome = pktgen(format!(
        "latency --tx {} --rx {} {RUN} {flags}",
        path.tx(),
        path.rx()
    ));
    (outcome.report(), middlebox.stop())
}

/// The report says what the middlebox says, and nothing else happened.
#[track_caller]
fn agree(report: &Report, counts: &Counts, what: &str) {
    let sent = report.sent.as_ref().expect("what was sent");
    let received = report.received.as_ref().expect("what was received");
    assert_eq!(sent.frames, FRAMES, "{what}");
    assert_eq!(counts.seen, FRAMES, "{what}: the middlebox missed frames");
    assert_eq!((received.overrun, received.foreign), (0, 0), "{what}");
    let reported = (
        received.lost,
        received.duplicates,
        received.reordered,
        received.corrupted,
    );
    let done = (
        counts.dropped + counts.flipped,
        counts.duplicated,
        counts.swapped,
        counts.flipped,
    );
    assert_eq!(
        reported, done,
        "{what}: (lost, duplicates, reordered, corrupted), reported and done: {counts:?}"
    );
    assert_eq!(received.received, FRAMES - done.0, "{what}");
    is_whole(received, what);
    let fraction = done.0 as f64 / FRAMES as f64;
    assert!((received.loss - fraction).abs() < 1e-9, "{what}");
}

/// Every frame is one of received, duplicate, corrupted, foreign; totals are the sums over streams.
#[track_caller]
fn is_whole(received: &Received, what: &str) {
    assert_eq!(
        received.frames,
        received.received + received.duplicates + received.corrupted + received.foreign,
        "{what}"
    );
    let sum = |of: fn(&pktgen::report::ReceivedStream) -> u64| -> u64 {
        received.streams.iter().map(of).sum()
    };
    assert_eq!(sum(|s| s.received), received.received, "{what}");
    assert_eq!(sum(|s| s.duplicates), received.duplicates, "{what}");
    assert_eq!(sum(|s| s.reordered), received.reordered, "{what}");
}

/// By what frames enter and leave.
const IO: [&str; 2] = ["--tx-io xdp --rx-io xdp", "--tx-io packet --rx-io packet"];

/// Every kind of packet. Changed bytes lie where a checksum covers them: IPv6 has none of its own header (addresses are in the
/// transport's), and outside the tunnel there is none at all.
const KINDS: [(&str, &str, &str); 5] = [
    ("udp", "--proto udp --dst 10.9.0.2", "above=0"),
    ("tcp", "--proto tcp --dst 10.9.0.2 --size 90", "above=0"),
    ("icmp", "--proto icmp --dst 10.9.0.2 --size 100", "above=0"),
    (
        "ipv6",
        "--proto udp --src fd00::1 --dst fd00::2 --dst-mac 02:00:00:00:00:0b --size 100",
        "above=8",
    ),
    (
        "vxlan",
        "--proto udp --src 10.244.1.2 --dst 10.244.2.2 --size 200 --vxlan 7 --vtep-src 10.9.0.1 --vtep-dst 10.9.0.2",
        "above=50",
    ),
];

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn each_fault_is_counted_exactly() {
    let path = Path::new(Kind::Middlebox);
    for io in IO {
        for faults in [
            "",
            "drop=1000",
            "drop=7",
            "duplicate=97",
            "swap=89",
            "flip=61",
            "flip=101 at=47",
        ] {
            let (report, counts) = through(&path, faults, &format!("--dst 10.9.0.2 {io}"));
            agree(&report, &counts, &format!("{faults:?}, {io}"));
        }
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn all_faults_at_once_are_counted_for_every_kind_of_packet() {
    let path = Path::new(Kind::Middlebox);
    for io in IO {
        for (name, flags, damage) in KINDS {
            let faults = format!("drop=101 duplicate=97 swap=89 flip=31 {damage} seed=3");
            let (report, counts) = through(&path, &faults, &format!("{flags} {io}"));
            agree(&report, &counts, &format!("{name}, {io}"));
            assert!(
                counts.dropped > 50
                    && counts.duplicated > 50
                    && counts.swapped > 50
                    && counts.flipped > 150,
                "{name}: the middlebox did little: {counts:?}"
            );
        }
    }
}

/// The mark outside the payload and the magic inside it are two witnesses: no single damaged byte of an IPv4 packet hides it.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn damage_to_each_byte_of_the_headers_is_corruption() {
    let path = Path::new(Kind::Middlebox);
    for at in (0..46).step_by(3) {
        let (report, counts) = through(
            &path,
            &format!("flip=211 at={at} seed={at}"),
            "--dst 10.9.0.2 --rate 60kpps --settle 100ms",
        );
        agree(&report, &counts, &format!("byte {at}"));
    }
}

/// Order is judged within a flow: two neighbours of different flows may change places.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn frames_of_different_flows_that_change_places_are_in_order() {
    let path = Path::new(Kind::Middlebox);
    let (report, counts) = through(&path, "swap=10", "--dst 10.9.0.2 --flows 100");
    let received = report.received.expect("what was received");
    assert!(counts.swapped > 500, "{counts:?}");
    assert_eq!((received.reordered, received.lost), (0, 0));
}

/// The difference of two medians is the difference of two delays: everything else on the way is the same in both runs. How
/// sharply that can be said is stated by the clock, and by how evenly the middlebox itself delayed.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_delay_is_found() {
    let path = Path::new(Kind::Middlebox);
    for io in IO {
        let measure = |delay: &str| {
            let flags = format!("--dst 10.9.0.2 --rate 2kpps --count 3000 --settle 100ms {io}");
            let (report, counts) = through(&path, delay, &flags);
            let received = report.received.expect("what was received");
            assert_eq!((received.lost, received.received), (0, 3_000), "{io}");
            let latency = received.streams[0].latency.clone().expect("latencies");
            assert_eq!(latency.count, 3_000);
            (latency, counts.delay_ns, report.clock.error_ns)
        };
        let (without, done_without, error_without) = measure("delay=0");
        for delay in ["delay=1000", "delay=5000"] {
            let (with, done_with, error_with) = measure(delay);
            let reported = with.p50 as i64 - without.p50 as i64;
            let done = done_with.p50 as i64 - done_without.p50 as i64;
            let spread = (done_with.p75 - done_with.p25) + (done_without.p75 - done_without.p25);
            let stated = error_with + error_without + spread;
            println!("{io} {delay}: {reported} ns reported, {done} ns done, within {stated} ns");
            assert!(
                reported.abs_diff(done) <= stated,
                "{io} {delay}: {reported} ns reported, {done} ns done, {stated} ns admitted: \
                 {done_without:?} {done_with:?}"
            );
        }
    }
}
