//! Text that fits: cells of a given width out of strings that may hold anything.
//!
//! Names come out of shared memory and files of others: what would move the cursor, or takes no column (joiners, marks
//! that turn the direction of writing), is shown as a question mark.

use unicode_width::UnicodeWidthChar;

use super::theme::Theme;

/// `text` with nothing in it that a terminal could take for more than a character.
pub fn clean(text: &str, theme: Theme) -> String {
    let shown = |c: char| match c.width() {
        Some(1..) if theme.unicode || c.is_ascii() => c,
        _ => '?',
    };
    text.chars().map(shown).collect()
}

/// Columns that a clean text takes.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// A clean text, cut to `width` columns; what was cut shows.
pub fn cut(text: &str, width: usize, theme: Theme) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        let c_width = c.width().unwrap_or(0);
        if used + c_width + 1 > width {
            break;
        }
        used += c_width;
        cut.push(c);
    }
    if width > 0 {
        cut.push(theme.ellipsis());
    }
    cut
}

/// A text in a cell of exactly `width` columns.
pub fn cell(text: &str, width: usize, right: bool, theme: Theme) -> String {
    let text = cut(&clean(text, theme), width, theme);
    let pad = " ".repeat(width - columns(&text));
    if right { pad + &text } else { text + &pad }
}

/// A time in three digits: `850 ns`, `8.21 µs`, `31.0 ms`.
pub fn time(ns: f64, theme: Theme) -> String {
    let (value, unit) = match ns {
        ..1e3 => return format!("{:.0} ns", ns.max(0.0)),
        ..1e6 => (ns / 1e3, format!("{}s", theme.micro())),
        ..1e9 => (ns / 1e6, "ms".to_owned()),
        _ => (ns / 1e9, "s".to_owned()),
    };
    match value {
        ..10.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

/// `14:03:18 UTC` of nanoseconds since 1970.
pub fn clock(unix_ns: u64) -> String {
    let s = unix_ns / 1_000_000_000;
    let [hours, minutes, seconds] = [s / 3600 % 24, s / 60 % 60, s % 60];
    format!("{hours:02}:{minutes:02}:{seconds:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNICODE: Theme = Theme {
        coloured: false,
        unicode: true,
    };
    const ASCII: Theme = Theme {
        coloured: false,
        unicode: false,
    };

    #[test]
    fn hostile_names_are_harmless() {
        assert_eq!(clean("a\x1b[2Jb\u{202e}c\n", UNICODE), "a?[2Jb?c?");
        assert_eq!(clean("zürich", ASCII), "z?rich");
    }

    #[test]
    fn what_was_cut_shows() {
        assert_eq!(cell("a-long-name", 6, false, UNICODE), "a-lon…");
        assert_eq!(cell("a-long-name", 6, false, ASCII), "a-lon~");
        assert_eq!(cell("12", 4, true, UNICODE), "  12");
        // A wide character that does not fit leaves a blank.
        assert_eq!(cell("東京都", 4, false, UNICODE), "東… ");
    }

    #[test]
    fn times_are_short() {
        let cases = [
            (0.4, "0 ns"),
            (850.0, "850 ns"),
            (8_210.0, "8.2 µs"),
            (31_000_000.0, "31 ms"),
            (2e9, "2.0 s"),
        ];
        for (ns, text) in cases {
            assert_eq!(time(ns, UNICODE), text);
        }
        assert_eq!(time(8_210.0, ASCII), "8.2 us");
        assert_eq!(
            clock(86_400_000_000_000 + 3_661_000_000_000),
            "01:01:01 UTC"
        );
    }

    proptest! {
        #[test]
        fn a_cell_is_as_wide_as_it_was_asked_to_be(text: String, width in 0..40usize, right: bool, unicode: bool) {
            let theme = Theme { coloured: false, unicode };
            let cell = cell(&text, width, right, theme);
            prop_assert_eq!(columns(&cell), width);
            prop_assert!(!cell.chars().any(char::is_control));
            prop_assert!(unicode || cell.is_ascii());
        }
    }
}
