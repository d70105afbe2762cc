//! `tweed-perf serve` on a node, and curl to ask it.

use std::path::Path;

use perf::lab::{Process, Result, TweedNode, binary, expect, run, wait_until};

/// A running server; it ends with the value.
pub struct Server {
    _process: Process,
}

impl Server {
    /// Starts it and waits until it listens.
    pub fn start(node: &TweedNode, options: &[&str]) -> Result<Self> {
        let mut process = start(node, options)?;
        wait_until("tweed-perf serve to listen", 30, || {
            process.ended().is_some() || process.output().contains("serve: http")
        })?;
        process.check_running()?;
        Ok(Server { _process: process })
    }

    /// What it says when it does not start.
    pub fn refusal(node: &TweedNode, options: &[&str]) -> Result<String> {
        let mut process = start(node, options)?;
        let status = process.wait(30)?;
        expect(!status.success(), || "it started".into())?;
        Ok(process.output())
    }
}

fn start(node: &TweedNode, options: &[&str]) -> Result<Process> {
    let mut command = node.ns().command(binary("tweed-perf")?);
    command
        .arg("serve")
        .arg("--run-dir")
        .arg(node.run_dir())
        .args(options);
    let log: &Path = &node.directory().join("serve.log");
    Process::start("tweed-perf serve", command, log)
}

/// The body of a path on loopback, whatever its status.
pub fn ask(node: &TweedNode, path: &str, options: &[&str]) -> Result<String> {
    let mut curl = node.ns().command("curl");
    curl.args(["-sS", "--max-time", "10"]).args(options);
    run(curl.arg(format!("http://127.0.0.1:9460/{path}")))
}

/// The status of a path on loopback; of a stream too, for the first line is enough. On a machine that has more to do than it
/// can, an answer takes its time: that is no answer of another kind.
pub fn status(node: &TweedNode, path: &str) -> Option<u16> {
    let line = format!("curl -sNi --max-time 30 http://127.0.0.1:9460/{path} | head -n 1");
    let said = run(node.ns().command("sh").args(["-c", &line])).ok()?;
    said.split_whitespace().nth(1)?.parse().ok()
}
