//! What each subcommand does with its plan.

pub mod latency;
pub mod ndr;
pub mod reflect;
pub mod replay;
pub mod report;
pub mod rx;
pub mod tx;

use crate::error::Result;
use crate::run::plan::Command;

/// Carries out a command.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Tx(plan) => tx::run(plan),
        Command::Rx(plan) => rx::run(plan),
        Command::Latency(plan) => latency::run(plan),
        Command::Reflect(plan) => reflect::run(plan),
        Command::Ndr(plan) => ndr::run(plan),
        Command::Replay(plan) => replay::run(plan),
        Command::Report(plan) => report::run(plan),
    }
}
