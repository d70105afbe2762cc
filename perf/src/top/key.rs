//! Keys, and what they mean. One list, which the help shows as well.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End.
    Quit,
    /// The next panel.
    Next,
    /// The panel before.
    Previous,
    /// Rows further up by so many.
    Up(usize),
    /// Rows further down.
    Down(usize),
    /// The first row.
    First,
    /// The last row.
    Last,
    /// The chosen panel alone, or all.
    Alone,
    /// The next order of its rows.
    Sort,
    /// The other way round.
    Reverse,
    /// Hold the screen, or let it go.
    Freeze,
    /// Look less often.
    Longer,
    /// Look more often.
    Shorter,
    /// Show what keys do, or hide it.
    Help,
    /// Out of whatever is open.
    Back,
}

/// Rows of a page.
const PAGE: usize = 10;

/// Keys and what they do, for the help.
pub const HELP: &[(&str, &str)] = &[
    ("q", "quit"),
    ("tab, left, right", "choose a panel"),
    ("up, down, pgup, pgdn", "scroll it; home, end"),
    ("enter", "this panel alone, all of it; again: all panels"),
    ("s", "the next column to sort by"),
    ("r", "sort the other way round"),
    ("p, space", "hold the screen; again: go on"),
    ("+, -", "look less often, more often"),
    ("h, ?", "this help"),
];

/// What this key means; `None`: nothing.
pub fn action(event: KeyEvent) -> Option<Action> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    if event.modifiers.contains(KeyModifiers::CONTROL) {
        // In raw mode the terminal makes no signal of it.
        return (event.code == KeyCode::Char('c')).then_some(Action::Quit);
    }
    Some(match event.code {
        KeyCode::Char('q') => Action::Quit,
        KeyCode::Tab | KeyCode::Right => Action::Next,
        KeyCode::BackTab | KeyCode::Left => Action::Previous,
        KeyCode::Up | KeyCode::Char('k') => Action::Up(1),
        KeyCode::Down | KeyCode::Char('j') => Action::Down(1),
        KeyCode::PageUp => Action::Up(PAGE),
        KeyCode::PageDown => Action::Down(PAGE),
        KeyCode::Home => Action::First,
        KeyCode::End => Action::Last,
        KeyCode::Enter => Action::Alone,
        KeyCode::Char('s') => Action::Sort,
        KeyCode::Char('r') => Action::Reverse,
        KeyCode::Char('p' | ' ') => Action::Freeze,
        KeyCode::Char('+' | '=') => Action::Longer,
        KeyCode::Char('-') => Action::Shorter,
        KeyCode::Char('h' | '?') => Action::Help,
        KeyCode::Esc => Action::Back,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_c_quits_and_other_control_keys_do_nothing() {
        let key = |code, modifiers| action(KeyEvent::new(code, modifiers));
        let control = KeyModifiers::CONTROL;
        assert_eq!(key(KeyCode::Char('c'), control), Some(Action::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(key(KeyCode::Char('s'), control), None);
    }
}
