//! What numbers of a report say against each other: why one of them is not what its reader may take it for.
//!
//! Each caution names the numbers that it rests on and what to do about it. Pure: a report in, sentences out. What only the
//! workers know (frames overrun, clocks that differ) is said where it is counted, by
//! [`account::outcome::remarks`](crate::account::outcome::remarks).

use super::units::{count, ns, percent, pps, seconds};
use super::{Port, Report};

/// Error of the rate beyond which a sender did not do what was asked; half of it is what pacing promises.
const SLOW: f64 = -0.01;

/// Lag below this is that of any schedule kept by software, nanoseconds.
const SMALL_LAG: u64 = 10_000;

/// The sender's lag is worth a word from this part of the latency on: one in so many.
const MUCH: u64 = 4;

/// Runs below this are too short for rates, seconds.
const SHORT: f64 = 0.01;

/// What a reader should know.
pub fn cautions(report: &Report) -> Vec<String> {
    [
        nothing_came(report),
        too_slow(report),
        late(report),
        unfinished_checksums(report),
        too_short(report),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn nothing_came(report: &Report) -> Option<String> {
    let received = report.received.as_ref()?;
    let sent = report.sent.as_ref().map_or(0, |sent| sent.frames);
    if received.received > 0 || received.corrupted > 0 || (report.sent.is_some() && sent == 0) {
        return None;
    }
    let rx = ports(report, "rx").next()?;
    let place = place(rx);
    let mut text = format!("nothing of ours came to {place}: is it where the path ends?");
    if report.sent.is_some() {
        text += " A router takes only frames to its own MAC (--via GATEWAY), a VTEP only inner frames to its own \
                 (--inner-dst-mac), and forwards only where it has a route and a neighbour.";
    }
    text += " Does it all come by other queues (--queues; ethtool -l shows how many there are), in a tunnel to another UDP port \
             (--vxlan-port)?";
    Some(text)
}

/// The rate asked for is in the setup; of what the kernel sends, no schedule is known.
fn too_slow(report: &Report) -> Option<String> {
    let (sent, wanted) = (report.sent.as_ref()?, report.setup.pps?);
    let error = match &sent.pacing {
        Some(pacing) => pacing.error,
        None => sent.pps / wanted - 1.0,
    };
    let live = ports(report, "tx").any(|port| port.io.contains("live"));
    (error < SLOW).then(|| {
        format!(
            "the sender reached {} of the {} asked for ({}): the path was loaded with no more than that; cores of their own \
             (--cores, --tx-cores) or {} send more",
            pps(sent.pps),
            pps(wanted),
            percent(1.0 + error),
            if live {
                "fewer flows and smaller frames"
            } else {
                "more workers (--workers, --tx-workers) or --io xdp-live (--tx-io)"
            }
        )
    })
}

/// Latencies that count from when packets were due have the sender's lag in them.
fn late(report: &Report) -> Option<String> {
    if report.setup.stamp != "intended" {
        return None;
    }
    let lag = report.sent.as_ref()?.pacing.as_ref()?.lag.p99;
    let streams = &report.received.as_ref()?.streams;
    let latency = (streams.iter().filter_map(|stream| stream.latency.as_ref()))
        .map(|latency| latency.p99)
        .max()?;
    (lag > SMALL_LAG && lag.saturating_mul(MUCH) > latency).then(|| {
        format!(
            "much of the latency may be the sender's own: it was late by {} (p99) where packets took {} (p99); its CPU is shared or \
             too slow for the rate: --tx-cores, a lower --rate, or --stamp departure to measure from when packets were written",
            ns(lag as f64),
            ns(latency as f64)
        )
    })
}

/// On a veth, a datagram that the kernel made or wrapped comes as the kernel keeps it: with a checksum that a NIC would have
/// finished (Documentation/networking/checksum-offloads.rst). It cannot be told from damage.
fn unfinished_checksums(report: &Report) -> Option<String> {
    let received = report.received.as_ref()?;
    let rx = ports(report, "rx").find(|port| port.driver == "veth")?;
    (received.corrupted > 0 && received.corrupted >= received.received).then(|| {
        format!(
            "{} packets are corrupted on {}, a veth: if the kernel wrapped them in a tunnel on the way, it may have left the outer \
             checksum to a NIC that is not there; `ethtool -K DEVICE tx off` on the device below the tunnel has it written",
            count(received.corrupted),
            place(rx)
        )
    })
}

fn too_short(report: &Report) -> Option<String> {
    let sent = report.sent.as_ref()?.frames;
    (sent > 0 && report.seconds > 0.0 && report.seconds < SHORT).then(|| {
        format!(
            "the run took {}: rates of so short a run mean little",
            seconds(report.seconds)
        )
    })
}

fn ports<'a>(report: &'a Report, role: &'a str) -> impl Iterator<Item = &'a Port> {
    report
        .setup
        .ports
        .iter()
        .filter(move |port| port.role == role)
}

fn place(port: &Port) -> String {
    match &port.netns {
        Some(netns) => format!("{}@{netns}", port.interface),
        None => port.interface.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Distribution, Pacing, Received, ReceivedStream, Sent, Setup};

    fn port(role: &str) -> Port {
        Port {
            role: role.into(),
            interface: format!("{role}0"),
            netns: Some("pod".into()),
            driver: "veth".into(),
            ..Port::default()
        }
    }

    /// A run without blemish: 1 s, 10,000 frames, all there after 50 us, sent within 2 us of when they were due.
    fn good() -> Report {
        let of = |p99| Distribution {
            p99,
            ..Distribution::default()
        };
        Report {
            seconds: 1.0,
            setup: Setup {
                stamp: "intended".into(),
                pps: Some(10_000.0),
                ports: vec![port("tx"), port("rx")],
                ..Setup::default()
            },
            sent: Some(Sent {
                frames: 10_000,
                pps: 9_999.0,
                pacing: Some(Pacing {
                    wanted_pps: 10_000.0,
                    error: -0.000_1,
                    lag: of(2_000),
                    ..Pacing::default()
                }),
                ..Sent::default()
            }),
            received: Some(Received {
                received: 10_000,
                streams: vec![ReceivedStream {
                    latency: Some(of(50_000)),
                    ..ReceivedStream::default()
                }],
                ..Received::default()
            }),
            ..Report::default()
        }
    }

    /// The one caution that a change of the good run brings.
    fn one(change: impl FnOnce(&mut Report)) -> String {
        let mut report = good();
        change(&mut report);
        let mut all = cautions(&report);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn pacing(report: &mut Report) -> &mut Pacing {
        report.sent.as_mut().unwrap().pacing.as_mut().unwrap()
    }

    #[test]
    fn a_good_run_has_none() {
        assert_eq!(cautions(&good()), Vec::<String>::new());
        assert_eq!(cautions(&Report::default()), Vec::<String>::new());
    }

    #[test]
    fn a_sender_below_its_rate_is_named_with_both_rates() {
        let slow = |report: &mut Report| {
            pacing(report).error = -0.25;
            report.sent.as_mut().unwrap().pps = 7_500.0;
        };
        let text = one(slow);
        assert!(
            text.contains("reached 7.50 kpps of the 10.0 kpps") && text.contains("75.0 %"),
            "{text}"
        );
        let live = |report: &mut Report| {
            slow(report);
            report.sent.as_mut().unwrap().pacing = None;
            report.setup.ports[0].io = "XDP live frames".into();
        };
        let text = one(live);
        assert!(
            text.contains("75.0 %") && !text.contains("xdp-live"),
            "{text}"
        );
    }

    #[test]
    fn a_late_sender_spoils_latencies_from_due_times_only() {
        let text = one(|report| pacing(report).lag.p99 = 30_000);
        assert!(
            text.contains("late by 30.0 µs") && text.contains("took 50.0 µs"),
            "{text}"
        );
        let mut report = good();
        pacing(&mut report).lag.p99 = 30_000;
        report.setup.stamp = "departure".into();
        assert_eq!(cautions(&report), Vec::<String>::new());
    }

    #[test]
    fn silence_names_the_place_where_nothing_came() {
        let text = one(|report| report.received = Some(Received::default()));
        assert!(text.contains("rx0@pod") && text.contains("--via"), "{text}");
    }

    #[test]
    fn damage_to_all_on_a_veth_may_be_checksums_left_open() {
        let text = one(|report| {
            let received = report.received.as_mut().unwrap();
            (received.received, received.corrupted) = (0, 9_999);
        });
        assert!(text.contains("9,999") && text.contains("tx off"), "{text}");
    }

    #[test]
    fn ten_frames_in_no_time_have_no_rate() {
        let text = one(|report| report.seconds = 134e-9);
        assert!(text.contains("134 ns"), "{text}");
    }
}
