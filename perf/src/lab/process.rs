//! A program that runs beside the test and dies with it.
//!
//! Invariant: when a `Process` is dropped its program is dead and reaped. What it prints goes to a file, never to a pipe: a
//! pipe that nobody reads stops the program once it is full.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::error::{LabError, Result};
use super::wait::wait_for;

/// A running (or ended, not yet dropped) program.
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command`; stdout and stderr go to `output`, appended so that a restarted daemon keeps its history.
    pub fn start(name: &str, mut command: Command, output: &Path) -> Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(output)
            .map_err(LabError::io(format!("open {}", output.display())))?;
        let second = file
            .try_clone()
            .map_err(LabError::io(format!("duplicate {}", output.display())))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(second)
            .spawn()
            .map_err(|source| LabError::Start {
                command: format!("{command:?}"),
                source,
            })?;
        Ok(Process {
            name: name.to_owned(),
            child,
            output: output.to_owned(),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// How it ended, or `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// An error when it has ended, with the tail of its log.
    pub fn check_running(&mut self) -> Result<()> {
        match self.ended() {
            None => Ok(()),
            Some(status) => Err(LabError::Ended {
                name: self.name.clone(),
                status,
                log: tail(&self.output(), 20),
            }),
        }
    }

    /// Sends a signal; an error when the process is gone already.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.check_running()?;
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).map_err(|errno| LabError::Io {
            action: format!("send {signal:?} to {}", self.name),
            source: errno.into(),
        })
    }

    /// Asks it to end by `signal` and waits; its exit status.
    pub fn stop(mut self, signal: Signal, seconds: u64) -> Result<(ExitStatus, String)> {
        self.signal(signal)?;
        let status = self.wait(seconds)?;
        Ok((status, self.output()))
    }

    /// Waits until it ends by itself.
    pub fn wait(&mut self, seconds: u64) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        wait_for(&what, seconds, || self.ended())
    }

    /// Ends it with SIGKILL, as a crash would.
    pub fn kill(self) {}
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it is dead already, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last `lines` lines of a log.
pub fn tail(log: &str, lines: usize) -> String {
    let all: Vec<_> = log.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Runs a command to its end and returns its stdout; an error when it fails.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| LabError::Start {
            command: line(command),
            source,
        })?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(LabError::Failed {
        command: line(command),
        status: output.status,
        output: tail(format!("{}\n{}", stdout.trim(), stderr.trim()).trim(), 20),
    })
}

/// The command line as one would type it.
fn line(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_quoted_with_what_it_said() {
        let message = run(Command::new("sh").args(["-c", "echo no such luck >&2; exit 3"]))
            .unwrap_err()
            .to_string();
        assert!(message.contains("sh -c"), "{message}");
        assert!(message.contains("no such luck"), "{message}");
    }

    #[test]
    fn a_dropped_process_is_dead() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        command.arg("1000");
        let process = Process::start("sleep", command, &dir.path().join("log")).unwrap();
        let pid = Pid::from_raw(process.pid() as i32).unwrap();
        drop(process);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[test]
    fn an_ended_process_is_reported_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo out of luck; exit 4"]);
        let mut process = Process::start("gambler", command, &dir.path().join("log")).unwrap();
        process.wait(10).unwrap();
        let message = process.check_running().unwrap_err().to_string();
        assert!(
            message.contains("gambler") && message.contains("out of luck"),
            "{message}"
        );
    }

    #[test]
    fn tail_of_a_short_log_is_the_log() {
        assert_eq!(tail("a\nb", 5), "a\nb");
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
    }
}
