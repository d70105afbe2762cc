//! What can go wrong while a topology is built or exercised.
//!
//! Every variant names the operation and the object, and carries what the system said: a lab that fails in CI has no one at
//! its keyboard to ask.

use std::path::PathBuf;
use std::process::ExitStatus;

use thiserror::Error;

/// Result of a lab operation.
pub type Result<T> = std::result::Result<T, LabError>;

/// Why a lab operation failed.
#[derive(Debug, Error)]
pub enum LabError {
    /// A program could not be started.
    #[error("cannot start `{command}`: {source}; is it installed, and are you root?")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program ran and failed.
    #[error("`{command}` failed with {status}: {output}")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed, trimmed.
        output: String,
    },
    /// A system call of our own failed.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, and on what.
        action: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something awaited did not happen.
    #[error("waited {seconds} s for {what}, in vain")]
    Timeout {
        /// What was awaited.
        what: String,
        /// How long, seconds.
        seconds: u64,
    },
    /// A daemon ended when it should have gone on.
    #[error("{name} ended with {status}; the end of its log:\n{log}")]
    Ended {
        /// The daemon.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// A tool's output is not what we know how to read.
    #[error("cannot read {what} from {text:?}")]
    Parse {
        /// What was expected.
        what: &'static str,
        /// What came, shortened.
        text: String,
    },
    /// One of our own binaries is not there.
    #[error("no {name} in {}; build it: cargo build --workspace{}", directory.display(), if *release { " --release" } else { "" })]
    NotBuilt {
        /// The binary.
        name: &'static str,
        /// Where it should be.
        directory: PathBuf,
        /// Whether the release profile is in use.
        release: bool,
    },
    /// The network did something else than it should.
    #[error("{0}")]
    Unexpected(String),
}

impl LabError {
    /// For `map_err` on a system call: `.map_err(LabError::io(format!("write {path}")))`.
    pub fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| LabError::Io { action, source }
    }

    /// A parse failure; keeps the first 400 characters of `text`.
    pub fn parse(what: &'static str, text: &str) -> Self {
        LabError::Parse {
            what,
            text: text.chars().take(400).collect(),
        }
    }
}

/// An expectation: `Ok` when it holds, otherwise the sentence that says what was seen instead.
pub fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(LabError::Unexpected(otherwise()))
    }
}
