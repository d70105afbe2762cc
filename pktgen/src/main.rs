//! `tweed-pktgen`: loads a path, measures what arrives.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use pktgen::error::{Failure, Result};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tweed-pktgen: {failure}");
            failure.exit_code()
        }
    }
}

fn run() -> Result<()> {
    // std::env::args would panic: a file's name may be any bytes, but reports are text and repeat the command line.
    let arguments: std::result::Result<Vec<_>, _> = std::env::args_os()
        .map(|argument| argument.into_string())
        .collect();
    let arguments = arguments.map_err(|argument| {
        Failure::Usage(format!(
            "argument {argument:?}: not UTF-8; rename the file, or take a link to it"
        ))
    })?;
    pktgen::mode::run(&pktgen::cli::parse(arguments)?)
}
