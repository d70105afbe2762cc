//! What can be typed, and what it means.

use crate::error::Result;
use crate::run::plan::Command;

/// The command line as a plan. clap ends the process itself for `--help` and for flags that it refuses (exit code 2).
///
/// # Errors
/// [`Failure::Usage`](crate::error::Failure::Usage): a value or a profile is wrong.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command> {
    let _ = arguments.into_iter().count();
    todo!()
}
