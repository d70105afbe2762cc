//! Two pods on a node, added and removed with the conflist that we ship and Debian's plugins (bridge, host-local, portmap).
//!
//! ```text
//!    pod a           pod b
//!      | eth0          | eth0
//!    ==+==== cni0 =====+==   node ── up0 ──────── eth0 client
//!        10.244.7.1/24        192.0.2.1           192.0.2.9
//! ```

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use perf::lab::name::Prefix;
use perf::lab::{Namespace, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

const DEBIANS: &str = "/usr/lib/cni";
const NODE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// More than any test machine stalls; no duration is asserted.
const PATIENCE: Duration = Duration::from_secs(20);

/// The part of a runtime that runs a conflist's chain (specification, section 3).
struct Runtime {
    node: Namespace,
    files: TempDir,
    conflist: Value,
}

/// A pod: its namespace, and what the runtime remembers of it.
struct Pod {
    ns: Namespace,
    id: &'static str,
    mappings: Value,
    result: Value,
}

impl Runtime {
    fn new(prefix: &Prefix) -> Self {
        let files = tempfile::tempdir().unwrap();
        let shipped = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../configs/cni/10-tweed.conflist"
        );
        let mut conflist: Value = serde_json::from_slice(&fs::read(shipped).unwrap()).unwrap();
        let plugin = &mut conflist["plugins"][0];
        plugin["subnetFile"] = json!(files.path().join("subnet.env"));
        plugin["dataDir"] = json!(files.path().join("data"));
        plugin["ipam"] = json!({"dataDir": files.path().join("networks")});
        fs::write(
            files.path().join("subnet.env"),
            "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.7.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n",
        )
        .unwrap();
        Runtime {
            node: Namespace::create(prefix, "node").unwrap(),
            files,
            conflist,
        }
    }

    fn add(&self, ns: Namespace, id: &'static str, mappings: Value) -> Pod {
        let mut pod = Pod {
            ns,
            id,
            mappings,
            result: Value::Null,
        };
        for plugin in self.plugins() {
            pod.result = self.run("ADD", plugin, &pod, &pod.result).unwrap();
        }
        pod
    }

    /// CHECK by our plugin. portmap 1.1's own looks for IPv6 rules even where there is no IPv6, and fails.
    fn check(&self, pod: &Pod) -> Result<(), Value> {
        let ours = &self.conflist["plugins"][0];
        self.run("CHECK", ours, pod, &pod.result).map(drop)
    }

    fn del(&self, pod: &Pod) {
        for plugin in self.plugins().rev() {
            self.run("DEL", plugin, pod, &pod.result).unwrap();
        }
    }

    fn plugins(&self) -> impl DoubleEndedIterator<Item = &Value> {
        self.conflist["plugins"].as_array().unwrap().iter()
    }

    /// One plugin of the chain; its result, or its error object.
    fn run(
        &self,
        command: &str,
        plugin: &Value,
        pod: &Pod,
        result: &Value,
    ) -> Result<Value, Value> {
        let mut conf = plugin.clone();
        for key in ["name", "cniVersion"] {
            conf[key] = self.conflist[key].clone();
        }
        if !conf["capabilities"]["portMappings"].is_null() {
            conf["runtimeConfig"] = json!({"portMappings": pod.mappings});
        }
        conf.as_object_mut().unwrap().remove("capabilities");
        if !result.is_null() {
            conf["prevResult"] = result.clone();
        }
        let kind = conf["type"].as_str().unwrap();
        let ours = Path::new(env!("CARGO_BIN_EXE_tweed-cni"));
        let directory = if kind == "tweed-cni" {
            ours.parent().unwrap()
        } else {
            Path::new(DEBIANS)
        };
        let mut child = self
            .node
            .command(directory.join(kind))
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", pod.id)
            .env("CNI_NETNS", format!("/run/netns/{}", pod.ns.name()))
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", DEBIANS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text = conf.to_string();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let printed = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if output.status.success() {
            Ok(printed)
        } else {
            Err(printed)
        }
    }

    /// The files below one of our directories that name an address or a container.
    fn left(&self, directory: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.files.path().join(directory)) else {
            return Vec::new();
        };
        // What host-local keeps without any pod.
        let kept = |path: &PathBuf| path.ends_with("lock") || path.ends_with("last_reserved_ip.0");
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| !kept(path));
        paths
    }
}

