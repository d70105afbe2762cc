//! Text of a report in HTML and SVG: names, notes and kernel strings are input.

use std::fmt::{self, Write};

/// Text that is only text, in an element or in a quoted attribute, in HTML as in XML.
///
/// Characters that XML does not know become U+FFFD, so that a plot copied out of the page is still an SVG file; those that turn the
/// direction of writing do too, for what they reorder is not what was measured.
pub struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(' ')?,
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char('\u{fffd}')?,
                '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                control if control.is_control() => f.write_char('\u{fffd}')?,
                plain => f.write_char(plain)?,
            }
        }
        Ok(())
    }
}

/// At most `most` characters, the last an ellipsis when there were more: a label in a plot has no more room. Tables have it whole.
pub fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let mut kept: String = text.chars().take(most.saturating_sub(1)).collect();
            kept.push('…');
            kept
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text() {
        let hostile = "<b onclick='x'>\"&\u{0}\u{202e}\n</b>";
        let text = "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;\u{fffd}\u{fffd} &lt;/b&gt;";
        assert_eq!(Text(hostile).to_string(), text);
    }

    #[test]
    fn labels_are_cut_between_characters() {
        assert_eq!(short("kernel", 6), "kernel");
        assert_eq!(short("ééééééé", 3), "éé…");
        assert_eq!(short("", 0), "");
    }
}
