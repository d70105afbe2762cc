//! The four panels, and what is chosen in each.

use super::column::{self, Column, Order};
use super::theme::Theme;
use super::view::View;
use super::{drops, peers, ports, text, workers};

/// A panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// Workers.
    Workers,
    /// Ports.
    Ports,
    /// Drop reasons.
    Drops,
    /// Peers.
    Peers,
}

impl Panel {
    /// From top to bottom.
    pub const ALL: [Panel; 4] = [Panel::Workers, Panel::Ports, Panel::Drops, Panel::Peers];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Panel::Workers => "workers",
            Panel::Ports => "ports",
            Panel::Drops => "drops",
            Panel::Peers => "peers",
        }
    }

    /// The panel `step` further down, round and round.
    pub fn step(self, step: usize) -> Self {
        Panel::ALL[(self as usize + step) % Panel::ALL.len()]
    }

    /// Orders that its rows can be in.
    pub fn orders(self) -> usize {
        1 + match self {
            Panel::Workers => column::sortable(workers::COLUMNS).count(),
            Panel::Ports => column::sortable(ports::COLUMNS).count(),
            Panel::Drops => column::sortable(drops::COLUMNS).count(),
            Panel::Peers => column::sortable(peers::COLUMNS).count(),
        }
    }
}

/// What the user chose in a panel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice {
    /// The order of its rows.
    pub order: Order,
    /// Rows scrolled away at the top.
    pub offset: usize,
}

/// A panel as lines of text.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Beside its name.
    pub notes: Vec<String>,
    /// Above the rows; none when there is none.
    pub heading: String,
    /// Rows, and whether something is wrong with what they tell.
    pub rows: Vec<(String, bool)>,
}

/// Rows that it has.
pub fn rows(panel: Panel, view: &View, unfolded: bool) -> usize {
    match panel {
        Panel::Workers => view.workers.len(),
        Panel::Ports => view.report.ports.len(),
        Panel::Drops => shown_drops(view, unfolded).count(),
        Panel::Peers => view.report.peers.len(),
    }
}

/// How many lines this panel would like: its rule, headings and all rows. Without a row one line says why.
pub fn wants(panel: Panel, view: &View, unfolded: bool) -> u16 {
    match rows(panel, view, unfolded) {
        0 => 2,
        rows => u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2),
    }
}

/// Its rows in `height` lines of `width`, headings included.
pub fn body(
    panel: Panel,
    view: &View,
    choice: Choice,
    unfolded: bool,
    [width, height]: [usize; 2],
    theme: Theme,
) -> Body {
    let size = [width, height];
    match panel {
        Panel::Workers => table(
            workers::COLUMNS,
            &view.workers,
            workers::alarms,
            choice,
            size,
            theme,
        ),
        Panel::Ports => {
            let ports = &view.report.ports;
            let mut body = table(ports::COLUMNS, ports, ports::alarms, choice, size, theme);
            if ports.is_empty() {
                body.rows = vec![(
                    "none: the tables name none yet; is tweed-control running?".to_owned(),
                    false,
                )];
            }
            body
        }
        Panel::Drops => {
            let rows: Vec<_> = shown_drops(view, unfolded).cloned().collect();
            let mut body = table(drops::COLUMNS, &rows, drops::alarms, choice, size, theme);
            if rows.is_empty() {
                body.rows = vec![("none in the last minute".to_owned(), false)];
            }
            if !unfolded {
                let resting = view.drops.iter().filter(|row| !row.moves);
                body.notes.extend(drops::folded(resting));
            }
            body
        }
        Panel::Peers => {
            let peers = &view.report.peers;
            let mut body = table(peers::COLUMNS, peers, peers::alarms, choice, size, theme);
            if peers.is_empty() {
                body.rows = vec![("none".to_owned(), false)];
            }
            body
        }
    }
}

fn shown_drops(view: &View, unfolded: bool) -> impl Iterator<Item = &super::view::DropRow> {
    view.drops.iter().filter(move |row| unfolded || row.moves)
}

fn table<T>(
    columns: &[Column<T>],
    rows: &[T],
    alarms: fn(&T) -> bool,
    choice: Choice,
    [width, height]: [usize; 2],
    theme: Theme,
) -> Body {
    let mut notes = Vec::new();
    let visible = height.saturating_sub(1);
    let offset = choice.offset.min(rows.len().saturating_sub(visible));
    let last = (offset + visible).min(rows.len());
    if last - offset < rows.len() {
        notes.push(match last {
            _ if visible == 0 => format!("{} folded", rows.len()),
            _ => format!("{}-{last} of {}", offset + 1, rows.len()),
        });
    }
    if choice.order != Order::default() {
        let column = choice.order.column.checked_sub(1);
        let column = column.and_then(|number| column::sortable(columns).nth(number));
        let arrow = theme.arrow(column::descends(columns, choice.order));
        notes.push(match column {
            Some(column) => format!("by {} {arrow}", column.heading),
            None => "reversed".to_owned(),
        });
    }
    let shown = match visible {
        0 => Vec::new(),
        _ => column::ordered(columns, rows, choice.order),
    };
    let shown = shown.into_iter().skip(offset).take(visible);
    let row = |row: &T| (column::row(columns, row, width, theme), alarms(row));
    Body {
        notes,
        heading: match rows.is_empty() {
            true => String::new(),
            false => column::heading(columns, width, theme),
        },
        rows: shown.map(row).collect(),
    }
}

/// The rule above a panel: its name, and what is to be said beside it.
pub fn rule(panel: Panel, notes: &[String], chosen: bool, width: usize, theme: Theme) -> String {
    let line = theme.rule(chosen);
    let mut rule = format!("{line}{line} {} ", panel.name());
    for note in notes {
        rule += &format!("{line} {note} ");
    }
    let rule = text::cut(&rule, width, theme);
    let rest = width - text::columns(&rule);
    rule + &line.repeat(rest)
}
