//! What a check has found.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works; it could be better, or could not be looked at.
    Hint,
    /// It works for now, or in part.
    Warn,
    /// Pods do not reach each other, or tweed does not run.
    Error,
}

impl Level {
    /// Name for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Hint => "hint",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at: one of a fixed set of names, for programs to go by.
    pub subject: &'static str,
    /// What was seen.
    pub seen: String,
    /// What to type, or to write into `node.toml`; absent where nothing is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// As it should be.
pub fn ok(subject: &'static str, seen: impl Into<String>) -> Finding {
    Finding {
        level: Level::Ok,
        subject,
        seen: seen.into(),
        remedy: None,
    }
}

/// It could be better.
pub fn hint(subject: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Finding {
    finding(Level::Hint, subject, seen.into(), remedy.into())
}

/// It works for now, or in part.
pub fn warn(subject: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Finding {
    finding(Level::Warn, subject, seen.into(), remedy.into())
}

/// It does not work.
pub fn error(subject: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Finding {
    finding(Level::Error, subject, seen.into(), remedy.into())
}

fn finding(level: Level, subject: &'static str, seen: String, remedy: String) -> Finding {
    Finding {
        level,
        subject,
        seen,
        remedy: Some(remedy),
    }
}
