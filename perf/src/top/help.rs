//! The help: what keys do and what words mean, over everything else.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Widget};

use super::key::HELP;
use super::theme::Theme;

/// What the words on the screen mean.
const WORDS: &[&str] = &[
    "out, in   frames sent and received by underlay ports",
    "busiest   the worker with the largest busy share",
    "burst     frames per turn that received any",
    "p50, p99  a burst in the engine, of the last minute or",
    "          so (1 burst in 1,024 is timed)",
    "drops     reasons that moved in the last minute; enter",
    "          shows all",
    "!         something is wrong with this row",
];

/// Draws it in the middle of `area`.
pub fn draw(area: Rect, theme: Theme, buffer: &mut Buffer) {
    let keys = HELP.iter().map(|(key, what)| format!("{key:<20}  {what}"));
    let words = WORDS.iter().map(|line| (*line).to_owned());
    let lines: Vec<String> = keys.chain([String::new()]).chain(words).collect();
    let width = lines.iter().map(|line| line.len()).max().unwrap_or(0) as u16 + 4;
    let height = lines.len() as u16 + 2;
    let (width, height) = (width.min(area.width), height.min(area.height));
    let place = Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 2,
        width,
        height,
    );
    Clear.render(place, buffer);
    let lines: Vec<Line> = lines
        .into_iter()
        .map(|line| Line::raw(format!(" {line}")))
        .collect();
    let block = Block::bordered()
        .border_set(theme.border())
        .title(" tweed-perf top ");
    Paragraph::new(lines).block(block).render(place, buffer);
}
