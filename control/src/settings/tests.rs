use std::collections::BTreeSet;

use super::flags::find;
use super::*;

/// The command line's part alone, which no variable of whoever runs the tests can disturb: none of them has a FLANNELD_ name.
fn read(arguments: &[&str]) -> Result<Settings, SettingsError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.toml");
    std::fs::write(&path, "").unwrap();
    let config = ["tweed-control", "--config", path.to_str().unwrap()];
    Settings::read(config.iter().chain(arguments).map(OsString::from))
}

fn spelled(arguments: &[&str]) -> Vec<String> {
    let arguments = ["tweed-control"].iter().chain(arguments);
    let spelled = arguments::from_go(arguments.map(OsString::from)).unwrap();
    let spelled = spelled.into_iter().map(|a| a.into_string().unwrap());
    spelled.skip(1).collect()
}

#[test]
fn a_flag_is_read_as_go_reads_it() {
    assert_eq!(spelled(&["-iface=eth0"]), ["--iface=eth0"]);
    assert_eq!(spelled(&["-iface", "eth0"]), ["--iface=eth0"]);
    assert_eq!(spelled(&["--iface", "eth0"]), ["--iface=eth0"]);
    assert_eq!(
        spelled(&["-etcd-password", "-secret", "-ip-masq"]),
        ["--etcd-password=-secret", "--ip-masq"]
    );
    assert_eq!(spelled(&["-v", "2", "-v=3"]), ["--v=2", "--v=3"]);
    assert_eq!(spelled(&["-h", "-V", "-1"]), ["-h", "-V", "-1"]);
    assert_eq!(spelled(&["--", "-iface"]), ["--", "-iface"]);
    assert_eq!(spelled(&["config", "-iface"]), ["config", "--iface"]);
    let stops = arguments::from_go(["t", "-ip-masq", "false"].map(OsString::from));
    assert!(stops.unwrap_err().contains("--ip-masq=false"));
}

#[test]
fn switches_take_what_go_takes() {
    for off in ["0", "f", "F", "false", "FALSE", "False"] {
        let config = read(&[&format!("-ip-masq={off}")]).unwrap().config;
        assert!(!config.firewall.ip_masq, "{off}");
        assert!(read(&[&format!("-kube-subnet-mgr={off}")]).is_ok(), "{off}");
    }
    for on in ["=1", "=t", "=T", "=true", "=TRUE", "=True", ""] {
        let config = read(&[&format!("--ip-masq{on}")]).unwrap().config;
        assert!(config.firewall.ip_masq, "{on}");
        let error = read(&[&format!("--kube-subnet-mgr{on}")]).unwrap_err();
        assert!(matches!(error, SettingsError::Refused { .. }), "{on}");
    }
    let error = read(&["-ip-masq=yes"]).unwrap_err().to_string();
    assert_eq!(error, "--ip-masq is \"yes\"; it must be true or false");
}

#[test]
fn the_last_of_a_single_value_counts_and_all_of_a_list() {
    let arguments = ["-etcd-prefix=/a", "-etcd-prefix=/b", "-iface=a", "-iface=b"];
    let config = read(&arguments).unwrap().config;
    assert_eq!(config.etcd.prefix, "/b");
    assert_eq!(config.underlay.interfaces.len(), 2);
}

