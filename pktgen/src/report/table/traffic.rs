//! Counts and rates: of the run, with the verdict, and by stream. A count that should be zero is red when it is not.

use super::{NAME, blank, fault, plain};
use crate::report::grid::{Grid, Look, paint, short};
use crate::report::units::{bits, count, percent, pps};
use crate::report::{Received, Report};

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
