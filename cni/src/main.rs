//! The program: environment and stdin in, JSON on stdout and an exit code out.

#![forbid(unsafe_code)]

use std::io::{IsTerminal, Read, Write, empty, stdin, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(text) = cni::about::by_hand(std::env::args_os().skip(1), |name| {
        std::env::var_os(name).is_some_and(|value| !value.is_empty())
    }) {
        return text.print();
    }
    // At a terminal nobody would know that a configuration is awaited.
    let input: Box<dyn Read> = match stdin().is_terminal() {
        true => Box::new(empty()),
        false => Box::new(stdin()),
    };
    let answer = cni::answer(|name| std::env::var_os(name), input);
    let mut out = stdout().lock();
    // A runtime that is gone cannot be told; one that still waits sees the exit code.
    match out.write_all(&answer.stdout).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(answer.exit_code),
        Err(_) => ExitCode::FAILURE,
    }
}
