//! Runs the program, to its end or beside the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use perf::lab::{Process, wait_until};
use pktgen::report::Report;
use rustix::process::Signal;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_tweed-pktgen");

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `tweed-pktgen` with flags given as one line without quoting. Before others on the machine, for what it measures is when
/// things happen.
pub fn pktgen(flags: impl AsRef<str>) -> Outcome {
    outcome(Command::new("nice").args(["-n", "-20", PROGRAM]), flags)
}

/// As [`pktgen`], under the real-time scheduler: for runs that sleep between frames (below some 4,000 a second), which it does
/// not hold up whatever else the machine does. One that spins all the time would be stopped for 50 ms of each second.
pub fn promptly(flags: impl AsRef<str>) -> Outcome {
    outcome(Command::new("chrt").args(PROMPT).arg(PROGRAM), flags)
}

/// For chrt(1).
pub const PROMPT: [&str; 2] = ["--fifo", "10"];

fn outcome(command: &mut Command, flags: impl AsRef<str>) -> Outcome {
    let output = command
        .args(flags.as_ref().split_whitespace())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Outcome {
    /// The report on stdout (`--json`) of a run that ended with `code`.
    #[track_caller]
    pub fn report_of(&self, code: i32) -> Report {
        assert_eq!(self.code, Some(code), "{self}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self}"))
    }

    /// The report of a run that ended well.
    #[track_caller]
    pub fn report(&self) -> Report {
        self.report_of(0)
    }

    /// Fails unless it ended with `code` and told each of `words` on stderr.
    #[track_caller]
    pub fn tells(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self}");
        for word in words {
            assert!(self.stderr.contains(word), "nothing of {word:?} in {self}");
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit code {:?}\nstdout: {}\nstderr: {}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// The program running beside the test, with its report saved to a file.
pub struct Background {
    process: Process,
    saved: PathBuf,
}

impl Background {
    /// Starts it; `--quiet --save` are added.
    pub fn start(flags: impl AsRef<str>, directory: &Path, name: &str) -> Self {
        let saved = directory.join(format!("{name}.json"));
        let mut command = Command::new(PROGRAM);
        command
            .args(flags.as_ref().split_whitespace())
            .arg("--quiet")
            .arg("--save")
            .arg(&saved);
        let log = directory.join(format!("{name}.log"));
        Background {
            process: Process::start(name, command, &log).unwrap(),
            saved,
        }
    }

    /// Starts a receiver or reflector; returns once it listens on `device` of `ns`.
    pub fn listening(
        flags: impl AsRef<str>,
        directory: &Path,
        name: &str,
        ns: &perf::lab::Namespace,
        device: &str,
    ) -> Self {
        let before = sockets(ns);
        let mut started = Self::start(flags, directory, name);
        let mut running = Ok(());
        wait_until(&format!("{name} to listen on {device}"), 20, || {
            running = started.process.check_running();
            running.is_err() || listens(ns, device, before)
        })
        .unwrap();
        running.unwrap();
        // The program is attached before its sockets are in the map.
        std::thread::sleep(std::time::Duration::from_millis(200));
        started
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits until it ends by itself; exit code, report, and what it printed.
    pub fn wait(mut self) -> (Option<i32>, Report, String) {
        let status = self.process.wait(30).unwrap();
        self.finish(status.code())
    }

    /// Interrupts it as Ctrl-C does, and waits.
    pub fn interrupt(mut self) -> (Option<i32>, Report, String) {
        self.process.signal(Signal::INT).unwrap();
        self.wait()
    }

    fn finish(&self, code: Option<i32>) -> (Option<i32>, Report, String) {
        let printed = self.process.output();
        let json = std::fs::read_to_string(&self.saved)
            .unwrap_or_else(|error| panic!("{}: {error}\n{printed}", self.saved.display()));
        let report = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
        (code, report, printed)
    }
}

/// AF_PACKET sockets in a namespace.
fn sockets(ns: &perf::lab::Namespace) -> usize {
    ns.run("cat /proc/net/packet").unwrap().lines().count()
}

fn listens(ns: &perf::lab::Namespace, device: &str, before: usize) -> bool {
    sockets(ns) > before
        || ns
            .run(&format!("ip link show dev {device}"))
            .unwrap()
            .contains("prog/xdp")
}
