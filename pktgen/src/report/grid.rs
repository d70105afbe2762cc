//! Columns that line up, and text that is safe to print.
//!
//! Names come from profiles, other machines' reports and files: what reaches a terminal passes [`clean`] first, so that
//! no name can move the cursor or colour the rest. Invariant: colours are put on after the widths are measured.

/// Widest a table should be.
pub const WIDTH: usize = 100;

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// As it is.
    #[default]
    Plain,
    /// A heading.
    Bold,
    /// What the eye may skip.
    Faint,
    /// Good.
    Green,
    /// Bad.
    Red,
}

/// `text`, looking like that (ECMA-48 SGR), if colours are wanted.
pub fn paint(text: &str, look: Look, coloured: bool) -> String {
    let code = match look {
        Look::Plain => return text.to_owned(),
        Look::Bold => 1,
        Look::Faint => 2,
        Look::Green => 32,
        Look::Red => 31,
    };
    if coloured {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Without what a terminal would obey: control characters, and those that turn the direction of text.
pub fn clean(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars()
        .map(|c| if obeyed(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Cleaned, and at most `most` characters.
pub fn short(text: &str, most: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= most {
        return text;
    }
    text.chars()
        .take(most.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// A table: the first column to the left, the others to the right.
#[derive(Clone, Debug, Default)]
pub struct Grid {
    rows: Vec<Vec<(String, Look)>>,
}

impl Grid {
    /// With these headings.
    pub fn new<T: Into<String>>(headings: impl IntoIterator<Item = T>) -> Self {
        let row = headings
            .into_iter()
            .map(|text| (text.into(), Look::Faint))
            .collect();
        Grid { rows: vec![row] }
    }

    /// Another row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = (String, Look)>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Without headings.
    pub fn bare() -> Self {
        Grid::default()
    }

    /// The lines, each indented by two and ended.
    pub fn render(&self, coloured: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width_of = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|(text, _)| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width_of).collect();
        let mut lines = String::new();
        for row in &self.rows {
            let mut line = String::from(" ");
            for (column, (text, look)) in row.iter().enumerate() {
                let pad = " ".repeat(widths[column].saturating_sub(text.chars().count()));
                let text = paint(text, *look, coloured && !text.is_empty());
                line += " ";
                line += &if column == 0 {
                    text + &pad
                } else {
                    format!(" {pad}{text}")
                };
            }
            lines += line.trim_end();
            lines += "\n";
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_and_without_colour() {
        let mut grid = Grid::new(["", "lost"]);
        grid.row([("a".into(), Look::Plain), ("1,000".into(), Look::Red)]);
        grid.row([("längst".into(), Look::Plain), ("0".into(), Look::Plain)]);
        assert_eq!(
            grid.render(false),
            "           lost\n  a       1,000\n  längst      0\n"
        );
        let coloured = grid.render(true);
        assert!(
            coloured.contains("  a       \x1b[31m1,000\x1b[0m\n"),
            "{coloured:?}"
        );
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(
            clean("a\x1b[2Jb\r\n\u{202e}c"),
            "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c"
        );
        assert_eq!(short("abcdef", 4), "abc…");
        assert_eq!(short("abcd", 4), "abcd");
    }
}
