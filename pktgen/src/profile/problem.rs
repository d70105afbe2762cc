//! What is wrong with a profile, said so that it can be put right: the key as it was typed, in the file or as a flag,
//! the value, and what may stand there.
//!
//! Invariant: a text has one line and no control characters, whatever was typed.

use std::fmt::Display;

use crate::error::Failure;

/// Characters of a value that an error repeats: a file may hold a megabyte where a number belongs.
const SHOWN: usize = 60;

/// A profile that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ProfileError {
    /// The key as typed: `stream[1].vxlan.vni` (streams are counted from 0), `--vxlan`, or `line 3` for what is no
    /// TOML.
    pub key: String,
    /// The value and the range.
    pub problem: String,
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        Failure::Usage(error.to_string())
    }
}

/// A value that is wrong, and what would be right; whoever knows the key makes a [`ProfileError`] of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(String);

impl Problem {
    /// `value` is outside of `range`.
    pub fn new(value: &str, range: impl Display) -> Self {
        Problem(format!("{}; {range}", shown(value)))
    }

    /// `value` is not a `what` at all; `range` says what one looks like.
    pub fn not(value: &str, what: &str, range: impl Display) -> Self {
        Problem(format!("{} is not {what}; {range}", shown(value)))
    }
}

/// A value as an error repeats it: quoted unless it is a number or the like, cut if it is long.
pub fn shown(value: &str) -> String {
    let mut text: String = value.chars().take(SHOWN).collect();
    if text.len() < value.len() {
        text.push_str("...");
    }
    let plain = |c: char| c.is_ascii_graphic() && c != '"';
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') && text.chars().all(plain) {
        return text;
    }
    format!("{text:?}")
}

/// Where keys were typed: it decides how errors call them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// A TOML file.
    #[default]
    File,
    /// The command line.
    Flags,
}

/// A place in a profile: the run's keys, or those of a stream.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// Where it was typed.
    pub origin: Origin,
    /// Index of the stream, from 0; `None`: the run's keys.
    pub stream: Option<usize>,
}

impl At {
    /// A key as the user typed it; `name` is as in the TOML file, with `vxlan.` before those of the tunnel.
    pub fn key(self, name: &str) -> String {
        match (self.origin, self.stream) {
            (Origin::Flags, _) => flag(name),
            (Origin::File, None) => name.into(),
            (Origin::File, Some(index)) => format!("stream[{index}].{name}"),
        }
    }

    /// An error about a key.
    pub fn error(self, name: &str, problem: impl Display) -> ProfileError {
        ProfileError {
            key: self.key(name),
            problem: problem.to_string(),
        }
    }
}

/// The flag that stands for a key. The tunnel's have names of their own, for on the command line there is no
/// `[stream.vxlan]` above them.
fn flag(name: &str) -> String {
    match name {
        "vxlan.vni" => "--vxlan".into(),
        "vxlan.src" => "--vtep-src".into(),
        "vxlan.dst" => "--vtep-dst".into(),
        "vxlan.port" => "--vxlan-dport".into(),
        "vxlan.checksum" => "--vxlan-checksum".into(),
        _ => format!("--{}", name.trim_start_matches("vxlan.").replace('_', "-")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_typed() {
        let file = At {
            origin: Origin::File,
            stream: Some(1),
        };
        assert_eq!(file.key("vxlan.vni"), "stream[1].vxlan.vni");
        assert_eq!(
            At {
                stream: None,
                ..file
            }
            .key("rate"),
            "rate"
        );
        let flags = At {
            origin: Origin::Flags,
            stream: Some(0),
        };
        for (name, expected) in [
            ("vxlan.vni", "--vxlan"),
            ("vxlan.inner_src_mac", "--inner-src-mac"),
            ("src_mac", "--src-mac"),
            ("dst", "--dst"),
        ] {
            assert_eq!(flags.key(name), expected);
        }
    }

    #[test]
    fn values_are_harmless_and_short() {
        assert_eq!(shown("20000"), "20000");
        assert_eq!(shown("quick"), "\"quick\"");
        assert_eq!(shown(""), "\"\"");
        assert_eq!(shown("1\u{1b}[2J"), "\"1\\u{1b}[2J\"");
        assert_eq!(shown(&"x".repeat(1_000_000)).len(), SHOWN + 5);
    }
}
