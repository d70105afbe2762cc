//! `--once`: one screen on paper, for scripts and reports of trouble.
//!
//! As long as it takes, plain text, nothing that would move a cursor.

use std::io::Write;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::App;
use super::render::{LEAST, draw, height};
use crate::stats::Source;

/// Columns where nobody says how many there are.
const WIDTH: u16 = 100;
/// Lines of a panel; `tweed-perf stats --json` has all rows.
const MOST_ROWS: u16 = 42;

/// Looks twice and prints.
pub fn print(app: &mut App, source: &mut Source) -> std::io::Result<()> {
    app.once = true;
    super::look(app, source);
    std::thread::sleep(app.interval);
    super::look(app, source);
    let columns = std::env::var("COLUMNS").ok();
    let columns = columns.and_then(|columns| columns.trim().parse().ok());
    let text = screen(app, columns.unwrap_or(WIDTH));
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The screen as text, `width` columns wide or as wide as one must at least be.
pub fn screen(app: &App, width: u16) -> String {
    let [least_width, least_height] = LEAST;
    let lines = app
        .shown()
        .view
        .as_ref()
        .map_or(0, |view| height(app, view, MOST_ROWS));
    // A line wider than that is nobody's terminal.
    let area = Rect::new(
        0,
        0,
        width.clamp(least_width, 1000),
        lines.max(least_height),
    );
    let mut buffer = Buffer::empty(area);
    draw(app, area, &mut buffer);
    let mut text = String::new();
    for y in 0..area.height {
        let line: String = (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}
