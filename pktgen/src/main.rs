//! `tweed-pktgen`: loads a path, measures what arrives.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    match pktgen::cli::parse(std::env::args()).and_then(|command| pktgen::mode::run(&command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tweed-pktgen: {failure}");
            failure.exit_code()
        }
    }
}
