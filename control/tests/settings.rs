//! The real binary's `config`: what arguments, variables and file come to. Variables are set on the child alone.

use std::path::PathBuf;
use std::process::{Command, Output};

use control::settings::flags::{Takes, find};
use toml::{Table, Value};

/// A `node.toml` and what to start the binary with.
struct Run {
    directory: tempfile::TempDir,
}

impl Run {
    fn new(node_toml: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("node.toml"), node_toml).unwrap();
        Run { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("node.toml")
    }

    fn output(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tweed-control"))
            .env_clear()
            .env("TWEED_CONFIG", self.path())
            .envs(variables.iter().copied())
            .args(arguments)
            .output()
            .unwrap()
    }

    /// What `config` prints, and what it warns of.
    fn config(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (String, String) {
        let arguments: Vec<_> = ["config"].iter().chain(arguments).copied().collect();
        let output = self.output(&arguments, variables);
        let (said, warned) = texts(&output);
        assert!(output.status.success(), "{arguments:?}: {warned}");
        (said, warned)
    }
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[track_caller]
fn holds(printed: &str, key: &str, value: &Value, origin: &str) {
    let (section, name) = key.split_once('.').unwrap();
    let table: Table = toml::from_str(printed).unwrap();
    assert_eq!(&table[section][name], value, "{key} in\n{printed}");
    let after = printed.split(&format!("[{section}]\n")).nth(1).unwrap();
    let line = after.lines().find(|l| l.starts_with(&format!("{name} = ")));
    assert!(line.unwrap().ends_with(&format!("# {origin}")), "{line:?}");
}

/// flag, what is typed, key, what that comes to.
fn rows() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let text = |text: &str| Value::from(text);
    vec![
        (
            "etcd-endpoints",
            "http://a:2379,b:2379",
            "etcd.endpoints",
            Value::from(vec!["http://a:2379", "b:2379"]),
        ),
        (
            "etcd-prefix",
            "/blue/network",
            "etcd.prefix",
            text("/blue/network"),
        ),
        ("etcd-keyfile", "/k.pem", "etcd.keyfile", text("/k.pem")),
        ("etcd-certfile", "/c.pem", "etcd.certfile", text("/c.pem")),
        ("etcd-cafile", "/ca.pem", "etcd.cafile", text("/ca.pem")),
        ("etcd-username", "flannel", "etcd.username", text("flannel")),
        ("etcd-password", "s3cret", "etcd.password", text("********")),
        ("iface", "eth1", "underlay.interface", text("eth1")),
        (
            "iface-regex",
            "^10\\.",
            "underlay.interface_regex",
            text("^10\\."),
        ),
        (
            "iface-can-reach",
            "10.0.0.1",
            "underlay.interface_can_reach",
            text("10.0.0.1"),
        ),
        (
            "public-ip",
            "192.0.2.1",
            "underlay.public_ip",
            text("192.0.2.1"),
        ),
        (
            "subnet-file",
            "/run/b.env",
            "lease.subnet_env",
            text("/run/b.env"),
        ),
        (
            "subnet-lease-renew-margin",
            "90",
            "lease.renew_margin_s",
            Value::from(5400),
        ),
        ("ip-masq", "true", "firewall.ip_masq", Value::from(true)),
        (
            "ip-masq-fully-random-disable",
            "true",
            "firewall.fully_random",
            Value::from(false),
        ),
        (
            "iptables-forward-rules",
            "false",
            "firewall.forward_rules",
            Value::from(false),
        ),
        (
            "iptables-resync",
            "30",
            "firewall.resync_s",
            Value::from(30),
        ),
    ]
}

/// So that what needs a partner has one.
const PARTNERS: &str = "[etcd]\ncertfile = \"/file.pem\"\nkeyfile = \"/file.pem\"\nusername = \"file\"\npassword = \"file\"\n";

#[test]
fn each_flag_and_each_variable_becomes_its_key() {
    let run = Run::new(PARTNERS);
    for (flag, typed, key, value) in rows() {
        let name = format!("--{flag}");
        let mut spellings = vec![
            vec![format!("-{flag}={typed}")],
            vec![format!("--{flag}={typed}")],
        ];
        // What follows a switch is not its value.
        if find(flag).unwrap().takes != Takes::Switch {
            spellings.push(vec![format!("-{flag}"), typed.to_owned()]);
            spellings.push(vec![format!("--{flag}"), typed.to_owned()]);
        }
        for arguments in spellings {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let (printed, _) = run.config(&arguments, &[]);
            holds(&printed, key, &value, &name);
        }
        let variable = format!("FLANNELD_{}", flag.to_uppercase().replace('-', "_"));
        let (printed, _) = run.config(&[], &[(&variable, typed)]);
        holds(&printed, key, &value, &variable);
    }
    let keys = control::settings::flags::FLAGS.iter();
    let keys = keys.filter(|f| matches!(f.effect, control::settings::flags::Effect::Key(..)));
    assert_eq!(rows().len(), keys.count(), "a flag without a row here");
}

#[test]
fn each_flag_that_is_not_ours_warns_or_ends_as_a_variable_too() {
    use control::settings::flags::{Effect, FLAGS, Takes};
    let run = Run::new("");
    for flag in FLAGS {
        let typed = if flag.takes == Takes::Switch {
            "true"
        } else {
            "7"
        };
        let output = run.output(&["config"], &[(flag.variable, typed)]);
        let (_, said) = texts(&output);
        match flag.effect {
            Effect::Key(..) => continue,
            Effect::Refused { why, .. } => {
                assert_eq!(output.status.code(), Some(2), "{said}");
                assert_eq!(said, format!("tweed-control: {}: {why}\n", flag.variable));
            }
            Effect::Ignored { why, .. } => {
                assert_eq!(output.status.code(), Some(0), "{said}");
                let expected = format!("tweed-control: {} is ignored: {why}\n", flag.variable);
                assert_eq!(said, expected);
            }
        }
    }
}

#[test]
fn a_flag_goes_over_a_variable_over_the_file_over_the_default() {
    let run = Run::new("[etcd]\nprefix = \"/file\"\nusername = \"file\"\n");
    let variables = [
        ("FLANNELD_ETCD_PREFIX", "/variable"),
        ("FLANNELD_ETCD_USERNAME", "variable"),
        // Empty says nothing.
        ("FLANNELD_SUBNET_FILE", ""),
        ("FLANNELD_IP_MASQ", ""),
        ("FLANNELD_SUBNETFILE", "/typing/error"),
    ];
    for arguments in [&["-etcd-prefix=/flag"][..], &["--etcd-prefix", "/flag"]] {
        let (printed, warned) = run.config(arguments, &variables);
        holds(&printed, "etcd.prefix", &"/flag".into(), "--etcd-prefix");
        holds(
            &printed,
            "etcd.username",
            &"variable".into(),
            "FLANNELD_ETCD_USERNAME",
        );
        holds(
            &printed,
            "lease.subnet_env",
            &"/run/flannel/subnet.env".into(),
            "default",
        );
        assert_eq!(
            warned,
            "tweed-control: FLANNELD_SUBNETFILE is ignored: flanneld has no such setting\n"
        );
    }
    let (printed, _) = run.config(&[], &[]);
    let file = run.path().display().to_string();
    holds(&printed, "etcd.prefix", &"/file".into(), &file);
    // Before the subcommand is as good as behind it.
    let output = run.output(&["-etcd-prefix=/flag", "config"], &variables);
    holds(
        &texts(&output).0,
        "etcd.prefix",
        &"/flag".into(),
        "--etcd-prefix",
    );
}

#[test]
fn several_interfaces_are_tried_in_order_and_a_variable_is_one() {
    let run = Run::new("[underlay]\ninterface = [\"a\", \"b\"]\n");
    let (printed, _) = run.config(&["-iface=eth1", "--iface", "10.0.0.1"], &[]);
    let both = Value::from(vec!["eth1", "10.0.0.1"]);
    holds(&printed, "underlay.interface", &both, "--iface");
    let (printed, _) = run.config(&[], &[("FLANNELD_IFACE_REGEX", "^(eth|ens)[0-9]{1,2}$")]);
    let one = Value::from("^(eth|ens)[0-9]{1,2}$");
    holds(
        &printed,
        "underlay.interface_regex",
        &one,
        "FLANNELD_IFACE_REGEX",
    );
}

#[test]
fn what_is_printed_is_a_node_toml_that_comes_to_the_same() {
    let run = Run::new("[underlay]\nmode = \"copy\"\n[[worker]]\nqueue = 1\ncpu = 3\n");
    let (printed, _) = run.config(&["-iface=eth1", "-subnet-lease-renew-margin=90"], &[]);
    let again = Run::new(&printed);
    let keys = |printed: &str| toml::from_str::<Table>(printed).unwrap();
    assert_eq!(keys(&again.config(&[], &[]).0), keys(&printed));
}

#[test]
fn a_password_is_shown_nowhere() {
    let run = Run::new("[etcd]\nusername = \"u\"\npassword = \"s3cret\"\n");
    let (printed, warned) = run.config(&[], &[]);
    assert!(!printed.contains("s3cret") && !warned.contains("s3cret"));
    let help = texts(&run.output(&["--help"], &[("FLANNELD_ETCD_PASSWORD", "s3cret")]));
    assert!(!help.0.contains("s3cret") && help.0.contains("--etcd-password"));
}

#[test]
fn an_unknown_flag_ends_with_2_and_suggests_one() {
    let run = Run::new("");
    for typed in ["-ifce=eth0", "--ifce=eth0"] {
        let output = run.output(&[typed], &[]);
        let (_, said) = texts(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("'--iface'"), "{said}");
    }
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let run = Run::new("");
    let output = run.output(&["--check", "--config", "/nonexistent/node.toml"], &[]);
    let (_, said) = texts(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("/nonexistent/node.toml"), "{said}");
    let output = run.output(&["--check"], &[]);
    assert_eq!(
        texts(&output).0,
        format!("valid: {}\n", run.path().display())
    );
}
