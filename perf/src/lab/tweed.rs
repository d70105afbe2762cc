//! A node that runs our two daemons.
//!
//! Either daemon can be started, stopped and killed alone, for that is what the design promises users.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use rustix::process::Signal;

use super::binaries::binary;
use super::error::{LabError, Result};
use super::etcd::ENDPOINT;
use super::namespace::Namespace;
use super::node::Node;
use super::process::{Process, run};
use super::wait::wait_until;

/// The kernel's end of the uplink into the engine.
pub const DEVICE: &str = "tweed0";

/// What a test may vary in `node.toml`; the rest is the lab's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// `underlay.interface`.
    pub interface: String,
    /// `underlay.mode`.
    pub mode: &'static str,
    /// `overlay.kind`.
    pub overlay: &'static str,
    /// One worker for each of these queues.
    pub queues: Vec<u32>,
    /// `dataplane.idle`.
    pub idle: &'static str,
    /// `lease.file`, in place of etcd.
    pub leases: Option<PathBuf>,
}

impl NodeConfig {
    /// One worker per queue of the lab's NIC, `eth0`.
    pub fn eth0(queues: u32) -> Self {
        NodeConfig {
            interface: "eth0".to_owned(),
            mode: "auto",
            overlay: "veth",
            queues: (0..queues).collect(),
            idle: "adaptive",
            leases: None,
        }
    }

    /// Writes it as the `node.toml` of a node: where that is.
    pub fn write(&self, node: &Node) -> Result<PathBuf> {
        let path = node.directory().join("node.toml");
        std::fs::write(&path, self.render(node.directory(), node.place().host))
            .map_err(LabError::io(format!("write {}", path.display())))?;
        Ok(path)
    }

    /// The text of `node.toml` for the node at `host` whose files are in `directory`.
    fn render(&self, directory: &Path, host: u8) -> String {
        let cpus = std::thread::available_parallelism().map_or(1, |n| n.get()) as u32;
        let workers: String = self
            .queues
            .iter()
            .map(|queue| {
                // Neighbouring nodes start on different CPUs: two nodes on two cores do not share one by accident.
                let cpu = (u32::from(host) + queue) % cpus;
                format!("\n[[worker]]\nqueue = {queue}\ncpu = {cpu}\n")
            })
            .collect();
        let source = match &self.leases {
            Some(file) => format!("source = \"file\"\nfile = {file:?}\n"),
            None => String::new(),
        };
        format!(
            "[node]\nrun_dir = {run:?}\nstate_dir = {state:?}\n\n\
             [underlay]\ninterface = {interface:?}\nmode = {mode:?}\n\n\
             [overlay]\nkind = {overlay:?}\n\n\
             [lease]\nsubnet_env = {subnet_env:?}\n{source}\n\
             [etcd]\nendpoints = [{ENDPOINT:?}]\n\n\
             [dataplane]\nidle = {idle:?}\n{workers}",
            run = directory.join("run"),
            state = directory.join("state"),
            interface = self.interface,
            mode = self.mode,
            overlay = self.overlay,
            subnet_env = directory.join("subnet.env"),
            idle = self.idle,
        )
    }
}

/// A tweed node.
pub struct TweedNode {
    node: Node,
    control: Option<Process>,
    dataplane: Option<Process>,
}

impl TweedNode {
    /// A node with a `node.toml` for its NIC, and no daemon running.
    pub fn create(node: Node) -> Result<Self> {
        let config = NodeConfig::eth0(node.place().queues);
        for name in ["run", "state"] {
            let path = node.directory().join(name);
            std::fs::create_dir(&path)
                .map_err(LabError::io(format!("create {}", path.display())))?;
        }
        let tweed = TweedNode {
            node,
            control: None,
            dataplane: None,
        };
        tweed.configure(&config)?;
        Ok(tweed)
    }

    /// Rewrites `node.toml`; daemons read it when they start.
    pub fn configure(&self, config: &NodeConfig) -> Result<()> {
        config.write(&self.node).map(drop)
    }

    /// Starts both daemons and waits for the lease, as the CNI plugin would.
    pub fn start(&mut self) -> Result<()> {
        self.start_control()?;
        self.start_dataplane()?;
        let path = self.subnet_env_path();
        let mut ended = Ok(());
        wait_until(&format!("the lease of {}", self.name()), 30, || {
            ended = self.check_running();
            ended.is_err() || path.exists()
        })?;
        ended
    }

    /// Starts `tweed-control`.
    pub fn start_control(&mut self) -> Result<()> {
        self.control = Some(self.daemon("tweed-control")?);
        Ok(())
    }

    /// Starts `tweed-dataplane`.
    pub fn start_dataplane(&mut self) -> Result<()> {
        self.dataplane = Some(self.daemon("tweed-dataplane")?);
        Ok(())
    }

