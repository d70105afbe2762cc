//! Network namespaces for tests: uniquely named, removed when the value goes, also after a panic.

use std::future::Future;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace with its loopback up.
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes one; `tag` is for people who read `ip netns`.
    pub fn new(tag: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tw-{tag}-{}-{n}", std::process::id());
        run(&["ip", "netns", "add", &name]);
        let netns = Netns { name };
        netns.ip("link set lo up");
        netns
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a program inside; what it printed.
    pub fn exec(&self, command: &str) -> String {
        let mut args = vec!["ip", "netns", "exec", &self.name];
        args.extend(command.split_whitespace());
        run(&args)
    }

    /// Runs a line of shell inside; what it printed.
    pub fn script(&self, script: &str) -> String {
        run(&["ip", "netns", "exec", &self.name, "sh", "-c", script])
    }

    /// `ip` inside.
    pub fn ip(&self, command: &str) -> String {
        let mut args = vec!["ip", "-n", &self.name];
        args.extend(command.split_whitespace());
        run(&args)
    }

    /// Joins two namespaces by a veth pair, each end `eth0` with an address of its own.
    pub fn join(&self, address: &str, other: &Netns, other_address: &str) {
        let other_name = &other.name;
        self.ip(&format!(
            "link add eth0 type veth peer name eth0 netns {other_name}"
        ));
        for (netns, address) in [(self, address), (other, other_address)] {
            netns.ip(&format!("addr add {address} dev eth0"));
            netns.ip("link set eth0 up");
        }
    }

    /// Runs a test inside, on a thread and a tokio runtime of its own.
    pub fn enter<F: Future<Output = ()>>(&self, test: impl FnOnce() -> F + Send) {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                let file = std::fs::File::open(format!("/run/netns/{}", self.name)).unwrap();
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap()
                    .block_on(test());
            });
            if let Err(panic) = inside.join() {
                std::panic::resume_unwind(panic);
            }
        });
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let deleted = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
        if !matches!(deleted, Ok(status) if status.success()) {
            eprintln!("namespace {} is left behind", self.name);
        }
    }
}

fn run(args: &[&str]) -> String {
    let output = Command::new(args[0])
        .args(&args[1..])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error} (Debian: iproute2, ethtool)", args[0]));
    assert!(
        output.status.success(),
        "{}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
