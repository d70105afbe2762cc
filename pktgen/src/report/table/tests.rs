//! Literal texts of a full, an empty and a hostile report.

use super::*;
use crate::report::machine::Machine;
use crate::report::{
    Clock, Distribution, Ndr, Pacing, Received, ReceivedStream, SCHEMA, Sent, SentStream, Setup,
    Trial,
};

fn distribution(base: u64) -> Distribution {
    Distribution {
        count: 999,
        min: base,
        mean: base as f64 * 1.5,
        p50: base * 2,
        p90: base * 3,
        p99: base * 5,
        p99_9: base * 10,
        p99_99: base * 50,
        p99_999: base * 70,
        max: base * 100,
        histogram: String::new(),
    }
}

fn full() -> Report {
    Report {
        schema: SCHEMA,
        mode: "latency".into(),
        tool: "tweed-pktgen 0.1.0".into(),
        started: "2026-01-02T03:04:05.678Z".into(),
        seconds: 10.0,
        run: Some(4711),
        machine: Machine {
            kernel: "6.17.0".into(),
            cpu: "A CPU @ 2.40GHz".into(),
            cpus: 2,
            memory: 8 << 30,
            hypervisor: Some("KVM".into()),
        },
        setup: Setup {
            seed: 7,
            rate: "100kpps".into(),
            burst: 1,
            stamp: "intended".into(),
            ports: vec![Port {
                role: "tx".into(),
                interface: "veth0".into(),
                netns: Some("a".into()),
                driver: "veth".into(),
                mtu: 1500,
                speed: Some(10_000),
                io: "AF_XDP copy".into(),
                core: Some(1),
                ..Port::default()
            }],
            ..Setup::default()
        },
        clock: Clock {
            source: "CLOCK_MONOTONIC by TSC".into(),
            tsc_hz: Some(2_400_000_000),
            error_ns: 35,
            read_ns: 12,
        },
        sent: Some(Sent {
            frames: 1_000_000,
            bytes: 64_000_000,
            pps: 99_999.0,
            bits_l2: 51.2e6,
            bits_wire: 67.2e6,
            ring_full: 3,
            streams: vec![SentStream {
                name: "small".into(),
                frames: 1_000_000,
                bytes: 64_000_000,
            }],
            pacing: Some(Pacing {
                wanted_pps: 100_000.0,
                error: -0.000_01,
                lag: distribution(100),
                gap: distribution(5_000),
                gap_stdev: 321.0,
            }),
            ..Sent::default()
        }),
        received: Some(Received {
            frames: 998_803,
            pps: 99_880.0,
            bits_l2: 51.1e6,
            bits_wire: 67.1e6,
            received: 998_766,
            lost: 1_234,
            loss: 0.001_234,
            bound: Some(0.000_01),
            duplicates: 34,
            foreign: 3,
            overrun: 2,
            streams: vec![ReceivedStream {
                name: "small".into(),
                received: 998_766,
                lost: 1_234,
                duplicates: 34,
                latency: Some(distribution(4_000)),
                jitter_ns: 512.0,
                ..ReceivedStream::default()
            }],
            ..Received::default()
        }),
        notes: vec!["2 frames were lost between the kernel and the receiver.".into()],
        passed: Some(false),
        ..Report::default()
    }
}

#[test]
fn a_full_report() {
    assert_eq!(
        render(&full(), false),
        "\
tweed-pktgen latency  run 4711  2026-01-02T03:04:05.678Z  10.0 s
  machine  A CPU @ 2.40GHz, 2 CPUs, 8.00 GiB, Linux 6.17.0, virtual (KVM)
  tx       veth0@a (veth, 10.0 Gbit/s), AF_XDP copy, queue 0, CPU 1, MTU 1500
  asked    rate 100kpps, burst 1, time stamps of the intended departure, seed 7

Result
                 frames       rate      layer 2         wire
  sent        1,000,000   100 kpps  51.2 Mbit/s  67.2 Mbit/s
  received      998,766  99.9 kpps  51.1 Mbit/s  67.1 Mbit/s
  lost            1,234     0.12 %
  duplicates         34
  reordered           0
  corrupted           0
  foreign             3
  overrun             2
  FAILED: a loss of 0.12 % is beyond the 0.001 % allowed

Streams
              sent  received   lost    loss  dup  reordered  corrupted       rate
  small  1,000,000   998,766  1,234  0.12 %   34          0          0  99.9 kpps

Latency
             min      p50      p90      p99    p99.9  p99.99  p99.999     max  jitter
  small  4.00 µs  8.00 µs  12.0 µs  20.0 µs  40.0 µs  200 µs   280 µs  400 µs  512 ns

Pacing
  wanted 100 kpps, achieved 100 kpps, error -0.001 %; the ring was full 3 times
               min      p50      p90      p99    p99.9   p99.99  p99.999      max   stdev
  late by   100 ns   200 ns   300 ns   500 ns  1.00 µs  5.00 µs  7.00 µs  10.0 µs
  gap      5.00 µs  10.0 µs  15.0 µs  25.0 µs  50.0 µs   250 µs   350 µs   500 µs  321 ns

Clock
  CLOCK_MONOTONIC by TSC (2.400 GHz): a reading is right to ±35 ns and takes 12 ns. A latency
  compares two readings, ±70 ns together; it is the path's only if sender and receiver ran on this
  machine, or on one whose packets came back to it. It counts from when the schedule wanted a packet
  to leave: waiting for a sender that was held up is in it.

Notes
  - 2 frames were lost between the kernel and the receiver.
"
    );
}

