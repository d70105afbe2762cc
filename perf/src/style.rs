//! Colour, on a terminal that wants it (no-color.org).

use std::io::IsTerminal;

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    coloured: bool,
}

impl Style {
    /// Coloured or not.
    pub const fn new(coloured: bool) -> Self {
        Style { coloured }
    }

    /// Colour if stdout is a terminal and NO_COLOR is not set.
    pub fn of_stdout() -> Self {
        Style::new(std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    /// `text`, green or red by whether it is good.
    pub fn verdict(self, good: bool, text: &str) -> String {
        self.wrap(if good { "32" } else { "31" }, text)
    }

    /// `text`, bold.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self.coloured {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}
