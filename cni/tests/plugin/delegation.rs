//! What reaches the delegate, what comes back from it, and what is kept between ADD and DEL: the program itself, run as a
//! runtime runs it, with a shell script for a delegate.

use std::fs;

use crate::support::Node;
use serde_json::{Value, json};

/// A result that no one who parsed and printed it again would leave as it is.
const RESULT: &str =
    r#"{ "cniVersion":"1.0.0",  "ips": [ {"address":"10.244.1.2/24"} ], "z":1, "a":1.50 }"#;

fn says(text: &str) -> String {
    format!("cat <<'END'\n{text}\nEND\n")
}

/// The text of a file of the node, or nothing.
fn text(node: &Node, name: &str) -> String {
    fs::read_to_string(node.path(name)).unwrap_or_default()
}

#[test]
fn add_hands_on_the_environment_and_the_result() {
    let node = Node::new();
    node.answers("ADD", &says(RESULT));
    let runtime_config = json!({"portMappings": [{"hostPort": 80, "containerPort": 8080}]});
    let conf = node.conf(
        "1.0.0",
        json!({"delegate": {"hairpinMode": true}, "runtimeConfig": runtime_config}),
    );
    let outcome = node.run("ADD", &conf);
    assert_eq!(outcome.ok(), format!("{RESULT}\n"));
    assert!(outcome.stderr().contains("the plugin's log"));
    let env = text(&node, "bin/env.ADD");
    for line in [
        "CNI_ARGS=K8S_POD_NAME=x",
        "CNI_COMMAND=ADD",
        "CNI_CONTAINERID=c",
        "CNI_IFNAME=eth0",
        "CNI_NETNS=/run/netns/none",
        "CNI_PATH=/nonexistent:",
    ] {
        assert!(env.contains(line), "{line}: {env}");
    }
    let told = node.stdin("ADD");
    assert_eq!(
        told["ipam"]["ranges"],
        json!([[{"subnet": "10.244.1.0/24"}]])
    );
    assert_eq!(told["runtimeConfig"], runtime_config);
    assert_eq!(told["hairpinMode"], true);
    assert_eq!(node.saved(), ["c"]);
}

#[test]
fn what_del_needs_is_on_disk_before_the_delegate_runs() {
    let node = Node::new();
    node.answers("ADD", "ls \"$here/../data\" >\"$here/seen\"; echo '{}'");
    node.run("ADD", &node.conf("1.0.0", json!({}))).ok();
    assert_eq!(text(&node, "bin/seen"), "c\n");
}

#[test]
fn del_needs_no_subnet_and_no_second_time() {
    let node = Node::new();
    node.answers("ADD", &says(RESULT));
    let conf = node.conf("1.0.0", json!({}));
    node.run("ADD", &conf).ok();
    let mut told = node.stdin("ADD");
    fs::remove_file(node.path("subnet.env")).unwrap();

    let result: Value = serde_json::from_str(RESULT).unwrap();
    let with_result = node.conf("1.0.0", json!({"prevResult": result}));
    assert_eq!(node.run("DEL", &with_result).ok(), "");
    told["prevResult"] = result;
    assert_eq!(node.stdin("DEL"), told);
    assert_eq!(node.saved(), [""; 0]);

    assert_eq!(node.calls(), ["ADD", "DEL"]);
    node.run("DEL", &with_result).ok();
    node.run("DEL", &conf).ok();
    assert_eq!(node.calls(), [""; 0]);
}

#[test]
fn del_keeps_to_the_version_of_its_add() {
    let node = Node::new();
    node.answers("ADD", &says(RESULT));
    node.run("ADD", &node.conf("0.3.1", json!({}))).ok();
    // The conflist was edited meanwhile; its result would not be of the saved configuration's version.
    let conf = node.conf("1.0.0", json!({"prevResult": {"cniVersion": "1.0.0"}}));
    node.run("DEL", &conf).ok();
    assert_eq!(node.stdin("DEL"), node.stdin("ADD"));
}

#[test]
fn flannels_files_are_replayed() {
    let node = Node::new();
    fs::create_dir(node.path("data")).unwrap();
    let theirs = json!({"type": "bridge", "name": "n", "ipam": {"type": "host-local"}});
    fs::write(node.path("data/c"), theirs.to_string()).unwrap();
    node.run("DEL", &node.conf("0.3.1", json!({}))).ok();
    assert_eq!(node.stdin("DEL"), theirs);
    assert_eq!(node.saved(), [""; 0]);

    fs::write(node.path("data/c"), "{\"type\":\"bri").unwrap();
    node.calls();
    let outcome = node.run("DEL", &node.conf("0.3.1", json!({})));
    outcome.ok();
    assert!(outcome.stderr().contains("holds no configuration"));
    assert_eq!((node.calls().len(), node.saved().len()), (0, 0));
}

