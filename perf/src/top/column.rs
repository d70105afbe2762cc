//! Tables: columns of fixed width, so that numbers change and nothing moves.
//!
//! Columns that 80 characters hold are always there, the others as far as there is room. Rows are put in order by
//! their keys before any is formatted, and only those in sight are.

use std::cmp::Ordering;

use super::text::{cell, columns};
use super::theme::Theme;

/// What rows are put in order by.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// Numbers, before words.
    Number(f64),
    /// Words.
    Text(String),
}

impl Key {
    fn compare(&self, other: &Key) -> Ordering {
        match (self, other) {
            (Key::Number(a), Key::Number(b)) => a.total_cmp(b),
            (Key::Text(a), Key::Text(b)) => a.cmp(b),
            (Key::Number(_), Key::Text(_)) => Ordering::Less,
            (Key::Text(_), Key::Number(_)) => Ordering::Greater,
        }
    }
}

impl From<Option<f64>> for Key {
    /// What is not known is less than anything.
    fn from(number: Option<f64>) -> Self {
        Key::Number(number.unwrap_or(f64::NEG_INFINITY))
    }
}

/// How a column takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Words, to the left.
    Words,
    /// Numbers, to the right.
    Numbers,
    /// Words, as wide as what is left over and at least as wide as its width; only the last column.
    Rest,
}

/// A column of rows of `T`.
pub struct Column<T> {
    /// Stands above it.
    pub heading: &'static str,
    /// Columns of the terminal.
    pub width: usize,
    /// Where its text stands in that.
    pub place: Place,
    /// Whether it is left out where there is no room for it.
    pub optional: bool,
    /// What stands in it.
    pub text: fn(&T, Theme) -> String,
    /// What its rows are put in order by; `None`: nobody would.
    pub key: Option<fn(&T) -> Key>,
}

impl<T> Column<T> {
    /// A column for words.
    pub const fn words(heading: &'static str, width: usize, text: fn(&T, Theme) -> String) -> Self {
        Column {
            heading,
            width,
            place: Place::Words,
            optional: false,
            text,
            key: None,
        }
    }

    /// A column for numbers.
    pub const fn numbers(
        heading: &'static str,
        width: usize,
        text: fn(&T, Theme) -> String,
    ) -> Self {
        Column {
            place: Place::Numbers,
            ..Column::words(heading, width, text)
        }
    }

    /// The last column: what is left of the width, if that is at least `width`.
    pub const fn rest(heading: &'static str, width: usize, text: fn(&T, Theme) -> String) -> Self {
        Column {
            place: Place::Rest,
            optional: true,
            ..Column::words(heading, width, text)
        }
    }

