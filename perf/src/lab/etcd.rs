//! A real etcd on the underlay, which can be stopped and started again over the same data.

use std::path::PathBuf;
use std::process::Command;

use ipnet::Ipv4Net;

use super::error::{LabError, Result};
use super::lease::{self, Lease};
use super::namespace::Namespace;
use super::process::{Process, run};
use super::underlay::{Place, Underlay};
use super::wait::wait_until;

/// Where nodes reach it.
pub const ENDPOINT: &str = "http://192.168.77.250:2379";

/// Its place on the underlay.
const PLACE: u8 = 250;

/// flannel's network configuration for the lab.
const NETWORK: &str = r#"{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}"#;

/// Life of a lease, seconds: flannel's 24 hours.
const TTL_S: u32 = 86_400;

/// The etcd of a lab.
pub struct Etcd {
    ns: Namespace,
    directory: PathBuf,
    server: Option<Process>,
}

impl Etcd {
    /// Starts it, with flannel's network configuration in it.
    pub fn start_in(ns: Namespace, underlay: &Underlay, directory: PathBuf) -> Result<Self> {
        underlay.attach(&ns, &Place::near(PLACE), "etcd")?;
        let mut etcd = Etcd {
            ns,
            directory,
            server: None,
        };
        etcd.start()?;
        etcd.put(&format!("{}/config", lease::PREFIX), NETWORK)?;
        Ok(etcd)
    }

    /// Starts the server over the data it had, and waits until it answers.
    pub fn start(&mut self) -> Result<()> {
        let mut command = self.ns.command("etcd");
        command
            .arg("--data-dir")
            .arg(self.directory.join("etcd"))
            .args(["--listen-client-urls", "http://0.0.0.0:2379"])
            .args(["--advertise-client-urls", ENDPOINT])
            // A member alone elects itself after one timeout: a tenth of a second instead of one.
            .args(["--heartbeat-interval", "10", "--election-timeout", "100"])
            .args(["--logger", "zap", "--log-level", "warn"]);
        let log = self.directory.join("etcd.log");
        self.server = Some(Process::start("etcd", command, &log)?);
        wait_until("etcd to answer", 30, || self.ctl(&["get", "/"]).is_ok())
    }

    /// Stops the server, as `kill -9` would; the data stays.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Writes a key that no lease of etcd's limits.
    pub fn put(&self, key: &str, value: &str) -> Result<()> {
        self.ctl(&["put", key, value]).map(drop)
    }

    /// Deletes a key.
    pub fn delete(&self, key: &str) -> Result<()> {
        self.ctl(&["del", key]).map(drop)
    }

    /// Registers a subnet as flanneld does: a value under an etcd lease of 24 hours.
    pub fn put_lease(&self, subnet: Ipv4Net, value: &Lease) -> Result<()> {
        // "lease 694d7e... granted with TTL(86400s)"
        let granted = self.ctl(&["lease", "grant", &TTL_S.to_string()])?;
        let id = granted
            .split_whitespace()
            .nth(1)
            .ok_or_else(|| LabError::parse("an etcd lease id", &granted))?;
        self.ctl(&[
            "put",
            &format!("--lease={id}"),
            &lease::key(subnet),
            &value.to_json(),
        ])
        .map(drop)
    }

    /// Withdraws a subnet, as its lease's end would.
    pub fn delete_lease(&self, subnet: Ipv4Net) -> Result<()> {
        self.delete(&lease::key(subnet))
    }

    /// The lease of a subnet.
    pub fn lease(&self, subnet: Ipv4Net) -> Result<Lease> {
        Lease::from_json(
            self.ctl(&["get", "--print-value-only", &lease::key(subnet)])?
                .trim(),
        )
    }

    /// Runs `etcdctl` against the server; its stdout.
    pub fn ctl(&self, arguments: &[&str]) -> Result<String> {
        run(etcdctl(&self.ns).args(arguments))
    }
}

/// An `etcdctl` inside a namespace of the underlay.
pub fn etcdctl(ns: &Namespace) -> Command {
    let mut command = ns.command("etcdctl");
    // Debian's etcdctl still speaks the old API unless told.
    command
        .env("ETCDCTL_API", "3")
        .args(["--endpoints", ENDPOINT]);
    command
}
