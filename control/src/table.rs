//! Text in columns for people, coloured on a terminal that wants it (no-color.org). Off a terminal nothing is wrapped, so that
//! a line can be searched for.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};

/// What a cell says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Doubt,
    /// Wrong.
    Bad,
}

/// Columns that are as wide as what is in them.
pub struct Columns(Table);

impl Columns {
    /// Without a row yet.
    pub fn new(coloured: bool) -> Self {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic);
        match coloured {
            true => table.enforce_styling(),
            false => table.force_no_tty(),
        };
        Columns(table)
    }

    /// Names the columns.
    pub fn heading<const N: usize>(mut self, names: [&str; N]) -> Self {
        self.0.set_header(names);
        self
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [(Tone, String); N]) {
        self.0
            .add_row(cells.map(|(tone, text)| cell(tone, &text)).to_vec());
    }

    /// The lines, each ending in a newline; nothing if there is no row.
    pub fn render(&self) -> String {
        match self.0.is_empty() {
            true => String::new(),
            false => self.0.trim_fmt() + "\n",
        }
    }
}

fn cell(tone: Tone, text: &str) -> Cell {
    let cell = Cell::new(printable(text));
    match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::Green),
        Tone::Doubt => cell.fg(Color::Yellow),
        Tone::Bad => cell.fg(Color::Red),
    }
}

/// What came out of shared memory, a file or the network is not trusted with the terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' { '?' } else { c };
    text.chars().map(shown).collect()
}

/// Whether stdout is a terminal and NO_COLOR is not set.
pub fn is_coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Prints what a command has to say; an exit code if that fails. A reader that leaves early has seen enough.
pub fn print(text: io::Result<String>, command: &str) -> Option<ExitCode> {
    let printed = text.and_then(|text| {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", text.trim_end())?;
        out.flush()
    });
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("tweed-control {command}: cannot print: {error}");
            Some(ExitCode::FAILURE)
        }
        _ => None,
    }
}

/// A length of time in its two largest units: `23 h 59 min`.
pub fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match whole {
        0..10 => format!("{:.1} s", seconds.max(0.0)),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{minutes} min {} s", whole % 60),
        3600..86_400 => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_carry_no_escape_of_others() {
        let mut columns = Columns::new(false).heading(["name", "state"]);
        columns.row([
            (Tone::Plain, "a".into()),
            (Tone::Bad, "\x1b[2Jfailed".into()),
        ]);
        columns.row([(Tone::Plain, "longer".into()), (Tone::Good, "up".into())]);
        let text = columns.render();
        let column = |word| text.lines().find_map(|line| line.find(word));
        assert_eq!(column("state"), column("up"));
        assert!(
            text.contains("?[2Jfailed") && !text.contains('\x1b'),
            "{text:?}"
        );
        assert_eq!(Columns::new(false).heading(["name"]).render(), "");
    }

    #[test]
    fn colour_is_where_it_is_asked_for() {
        let mut columns = Columns::new(true);
        columns.row([(Tone::Bad, "failed".into())]);
        assert!(columns.render().contains("\x1b["));
    }

    #[test]
    fn spans_have_two_units() {
        for (seconds, text) in [
            (-1.0, "0.0 s"),
            (3.26, "3.3 s"),
            (59.9, "59 s"),
            (61.0, "1 min 1 s"),
            (86_399.0, "23 h 59 min"),
            (90_000.0, "1 d 1 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
