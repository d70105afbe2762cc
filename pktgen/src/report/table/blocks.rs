//! The blocks of the table, each from its part of the report; empty where there is none.

use super::fault;
use crate::report::grid::{Grid, Look, paint, short};
use crate::report::units::{bits, count, ns, percent, pps};
use crate::report::{Distribution, Received, Report, Trial};

/// Widest name in a column.
const NAME: usize = 14;

fn plain(text: String) -> (String, Look) {
    (text, Look::Plain)
}

fn blank() -> (String, Look) {
    plain(String::new())
}

/// Frames and rates at both ends, faults, and the verdict.
pub fn result(report: &Report, coloured: bool) -> String {
    let mut grid = Grid::new(["", "frames", "rate", "layer 2", "wire"]);
    if let Some(sent) = &report.sent {
        let cells = [
            count(sent.frames),
            pps(sent.pps),
            bits(sent.bits_l2),
            bits(sent.bits_wire),
        ];
        grid.row([plain("sent".into())].into_iter().chain(cells.map(plain)));
        if sent.unfinished != 0 {
            grid.row([plain("unfinished".into()), fault(sent.unfinished)]);
        }
    }
    let Some(received) = &report.received else {
        return if report.sent.is_some() {
            grid.render(coloured)
        } else {
            String::new()
        };
    };
    let cells = [
        count(received.received),
        pps(received.pps),
        bits(received.bits_l2),
        bits(received.bits_wire),
    ];
    grid.row(
        [plain("received".into())]
            .into_iter()
            .chain(cells.map(plain)),
    );
    let (lost, look) = fault(received.lost);
    grid.row([
        plain("lost".into()),
        (lost, look),
        (percent(received.loss), look),
    ]);
    for (name, value) in [
        ("duplicates", received.duplicates),
        ("reordered", received.reordered),
        ("corrupted", received.corrupted),
    ] {
        grid.row([plain(name.into()), fault(value)]);
    }
    grid.row([plain("foreign".into()), plain(count(received.foreign))]);
    for (name, value, look) in [
        ("left to kernel", received.left, Look::Plain),
        ("overrun", received.overrun, Look::Red),
    ] {
        if value != 0 {
            grid.row([plain(name.into()), (count(value), look)]);
        }
    }
    grid.render(coloured) + &verdict(report, received, coloured)
}

fn verdict(report: &Report, received: &Received, coloured: bool) -> String {
    let Some(passed) = report.passed else {
        return String::new();
    };
    let (word, look) = if passed {
        ("PASSED", Look::Green)
    } else {
        ("FAILED", Look::Red)
    };
    let why = received.bound.map_or(String::new(), |bound| {
        let relation = if received.loss <= bound {
            "within"
        } else {
            "beyond"
        };
        format!(
            ": a loss of {} is {relation} the {} allowed",
            percent(received.loss),
            percent(bound)
        )
    });
    format!("  {}{why}\n", paint(word, look, coloured))
}

/// Counts by stream.
pub fn streams(report: &Report, coloured: bool) -> String {
    let sent = report.sent.as_ref().map_or(&[][..], |sent| &sent.streams);
    let received = report
        .received
        .as_ref()
        .map_or(&[][..], |received| &received.streams);
    if sent.is_empty() && received.is_empty() {
        return String::new();
    }
    let mut headings = vec![""];
    if !sent.is_empty() {
        headings.push("sent");
    }
    if !received.is_empty() {
        headings.extend(["received", "lost", "loss", "dup", "reordered", "corrupted"]);
    }
    headings.push("rate");
    let mut grid = Grid::new(headings);
    for index in 0..sent.len().max(received.len()) {
        let (sent_one, received_one) = (sent.get(index), received.get(index));
        let name = sent_one.map(|s| &s.name).or(received_one.map(|s| &s.name));
        let mut row = vec![plain(short(name.map_or("", |name| name), NAME))];
        if !sent.is_empty() {
            row.push(sent_one.map_or(blank(), |s| plain(count(s.frames))));
        }
        let mut frames = sent_one.map(|s| s.frames);
        if let Some(stream) = received_one {
            let whole = stream.received.saturating_add(stream.lost);
            let (lost, look) = fault(stream.lost);
            let loss = percent(crate::account::outcome::fraction(stream.lost, whole));
            row.extend([plain(count(stream.received)), (lost, look), (loss, look)]);
            row.extend([stream.duplicates, stream.reordered, stream.corrupted].map(fault));
            frames = Some(stream.received.saturating_add(stream.duplicates));
        } else if !received.is_empty() {
            row.extend((0..6).map(|_| blank()));
        }
        row.push(plain(match frames {
            Some(frames) if report.seconds > 0.0 => pps(frames as f64 / report.seconds),
            _ => String::new(),
        }));
        grid.row(row);
    }
    grid.render(coloured)
}

/// Percentiles by stream.
pub fn latency(report: &Report, coloured: bool) -> String {
    let streams = report
        .received
        .as_ref()
        .map_or(&[][..], |received| &received.streams);
    let mut grid = Grid::new([
        "", "min", "p50", "p90", "p99", "p99.9", "p99.99", "p99.999", "max", "jitter",
    ]);
    let mut future = String::new();
    let mut any = false;
    for stream in streams {
        let name = short(&stream.name, NAME);
        if let Some(latency) = &stream.latency {
            any = true;
            let values = latency
                .percentiles()
                .map(|(_, _, value)| plain(ns(value as f64)));
            grid.row(
                [plain(name.clone()), plain(ns(latency.min as f64))]
                    .into_iter()
                    .chain(values)
                    .chain([plain(ns(stream.jitter_ns))]),
            );
        }
        if stream.future != 0 {
            let text = format!(
                "  {name}: {} packets came before their time stamp\n",
                count(stream.future)
            );
            future += &paint(&text, Look::Red, coloured);
        }
    }
    if any {
        grid.render(coloured) + &future
    } else {
        future
    }
}

