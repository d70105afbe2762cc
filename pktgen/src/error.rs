//! What ends a run early, by whose move it is: the exit code follows from it.

use std::process::ExitCode;

/// Why there is no (good) result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The run was measured, and more was lost than the bound allows. Exit code 1.
    #[error("{0}")]
    Loss(String),
    /// A flag or a profile is wrong; the text names the key, the value and the range. Exit code 2, as clap's own errors.
    #[error("{0}")]
    Usage(String),
    /// This machine cannot do it as it stands; the text names the object and the remedy. Exit code 3.
    #[error("{0}")]
    Environment(String),
}

/// Result of everything that can fail here.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Loss(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Environment(_) => 3,
        })
    }

    /// An environment failure, from an operation and its cause.
    pub fn environment(what: impl std::fmt::Display, cause: impl std::fmt::Display) -> Self {
        Failure::Environment(format!("{what}: {cause}"))
    }
}
