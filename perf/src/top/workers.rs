//! The panel of workers.

use super::column::{Column, Key};
use super::text::time;
use super::theme::Theme;
use super::view::{Flow, WorkerRow};
use crate::stats::{percent, rate, short};

type Col = Column<WorkerRow>;

/// Columns of the gauge.
const GAUGE: usize = 8;

/// 79 characters, with a gap of one; the rest where there is room.
pub const COLUMNS: &[Col] = &[
    Col::numbers("#", 2, |row, _| row.index.to_string()),
    Col::numbers("cpu", 3, |row, _| row.cpu.to_string()).by(|row| Key::Number(row.cpu as f64)),
    Col::numbers("queue", 5, |row, _| row.queue.to_string()),
    Col::words("busy", GAUGE + 8, busy),
    Col::numbers("rx/s", 5, |row, _| flow(row, 0, |flow| flow.packets))
        .by(|row| key(row, 0, |flow| flow.packets)),
    Col::numbers("bit/s", 5, |row, _| flow(row, 0, |flow| flow.bits)),
    Col::numbers("tx/s", 5, |row, _| flow(row, 1, |flow| flow.packets))
        .by(|row| key(row, 1, |flow| flow.packets)),
    Col::numbers("bit/s", 5, |row, _| flow(row, 1, |flow| flow.bits)),
    Col::numbers("burst", 5, |row, _| {
        row.burst.map_or("-".to_owned(), rate_of_few)
    })
    .by(|row| row.burst.into()),
    Col::numbers("p50", 6, |row, theme| held(row, 0, theme))
        .by(|row| row.residence_ns.map(|ns| ns[0]).into()),
    Col::numbers("p99", 6, |row, theme| held(row, 1, theme))
        .by(|row| row.residence_ns.map(|ns| ns[1]).into()),
    Col::numbers("asleep", 7, |row, _| percent(row.asleep))
        .by(|row| Key::Number(row.asleep))
        .wide(),
    Col::numbers("turns/s", 7, |row, _| {
        row.turns.map_or("-".to_owned(), rate)
    })
    .by(|row| row.turns.into())
    .wide(),
    Col::numbers("generation", 10, |row, _| row.generation.to_string()).wide(),
    Col::numbers("free", 6, |row, _| short(row.frames_free)).wide(),
];

/// Whether something is wrong with it.
pub fn alarms(row: &WorkerRow) -> bool {
    row.silent
}

fn busy(row: &WorkerRow, theme: Theme) -> String {
    let [full, empty] = theme.gauge();
    let busy = row.busy.clamp(0.0, 1.0);
    let filled = (busy * GAUGE as f64).round() as usize;
    let bar = (0..GAUGE).map(|n| if n < filled { full } else { empty });
    format!("{} {:>7}", bar.collect::<String>(), percent(busy))
}

fn flow(row: &WorkerRow, direction: usize, of: fn(&Flow) -> f64) -> String {
    let flows = row.flows.as_ref();
    flows.map_or("-".to_owned(), |flows| rate(of(&flows[direction])))
}

fn key(row: &WorkerRow, direction: usize, of: fn(&Flow) -> f64) -> Key {
    row.flows.map(|flows| of(&flows[direction])).into()
}

fn held(row: &WorkerRow, which: usize, theme: Theme) -> String {
    let times = row.residence_ns;
    times.map_or("-".to_owned(), |ns| time(ns[which], theme))
}

/// Frames per burst, 1 to 64: one decimal.
fn rate_of_few(frames: f64) -> String {
    match frames {
        ..1000.0 => format!("{frames:.1}"),
        _ => rate(frames),
    }
}
