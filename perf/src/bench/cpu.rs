//! One core for the device under test, the other for the generator, and nothing else on either.
//!
//! Both run with real-time priority (SCHED_FIFO), so that what else this machine does shows in nobody's figures; the
//! kernel keeps a twentieth of each core for the rest. The benchmark itself stands above both, for it has to read its
//! counters in time, and hardly ever runs. util-linux sets all that: the calls for it are unsafe, and rare here.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::Result;
use crate::lab::{LabError, Namespace, run};

/// The generator's core.
pub const GENERATOR: u32 = 0;
/// The core of the device under test.
pub const DEVICE: u32 = 1;

/// Priority of what is measured, and of its generator.
const BUSY: &str = "1";
/// Priority of those that look at it.
const WATCHER: &str = "2";

/// A command that will run in a namespace, alone on a core.
pub fn alone_on(cpu: u32, ns: &Namespace, program: &Path) -> Command {
    let mut command = ns.command("chrt");
    command.args(["-f", BUSY, "taskset", "-c", &cpu.to_string()]);
    command.arg(program);
    command
}

/// A command that will run in a namespace when it wants to.
pub fn watching(ns: &Namespace, program: &Path) -> Command {
    let mut command = ns.command("chrt");
    command.args(["-f", WATCHER]).arg(program);
    command
}

/// Puts this thread above what is measured; what it starts is ordinary.
pub fn watch() -> Result<()> {
    let pid = std::process::id().to_string();
    let args = ["--reset-on-fork", "-f", "-p", WATCHER, &pid];
    run(Command::new("chrt").args(args)).map(drop)
}

/// Gives a running thread a core to itself.
pub fn isolate(thread: u32, cpu: u32) -> Result<()> {
    let thread = thread.to_string();
    run(Command::new("taskset").args(["-c", "-p", &cpu.to_string(), &thread]))?;
    run(Command::new("chrt").args(["-f", "-p", BUSY, &thread])).map(drop)
}

/// The threads listed in a directory of /proc whose name starts so. Threads of the kernel are among those of /proc itself.
pub fn threads(directory: &Path, name: &str) -> Result<BTreeSet<u32>> {
    let entries = std::fs::read_dir(directory)
        .map_err(LabError::io(format!("list {}", directory.display())))?;
    let matching = |entry: std::fs::DirEntry| {
        let thread = entry.file_name().to_str()?.parse().ok()?;
        // A thread may end while we look.
        let comm = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        comm.starts_with(name).then_some(thread)
    };
    Ok(entries.flatten().filter_map(matching).collect())
}