impl Pod {
    fn ip(&self) -> Ipv4Addr {
        let address = self.result["ips"][0]["address"].as_str().unwrap();
        address.split('/').next().unwrap().parse().unwrap()
    }

    /// Whoever connects to port 80 of this pod is told its id, `times` times.
    fn serve(&self, times: usize) {
        let listener = self
            .ns
            .inside(|| TcpListener::bind("0.0.0.0:80"))
            .unwrap()
            .unwrap();
        let id = self.id;
        std::thread::spawn(move || {
            for stream in listener.incoming().take(times) {
                let _ = stream.and_then(|mut stream| stream.write_all(id.as_bytes()));
            }
        });
    }
}

/// What port 8080 of the node says.
fn ask(from: &Namespace) -> String {
    let address = (NODE, 8080).into();
    let mut text = String::new();
    from.inside(|| TcpStream::connect_timeout(&address, PATIENCE))
        .unwrap()
        .and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.read_to_string(&mut text)
        })
        .unwrap_or_else(|error| panic!("port 8080 of the node from {}: {error}", from.name()));
    text
}

fn ping(from: &Pod, to: &Pod) {
    let line = format!("ping -n -q -c 1 -W 1 -M do -s 1422 {}", to.ip());
    wait_for("a ping", 15, || from.ns.run(&line).ok()).unwrap();
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn two_pods_by_debians_plugins() {
    assert!(
        Path::new(DEBIANS).join("bridge").exists(),
        "needs the package containernetworking-plugins: make deps"
    );
    let prefix = Prefix::unique();
    let namespace = |name| Namespace::create(&prefix, name).unwrap();
    let runtime = Runtime::new(&prefix);
    let client = namespace("client");
    runtime
        .node
        .ip(&format!(
            "link add up0 type veth peer name eth0 netns {}",
            client.name()
        ))
        .unwrap();
    runtime
        .node
        .ip(&format!("addr add {NODE}/24 dev up0\nlink set up0 up"))
        .unwrap();
    client
        .ip("addr add 192.0.2.9/24 dev eth0\nlink set eth0 up")
        .unwrap();

    let mapping = json!([{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]);
    let a = runtime.add(namespace("a"), "pod-a.1", mapping);
    let b = runtime.add(namespace("b"), "pod_b", json!([]));
    assert_eq!(runtime.left("data").len(), 2);
    assert_eq!(runtime.left("networks/cbr0").len(), 2);
    for (from, to) in [(&a, &b), (&b, &a)] {
        ping(from, to);
    }
    let eth0 = a.ns.run("ip -o link show dev eth0").unwrap();
    assert!(eth0.contains("mtu 1450"), "{eth0}");
    let routes = a.ns.run("ip route").unwrap();
    assert!(routes.contains("default via 10.244.7.1"), "{routes}");
    assert!(routes.contains("10.244.0.0/16 via 10.244.7.1"), "{routes}");

    // From outside, from the pod beside it, and from the pod itself, whose packets come back in by the port they left by.
    a.serve(3);
    for from in [&client, &b.ns, &a.ns] {
        assert_eq!(ask(from), "pod-a.1");
    }

    for pod in [&a, &b] {
        runtime.check(pod).unwrap();
    }
    b.ns.ip("route del default").unwrap();
    let error = runtime.check(&b).unwrap_err();
    assert!(error["code"].is_u64(), "{error}");

    // The daemon is gone.
    fs::remove_file(runtime.files.path().join("subnet.env")).unwrap();
    let masquerade = runtime.node.run("iptables-save -t nat").unwrap();
    assert!(masquerade.contains("pod-a.1"), "{masquerade}");
    for _ in 0..2 {
        for pod in [&a, &b] {
            runtime.del(pod);
        }
    }
    assert_eq!(runtime.left("data"), [""; 0].map(PathBuf::from));
    assert_eq!(runtime.left("networks/cbr0"), [""; 0].map(PathBuf::from));
    let ports = runtime.node.run("ip -o link show master cni0").unwrap();
    assert_eq!(ports, "");
    for pod in [&a, &b] {
        assert!(pod.ns.run("ip link show dev eth0").is_err());
    }
    let rules = runtime.node.run("iptables-save -t nat").unwrap();
    assert!(
        !rules.contains("pod-a.1") && !rules.contains("pod_b"),
        "{rules}"
    );
    assert!(!rules.contains("CNI-DN-"), "{rules}");
}
