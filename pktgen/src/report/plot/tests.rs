//! Whole pictures: well-formed, with everything in them that was asked for.

use hdrhistogram::Histogram;

use super::*;
use crate::report::{Distribution, Ndr, Received, ReceivedStream, Second, Trial};

fn run(scale: u64) -> Report {
    let mut histogram = Histogram::new_with_bounds(1, 1 << 40, 3).unwrap();
    for i in 0..100_000u64 {
        // A body, a shoulder and a tail.
        let ns = 4_000
            + i % 977 * 3
            + if i % 100 == 0 { 20_000 } else { 0 }
            + if i % 9_999 == 0 { 900_000 } else { 0 };
        histogram.record(ns * scale).unwrap();
    }
    let stream = ReceivedStream {
        name: "udp".into(),
        latency: Some(Distribution::of(&histogram)),
        ..ReceivedStream::default()
    };
    Report {
        mode: "latency".into(),
        started: "2026-01-02T03:04:05.678Z".into(),
        seconds: 20.0,
        timeline: (1..=20)
            .map(|at| Second {
                at: at as f64,
                sent: 1_000_000,
                received: 1_000_000 - at * 7_000 * scale,
                ..Second::default()
            })
            .collect(),
        received: Some(Received {
            streams: vec![stream],
            ..Received::default()
        }),
        ..Report::default()
    }
}

fn searched() -> Report {
    let trial = |sent_pps: f64, loss: f64| Trial {
        sent_pps,
        loss,
        passed: loss <= 1e-5,
        ..Trial::default()
    };
    Report {
        mode: "ndr".into(),
        ndr: Some(Ndr {
            pps: Some(812_500.0),
            loss: 1e-5,
            trials: vec![
                trial(1.5e6, 0.45),
                trial(7.5e5, 0.0),
                trial(1.1e6, 0.26),
                trial(9.4e5, 0.13),
                trial(8.4e5, 0.03),
                trial(8e5, 0.0),
                trial(8.2e5, 2e-4),
                trial(8.1e5, 0.0),
            ],
            ..Ndr::default()
        }),
        ..Report::default()
    }
}

/// Every tag is closed, in order; text is escaped.
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(
            !text.contains(|c: char| c.is_control() && !c.is_whitespace()),
            "{text:?}"
        );
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.trim()), "{tag}");
        } else if !tag.ends_with('/') && !tag.starts_with('?') {
            open.push(tag.split_whitespace().next().unwrap());
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn runs_overlaid_with_names() {
    let runs = [
        ("before.json".to_owned(), run(1)),
        ("after.json".to_owned(), run(3)),
        ("ndr.json".into(), searched()),
    ];
    let svg = svg(&runs).unwrap();
    assert_well_formed(&svg);
    for text in [
        "Rate over time",
        "before.json: sent",
        "after.json: received",
        "seconds since the start",
        "1 Mpps",
        "Latency by percentile",
        "99.99 %",
        "10 µs",
        "before.json",
        "Throughput search",
        "loss allowed: 0.001 %",
        "found: 812,500 pps",
        "tweed-pktgen: 3 runs",
    ] {
        assert!(svg.contains(text), "{text}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    // For the eye: TWEED_PLOT=FILE keeps it.
    if let Some(file) = std::env::var_os("TWEED_PLOT") {
        std::fs::write(file, svg).unwrap();
    }
}

#[test]
fn hostile_names_and_numbers() {
    let mut report = run(1);
    report.mode = "</text><script>\x1b\0".into();
    report.received.as_mut().unwrap().streams[0]
        .latency
        .as_mut()
        .unwrap()
        .histogram = "AAAA".into();
    report.received.as_mut().unwrap().streams[0]
        .latency
        .as_mut()
        .unwrap()
        .max = u64::MAX;
    report.timeline.push(Second {
        at: f64::NAN,
        sent: u64::MAX,
        ..Second::default()
    });
    report.timeline.push(Second {
        at: 21.0,
        sent: u64::MAX,
        received: u64::MAX,
        ..Second::default()
    });
    report.seconds = f64::INFINITY;
    report.ndr = Some(Ndr {
        pps: Some(f64::NAN),
        trials: vec![Trial {
            loss: f64::NAN,
            ..Trial::default()
        }],
        ..Ndr::default()
    });
    let svg = svg(&[("<&\"'>\u{7}".into(), report)]).unwrap();
    assert_well_formed(&svg);
    assert!(!svg.contains("<script") && !svg.contains("NaN"));
}

#[test]
fn nothing_to_draw_is_said() {
    let error = svg(&[("a".into(), Report::default())])
        .unwrap_err()
        .to_string();
    assert!(error.contains("nothing to draw"), "{error}");
}
