//! A node in a directory: plugins that write down their calls, a `subnet.env`, and tweed-cni run as a runtime would.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

pub const SUBNET_ENV: &str = "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";

/// The node.
pub struct Node {
    dir: TempDir,
}

impl Node {
    /// With a subnet and a plugin named `bridge`.
    pub fn new() -> Self {
        let node = Node {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(node.path("bin")).unwrap();
        fs::write(node.path("subnet.env"), SUBNET_ENV).unwrap();
        node.install("bridge");
        node
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn install(&self, plugin: &str) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plugin/plugin.sh");
        std::os::unix::fs::symlink(script, self.path("bin").join(plugin)).unwrap();
    }

    /// What the plugin does on a command: lines of sh.
    pub fn answers(&self, command: &str, script: &str) {
        fs::write(self.path("bin").join(format!("answer.{command}")), script).unwrap();
    }

    /// The plugin's calls since the last time this was asked.
    pub fn calls(&self) -> Vec<String> {
        let path = self.path("bin/calls");
        let calls = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        calls.lines().map(str::to_owned).collect()
    }

    /// What the plugin was given on stdin at its last call with this command.
    pub fn stdin(&self, command: &str) -> Value {
        let text = fs::read(self.path("bin").join(format!("stdin.{command}"))).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// The files in dataDir.
    pub fn saved(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("data")) else {
            return Vec::new();
        };
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A configuration of this node with `more` keys.
    pub fn conf(&self, version: &str, more: Value) -> Value {
        let mut conf = json!({
            "cniVersion": version, "name": "n", "type": "tweed-cni",
            "subnetFile": self.path("subnet.env"), "dataDir": self.path("data"),
        });
        let Value::Object(more) = more else {
            panic!("not an object")
        };
        conf.as_object_mut().unwrap().extend(more);
        conf
    }

    /// Runs a command for interface `eth0` of container `c`.
    pub fn run(&self, command: &str, conf: &Value) -> Outcome {
        self.run_for("c", "eth0", command, conf.to_string().as_bytes())
    }

    /// Runs a command.
    pub fn run_for(&self, container: &str, ifname: &str, command: &str, stdin: &[u8]) -> Outcome {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tweed-cni"))
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", container)
            .env("CNI_NETNS", "/run/netns/none")
            .env("CNI_IFNAME", ifname)
            .env("CNI_ARGS", "K8S_POD_NAME=x")
            .env(
                "CNI_PATH",
                format!("/nonexistent:{}", self.path("bin").display()),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It need not read all before it ends.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        Outcome(child.wait_with_output().unwrap())
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome(Output);

impl Outcome {
    /// Its stdout; the test fails if it failed.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert!(self.0.status.success(), "{self:?}");
        std::str::from_utf8(&self.0.stdout).unwrap()
    }

    /// Exit code, error code and message; the test fails if it did well.
    #[track_caller]
    pub fn error(&self) -> (i32, u64, String) {
        let exit = self.0.status.code().expect("killed");
        assert_ne!(exit, 0, "{self:?}");
        let error: Value = serde_json::from_slice(&self.0.stdout).expect("no JSON");
        let msg = error["msg"].as_str().expect("no msg").to_owned();
        assert!(!msg.contains('\n'), "{msg}");
        (exit, error["code"].as_u64().expect("no code"), msg)
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    pub fn stdout(&self) -> &[u8] {
        &self.0.stdout
    }
}
