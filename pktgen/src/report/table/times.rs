//! Times: latencies by stream, and how well the sender kept its schedule.

use super::{NAME, plain};
use crate::report::grid::{Grid, Look, paint, short};
use crate::report::units::{count, ns, percent, pps};
use crate::report::{Distribution, Report};

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
