//! What can be typed, and what it means.
//!
//! Two stages: [`arguments`] is what was typed, in clap's hands; [`mod@plan`] is what it means, a [`Command`] in which
//! every value is checked and every default filled in. What was typed is checked before the machine is asked anything,
//! so that a wrong flag is told of without root and without the interface. Exit code 2 for all of it.

pub mod arguments;
mod ends;
pub mod groups;
mod help;
pub mod plan;
#[cfg(test)]
mod tests;
mod traffic;
mod values;

use clap::Parser;

use crate::error::Result;
use crate::io::link;
use crate::run::plan::Command;

/// The command line as a plan. clap ends the process itself for `--help` and for flags that it refuses (exit code 2).
///
/// # Errors
/// [`Failure::Usage`](crate::error::Failure::Usage): a value or a profile is wrong.
/// [`Failure::Environment`](crate::error::Failure::Environment): a source address was left out, and the interface that
/// would give it is not there.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command> {
    let arguments: Vec<String> = arguments.into_iter().collect();
    let typed = arguments::Typed::parse_from(&arguments);
    plan::plan(typed.command, arguments, &link::addresses)
}