#[test]
fn what_is_wrong_is_named_as_it_was_typed() {
    let rows = [
        (
            &["-etcd-keyfile=k"][..],
            "etcd.certfile is empty while --etcd-keyfile is set",
        ),
        (
            &["-etcd-certfile=c"],
            "etcd.keyfile is empty while --etcd-certfile is set",
        ),
        (
            &["-etcd-password=p"],
            "etcd.username is empty while --etcd-password is set",
        ),
        (&["-etcd-endpoints=,"], "--etcd-endpoints is empty"),
        (
            &["-etcd-endpoints=ftp://x"],
            "--etcd-endpoints holds \"ftp://x\"",
        ),
        (&["-public-ip=::1"], "--public-ip is \"::1\""),
        (&["-iface-regex=("], "--iface-regex holds \"(\""),
        (&["-iface-can-reach=x"], "--iface-can-reach is \"x\""),
        (
            &["-subnet-lease-renew-margin=1440"],
            "minutes from 1 to 1439",
        ),
        (
            &["-subnet-lease-renew-margin=0"],
            "--subnet-lease-renew-margin is \"0\"",
        ),
        (
            &["-iptables-resync=0"],
            "--iptables-resync is \"0\"; it must be a number of seconds",
        ),
        (
            &["-kube-subnet-mgr"],
            "--kube-subnet-mgr: tweed takes leases from etcd",
        ),
    ];
    for (arguments, expected) in rows {
        let message = read(arguments).unwrap_err().to_string();
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[test]
fn every_flag_that_is_not_ours_says_so_unless_it_asks_for_nothing() {
    for flag in FLAGS {
        let (inert, why, refused) = match flag.effect {
            Effect::Key(..) => continue,
            Effect::Refused { inert, why } => (inert, why, true),
            Effect::Ignored { inert, why } => (inert, why, false),
        };
        let name = flag.name;
        let asking = match flag.takes {
            Takes::Switch => "true",
            _ => "7",
        };
        match read(&[&format!("-{name}={asking}")]) {
            Err(error) => assert_eq!(
                (error.to_string(), refused),
                (format!("--{name}: {why}"), true)
            ),
            Ok(settings) => {
                assert_eq!(settings.warnings, [format!("--{name} is ignored: {why}")]);
                assert!(!refused, "{name}");
            }
        }
        let settings = read(&[&format!("-{name}={inert}")]).unwrap();
        assert_eq!(settings.warnings, [""; 0], "{name}");
    }
}

#[test]
fn a_flag_for_etcd_beside_leases_from_a_file_is_not_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.toml");
    std::fs::write(&path, "[lease]\nsource = \"file\"\n").unwrap();
    let arguments = ["t", "--config", path.to_str().unwrap(), "-etcd-prefix=/a"];
    let settings = Settings::read(arguments.map(OsString::from)).unwrap();
    assert!(
        settings.warnings[0].starts_with("--etcd-prefix has no effect"),
        "{:?}",
        settings.warnings
    );
}

#[test]
fn the_table_keeps_its_own_rules() {
    let keys: BTreeSet<_> = contract::config::keys().collect();
    for flag in FLAGS {
        let variable = format!("FLANNELD_{}", flag.name.to_uppercase().replace('-', "_"));
        assert_eq!(flag.variable, variable);
        assert!(
            std::ptr::eq(find(flag.name).unwrap(), flag),
            "{} twice",
            flag.name
        );
        if let Effect::Key(key, _) = flag.effect {
            assert!(keys.contains(key), "{key}");
        }
    }
    arguments::command().debug_assert();
}

/// The table of docs/settings.md: key, flag, variable, default; by row.
fn documented() -> Vec<[String; 4]> {
    let page = include_str!("../../../docs/settings.md");
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.contains("| flag |"));
    rows.filter_map(|line| {
        let mut cells = line.trim_matches('|').split(" | ").map(|cell| {
            let cell = cell.trim().trim_matches('`');
            cell.to_owned()
        });
        let row = [cells.next()?, cells.next()?, cells.next()?, cells.next()?];
        (row[0].contains('.') || row[1].starts_with('-')).then_some(row)
    })
    .collect()
}

#[test]
fn the_page_has_every_key_flag_and_variable_and_no_other() {
    let rows = documented();
    let told = |column: usize| -> BTreeSet<String> {
        let cells = rows.iter().map(|row| row[column].clone());
        cells.filter(|cell| !cell.is_empty()).collect()
    };
    assert_eq!(told(0), contract::config::keys().collect());
    let command = arguments::command();
    let long = command.get_arguments().filter_map(|arg| arg.get_long());
    assert_eq!(told(1), long.map(|long| format!("--{long}")).collect());
    let variables = command.get_arguments().filter_map(|arg| arg.get_env());
    let variables = variables.map(|variable| variable.to_str().unwrap().to_owned());
    assert_eq!(told(2), variables.collect());

    for flag in FLAGS {
        let row = rows.iter().find(|row| row[2] == flag.variable).unwrap();
        let key = match flag.effect {
            Effect::Key(key, _) => key,
            _ => "",
        };
        assert_eq!(
            (row[0].as_str(), row[1].as_str()),
            (key, format!("--{}", flag.name).as_str())
        );
    }
    let defaults = Layered::new(None, &[]).unwrap().settings;
    for setting in defaults.iter().filter(|setting| !setting.key.is_empty()) {
        let key = format!("{}.{}", setting.section, setting.key);
        let row = rows.iter().find(|row| row[0] == key).unwrap();
        assert_eq!(row[3], setting.value.to_string(), "default of {key}");
    }
}

#[test]
fn the_help_has_flannelds_flags_under_a_heading_of_their_own() {
    let help = arguments::command().render_long_help().to_string();
    let (ours, flannelds) = help.split_once("flanneld's settings").unwrap();
    assert!(ours.contains("--config") && !ours.contains("--iface"));
    for flag in FLAGS {
        let name = format!("--{}", flag.name);
        assert!(
            flannelds.contains(&name) && flannelds.contains(flag.help),
            "{name}"
        );
    }
}
