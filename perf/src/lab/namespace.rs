//! A network namespace that exists as long as its value does.
//!
//! Programs enter by `ip netns exec`, which also gives them a /sys of the namespace (daemons read /sys/class/net there).
//! Sockets of our own are made by [`Namespace::inside`]: a short-lived thread enters, and what it opens stays in the
//! namespace whichever thread uses it later. IPv6 is off throughout: router solicitations and duplicate address detection
//! would appear in captures and counters as noise.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::error::{LabError, Result};
use super::name::Prefix;
use super::process::run;

/// Where iproute2 keeps a file per namespace.
const DIRECTORY: &str = "/run/netns";

/// A network namespace of ours. Dropping it kills what runs inside and removes it with its devices.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    lab: Prefix,
}

impl Namespace {
    /// Creates it, with loopback up.
    pub fn create(lab: &Prefix, what: &str) -> Result<Self> {
        let name = lab.name(what);
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let ns = Namespace {
            name,
            lab: lab.clone(),
        };
        for family in ["all", "default"] {
            ns.sysctl(&format!("net/ipv6/conf/{family}/disable_ipv6"), "1")?;
            ns.sysctl(&format!("net/ipv4/conf/{family}/rp_filter"), "0")?;
        }
        ns.ip("link set lo up")?;
        Ok(ns)
    }

    /// Its name, as `ip netns exec` takes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files of its lab.
    pub fn directory(&self) -> PathBuf {
        self.lab.directory()
    }

    /// Runs one `ip` command per line of `script`; stops at the first that fails.
    pub fn ip(&self, script: &str) -> Result<()> {
        batch("ip", &self.name, script)
    }

    /// A command that will run inside.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name])
            .arg(program.as_ref());
        command
    }

    /// Runs a command inside, given as one line without quoting; its stdout.
    pub fn run(&self, line: &str) -> Result<String> {
        let mut words = line.split_whitespace();
        run(self.command(words.next().unwrap_or_default()).args(words))
    }

    /// Runs `f` on a thread inside the namespace. Sockets made there stay inside after it has ended.
    pub fn inside<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T> {
        let path = path(&self.name);
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let action = format!("enter namespace {}", path.display());
                let file = File::open(&path).map_err(LabError::io(action.clone()))?;
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                    .map_err(|errno| LabError::io(action)(errno.into()))?;
                Ok(f())
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Sets a sysctl of the namespace; `key` is its path below /proc/sys.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{key}");
        self.inside(|| std::fs::write(&path, value))?
            .map_err(LabError::io(format!(
                "write {value} to {path} in {}",
                self.name
            )))
    }

    /// Turns off what a wire cannot do: partial checksums and packets larger than the MTU would otherwise cross a veth
    /// whole, and tests would pass that fail on real hardware.
    pub fn make_wire(&self, device: &str) -> Result<()> {
        self.run(&format!(
            "ethtool -K {device} tx off tso off gso off gro off"
        ))
        .map(drop)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

impl AsRef<Namespace> for Namespace {
    fn as_ref(&self) -> &Namespace {
        self
    }
}

/// Feeds `script` to a tool of iproute2 (`ip` or `bridge`) that acts inside the namespace named.
pub fn batch(tool: &str, namespace: &str, script: &str) -> Result<()> {
    let command = format!("{tool} -n {namespace} -batch -");
    let started = |source| LabError::Start {
        command: command.clone(),
        source,
    };
    let mut child = Command::new(tool)
        .args(["-n", namespace, "-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(started)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that stops at a bad line closes the pipe; its exit status tells, not this write.
        let _ = stdin.write_all(script.as_bytes());
    }
    let output = child.wait_with_output().map_err(started)?;
    if output.status.success() {
        return Ok(());
    }
    Err(LabError::Failed {
        command: format!("{command} <<< {script:?}"),
        status: output.status,
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Every namespace that iproute2 knows on this machine.
pub fn names() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(DIRECTORY) else {
        return Vec::new();
    };
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().ok();
    entries.flatten().filter_map(name).collect()
}

/// Kills what runs inside and removes the namespace with its devices. A failure is shown and otherwise ignored, for this
/// runs while things are being torn down.
pub fn remove(name: &str) {
    for pid in pids(name) {
        if let Some(pid) = Pid::from_raw(pid) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    if let Err(error) = run(Command::new("ip").args(["netns", "del", name])) {
        eprintln!("lab: {error}");
    }
}

/// The processes whose main thread is inside: those whose /proc/<pid>/ns/net is the same inode.
fn pids(name: &str) -> Vec<i32> {
    let (Ok(ours), Ok(entries)) = (std::fs::metadata(path(name)), std::fs::read_dir("/proc"))
    else {
        return Vec::new();
    };
    let inside = |entry: std::fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let theirs = std::fs::metadata(entry.path().join("ns/net")).ok()?;
        ((theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino())).then_some(pid)
    };
    entries.flatten().filter_map(inside).collect()
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(DIRECTORY).join(name)
}
