//! Runs `middlebox.c`, the faulty path. It is C, and shares nothing with what it tests.

use std::path::Path;
use std::process::Command;

use perf::lab::{Namespace, Process, run, wait_until};
use rustix::process::Signal;
use serde::Deserialize;

use super::run::PROMPT;
use super::wire::Files;

/// A running middlebox.
pub struct Middlebox(Process);

/// What it did to frames of the test on their way from A to B, exactly.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Counts {
    pub seen: u64,
    pub dropped: u64,
    pub duplicated: u64,
    pub swapped: u64,
    pub flipped: u64,
    /// Frames from B to A, untouched.
    pub returned: u64,
    /// Frames from A to B that are not the test's.
    pub other: u64,
    /// What its sockets lost; [`Middlebox::stop`] insists on 0.
    pub missed: u64,
    pub delay_ns: Delay,
}

/// How long it kept frames, nanoseconds, from the kernel's time stamp to just before sending.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Delay {
    pub min: u64,
    pub p25: u64,
    pub p50: u64,
    pub p75: u64,
    pub max: u64,
}

impl Middlebox {
    /// Returns once it forwards.
    pub fn start(ns: &Namespace, from: &str, to: &str, faults: &str, files: &Files) -> Self {
        let program = files.path("middlebox");
        if !program.exists() {
            compile(&program);
        }
        let log = files.path("middlebox.log");
        let _ = std::fs::remove_file(&log);
        let mut command = ns.command("chrt");
        command
            .args(PROMPT)
            .arg(&program)
            .args([from, to])
            .args(faults.split_whitespace());
        let mut process = Process::start("middlebox", command, &log).unwrap();
        let mut running = Ok(());
        wait_until("the middlebox to be ready", 10, || {
            running = process.check_running();
            running.is_err() || process.output().contains("ready")
        })
        .unwrap();
        running.unwrap();
        Middlebox(process)
    }

    /// Ends it; what it did. Fails if it lost anything itself.
    pub fn stop(self) -> Counts {
        let (status, output) = self.0.stop(Signal::TERM, 10).unwrap();
        assert!(status.success(), "middlebox: {status}: {output}");
        let line = output.lines().last().unwrap_or_default();
        let counts: Counts =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {output}"));
        assert_eq!(counts.missed, 0, "the middlebox was too slow: {counts:?}");
        counts
    }
}

fn compile(program: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/middlebox.c");
    run(Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(program)
        .arg(source))
    .unwrap();
}
