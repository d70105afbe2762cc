//! The panel of drops. Reasons that took nothing in the last minute are told as a sum, for what moves must be seen;
//! they come back when the panel has the screen for itself.

use super::column::{Column, Key};
use super::view::DropRow;
use crate::stats::{rate, short};

type Col = Column<DropRow>;

/// 62 characters, with a gap of two, and the meaning.
pub const COLUMNS: &[Col] = &[
    Col::words("port", 15, |row, _| row.port.clone()).by(|row| Key::Text(row.port.clone())),
    Col::words("reason", 18, |row, _| row.reason.name().to_owned())
        .by(|row| Key::Text(row.reason.name().to_owned())),
    Col::numbers("drops/s", 7, |row, _| {
        row.per_second.map_or("-".to_owned(), rate)
    })
    .by(|row| row.per_second.into()),
    Col::numbers("total", 5, |row, _| short(row.total)).by(|row| Key::Number(row.total as f64)),
    Col::rest("meaning", 20, |row, _| row.reason.meaning().to_owned()),
];

/// Whether it takes frames now.
pub fn alarms(row: &DropRow) -> bool {
    row.per_second.is_some_and(|rate| rate > 0.0)
}

/// What is said of reasons that are not shown.
pub fn folded<'a>(resting: impl Iterator<Item = &'a DropRow>) -> Option<String> {
    let (mut reasons, mut frames) = (0, 0u64);
    for row in resting {
        reasons += 1;
        frames = frames.saturating_add(row.total);
    }
    (reasons > 0).then(|| format!("{reasons} at rest, {} in all", short(frames)))
}
