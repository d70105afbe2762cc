//! A path that drops, duplicates, swaps and damages known frames: each is reported, with exactly the right count.
//!
//! The path is support/middlebox.c. Every N is prime, so that faults of different kinds meet in every order.

mod support;

use pktgen::report::{Distribution, Received, Report};
use support::middlebox::{Counts, Delay};
use support::path::{Kind, Path};
use support::run::{pktgen, promptly};

/// A run: slow enough for a middlebox that shares two cores with everything else. The last frame must have no fault: with no
/// successor to overtake it, it would come too late.
const LOAD: &str = "--count 5001 --rate 15kpps --settle 150ms";

/// Runs `latency` through a middlebox that does `faults`; the report, and what the middlebox says it did. A receiver that was
/// kept from its core for so long that its ring overran says so; such a run is no test of the path, and is repeated.
fn through(path: &Path, faults: &str, load: &str, flags: &str) -> (Report, Counts) {
    for _ in 0..3 {
        let middlebox = path.middlebox(faults);
        let (tx, rx) = (path.tx(), path.rx());
        let flags = format!("latency --tx {tx} --rx {rx} {load} {flags} --json --quiet");
        let outcome = if load == SLOW {
            promptly(&flags)
        } else {
            pktgen(&flags)
        };
        let (report, counts) = (outcome.report(), middlebox.stop());
        if report
            .received
            .as_ref()
            .is_some_and(|received| received.overrun == 0)
        {
            return (report, counts);
        }
    }
    panic!("the receiver overran three times: {faults}, {flags}");
}

/// The report says what the middlebox says, and nothing else happened.
#[track_caller]
fn agree(report: &Report, counts: &Counts, what: &str) {
    let sent = report.sent.as_ref().expect("what was sent");
    let received = report.received.as_ref().expect("what was received");
    assert_eq!(
        counts.seen, sent.frames,
        "{what}: the middlebox missed frames"
    );
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
        "{what}: (lost, duplicates, reordered, corrupted), reported and done: \
         {} foreign, {} left to the kernel, {counts:?}",
        received.foreign, received.left
    );
    // A packet socket sees ARP, too.
    assert!(
        received.foreign <= counts.other,
        "{what}: {received:?}, {counts:?}"
    );
    assert_eq!(received.received, sent.frames - done.0, "{what}");
    is_whole(received, what);
    let fraction = done.0 as f64 / sent.frames as f64;
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
    let single = ["drop=1000", "duplicate=97", "swap=89", "flip=61"];
    for faults in single
        .iter()
        .chain(&["", "drop=2", "duplicate=1", "swap=2", "flip=1"])
    {
        let (report, counts) = through(&path, faults, LOAD, "--dst 10.9.0.2");
        agree(&report, &counts, &format!("{faults:?} by AF_XDP"));
    }
    for faults in single {
        let flags = "--dst 10.9.0.2 --tx-io packet --rx-io packet";
        let (report, counts) = through(&path, faults, LOAD, flags);
        agree(&report, &counts, &format!("{faults} by AF_PACKET"));
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn all_faults_at_once_are_counted_for_every_kind_of_packet() {
    let path = Path::new(Kind::Middlebox);
    for io in IO {
        for (name, flags, damage) in KINDS {
            let faults = format!("drop=101 duplicate=97 swap=89 flip=31 {damage} seed=3");
            let (report, counts) = through(&path, &faults, LOAD, &format!("{flags} {io}"));
            agree(&report, &counts, &format!("{name}, {io}"));
            assert!(
                counts.dropped > 40
                    && counts.duplicated > 40
                    && counts.swapped > 40
                    && counts.flipped > 100,
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
    for at in [0, 1, 2, 4, 5, 6, 9, 10, 19, 22, 24, 27, 28, 45] {
        let (report, counts) = through(
            &path,
            &format!("flip=53 at={at} seed={at}"),
            "--count 1000 --rate 20kpps --settle 100ms",
            "--dst 10.9.0.2",
        );
        agree(&report, &counts, &format!("byte {at}"));
    }
}

/// Order is judged within a flow: two neighbours of different flows may change places.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn frames_of_different_flows_that_change_places_are_in_order() {
    let path = Path::new(Kind::Middlebox);
    let (report, counts) = through(&path, "swap=10", LOAD, "--dst 10.9.0.2 --flows 100");
    let received = report.received.expect("what was received");
    assert!(counts.swapped > 400, "{counts:?}");
    assert_eq!((received.reordered, received.lost), (0, 0));
}

/// The difference of two medians is the difference of two delays: everything else on the way is the same in both runs. How
/// sharply that can be said is stated by the clock, and by how evenly the middlebox itself delayed.
///
/// The rate is so low that everyone sleeps between frames, for on a busy machine the scheduler serves those first; and everyone
/// has a core, for waking a core that sleeps takes longer than going on with one that does not. Each delay has three attempts
/// even so.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_delay_is_found() {
    let path = Path::new(Kind::Middlebox);
    for io in IO {
        for delay in ["delay=1000", "delay=5000"] {
            let attempts = (0..3).map(|_| find_delay(&path, io, delay));
            let failed: Vec<_> = attempts.map_while(Result::err).collect();
            assert!(failed.len() < 3, "{}", failed.join("\n"));
        }
    }
}

/// What waking the receiver takes, more or less: the report's notes say so.
const WAKE_NS: u64 = 10_000;

fn find_delay(path: &Path, io: &str, delay: &str) -> Result<(), String> {
    let (without, done_without, error_without) = latency(path, io, "delay=0");
    let (with, done_with, error_with) = latency(path, io, delay);
    let reported = with.p50 as i64 - without.p50 as i64;
    let done = done_with.p50 as i64 - done_without.p50 as i64;
    let spread = (done_with.p75 - done_with.p25) + (done_without.p75 - done_without.p25);
    // Histograms keep three digits.
    let digits = with.p50 / 1_000;
    let stated = error_with + error_without + spread + digits + WAKE_NS;
    let result = format!(
        "{io} {delay}: {reported} ns reported, {done} ns done, within {stated} ns: {done_without:?}, {done_with:?}"
    );
    println!("{result}");
    if reported.abs_diff(done) <= stated {
        Ok(())
    } else {
        Err(result)
    }
}

/// A run that leaves the cores time to sleep, and knows which they are.
const SLOW: &str =
    "--rate 500pps --count 500 --settle 100ms --stamp departure --tx-cores 0 --rx-cores 1";

/// Latencies as reported, delays as done, and the clock's error.
fn latency(path: &Path, io: &str, delay: &str) -> (Distribution, Delay, u64) {
    let load =
        "--rate 500pps --count 500 --settle 100ms --stamp departure --tx-cores 0 --rx-cores 1";
    let (report, counts) = through(
        path,
        &format!("{delay} cpu=0"),
        load,
        &format!("--dst 10.9.0.2 {io}"),
    );
    let received = report.received.expect("what was received");
    assert_eq!((received.lost, received.received), (0, 500), "{io}");
    let latency = received.streams[0].latency.clone().expect("latencies");
    assert_eq!((latency.count, received.streams[0].future), (500, 0));
    let admits = |note: &String| note.contains("waking it (some 10 us)");
    assert!(report.notes.iter().any(admits), "{:?}", report.notes);
    assert!(
        latency.min >= counts.delay_ns.min,
        "less than the middlebox kept it: {latency:?}"
    );
    (latency, counts.delay_ns, report.clock.error_ns)
}
