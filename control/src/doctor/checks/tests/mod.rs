//! Each check on given facts: what is well, what is not, and what to type. No two findings of a table are of one check alone:
//! all checks run, and those of the subject are looked at.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::config::Config;
use contract::stats::{BoundMode, Life, PortState, PortStatus};

use super::super::facts::*;
use super::super::finding::{Finding, Level};
use super::all;
use crate::netlink::ethtool::Channels;
use crate::netlink::xdp::XdpFeatures;
use Level::{Error, Hint, Ok as Fine, Warn};

mod daemons;
mod device;
mod host;

fn config(text: &str) -> Config {
    Config::parse(Path::new("node.toml"), text).unwrap()
}

fn nic() -> Device {
    Device {
        name: "eth0".into(),
        driver: Some("mlx5_core".into()),
        mtu: 1500,
        channels: Some(Channels { now: 1, most: 8 }),
        xdp: Some(XdpFeatures {
            native: true,
            zero_copy: true,
        }),
        hashes_ports: Some(true),
        ..Device::default()
    }
}

/// A node on which nothing is wrong, before the daemons were started.
fn good() -> Facts {
    let device = |name: &str, mtu| Device {
        name: name.into(),
        kind: Some("veth".into()),
        mtu,
        ..Device::default()
    };
    let owned = |path: &str| Owned {
        path: PathBuf::from(path),
        uid: 0,
        mode: 0o600,
    };
    Facts {
        kernel: "6.18.2-amd64".into(),
        daemons: Daemons {
            control: Some(Life::Running),
            engine: Some(Life::Running),
            engine_pid: 77,
            ports: vec![PortStatus {
                state: PortState::Up,
                mode: BoundMode::ZeroCopy,
                queues: 1,
                name: "eth0".into(),
                ..PortStatus::default()
            }],
            narrowest: Some(1450),
        },
        underlay: Some(Ok(nic())),
        address: Some(Ipv4Addr::new(192, 168, 7, 1)),
        uplink: Some(device("tweed0", 1450)),
        bridge: Some(device("cni0", 1450)),
        network: Some(Ok(Network {
            network: "10.244.0.0/16".parse().unwrap(),
            port: Some(8472),
            overhead: 50,
        })),
        sysctl: Sysctl {
            ip_forward: Some(true),
            rp_filter_all: Some(0),
            rp_filter_uplink: Some(0),
            rp_filter_underlay: Some(0),
            bridge_nf: Some(true),
        },
        port_owner: Some(PortOwner::Process {
            pid: 77,
            name: "tweed-dataplane".into(),
        }),
        memory: Memory {
            free_huge_pages: Some(1024),
            memlock: None,
            locks_freely: true,
            of_engine: true,
        },
        cpu: Cpu {
            online: vec![0, 1, 2, 3],
            isolated: vec![2, 3],
            governors: [(0, "performance".to_owned())].into(),
        },
        etcd: vec![("http://a:2379".into(), Ok(Duration::from_millis(2)))],
        clock_synchronized: Some(true),
        run_dir: RunDir {
            directory: Some(Owned {
                mode: 0o755,
                ..owned("/run/tweed")
            }),
            is_tmpfs: true,
            files: vec![owned("/run/tweed/tables")],
            ..RunDir::default()
        },
        has_tun: true,
        ..Facts::default()
    }
}

#[track_caller]
fn expect(facts: &Facts, text: &str, subject: &str, wanted: &[(Level, &str)]) {
    let found = all(facts, &config(text));
    let of: Vec<&Finding> = found.iter().filter(|f| f.subject == subject).collect();
    let levels: Vec<_> = of.iter().map(|finding| finding.level).collect();
    let wanted_levels: Vec<_> = wanted.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, wanted_levels, "{of:#?}");
    for (finding, (level, words)) in of.iter().zip(wanted) {
        let said = format!(
            "{} -> {}",
            finding.seen,
            finding.remedy.as_deref().unwrap_or("-")
        );
        assert!(said.contains(words), "{said:?} has no {words:?}");
        assert_eq!(finding.remedy.is_none(), *level == Fine, "{said}");
    }
}

/// A node with one thing changed.
fn with(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = good();
    change(&mut facts);
    facts
}

fn underlay(change: impl FnOnce(&mut Device)) -> Facts {
    let mut device = nic();
    change(&mut device);
    with(|facts| facts.underlay = Some(Ok(device)))
}

#[test]
fn a_good_node_has_nothing_to_mend() {
    let found = all(&good(), &Config::default());
    let bad: Vec<_> = found
        .iter()
        .filter(|finding| finding.level != Fine)
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(found.len() > 20, "{found:#?}");
}

#[test]
fn a_node_of_which_nothing_is_known_says_little() {
    // And no check panics for want of facts.
    let found = all(&Facts::default(), &Config::default());
    assert!(
        found.iter().all(|finding| finding.subject != "queues"),
        "{found:#?}"
    );
}
