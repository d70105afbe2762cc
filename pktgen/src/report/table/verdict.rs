//! What a search found, and how runs compare.

use super::{blank, fault, plain};
use crate::report::grid::{Grid, Look, paint, short};
use crate::report::units::{bits, count, ns, percent, pps};
use crate::report::{Distribution, Report, Trial};

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
