//! The screen, as a function of the state.
//!
//! ```text
//!   engine, tables, control      and what is wrong, if anything is
//!   ── rates ──                  four numbers with their history
//!   ── workers ──  ── ports ──  ── drops ──  ── peers ──
//!   keys
//! ```
//!
//! Lines are given out from top to bottom by what there is; a panel that gets one line is its rule alone, which says
//! how much is folded.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::app::App;
use super::head::{self, Tone};
use super::layout::allocate;
use super::panel::{self, Panel};
use super::text::{cell, clean, columns, cut};
use super::view::View;
use super::{headline, help};
use crate::stats::span;

/// The least that is drawn in: there numbers still stand in their columns.
pub const LEAST: [u16; 2] = [40, 10];
/// Windows with fewer lines than that show less of everything.
const TALL: u16 = 32;
/// Columns of the names in the head.
const NAME: usize = 9;
const KEYS: &str = "q quit  tab panel  s sort  r reverse  p freeze  h help";

/// Draws everything.
pub fn render(app: &App, frame: &mut Frame) {
    let area = frame.area();
    draw(app, area, frame.buffer_mut());
}

/// Draws everything into a buffer.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let [least_width, least_height] = LEAST;
    if area.width < least_width || area.height < least_height {
        let text = format!("too small: {least_width} x {least_height} at least; q quits");
        let text = cut(&text, usize::from(area.width), app.theme);
        buffer.set_stringn(area.x, area.y, text, usize::from(area.width), Style::new());
        return;
    }
    if let Some(view) = &app.shown().view {
        let plan = plan(app, view, area.height);
        let mut pen = Pen {
            app,
            area,
            y: area.y,
            buffer,
        };
        pen.head(view, plan.alerts);
        pen.headline(view, plan.headline, plan.history);
        for (panel, height) in Panel::ALL.into_iter().zip(plan.panels) {
            pen.panel(panel, view, height);
        }
    } else {
        buffer.set_stringn(
            area.x,
            area.y,
            " reading ...",
            usize::from(area.width),
            Style::new(),
        );
    }
    if !app.once {
        footer(app, area, buffer);
    }
    if app.help {
        help::draw(area, app.theme, buffer);
    }
}

/// Lines of each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Lines for what is wrong.
    alerts: usize,
    /// Headline numbers shown.
    headline: u16,
    /// Lines of each.
    history: u16,
    /// By panel, rule included.
    pub panels: [u16; 4],
}

/// Who gets how many lines of a window this large.
pub fn plan(app: &App, view: &View, height: u16) -> Plan {
    let most = match height {
        _ if app.once => usize::MAX,
        ..TALL => 2,
        _ => 5,
    };
    let head = head::lines(app, view, most).len() as u16;
    let alerts = usize::from(head - 3);
    let headline = if height < 16 { 2 } else { 4 };
    let history = match height {
        _ if app.once => 1,
        ..TALL => 1,
        TALL..50 => 2,
        _ => 3,
    };
    let footer = u16::from(!app.once);
    let used = head + 1 + headline * history + footer;
    let wants = Panel::ALL.map(|panel| panel::wants(panel, view, app.unfolded(panel)));
    let lines = height.saturating_sub(used);
    Plan {
        alerts,
        headline,
        history,
        panels: allocate(lines, wants, app.chosen as usize, app.alone),
    }
}

/// Lines that everything together would take.
pub fn height(app: &App, view: &View, most_rows: u16) -> u16 {
    let panels = Panel::ALL.map(|panel| panel::wants(panel, view, app.unfolded(panel)));
    let panels: u16 = panels.into_iter().map(|lines| lines.min(most_rows)).sum();
    let head = head::lines(app, view, usize::MAX).len() as u16;
    head + 1 + 4 + panels
}

/// Draws line after line.
struct Pen<'a> {
    app: &'a App,
    area: Rect,
    y: u16,
    buffer: &'a mut Buffer,
}

impl Pen<'_> {
    fn line(&mut self, text: &str, style: Style) {
        if self.y < self.area.bottom() {
            let width = usize::from(self.area.width);
            self.buffer
                .set_stringn(self.area.x, self.y, text, width, style);
        }
        self.y = self.y.saturating_add(1);
    }

    fn head(&mut self, view: &View, alerts: usize) {
        let theme = self.app.theme;
        let width = usize::from(self.area.width);
        for line in head::lines(self.app, view, alerts) {
            let text = clean(&line.text, theme);
            let room = width.saturating_sub(NAME + 1);
            let text = format!(
                " {}{}",
                cell(line.name, NAME, false, theme),
                cut(&text, room, theme)
            );
            match line.tone {
                Tone::Good => self.line(&text, theme.good()),
                Tone::Plain => self.line(&text, Style::new()),
                Tone::Bad => self.line(&text, theme.bad()),
                Tone::Banner => self.line(&cell(&text, width, false, theme), theme.banner()),
            }
        }
    }

    fn headline(&mut self, view: &View, numbers: u16, lines: u16) {
        let width = usize::from(self.area.width);
        let line = self.app.theme.rule(false);
        let notes = headline::notes(self.app, width);
        let mut rule = format!("{line}{line} rates ");
        for note in notes {
            rule += &format!("{line} {note} ");
        }
        let rest = width.saturating_sub(columns(&rule));
        self.line(&(rule + &line.repeat(rest)), Style::new());
        let area = Rect {
            y: self.y,
            height: (numbers * lines).min(self.area.bottom().saturating_sub(self.y)),
            ..self.area
        };
        headline::draw(self.app, view, area, lines, self.buffer);
        self.y = self.y.saturating_add(numbers * lines);
    }

    fn panel(&mut self, panel: Panel, view: &View, height: u16) {
        if height == 0 {
            return;
        }
        let app = self.app;
        let width = usize::from(self.area.width);
        let chosen = app.chosen == panel && !app.once;
        let size = [width - 1, usize::from(height - 1)];
        let unfolded = app.unfolded(panel);
        let body = panel::body(panel, view, app.choice(panel), unfolded, size, app.theme);
        let rule = panel::rule(panel, &body.notes, chosen, width, app.theme);
        let end = self.y.saturating_add(height);
        self.line(&rule, app.theme.title(chosen));
        if !body.heading.is_empty() && self.y < end {
            self.line(&format!(" {}", body.heading), app.theme.faint());
        }
        for (text, alarms) in body.rows {
            if self.y >= end {
                break;
            }
            let style = match (app.is_down(), alarms) {
                (true, _) => app.theme.faint(),
                (false, true) => app.theme.bad(),
                (false, false) => Style::new(),
            };
            let mark = if alarms { '!' } else { ' ' };
            self.line(&format!("{mark}{text}"), style);
        }
        self.y = end;
    }
}

/// The last line: what keys do, or that the screen is held.
fn footer(app: &App, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let keys = format!("{KEYS}  +/- every {} s", app.interval.as_secs_f64());
    let (text, style) = match app.frozen_s() {
        None => (format!(" {keys}"), app.theme.faint()),
        Some(seconds) => (
            format!(" FROZEN {} ago: p goes on  {keys}", span(seconds)),
            app.theme.bad(),
        ),
    };
    let text = cut(&text, width, app.theme);
    buffer.set_stringn(area.x, area.bottom() - 1, text, width, style);
}
