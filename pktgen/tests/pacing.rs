//! The rate that was asked for is the rate that is sent, as reported and as tcpdump at the far end has it.
//!
//! This compares rates, and the machine may be busy with something else: each case has three attempts.

mod support;

use support::capture::Capture;
use support::run::pktgen;
use support::wire::Wire;

/// Largest error of a rate, as a fraction.
const WITHIN: f64 = 0.005;

/// Sends `count` frames at `pps`; what is wrong with the rate, if anything.
fn attempt(wire: &Wire, io: &str, pps: u32, count: u32) -> Result<(), String> {
    let capture = Capture::start(&wire.b, "b0", 64);
    let flags = format!(
        "tx -i {} --io {io} --dst 10.9.0.2 --dst-mac 02:00:00:00:00:0b --rate {pps}pps --count {count} --json --quiet",
        wire.tx()
    );
    let report = pktgen(&flags).report();
    let times = capture.try_stop()?.times_ns();
    let (sent, wanted) = (report.sent.expect("what was sent"), f64::from(pps));

    // What does not depend on the machine's leisure.
    assert_eq!(sent.frames, u64::from(count), "{flags}");
    assert_eq!(times.len(), count as usize, "{flags}: frames captured");
    match sent.pacing {
        // Departures of live frames are the kernel's, and nobody sees them.
        None => assert_eq!(io, "xdp-live", "how the schedule was kept"),
        Some(pacing) => {
            assert_eq!(pacing.wanted_pps, wanted);
            assert_eq!(pacing.lag.count, u64::from(count), "{flags}: lags");
            assert_eq!(pacing.gap.count, u64::from(count) - 1, "{flags}: gaps");
            assert!(
                pacing.gap.max > 0 && pacing.gap_stdev > 0.0,
                "{flags}: {:?}",
                pacing.gap
            );
            assert!(
                (sent.pps / wanted - 1.0 - pacing.error).abs() < 1e-4,
                "{flags}: {}",
                pacing.error
            );
            let (gap, deviation) = (pacing.gap, pacing.gap_stdev);
            println!(
                "gaps of {} to {} ns, median {}, deviation {deviation:.0} ns",
                gap.min, gap.max, gap.p50
            );
        }
    }
    let (first, last) = (times[0], times[times.len() - 1]);
    let captured = f64::from(count - 1) * 1e9 / (last - first) as f64;
    println!(
        "--io {io}: {pps} pps wanted, {:.1} reported, {captured:.1} captured",
        sent.pps
    );
    for (whose, rate) in [("reported", sent.pps), ("captured", captured)] {
        if (rate / wanted - 1.0).abs() > WITHIN {
            return Err(format!("{flags}: {rate:.1} pps {whose}, {wanted} wanted"));
        }
    }
    Ok(())
}

/// Rates, and how many frames of each.
const RATES: [(u32, u32); 2] = [(10_000, 20_000), (100_000, 150_000)];

fn keeps_its_pace(io: &str, rates: [(u32, u32); 2]) {
    let wire = Wire::new().acquainted();
    wire.b.run("ethtool -K b0 gro on").unwrap();
    for (pps, count) in rates {
        let mut result = Ok(());
        for _ in 0..3 {
            result = attempt(&wire, io, pps, count);
            match &result {
                Ok(()) => break,
                Err(why) => println!("once more: {why}"),
            }
        }
        result.unwrap();
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn af_xdp_keeps_its_pace() {
    keeps_its_pace("xdp", RATES);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn packet_sockets_keep_their_pace() {
    // A system call for each frame: 100,000 a second are more than a debug build on a busy core can do.
    keeps_its_pace("packet", [(10_000, 20_000), (40_000, 60_000)]);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn live_frames_keep_their_pace() {
    keeps_its_pace("xdp-live", RATES);
}
