//! What concerns the whole node: STATUS, GC, VERSION, and runs that no runtime would make.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::Node;
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn status_is_the_nodes_and_the_delegates() {
    let node = Node::new();
    let conf = node.conf("1.1.0", json!({}));
    node.run("STATUS", &conf).ok();
    assert_eq!(node.calls(), ["STATUS"]);
    assert_eq!(node.stdin("STATUS")["type"], "bridge");
    node.answers("STATUS", "echo '{\"code\":51,\"msg\":\"no\"}'; exit 1");
    assert_eq!(node.run("STATUS", &conf).error().1, 51);
    assert_eq!(
        node.run("STATUS", &node.conf("1.0.0", json!({}))).error().1,
        1
    );
    fs::remove_file(node.path("bin/bridge")).unwrap();
    assert_eq!(node.run("STATUS", &conf).error().1, 50);
    node.install("bridge");
    fs::remove_file(node.path("subnet.env")).unwrap();
    let (_, code, msg) = node.run("STATUS", &conf).error();
    assert_eq!(code, 50);
    assert!(msg.contains("subnet.env"), "{msg}");
}

/// Pods `a` and `b` (two interfaces) of network `n`, `x` of another, and one of flannel's.
fn crowded() -> Node {
    let node = Node::new();
    node.answers("ADD", "echo '{}'");
    let conf = node.conf("1.1.0", json!({})).to_string();
    for (container, ifname) in [("a", "eth0"), ("b", "eth0"), ("b", "net1")] {
        node.run_for(container, ifname, "ADD", conf.as_bytes()).ok();
    }
    let other = node.conf("1.1.0", json!({"name": "other"})).to_string();
    node.run_for("x", "eth0", "ADD", other.as_bytes()).ok();
    fs::write(node.path("data/f"), r#"{"type":"bridge","name":"n"}"#).unwrap();
    assert_eq!(node.saved(), ["a", "b", "b:net1", "f", "x"]);
    node.calls();
    node
}

#[test]
fn gc_forgets_what_is_not_valid_once_the_delegate_has() {
    let node = crowded();
    let valid = json!([{"containerID": "a", "ifname": "eth0"}, {"containerID": "b", "ifname": "net1"}, {"containerID": "f", "ifname": "eth0"}]);
    let conf = node.conf("1.1.0", json!({"cni.dev/valid-attachments": valid}));

    node.answers("GC", "echo '{\"code\":5,\"msg\":\"busy\"}'; exit 1");
    assert_eq!(node.run("GC", &conf).error(), (1, 5, "busy".into()));
    assert_eq!(node.saved().len(), 5);

    node.answers("GC", "");
    assert_eq!(node.run("GC", &conf).ok(), "");
    assert_eq!(node.calls(), ["GC", "GC"]);
    assert_eq!(node.stdin("GC")["cni.dev/valid-attachments"], valid);
    assert_eq!(node.stdin("GC")["ipam"]["type"], "host-local");
    assert_eq!(node.saved(), ["a", "b:net1", "f", "x"]);

    // Go's empty list, the older key, and no subnet: the last one serves.
    fs::remove_file(node.path("subnet.env")).unwrap();
    let none = node.conf("1.1.0", json!({"cni.dev/attachments": null}));
    node.run("GC", &none).ok();
    assert_eq!(node.stdin("GC")["ipam"]["type"], "host-local");
    assert_eq!(node.saved(), ["x"]);
    assert_eq!(node.run("GC", &none).error().1, 11);
}

#[test]
fn gc_without_a_list_frees_nothing() {
    let node = crowded();
    for more in [
        json!({}),
        json!({"cni.dev/valid-attachments": {}}),
        json!({"cni.dev/valid-attachments": [{"containerID": "a"}]}),
        json!({"cni.dev/valid-attachments": ["a"]}),
    ] {
        let (_, code, msg) = node.run("GC", &node.conf("1.1.0", more)).error();
        assert_eq!(code, 7);
        assert!(msg.contains("cni.dev/valid-attachments"), "{msg}");
    }
    let old = node.conf("1.0.0", json!({"cni.dev/valid-attachments": []}));
    assert_eq!(node.run("GC", &old).error().1, 1);
    assert_eq!((node.calls().len(), node.saved().len()), (0, 5));
}

#[test]
fn version_answers_anyone() {
    let node = Node::new();
    let all = json!(["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]);
    for (stdin, version) in [
        ("{\"cniVersion\":\"0.4.0\"}", "0.4.0"),
        ("{\"cniVersion\":7}", "1.1.0"),
        ("", "1.1.0"),
        ("junk", "1.1.0"),
    ] {
        let outcome = node.run_for("", "", "VERSION", stdin.as_bytes());
        let answer: Value = serde_json::from_str(outcome.ok()).unwrap();
        assert_eq!(
            answer,
            json!({"cniVersion": version, "supportedVersions": all})
        );
    }
}

#[test]
fn errors_are_told_in_the_runtimes_version_with_code_and_exit_code_1() {
    let node = Node::new();
    let good = node.conf("0.3.1", json!({})).to_string();
    let (conf, junk) = (good.as_bytes(), &b"{]"[..]);
    for (container, ifname, command, stdin, code, version) in [
        ("../../etc", "eth0", "ADD", conf, 4, "1.1.0"),
        ("c", "a/b", "DEL", conf, 4, "1.1.0"),
        ("c", "eth0", "FROB", conf, 4, "1.1.0"),
        ("", "", "CHECK", conf, 4, "1.1.0"),
        ("c", "eth0", "ADD", junk, 6, "1.1.0"),
        ("c", "eth0", "DEL", &b""[..], 6, "1.1.0"),
        ("c", "eth0", "CHECK", conf, 1, "0.3.1"),
        ("c", "eth0", "GC", conf, 1, "0.3.1"),
    ] {
        let outcome = node.run_for(container, ifname, command, stdin);
        let (exit, said, _) = outcome.error();
        assert_eq!((exit, said), (1, code), "{command} {container}");
        let object: Value = serde_json::from_slice(outcome.stdout()).unwrap();
        assert_eq!(object["cniVersion"], version, "{command} {container}");
    }
    let endless = vec![b' '; 5 << 20];
    assert_eq!(node.run_for("c", "eth0", "ADD", &endless).error().1, 5);
    assert_eq!((node.calls().len(), node.saved().len()), (0, 0));
}

#[test]
fn run_by_hand_it_explains_itself_and_does_not_wait_for_stdin() {
    for (arguments, word) in [
        (&[][..], "CNI plugin"),
        (&["--help"], "subnetFile"),
        (&["--version"], "tweed-cni "),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tweed-cni"))
            .args(arguments)
            .env_remove("CNI_COMMAND")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Open until it has ended.
        let stdin = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        assert!(output.status.success());
        let text = [output.stdout, output.stderr].concat();
        assert!(String::from_utf8_lossy(&text).contains(word));
    }
}

proptest! {
    /// Every bad byte ends in an error object, and no file was written.
    #[test]
    fn no_input_makes_it_panic(command in "ADD|DEL|CHECK|GC|STATUS|VERSION|.*", container in "[a-z./:]{0,9}|.*",
                               at in 0usize..400, bytes: Vec<u8>, cut: bool) {
        let node = Node::new();
        let mut conf = node
            .conf("1.1.0", json!({"delegate": {"type": "absent"}, "ipam": {"routes": []}, "prevResult": {}, "cni.dev/valid-attachments": []}))
            .to_string()
            .into_bytes();
        let at = at.min(conf.len());
        conf.splice(at..if cut { conf.len() } else { at }, bytes);
        let variable = |name: &str| Some(match name {
            "CNI_COMMAND" => command.clone().into(),
            "CNI_CONTAINERID" => container.clone().into(),
            "CNI_PATH" => node.path("nothing").into(),
            _ => "eth0".into(),
        });
        let answer = cni::answer(variable, &conf[..]);
        if answer.exit_code != 0 {
            let error: Value = serde_json::from_slice(&answer.stdout).unwrap();
            prop_assert!(error["code"].is_u64() && error["msg"].is_string());
        }
        prop_assert_eq!(node.saved(), [""; 0]);
    }
}