#[test]
fn an_add_that_fails_is_undone_and_its_error_handed_on() {
    let node = Node::new();
    let error = r#"{"code": 11, "msg": "no addresses",   "details": ""}"#;
    node.answers("ADD", &format!("{}exit 7\n", says(error)));
    let conf = node.conf("1.0.0", json!({}));
    let outcome = node.run("ADD", &conf);
    assert_eq!(outcome.error(), (7, 11, "no addresses".into()));
    assert_eq!(outcome.stdout(), format!("{error}\n").as_bytes());
    assert_eq!(node.calls(), ["ADD", "DEL"]);
    assert!(text(&node, "bin/env.DEL").contains("CNI_COMMAND=DEL"));
    assert_eq!(node.saved(), [""; 0]);

    // When that fails, too, the runtime's DEL still finds what to do.
    node.answers("DEL", "exit 1");
    assert_eq!(node.run("ADD", &conf).error().1, 11);
    assert_eq!(node.saved(), ["c"]);
    let (exit, code, msg) = node.run("DEL", &conf).error();
    assert_eq!((exit, code, node.saved().len()), (1, 100, 1));
    assert!(msg.contains("exit status: 1"), "{msg}");
    node.answers("DEL", "");
    node.run("DEL", &conf).ok();
    assert_eq!(node.saved(), [""; 0]);
}

#[test]
fn a_second_add_that_is_refused_leaves_the_first_alone() {
    let node = Node::new();
    node.answers("ADD", &says(RESULT));
    let conf = node.conf("1.0.0", json!({}));
    node.run("ADD", &conf).ok();
    node.answers(
        "ADD",
        &format!("{}exit 1\n", says(r#"{"code":999,"msg":"exists"}"#)),
    );
    let other = node.conf("1.0.0", json!({"delegate": {"bridge": "other0"}}));
    assert_eq!(node.run("ADD", &other).error().1, 999);
    assert_eq!(node.calls(), ["ADD", "ADD"]);
    node.run("DEL", &conf).ok();
    assert!(node.stdin("DEL").get("bridge").is_none());
}

#[test]
fn a_delegate_that_answers_nonsense_is_told_and_undone() {
    let node = Node::new();
    let conf = node.conf("0.4.0", json!({}));
    for (script, word) in [
        ("", "no CNI result"),
        ("echo hello", "no CNI result"),
        ("echo hello; exit 3", "exit status: 3"),
        ("kill -9 $$", "signal: 9"),
        ("echo '{\"msg\":\"no code\"}'; exit 1", "exit status: 1"),
    ] {
        node.answers("ADD", script);
        let outcome = node.run("ADD", &conf);
        let (exit, code, msg) = outcome.error();
        assert_eq!((exit, code), (1, 100), "{script}");
        assert!(msg.contains(word) && msg.contains("bin/bridge"), "{msg}");
        assert!(outcome.stdout().starts_with(b"{\"cniVersion\":\"0.4.0\""));
        assert_eq!(node.calls(), ["ADD", "DEL"]);
        assert_eq!(node.saved(), [""; 0]);
    }
}

#[test]
fn a_delegate_that_is_not_installed_costs_nothing() {
    let node = Node::new();
    let conf = node.conf("1.0.0", json!({}));
    node.answers("ADD", &says(RESULT));
    node.run("ADD", &conf).ok();
    fs::remove_file(node.path("bin/bridge")).unwrap();
    for command in ["DEL", "ADD"] {
        let (exit, code, msg) = node.run(command, &conf).error();
        assert_eq!((exit, code), (1, 50));
        assert!(
            msg.contains("\"bridge\"") && msg.contains("/nonexistent, "),
            "{msg}"
        );
        assert_eq!(node.saved(), ["c"]);
    }
    node.install("bridge");
    node.run("DEL", &conf).ok();
    assert_eq!(node.saved(), [""; 0]);
}

#[test]
fn without_a_subnet_add_may_try_again_and_nothing_was_done() {
    let node = Node::new();
    let conf = node.conf("1.0.0", json!({}));
    fs::write(node.path("subnet.env"), "FLANNEL_NETWORK=10.244.0.0/16\n").unwrap();
    assert_eq!(node.run("ADD", &conf).error().1, 11);
    fs::remove_file(node.path("subnet.env")).unwrap();
    let (_, code, msg) = node.run("ADD", &conf).error();
    assert_eq!(code, 11);
    assert!(
        msg.contains("subnet.env") && msg.contains("tweed-control"),
        "{msg}"
    );
    assert_eq!((node.calls().len(), node.saved().len()), (0, 0));
}

#[test]
fn check_compares_by_the_delegate() {
    let node = Node::new();
    node.answers("ADD", &says(RESULT));
    let result: Value = serde_json::from_str(RESULT).unwrap();
    let conf = |version| node.conf(version, json!({"prevResult": result}));
    assert_eq!(node.run("CHECK", &conf("1.0.0")).error().1, 3);
    node.run("ADD", &node.conf("1.0.0", json!({}))).ok();
    assert_eq!(node.run("CHECK", &conf("0.3.1")).error().1, 1);
    assert_eq!(
        node.run("CHECK", &node.conf("1.0.0", json!({}))).error().1,
        7
    );
    node.calls();
    node.run("CHECK", &conf("0.4.0")).ok();
    let told = node.stdin("CHECK");
    assert_eq!(told["prevResult"], result);
    assert_eq!(told["cniVersion"], "0.4.0");
    node.answers(
        "CHECK",
        &format!("{}exit 1\n", says(r#"{"code":102,"msg":"route is gone"}"#)),
    );
    assert_eq!(
        node.run("CHECK", &conf("1.0.0")).error(),
        (1, 102, "route is gone".into())
    );
    assert_eq!(node.saved(), ["c"]);
}
