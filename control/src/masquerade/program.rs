//! `nft` and the two kinds of `iptables`: run, fed, and understood when they refuse.
//!
//! Programs and not netlink of our own: they know each kernel's dialect, and an administrator can repeat what we did.

use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

use super::RulesError;

/// Runs `nft`; what it printed.
pub fn nft(arguments: &[&str]) -> Result<String, RulesError> {
    run("nft", arguments, "")
}

/// Has `nft` carry out a text, as one transaction.
pub fn nft_transaction(text: &str) -> Result<(), RulesError> {
    run("nft", &["-f", "-"], text).map(drop)
}

/// Runs a program to its end with this on its stdin; what it printed. Anything but success is an error.
pub fn run(program: &'static str, arguments: &[&str], stdin: &str) -> Result<String, RulesError> {
    let output = output(program, arguments, stdin)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    // nft draws a marker below what it quotes; the first line says what is wrong.
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<_> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(2)
        .collect();
    Err(RulesError::Refused {
        command: line(program, arguments),
        said: said.join(" "),
    })
}

/// Whether a program that is asked a question says yes.
pub fn says_yes(program: &'static str, arguments: &[&str]) -> Result<bool, RulesError> {
    Ok(output(program, arguments, "")?.status.success())
}

/// The command as one would type it.
pub fn line(program: &str, arguments: &[&str]) -> String {
    let words: Vec<_> = [program].iter().chain(arguments).copied().collect();
    words.join(" ")
}

fn output(program: &'static str, arguments: &[&str], stdin: &str) -> Result<Output, RulesError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => RulesError::Missing {
            program,
            package: package(program),
        },
        _ => RulesError::Run {
            program,
            problem: error.to_string(),
        },
    };
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that stops at a bad line closes the pipe; its exit status tells, not this write.
        let _ = pipe.write_all(stdin.as_bytes());
    }
    child.wait_with_output().map_err(failed)
}

fn package(program: &str) -> &'static str {
    match program {
        "nft" => "nftables",
        _ => "iptables",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_quoted_with_its_command() {
        let error = run("sh", &["-c", "cat >&2; exit 3"], "no\n\n  such luck\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`sh -c cat >&2; exit 3` failed: no such luck"
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_its_package() {
        let error = run("iptables-of-another-kind", &["-S"], "").unwrap_err();
        assert_eq!(
            error.to_string(),
            "iptables-of-another-kind is not installed: install the Debian package iptables"
        );
    }

    #[test]
    fn what_is_printed_comes_back() {
        assert_eq!(run("cat", &[], "text").unwrap(), "text");
        assert_eq!(says_yes("false", &[]), Ok(false));
    }
}