    /// Rows can be put in order by it.
    pub const fn by(mut self, key: fn(&T) -> Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Only where there is room for it.
    pub const fn wide(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// How a table is put in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// 0: as the rows come; else the column with that number among those with a key.
    pub column: usize,
    /// The other way round.
    pub reverse: bool,
}

/// Columns that rows can be put in order by.
pub fn sortable<T>(columns: &[Column<T>]) -> impl Iterator<Item = &Column<T>> {
    columns.iter().filter(|column| column.key.is_some())
}

/// Whether this order begins with the largest: numbers do, words and the order of the rows do not.
pub fn descends<T>(columns: &[Column<T>], order: Order) -> bool {
    let column = order.column.checked_sub(1);
    let column = column.and_then(|number| sortable(columns).nth(number));
    column.is_some_and(|column| column.place == Place::Numbers) != order.reverse
}

/// The rows, in order.
pub fn ordered<'a, T>(columns: &[Column<T>], rows: &'a [T], order: Order) -> Vec<&'a T> {
    let descends = descends(columns, order);
    let number = order.column.checked_sub(1);
    let key = number.and_then(|number| sortable(columns).nth(number)?.key);
    let mut rows: Vec<&T> = rows.iter().collect();
    let Some(key) = key else {
        if descends {
            rows.reverse();
        }
        return rows;
    };
    let mut keyed: Vec<(Key, &T)> = rows.into_iter().map(|row| (key(row), row)).collect();
    keyed.sort_by(|(a, _), (b, _)| match descends {
        true => b.compare(a),
        false => a.compare(b),
    });
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// The columns that fit into `width`, with their widths, and the blanks between them.
pub fn fit<T>(columns: &[Column<T>], width: usize) -> (Vec<(&Column<T>, usize)>, usize) {
    let needed = columns.iter().filter(|column| !column.optional);
    let count = needed.clone().count();
    let mut used: usize = needed.map(|column| column.width).sum();
    // Two blanks between columns where there is room for them, else one.
    let gap = match used + 2 * count.saturating_sub(1) <= width {
        true => 2,
        false => 1,
    };
    used += gap * count.saturating_sub(1);
    let mut chosen = Vec::new();
    for column in columns {
        let wanted = column.width + gap;
        if column.optional && used + wanted > width {
            continue;
        }
        if column.optional {
            used += wanted;
        }
        chosen.push((column, column.width));
    }
    if let Some((column, last)) = chosen.last_mut()
        && column.place == Place::Rest
    {
        *last += width.saturating_sub(used);
    }
    (chosen, gap)
}

/// The line of headings.
pub fn heading<T>(columns: &[Column<T>], width: usize, theme: Theme) -> String {
    line(columns, width, theme, |column| column.heading.to_owned())
}

/// The line of a row.
pub fn row<T>(columns: &[Column<T>], row: &T, width: usize, theme: Theme) -> String {
    line(columns, width, theme, |column| (column.text)(row, theme))
}

fn line<T>(
    all: &[Column<T>],
    width: usize,
    theme: Theme,
    text: impl Fn(&Column<T>) -> String,
) -> String {
    let (chosen, gap) = fit(all, width);
    let mut line = String::new();
    for (number, (column, width)) in chosen.into_iter().enumerate() {
        if number > 0 {
            line.push_str(&" ".repeat(gap));
        }
        let right = column.place == Place::Numbers;
        line.push_str(&cell(&text(column), width, right, theme));
    }
    // Too narrow for the columns that must be: the last of them are cut, wherever that is.
    match columns(&line) <= width {
        true => line,
        false => cell(&line, width, false, theme),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const THEME: Theme = Theme {
        coloured: false,
        unicode: true,
    };
    type Col = Column<(f64, &'static str)>;
    const COLUMNS: &[Col] = &[
        Col::words("name", 4, |row, _| row.1.to_owned()).by(|row| Key::Text(row.1.to_owned())),
        Col::numbers("n", 3, |row, _| row.0.to_string()).by(|row| Key::Number(row.0)),
        Col::numbers("twice", 5, |row, _| (2.0 * row.0).to_string()).wide(),
        Col::rest("rest", 4, |row, _| row.1.repeat(5)),
    ];

    #[test]
    fn columns_come_as_there_is_room() {
        let at = |width| {
            let row = row(COLUMNS, &(7.0, "abc"), width, THEME);
            format!("{}|{}", heading(COLUMNS, width, THEME), row)
        };
        assert_eq!(at(6), "name …|abc  …");
        assert_eq!(at(8), "name   n|abc    7");
        assert_eq!(at(9), "name    n|abc     7");
        assert_eq!(at(16), "name    n  twice|abc     7     14");
        assert_eq!(
            at(25),
            "name    n  twice  rest   |abc     7     14  abcabc…"
        );
    }

    #[test]
    fn numbers_begin_with_the_largest_and_words_with_the_first() {
        let rows = [(2.0, "b"), (f64::NAN, "c"), (3.0, "a")];
        let names = |column, reverse| -> String {
            let order = Order { column, reverse };
            let rows = ordered(COLUMNS, &rows, order);
            rows.into_iter().map(|row| row.1).collect()
        };
        assert_eq!(names(0, false), "bca");
        assert_eq!(names(0, true), "acb");
        assert_eq!(names(1, false), "abc");
        assert_eq!(names(2, false), "cab");
        assert_eq!(names(2, true), "bac");
        // A column that there is not: as they come.
        assert_eq!(names(9, false), "bca");
    }

    proptest! {
        #[test]
        fn a_line_is_never_wider_than_there_is_room(width in 0..60usize, name: String, n: f64) {
            let name: &'static str = name.leak();
            prop_assert!(columns(&row(COLUMNS, &(n, name), width, THEME)) <= width);
        }
    }
}
