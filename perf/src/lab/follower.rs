//! flanneld's lease watch, reduced to what the kernel needs: for each remote lease a neighbour, a forwarding entry and an
//! onlink route (flannel pkg/backend/vxlan/vxlan_network.go).
//!
//! `etcdctl watch --rev=1` delivers the whole history and then what comes, so there is one path instead of a snapshot and a
//! watch. It reconnects by itself when etcd was away.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread::JoinHandle;

use ipnet::Ipv4Net;

use super::error::{LabError, Result};
use super::etcd::etcdctl;
use super::flannel::{DEVICE, add_peer};
use super::lease::{self, Lease};
use super::namespace::batch;
use super::node::Node;

/// A thread that keeps a node's kernel tables as the leases in etcd say.
pub struct Follower {
    watch: Child,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Follows all leases but the node's `own`.
    pub fn start(node: &Node, own: Ipv4Net) -> Result<Self> {
        let mut command = etcdctl(node.ns());
        command.args(["watch", "--rev=1", "--prefix"]);
        command.arg(format!("{}/subnets/", lease::PREFIX));
        let failed = |source| LabError::Start {
            command: "etcdctl watch".to_owned(),
            source,
        };
        let mut watch = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let events = watch
            .stdout
            .take()
            .ok_or_else(|| failed(std::io::Error::other("its stdout is not piped")))?;
        let mut kernel = Kernel {
            namespace: node.ns().name().to_owned(),
            own,
            peers: HashMap::new(),
        };
        let thread = std::thread::spawn(move || {
            let mut lines = BufReader::new(events).lines().map_while(|line| line.ok());
            while let Some(event) = Event::read(&mut lines) {
                // A lease that is not ours to understand must not stop the others, as in flannel's snapshot.
                if let Err(error) = kernel.apply(event) {
                    eprintln!("lab: {} ignores an event: {error}", kernel.namespace);
                }
            }
        });
        Ok(Follower {
            watch,
            thread: Some(thread),
        })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.watch.kill();
        let _ = self.watch.wait();
        // The pipe has ended with its writer, so the thread is about to.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// One event of etcdctl's plain output: three lines, the kind, the key and the value.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Put { key: String, value: String },
    Delete { key: String },
}

impl Event {
    /// The next event; `None` at the end of the stream. Values are one line, for flannel writes compact JSON.
    fn read(lines: &mut impl Iterator<Item = String>) -> Option<Self> {
        loop {
            match lines.next()?.as_str() {
                "PUT" => {
                    return Some(Event::Put {
                        key: lines.next()?,
                        value: lines.next()?,
                    });
                }
                "DELETE" => {
                    let key = lines.next()?;
                    lines.next()?;
                    return Some(Event::Delete { key });
                }
                _ => {}
            }
        }
    }
}

/// The entries made so far, by subnet.
struct Kernel {
    namespace: String,
    own: Ipv4Net,
    peers: HashMap<Ipv4Net, Lease>,
}

impl Kernel {
    fn apply(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Put { key, value } => {
                let subnet = lease::subnet_of(&key)?;
                let lease = Lease::from_json(&value)?;
                if subnet == self.own || lease.backend_type != "vxlan" {
                    return Ok(());
                }
                add_peer(&self.namespace, subnet, &lease)?;
                self.peers.insert(subnet, lease);
            }
            Event::Delete { key } => {
                let subnet = lease::subnet_of(&key)?;
                if let Some(lease) = self.peers.remove(&subnet) {
                    self.remove(subnet, &lease)?;
                }
            }
        }
        Ok(())
    }

    fn remove(&self, subnet: Ipv4Net, lease: &Lease) -> Result<()> {
        let zero = subnet.network();
        let mac = &lease.backend_data.vtep_mac;
        self.ip(&format!("neigh del {zero} dev {DEVICE}"))?;
        self.bridge(&format!(
            "fdb del {mac} dev {DEVICE} dst {} self",
            lease.public_ip
        ))?;
        self.ip(&format!("route del {subnet} dev {DEVICE}"))
    }

    fn ip(&self, line: &str) -> Result<()> {
        batch("ip", &self.namespace, line)
    }

    fn bridge(&self, line: &str) -> Result<()> {
        batch("bridge", &self.namespace, line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_from_what_etcdctl_prints() {
        let printed = "PUT\n/k/1\n{\"a\":1}\nDELETE\n/k/1\n\nPUT\n/k/2\n{}\n";
        let mut lines = printed.lines().map(str::to_owned);
        let put = |key: &str, value: &str| Event::Put {
            key: key.into(),
            value: value.into(),
        };
        assert_eq!(Event::read(&mut lines), Some(put("/k/1", "{\"a\":1}")));
        assert_eq!(
            Event::read(&mut lines),
            Some(Event::Delete { key: "/k/1".into() })
        );
        assert_eq!(Event::read(&mut lines), Some(put("/k/2", "{}")));
        assert_eq!(Event::read(&mut lines), None);
    }
}
