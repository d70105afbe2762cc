//! Each subcommand on a wire: what it counts is what the kernel's interface counters say.

mod support;

use perf::lab::Namespace;
use support::path::{Kind, Path};
use support::run::{Background, pktgen};
use support::wire::{A_MAC, B_MAC, Wire, counter};

fn rx_packets(ns: &Namespace, device: &str) -> u64 {
    counter(ns, device, "rx", "packets")
}

/// What the kernel delivered to the receiver's interface is in the report, to the frame: counted, left to the kernel, or overrun.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn rx_counts_every_packet_that_the_kernel_delivered() {
    let wire = Wire::new().acquainted();
    let cases = [
        ("xdp", "20kpps --count 10000"),
        ("xdp", "max --count 200000"),
        ("xdp --mode generic", "20kpps --count 10000"),
        ("packet", "20kpps --count 10000"),
        ("packet", "max --count 200000"),
    ];
    for (io, rate) in cases {
        let before = rx_packets(&wire.b, "b0");
        let rx = Background::listening(
            format!("rx -i {} --io {io} --idle 800ms", wire.rx()),
            &wire.files.path(""),
            "rx",
            &wire.b,
            "b0",
        );
        let sent = pktgen(format!(
            "tx -i {} --dst 10.9.0.2 --rate {rate} --json --quiet",
            wire.tx()
        ))
        .report();
        wire.a.run("ping -q -c 3 -i 0.01 -W 1 10.9.0.2").unwrap();
        let (code, report, printed) = rx.wait();
        assert_eq!(code, Some(0), "{printed}");
        let received = report.received.expect("what was received");
        let delivered = rx_packets(&wire.b, "b0") - before;
        let counted = received.frames + received.left + received.overrun;
        assert_eq!(counted, delivered, "--io {io}, {rate}: {received:?}");
        let ours = received.received + received.overrun;
        let sent = sent.sent.expect("what was sent").frames;
        if io == "packet" {
            // What overran a packet socket may have been anyone's.
            assert!(received.foreign + received.overrun >= 3, "{received:?}");
            assert!(
                ours >= sent && ours <= sent + received.overrun,
                "{received:?}"
            );
        } else {
            assert!(received.left >= 3 && received.foreign == 0, "{received:?}");
            assert_eq!(ours, sent, "--io {io}, {rate}: {received:?}");
        }
        assert_eq!(
            (received.corrupted, received.duplicates, received.reordered),
            (0, 0, 0)
        );
        if received.overrun == 0 {
            assert_eq!((received.received, received.lost), (sent, 0));
        }
    }
}