#[test]
fn colours_are_only_colours() {
    let coloured = render(&full(), true);
    assert!(
        coloured.contains("\x1b[31mFAILED\x1b[0m") && coloured.contains("\x1b[32m-0.001 %\x1b[0m")
    );
    let mut plain = coloured;
    for code in ["0", "1", "2", "31", "32"] {
        plain = plain.replace(&format!("\x1b[{code}m"), "");
    }
    assert_eq!(plain, render(&full(), false));
}

#[test]
fn an_empty_report_is_its_headline() {
    let report = Report {
        mode: "rx".into(),
        started: "2026-01-02T03:04:05Z".into(),
        ..Report::default()
    };
    assert_eq!(
        render(&report, false),
        "tweed-pktgen rx  2026-01-02T03:04:05Z  0 ns\n"
    );
}

#[test]
fn an_ndr() {
    let trial = |wanted_pps: f64, loss: f64, remark: Option<&str>| Trial {
        wanted_pps,
        sent_pps: wanted_pps,
        sent: 2_000_000,
        received: 2_000_000 - (2e6 * loss) as u64,
        loss,
        passed: loss == 0.0 && remark.is_none(),
        p99: (loss == 0.0).then_some(12_345),
        remark: remark.map(Into::into),
    };
    let report = Report {
        mode: "ndr".into(),
        ndr: Some(Ndr {
            pps: Some(1e6),
            bits_l2: Some(512e6),
            bits_wire: Some(672e6),
            loss: 0.000_01,
            failed_pps: Some(1.005e6),
            confirmed: (3, 3),
            trials: vec![
                trial(2e6, 0.5, None),
                trial(1e6, 0.0, None),
                trial(1.5e6, 0.0, Some("the receiver overran")),
            ],
        }),
        ..Report::default()
    };
    assert_eq!(
        render(&report, false),
        "\
tweed-pktgen ndr    0 ns

Throughput (RFC 2544)
  1,000,000 pps (512 Mbit/s layer 2, 672 Mbit/s wire)
  with a loss of at most 0.001 %, confirmed by 3 of 3 trials
  lowest rate that failed: 1,005,000 pps
  trial         wanted        sent at       sent   received    loss      p99  verdict
  1      2,000,000 pps  2,000,000 pps  2,000,000  1,000,000  50.0 %            failed
  2      1,000,000 pps  1,000,000 pps  2,000,000  2,000,000     0 %  12.3 µs   passed
  3      1,500,000 pps  1,500,000 pps  2,000,000  2,000,000     0 %  12.3 µs   failed
  trial 3: the receiver overran
"
    );
}

/// Names that a terminal would obey, and numbers that are none: neither gets out.
#[test]
fn a_hostile_report() {
    let evil = "\x1b]0;owned\x07\x1b[2J\r\n\u{202e}name".to_string();
    let mut report = full();
    report.mode = evil.clone();
    report.started = evil.clone();
    report.seconds = f64::NAN;
    report.notes = vec![evil.clone(); 3];
    report.machine.cpu = evil.repeat(100);
    report.setup.ports = vec![
        Port {
            interface: evil.clone(),
            role: evil.clone(),
            ..Port::default()
        };
        100
    ];
    report.setup.rate = evil.clone();
    report.clock.source = evil.clone();
    report.clock.error_ns = u64::MAX;
    let sent = report.sent.as_mut().unwrap();
    (sent.frames, sent.pps, sent.bits_l2, sent.bits_wire) =
        (u64::MAX, f64::INFINITY, f64::NAN, 1e300);
    sent.streams = vec![
        SentStream {
            name: evil.clone(),
            frames: u64::MAX,
            bytes: u64::MAX
        };
        20
    ];
    let received = report.received.as_mut().unwrap();
    (received.loss, received.lost) = (f64::NAN, u64::MAX);
    let stream = &mut received.streams[0];
    (stream.received, stream.lost, stream.duplicates) = (u64::MAX, u64::MAX, u64::MAX);
    stream.name = evil.clone();
    stream.jitter_ns = f64::NEG_INFINITY;
    stream.latency = Some(Distribution {
        max: u64::MAX,
        ..Distribution::default()
    });
    report.ndr = Some(Ndr {
        pps: Some(f64::NAN),
        trials: vec![Trial {
            remark: Some(evil),
            loss: f64::INFINITY,
            ..Trial::default()
        }],
        ..Ndr::default()
    });
    let text = render(&report, false)
        + &compare(
            &[(report.mode.clone(), report.clone()), ("b".into(), full())],
            false,
        );
    let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(obeyed), "{text:?}");
    assert!(text.contains("and 92 queues more"));
    assert!(
        text.lines().all(|line| line.chars().count() <= 250),
        "{text}"
    );
}

#[test]
fn two_runs_compared() {
    let better = {
        let mut better = full();
        better.received.as_mut().unwrap().lost = 0;
        better.received.as_mut().unwrap().loss = 0.0;
        better
    };
    assert_eq!(
        compare(
            &[
                ("before.json".into(), full()),
                ("after.json".into(), better)
            ],
            false
        ),
        "
Comparison
                sent at  received at    loss  dup  reordered      p50      p99     max  NDR
  before.json  100 kpps    99.9 kpps  0.12 %   34          0  8.00 µs  20.0 µs  400 µs
  after.json   100 kpps    99.9 kpps     0 %   34          0  8.00 µs  20.0 µs  400 µs
"
    );
    assert_eq!(compare(&[("one".into(), full())], false), "");
}