/// How well the schedule was kept.
pub fn pacing(report: &Report, coloured: bool) -> String {
    let Some((sent, pacing)) = report
        .sent
        .as_ref()
        .and_then(|sent| Some((sent, sent.pacing.as_ref()?)))
    else {
        return String::new();
    };
    // RFC 2544 says nothing of it; half a percent is what this tool promises.
    let look = if pacing.error.abs() <= 0.005 {
        Look::Green
    } else {
        Look::Red
    };
    let mut out = format!(
        "  wanted {}, achieved {}, error {}; the ring was full {} times\n",
        pps(pacing.wanted_pps),
        pps(sent.pps),
        paint(&percent(pacing.error), look, coloured),
        count(sent.ring_full)
    );
    let mut grid = Grid::new([
        "", "min", "p50", "p90", "p99", "p99.9", "p99.99", "p99.999", "max", "stdev",
    ]);
    let mut row = |name: &str, distribution: &Distribution, stdev: String| {
        let values = distribution
            .percentiles()
            .map(|(_, _, value)| plain(ns(value as f64)));
        let first = [plain(name.into()), plain(ns(distribution.min as f64))];
        grid.row(first.into_iter().chain(values).chain([plain(stdev)]));
    };
    row("late by", &pacing.lag, String::new());
    row("gap", &pacing.gap, ns(pacing.gap_stdev));
    out += &grid.render(coloured);
    out
}

/// The search, and what it found.
pub fn ndr(report: &Report, coloured: bool) -> String {
    let Some(ndr) = &report.ndr else {
        return String::new();
    };
    let mut out = match ndr.pps {
        Some(found) => {
            let rates = [
                ndr.bits_l2.map(|v| (v, "layer 2")),
                ndr.bits_wire.map(|v| (v, "wire")),
            ];
            let rates: Vec<String> = rates
                .iter()
                .flatten()
                .map(|(value, of)| format!("{} {of}", bits(*value)))
                .collect();
            let found = paint(&exact(found), Look::Green, coloured);
            format!(
                "  {found} ({})\n  with a loss of at most {}, confirmed by {} of {} trials\n",
                rates.join(", "),
                percent(ndr.loss),
                ndr.confirmed.0,
                ndr.confirmed.1
            )
        }
        None => format!(
            "  {}: even the lowest rate lost more than {}\n",
            paint("none", Look::Red, coloured),
            percent(ndr.loss)
        ),
    };
    if let Some(failed) = ndr.failed_pps {
        out += &format!("  lowest rate that failed: {}\n", exact(failed));
    }
    let mut grid = Grid::new([
        "trial", "wanted", "sent at", "sent", "received", "loss", "p99", "verdict",
    ]);
    for (index, trial) in ndr.trials.iter().enumerate() {
        grid.row(trial_row(index, trial));
    }
    if !ndr.trials.is_empty() {
        out += &grid.render(coloured);
    }
    for (index, trial) in ndr.trials.iter().enumerate() {
        if let Some(remark) = &trial.remark {
            out += &format!("  trial {}: {}\n", index + 1, short(remark, 84));
        }
    }
    out
}

/// A rate to the packet, for the rates around a limit lie close together.
fn exact(rate: f64) -> String {
    if rate.is_finite() {
        format!("{} pps", count(rate as u64))
    } else {
        pps(rate)
    }
}

fn trial_row(index: usize, trial: &Trial) -> Vec<(String, Look)> {
    let verdict = match trial.passed {
        true => ("passed".into(), Look::Green),
        false => ("failed".into(), Look::Red),
    };
    vec![
        plain((index + 1).to_string()),
        plain(exact(trial.wanted_pps)),
        plain(exact(trial.sent_pps)),
        plain(count(trial.sent)),
        plain(count(trial.received)),
        plain(percent(trial.loss)),
        plain(trial.p99.map_or(String::new(), |value| ns(value as f64))),
        verdict,
    ]
}

/// Several runs, a row each.
pub fn comparison(runs: &[(String, Report)], coloured: bool) -> String {
    let mut grid = Grid::new([
        "",
        "sent at",
        "received at",
        "loss",
        "dup",
        "reordered",
        "p50",
        "p99",
        "max",
        "NDR",
    ]);
    for (name, report) in runs {
        let received = report.received.as_ref();
        // Of several streams the worst is told: a median of medians means nothing.
        let worst = |value: fn(&Distribution) -> u64| {
            let streams = received.map_or(&[][..], |received| &received.streams);
            let worst = streams
                .iter()
                .filter_map(|stream| stream.latency.as_ref())
                .map(value)
                .max();
            plain(worst.map_or(String::new(), |value| ns(value as f64)))
        };
        let (loss, look) = received.map_or(blank(), |r| (percent(r.loss), fault(r.lost).1));
        grid.row([
            plain(short(name, 18)),
            report
                .sent
                .as_ref()
                .map_or(blank(), |sent| plain(pps(sent.pps))),
            received.map_or(blank(), |r| plain(pps(r.pps))),
            (loss, look),
            received.map_or(blank(), |r| fault(r.duplicates)),
            received.map_or(blank(), |r| fault(r.reordered)),
            worst(|d| d.p50),
            worst(|d| d.p99),
            worst(|d| d.max),
            plain(
                report
                    .ndr
                    .as_ref()
                    .and_then(|ndr| ndr.pps)
                    .map_or(String::new(), pps),
            ),
        ]);
    }
    grid.render(coloured)
}
