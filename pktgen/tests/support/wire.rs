//! Two namespaces and a veth pair between them: `a0` in A, 10.9.0.1, and `b0` in B, 10.9.0.2. Partial checksums and super-packets
//! are off, as on a real wire, and so is IPv6, whose solicitations would be in every count.

use std::path::PathBuf;

use perf::lab::name::Prefix;
use perf::lab::{Namespace, sweep};

/// Address of `a0`.
pub const A: &str = "10.9.0.1";
/// Address of `b0`.
pub const B: &str = "10.9.0.2";
/// Ethernet address of `a0`.
pub const A_MAC: &str = "02:00:00:00:00:0a";
/// Ethernet address of `b0`.
pub const B_MAC: &str = "02:00:00:00:00:0b";

/// The topology.
pub struct Wire {
    pub a: Namespace,
    pub b: Namespace,
    pub files: Files,
}

impl Wire {
    /// With one queue at each end.
    pub fn new() -> Self {
        Self::with_queues(1)
    }

    /// With so many receive and transmit queues at each end.
    pub fn with_queues(queues: u32) -> Self {
        sweep::sweep_dead();
        let prefix = Prefix::unique();
        let files = Files::new(&prefix);
        let [a, b] = ["a", "b"].map(|what| Namespace::create(&prefix, what).unwrap());
        let q = format!("numtxqueues {queues} numrxqueues {queues}");
        a.ip(&format!(
            "link add a0 address {A_MAC} {q} type veth peer name b0 address {B_MAC} {q} netns {}",
            b.name()
        ))
        .unwrap();
        up(&a, "a0", Some(A));
        up(&b, "b0", Some(B));
        Wire { a, b, files }
    }

    /// The same with ends that know each other for good: no ARP in the counts.
    pub fn acquainted(self) -> Self {
        for (ns, device, address, mac) in [(&self.a, "a0", B, B_MAC), (&self.b, "b0", A, A_MAC)] {
            ns.ip(&format!(
                "neigh replace {address} lladdr {mac} dev {device} nud permanent"
            ))
            .unwrap();
        }
        self
    }

    /// `a0@NAMESPACE`, as the program's flags take it.
    pub fn tx(&self) -> String {
        format!("a0@{}", self.a.name())
    }

    /// `b0@NAMESPACE`.
    pub fn rx(&self) -> String {
        format!("b0@{}", self.b.name())
    }
}

/// Makes a device a wire's end, with an address of the test network if it is to have one.
pub fn up(ns: &Namespace, device: &str, address: Option<&str>) {
    ns.make_wire(device).unwrap();
    if let Some(address) = address {
        ns.ip(&format!("addr add {address}/24 dev {device}"))
            .unwrap();
    }
    ns.ip(&format!("link set dev {device} up")).unwrap();
}

/// A counter of an interface, as `ip -s link` has it: `rx packets`, `tx packets`, `rx dropped`.
pub fn counter(ns: &Namespace, device: &str, direction: &str, what: &str) -> u64 {
    let text = ns.run(&format!("ip -s -j link show dev {device}")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json[0]["stats64"][direction][what]
        .as_u64()
        .unwrap_or_else(|| panic!("no {direction} {what} in {text}"))
}

/// The directory of a topology, removed with it.
pub struct Files(PathBuf);

impl Files {
    pub fn new(prefix: &Prefix) -> Self {
        std::fs::create_dir(prefix.directory()).unwrap();
        Files(prefix.directory())
    }

    /// A file's path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
