//! Text in columns, for 80 of them. Widths follow the content; two spaces part columns, one where two would not fit.

use std::fmt::Write;

/// Columns of a terminal that every view fits into.
pub const WIDTH: usize = 80;
/// Spaces before every line of a section.
const INDENT: usize = 2;

/// A table with a heading; numbers to the right, words to the left.
pub struct Grid {
    /// Columns, counted from the left, that hold words.
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// A grid with these headings, the first `words` of which stand over words.
    pub fn new<const N: usize>(words: usize, heading: [&str; N]) -> Self {
        Grid {
            words,
            rows: vec![heading.map(str::to_owned).to_vec()],
        }
    }

    /// Adds a row; it has as many cells as the heading.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(cells.len(), self.rows[0].len());
        self.rows.push(cells.map(|cell| printable(&cell)).to_vec());
    }

    /// The lines, heading first, each ending in a newline.
    pub fn render(&self) -> String {
        let columns = self.rows[0].len();
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().map(|row| chars(&row[column])).max())
            .map(Option::unwrap_or_default)
            .collect();
        let wide = INDENT + widths.iter().sum::<usize>() + 2 * (columns - 1);
        let gap = if wide <= WIDTH { 2 } else { 1 };
        let mut text = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(INDENT);
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let pad = " ".repeat(width - chars(cell));
                let between = if column == 0 { 0 } else { gap };
                line.push_str(&" ".repeat(between));
                match column < self.words {
                    true => line.extend([cell.as_str(), &pad]),
                    false => line.extend([&pad, cell.as_str()]),
                }
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }
}

/// A paragraph: `first` stands before its first line, as many spaces before the others.
pub fn paragraph(first: &str, body: &str) -> String {
    let hang = chars(first);
    let mut text = first.to_owned();
    let mut column = hang;
    for word in printable(body).split_whitespace() {
        let start = column == hang;
        if !start && column + 1 + chars(word) > WIDTH {
            text.push('\n');
            text.push_str(&" ".repeat(hang));
            column = hang;
        } else if !start {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += chars(word);
    }
    text.push('\n');
    text
}

/// What came out of shared memory or a file is not trusted with the terminal.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_left_and_numbers_right() {
        let mut grid = Grid::new(1, ["name", "count"]);
        grid.row(["a".into(), "7".into()]);
        grid.row(["longer".into(), "1234567".into()]);
        assert_eq!(
            grid.render(),
            "  name      count\n  a             7\n  longer  1234567\n"
        );
    }

    #[test]
    fn a_wide_grid_moves_together() {
        let mut grid = Grid::new(1, ["a", "b", "c"]);
        grid.row(["x".repeat(25), "y".repeat(25), "z".repeat(25)]);
        let text = grid.render();
        assert!(text.lines().all(|line| chars(line) <= WIDTH), "{text}");
        assert!(text.contains("x y"), "{text}");
    }

    #[test]
    fn a_paragraph_hangs_below_its_first_line() {
        let text = paragraph("  name  ", &"word ".repeat(30));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() > 1 && lines.iter().all(|line| chars(line) <= WIDTH));
        assert!(lines[1].starts_with("        word"));
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let mut grid = Grid::new(1, ["name"]);
        grid.row(["\x1b[31mred\n".into()]);
        let text = grid.render() + &paragraph("", "\x1b[2J");
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}