/// What tx says it sent is what the other end got.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn tx_sends_what_it_says_it_sent() {
    let wire = Wire::new().acquainted();
    // Live frames enter a veth as from an XDP driver: its end must take them as one.
    wire.b.run("ethtool -K b0 gro on").unwrap();
    for io in ["xdp", "packet", "xdp-live"] {
        for (stop, least, most) in [
            ("--rate 50kpps --count 12345", 12_345, 12_345),
            ("--rate max --count 54321 --flows 10", 54_321, 54_321),
            ("--rate 10kpps --duration 300ms", 1, 3_100),
        ] {
            let before = rx_packets(&wire.b, "b0");
            let flags = format!(
                "tx -i {} --dst 10.9.0.2 --io {io} {stop} --json --quiet",
                wire.tx()
            );
            let report = pktgen(&flags).report();
            let sent = report.sent.expect("what was sent");
            assert_eq!(rx_packets(&wire.b, "b0") - before, sent.frames, "{flags}");
            assert!(
                (least..=most).contains(&sent.frames),
                "{flags}: {}",
                sent.frames
            );
            assert_eq!(sent.unfinished, 0, "{flags}");
            assert_eq!(sent.bytes, 64 * sent.frames, "{flags}");
            assert_eq!(
                sent.streams.iter().map(|s| s.frames).sum::<u64>(),
                sent.frames
            );
            // Departures of live frames are the kernel's, and nobody sees them.
            let unseen = stop.contains("max") || io == "xdp-live";
            assert_eq!(sent.pacing.is_none(), unseen, "{flags}");
        }
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_reflector_makes_the_way_round() {
    let wire = Wire::new().acquainted();
    for io in ["xdp", "packet"] {
        let reflector = Background::listening(
            format!("reflect -i {} --io {io}", wire.rx()),
            &wire.files.path(""),
            "reflect",
            &wire.b,
            "b0",
        );
        let flags = format!(
            "latency --tx {0} --rx {0} --tx-io {io} --rx-io {io} --dst 10.9.0.2 --dst-mac 02:00:00:00:00:0b \
             --rate 10kpps --count 5000 --flows 7 --settle 500ms --json --quiet",
            wire.tx()
        );
        let report = pktgen(&flags).report();
        let received = report.received.expect("what was received");
        assert_eq!(
            (received.received, received.lost, received.reordered),
            (5_000, 0, 0),
            "{flags}"
        );
        let latency = received.streams[0].latency.as_ref().expect("latencies");
        assert_eq!((latency.count, received.streams[0].future), (5_000, 0));
        let (code, reflected, printed) = reflector.interrupt();
        assert_eq!(code, Some(0), "{printed}");
        assert_eq!(reflected.mode, "reflect");
        assert_eq!(reflected.sent.expect("what was sent back").frames, 5_000);
        assert_eq!(reflected.received.expect("what was received").overrun, 0);
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn two_workers_share_two_queues() {
    let wire = Wire::with_queues(2).acquainted();
    for io in ["xdp", "packet"] {
        let flags = format!(
            "latency --tx {} --rx {} --tx-io {io} --rx-io {io} --tx-workers 2 --rx-workers 2 --tx-cores 0,1 --rx-cores 1,0 \
             --dst 10.9.0.2 --rate 20kpps --count 10001 --flows 64 --settle 500ms --json --quiet",
            wire.tx(),
            wire.rx()
        );
        let report = pktgen(&flags).report();
        let (sent, received) = (
            report.sent.expect("sent"),
            report.received.expect("received"),
        );
        assert_eq!(
            (sent.frames, received.received),
            (10_001, 10_001),
            "{flags}"
        );
        assert_eq!(
            (received.lost, received.duplicates, received.corrupted),
            (0, 0, 0)
        );
        let queues = |role: &str| {
            let mut queues: Vec<_> = report
                .setup
                .ports
                .iter()
                .filter(|p| p.role == role)
                .map(|p| p.queue)
                .collect();
            queues.sort_unstable();
            queues
        };
        assert_eq!(
            (queues("tx"), queues("rx")),
            (vec![0, 1], vec![0, 1]),
            "{:?}",
            report.setup.ports
        );
    }
}

/// Frames as XDP programs see them, from the kernel's own generator to an AF_XDP receiver.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn live_frames_are_received_and_measured() {
    let wire = Wire::new().acquainted();
    let flags = format!(
        "latency --tx {} --rx {} --tx-io xdp-live --dst 10.9.0.2 --flows 100 --rate 20kpps --count 8000 --settle 500ms --json --quiet",
        wire.tx(),
        wire.rx()
    );
    let report = pktgen(&flags).report();
    let received = report.received.expect("what was received");
    assert_eq!(report.sent.expect("what was sent").frames, 8_000);
    assert_eq!(
        (
            received.received,
            received.lost,
            received.reordered,
            received.corrupted
        ),
        (8_000, 0, 0, 0)
    );
    assert_eq!(received.streams[0].future, 0);
    assert!(
        report
            .setup
            .ports
            .iter()
            .any(|port| port.io == "XDP live frames"),
        "{:?}",
        report.setup.ports
    );
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_namespace_is_named_by_flag_or_behind_the_interface() {
    let wire = Wire::new().acquainted();
    for interface in [
        format!("-i a0 --netns {}", wire.a.name()),
        format!("-i {}", wire.tx()),
    ] {
        let before = rx_packets(&wire.b, "b0");
        let report = pktgen(format!(
            "tx {interface} --dst 10.9.0.2 --dst-mac 02:00:00:00:00:0b --count 100 --json --quiet"
        ))
        .report();
        assert_eq!(report.setup.ports[0].netns.as_deref(), Some(wire.a.name()));
        assert_eq!(rx_packets(&wire.b, "b0") - before, 100, "{interface}");
    }
    // The flag is for those without a name of their own.
    let flags = format!(
        "latency --netns {} --tx a0 --rx {} --dst 10.9.0.2 --count 100 --settle 200ms --json --quiet",
        wire.a.name(),
        wire.rx()
    );
    assert_eq!(
        pktgen(flags).report().received.expect("received").received,
        100
    );
}

/// Ctrl-C is the ordinary way to end: the report is whole, and says what was sent until then.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn an_interrupted_run_ends_with_its_report() {
    let wire = Wire::new().acquainted();
    wire.b.run("ethtool -K b0 gro on").unwrap();
    for io in ["xdp", "packet", "xdp-live"] {
        let before = rx_packets(&wire.b, "b0");
        let tx = Background::start(
            format!("tx -i {} --io {io} --dst 10.9.0.2 --rate 5kpps", wire.tx()),
            &wire.files.path(""),
            "tx",
        );
        perf::lab::wait_until("frames", 10, || rx_packets(&wire.b, "b0") > before + 500).unwrap();
        let (code, report, printed) = tx.interrupt();
        assert_eq!(code, Some(0), "--io {io}: {printed}");
        let sent = report.sent.expect("what was sent");
        assert_eq!(rx_packets(&wire.b, "b0") - before, sent.frames, "--io {io}");
        assert!(report.seconds > 0.0 && sent.pps > 0.0, "--io {io}");
        assert!(
            printed.contains("sent"),
            "--io {io} printed no table: {printed}"
        );
    }
    for io in ["xdp", "packet"] {
        let rx = Background::listening(
            format!("rx -i {} --io {io}", wire.rx()),
            &wire.files.path(""),
            "rx",
            &wire.b,
            "b0",
        );
        pktgen(format!(
            "tx -i {} --dst 10.9.0.2 --rate 10kpps --count 700 --json --quiet",
            wire.tx()
        ))
        .report();
        let (code, report, printed) = rx.interrupt();
        assert_eq!(code, Some(0), "--io {io}: {printed}");
        assert_eq!(
            report.received.expect("what was received").received,
            700,
            "--io {io}"
        );
        assert!(
            !wire.b.run("ip link show dev b0").unwrap().contains("xdp"),
            "the program is still attached"
        );
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn exit_codes_tell_by_whose_move_a_run_failed() {
    let path = Path::new(Kind::Middlebox);
    let (tx, rx) = (path.tx(), path.rx());
    let middlebox = path.middlebox("drop=10");
    let flags = format!(
        "latency --tx {tx} --rx {rx} --dst 10.9.0.2 --rate 10kpps --count 1000 --settle 300ms --json --quiet"
    );
    assert_eq!(pktgen(&flags).report_of(0).passed, None);
    assert_eq!(
        pktgen(format!("{flags} --loss 20%")).report_of(0).passed,
        Some(true)
    );
    let lossy = pktgen(format!("{flags} --loss 5%"));
    assert_eq!(lossy.report_of(1).passed, Some(false));
    lossy.tells(1, &["10", "5"]);
    middlebox.stop();

    pktgen(format!("tx -i {tx} --dst 10.9.0.2 --rate quick")).tells(2, &["--rate", "quick"]);
    pktgen(format!("tx -i {tx} --dst 10.9.0.2 --size 20000")).tells(2, &["--size", "20000"]);
    pktgen(format!("tx -i {tx} --dst 10.9.0.2 --no-such-flag")).tells(2, &["--no-such-flag"]);

    let absent = format!("tx -i nosuch0@{} --dst 10.9.0.2 --count 1", path.a.name());
    pktgen(absent).tells(3, &["nosuch0", "a0"]);
    pktgen("tx -i a0@no-such-namespace --dst 10.9.0.2 --count 1").tells(3, &["no-such-namespace"]);
    // The middlebox is gone: nobody answers for 10.9.0.2. And there is no way at all to 192.0.2.1.
    pktgen(format!("tx -i {tx} --dst 10.9.0.77 --count 1")).tells(3, &["10.9.0.77", "--dst-mac"]);
    pktgen(format!("tx -i {tx} --dst 192.0.2.1 --count 1")).tells(3, &["192.0.2.1", "route"]);
    pktgen(format!("rx -i {rx} --queues 7 --duration 1s")).tells(3, &["b0", "7"]);
    path.b.ip("link set b0 down").unwrap();
    pktgen(format!("rx -i {rx} --duration 1s")).tells(3, &["b0", "down", "link set b0 up"]);
}

/// Every profile among the examples loads a wire, and all of it arrives.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_example_profiles_run() {
    let wire = Wire::new().acquainted();
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/pktgen");
    let mut profiles: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    profiles.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    profiles.sort();
    assert!(profiles.len() >= 3, "{profiles:?}");
    // Their addresses are whoever's; here all of them are behind B.
    wire.a.ip("route add default via 10.9.0.2").unwrap();
    for profile in profiles {
        let flags = format!(
            "latency --tx {} --rx {} --via 10.9.0.2 --profile {} --rate 20kpps --count 6000 --settle 500ms --json --quiet",
            wire.tx(),
            wire.rx(),
            profile.display()
        );
        let report = pktgen(&flags).report();
        let received = report.received.expect("what was received");
        assert_eq!((received.received, received.lost), (6_000, 0), "{flags}");
        assert_eq!(
            (received.corrupted, received.foreign, received.reordered),
            (0, 0, 0),
            "{flags}"
        );
    }
}

/// A bridge knows nothing of XDP drivers. What it sends leaves by its port, what its port receives comes up to it.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn packet_sockets_do_where_there_is_no_driver() {
    let wire = Wire::new().acquainted();
    wire.a
        .ip(
            "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n\
             link set dev a0 master br0\nlink set dev br0 up",
        )
        .unwrap();
    let (bridge, end) = (format!("br0@{}", wire.a.name()), wire.rx());
    for (tx, rx, mac) in [(&bridge, &end, B_MAC), (&end, &bridge, A_MAC)] {
        let flags = format!(
            "latency --tx {tx} --rx {rx} --tx-io packet --rx-io packet --src 10.9.0.77 --dst 10.9.0.78 --dst-mac {mac} \
             --rate 20kpps --count 3000 --settle 200ms --json --quiet"
        );
        let report = pktgen(&flags).report();
        let received = report.received.expect("what was received");
        assert_eq!(
            (received.received, received.lost, received.corrupted),
            (3_000, 0, 0),
            "{flags}"
        );
        assert!(
            report.setup.ports.iter().all(|port| port.io == "AF_PACKET"),
            "{:?}",
            report.setup.ports
        );
    }
}

/// A report that was saved is enough to run it again: same frames, same seed.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_saved_report_repeats_the_run() {
    let wire = Wire::new().acquainted();
    let flags = format!(
        "latency --tx {} --rx {} --dst 10.9.0.2 --flows 50 --order random --size 64-500 --rate 20kpps --count 4000 --settle 300ms --json --quiet",
        wire.tx(),
        wire.rx()
    );
    let first = pktgen(&flags).report();
    let profile = wire.files.path("again.toml");
    std::fs::write(&profile, &first.setup.profile).unwrap();
    let again = format!(
        "latency --tx {} --rx {} --profile {} --settle 300ms --json --quiet",
        wire.tx(),
        wire.rx(),
        profile.display()
    );
    let second = pktgen(again).report();
    assert_eq!(first.setup.profile, second.setup.profile);
    assert_eq!(first.setup.seed, second.setup.seed);
    let bytes = |report: &pktgen::report::Report| report.sent.as_ref().expect("sent").bytes;
    assert_eq!(
        bytes(&first),
        bytes(&second),
        "the sizes are drawn from the seed"
    );
}