    /// Starts one of our daemons beside those that run, for tests that expect it to refuse.
    pub fn daemon(&self, name: &'static str) -> Result<Process> {
        let mut command = self.ns().command(binary(name)?);
        command.arg("--config").arg(self.config_path());
        let log = self.directory().join(format!("{name}.log"));
        Process::start(&format!("{name} on {}", self.name()), command, &log)
    }

    /// Runs a daemon that is expected to refuse to run: its exit status and what it printed.
    pub fn refusal(&self, name: &'static str) -> Result<(ExitStatus, String)> {
        let mut daemon = self.daemon(name)?;
        let status = daemon.wait(30)?;
        Ok((status, daemon.output()))
    }

    /// A one-shot command of one of our programs with this node's configuration, to its end: what it printed.
    pub fn run(&self, name: &'static str, arguments: &[&str]) -> Result<String> {
        let mut command = self.ns().command(binary(name)?);
        command
            .args(arguments)
            .env("TWEED_CONFIG", self.config_path());
        run(&mut command)
    }

    /// SIGTERM to control.
    pub fn stop_control(&mut self) -> Result<ExitStatus> {
        stop(&mut self.control)
    }

    /// SIGTERM to the dataplane.
    pub fn stop_dataplane(&mut self) -> Result<ExitStatus> {
        stop(&mut self.dataplane)
    }

    /// `kill -9` of control.
    pub fn kill_control(&mut self) -> Result<()> {
        kill(&mut self.control)
    }

    /// `kill -9` of the dataplane.
    pub fn kill_dataplane(&mut self) -> Result<()> {
        kill(&mut self.dataplane)
    }

    /// Stops both daemons by SIGTERM, the dataplane first; their exit statuses.
    pub fn stop(&mut self) -> Result<[ExitStatus; 2]> {
        Ok([stop(&mut self.dataplane)?, stop(&mut self.control)?])
    }

    /// An error when a daemon that was started has ended.
    pub fn check_running(&mut self) -> Result<()> {
        let daemons = [&mut self.control, &mut self.dataplane];
        daemons
            .into_iter()
            .flatten()
            .try_for_each(Process::check_running)
    }

    /// Its `node.toml`.
    pub fn config_path(&self) -> PathBuf {
        self.directory().join("node.toml")
    }

    /// Gives it this VTEP MAC instead of one by chance. For a node that never ran.
    pub fn set_vtep_mac(&self, mac: &str) -> Result<()> {
        let path = self.directory().join("state/vtep-mac");
        std::fs::write(&path, format!("{mac}\n"))
            .map_err(LabError::io(format!("write {}", path.display())))
    }

    /// Its `node.run_dir`: the segments, and control's status.
    pub fn run_dir(&self) -> PathBuf {
        self.directory().join("run")
    }

    /// The tables segment, for tests that mangle it.
    pub fn tables_path(&self) -> PathBuf {
        self.run_dir().join("tables")
    }
}

fn stop(daemon: &mut Option<Process>) -> Result<ExitStatus> {
    match daemon.take() {
        Some(daemon) => daemon.stop(Signal::TERM, 30).map(|(status, _)| status),
        None => Err(LabError::Unexpected("it does not run".to_owned())),
    }
}

/// An error when it had died before, for then the test would test nothing.
fn kill(daemon: &mut Option<Process>) -> Result<()> {
    match daemon.take() {
        Some(mut daemon) => {
            daemon.check_running()?;
            daemon.kill();
            Ok(())
        }
        None => Err(LabError::Unexpected(
            "a daemon to be killed does not run".to_owned(),
        )),
    }
}

impl Deref for TweedNode {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl AsRef<Namespace> for TweedNode {
    fn as_ref(&self) -> &Namespace {
        self.node.ns()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::config::Config;

    #[test]
    fn the_daemons_believe_what_we_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.toml");
        std::fs::write(&path, NodeConfig::eth0(2).render(directory.path(), 1)).unwrap();
        let config = Config::load(&path).unwrap();
        let eth0 = contract::config::DeviceRef::Name("eth0".into());
        assert_eq!(config.underlay.interfaces, [eth0]);
        assert_eq!(config.workers.len(), 2);
        assert_eq!(config.etcd.endpoints, [ENDPOINT]);
        assert_eq!(config.tables_path(), directory.path().join("run/tables"));
    }

    #[test]
    fn the_daemons_believe_a_lease_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.toml");
        let leases = directory.path().join("leases.json");
        let config = NodeConfig {
            leases: Some(leases.clone()),
            ..NodeConfig::eth0(1)
        };
        std::fs::write(&path, config.render(directory.path(), 1)).unwrap();
        assert_eq!(
            Config::load(&path).unwrap().lease.source,
            contract::config::LeaseSource::File(leases)
        );
    }
}
