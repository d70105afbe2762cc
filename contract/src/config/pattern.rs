//! A regular expression as flanneld reads it: Go's `regexp`, which is RE2, and nearly what the crate `regex` speaks.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

/// A checked expression; it matches anywhere in a text unless it is anchored, as Go's MatchString does.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Checks one; the error is in words, with what was typed.
    pub fn new(text: &str) -> Result<Self, String> {
        // Over bytes and without Unicode classes: `\d` is a digit of ASCII, as in Go, and the tables of Unicode stay out.
        match RegexBuilder::new(text).unicode(false).build() {
            Ok(regex) => Ok(Pattern(regex)),
            Err(error) => {
                // The crate draws the expression with a marker below it; the last line says what is wrong.
                let error = error.to_string();
                let problem = error.lines().last().unwrap_or_default();
                let problem = problem.trim_start_matches("error: ");
                Err(format!("holds {text:?}, no regular expression: {problem}"))
            }
        }
    }

    /// Whether it matches anywhere in the text.
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }

    /// As typed.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialect_is_gos() {
        let cases = [
            (r"^eth\d$", "eth0", true),
            (r"eth", "veth12", true),
            (r"^192\.168\.", "10.192.168.1", false),
            (r"(?i)ETH0|bond\w+", "bond0", true),
            (r"^(ens|enp)[0-9]+s", "enp3s0", true),
            (r"[[:digit:]]{3}", "172.16.0.1", true),
            (r"[[:digit:]]{4}", "172.16.0.1", false),
        ];
        for (pattern, text, expected) in cases {
            let matches = Pattern::new(pattern).unwrap().matches(text);
            assert_eq!(matches, expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn what_is_none_is_named() {
        let error = Pattern::new("eth(0").unwrap_err();
        assert!(
            error.contains("eth(0") && error.contains("unclosed group"),
            "{error}"
        );
    }
}
