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

#[test]
fn daemons() {
    for (control, level, words) in [
        (Some(Life::Running), Fine, "runs"),
        (Some(Life::Gone), Warn, "systemctl start tweed-control"),
        (Some(Life::Silent), Error, "systemctl restart tweed-control"),
        (None, Warn, "has not run"),
    ] {
        let facts = with(|facts| facts.daemons.control = control);
        expect(&facts, "", "control", &[(level, words)]);
    }
    let facts = with(|facts| facts.daemons.engine = None);
    expect(
        &facts,
        "",
        "engine",
        &[(Warn, "systemctl start tweed-dataplane")],
    );
    expect(&facts, "", "port", &[]);
}

#[test]
fn a_port_says_what_its_engine_says() {
    let port = |state, error: &str| {
        with(|facts| {
            facts.daemons.ports[0].state = state;
            facts.daemons.ports[0].error = error.into();
        })
    };
    let failed = port(PortState::Failed, "no queue 3; ethtool -L eth0 combined 4");
    expect(
        &failed,
        "",
        "port",
        &[(Error, "not open: no queue 3 -> ethtool -L eth0 combined 4")],
    );
    expect(
        &port(PortState::Failed, "broken"),
        "",
        "port",
        &[(Error, "journalctl")],
    );
    expect(
        &port(PortState::Up, "over UDP"),
        "",
        "port",
        &[(Hint, "over UDP")],
    );
}

#[test]
fn etcd() {
    let answers = |answers: &[Result<u64, &str>]| {
        with(|facts| {
            let answer =
                |a: &Result<u64, &str>| (*a).map(Duration::from_millis).map_err(str::to_owned);
            facts.etcd = answers
                .iter()
                .map(|a| ("http://a:2379".into(), answer(a)))
                .collect();
        })
    };
    expect(&answers(&[Ok(500)]), "", "etcd", &[(Hint, "500 ms")]);
    let dead = "cannot connect; check that it runs";
    expect(
        &answers(&[Err(dead)]),
        "",
        "etcd",
        &[(Error, "cannot connect -> check that it runs")],
    );
    expect(
        &answers(&[Err(dead), Ok(1)]),
        "",
        "etcd",
        &[(Warn, "check"), (Fine, "1.0 ms")],
    );
}

#[test]
fn the_network_config() {
    let facts = with(|facts| facts.network = Some(Err("/p/config is not in etcd".into())));
    expect(
        &facts,
        "[etcd]\nprefix = \"/p\"",
        "network-config",
        &[(Error, "etcdctl put /p/config")],
    );
    let facts = with(|facts| facts.address = Some(Ipv4Addr::new(10, 244, 3, 1)));
    expect(&facts, "", "network-config", &[(Error, "10.244.3.1")]);
}

#[test]
fn the_clock() {
    let facts = with(|facts| facts.clock_synchronized = Some(false));
    expect(&facts, "", "clock", &[(Hint, "only logs")]);
    let tls = "[etcd]\nendpoints = [\"https://a:2379\"]";
    expect(&facts, tls, "clock", &[(Hint, "certificate")]);
}

#[test]
fn the_kernel() {
    for (release, level) in [
        ("5.4.0", Error),
        ("5.10.1", Hint),
        ("6.17-rc1", Fine),
        ("odd", Hint),
    ] {
        expect(
            &with(|facts| facts.kernel = release.into()),
            "",
            "kernel",
            &[(level, "")],
        );
    }
    let udp = "[underlay]\nmode = \"udp\"";
    expect(
        &with(|facts| facts.kernel = "5.4.0".into()),
        udp,
        "kernel",
        &[(Fine, "")],
    );
    let facts = with(|facts| facts.no_af_xdp = Some("not supported".into()));
    expect(&facts, "", "af-xdp", &[(Error, "CONFIG_XDP_SOCKETS")]);
    expect(&facts, udp, "af-xdp", &[]);
    let facts = with(|facts| facts.has_tun = false);
    expect(&facts, "", "tun", &[]);
    expect(
        &facts,
        "[overlay]\nkind = \"tun\"",
        "tun",
        &[(Error, "modprobe tun")],
    );
}

#[test]
fn kernel_parameters() {
    let facts = with(|facts| facts.sysctl.ip_forward = Some(false));
    expect(
        &facts,
        "",
        "ip-forward",
        &[(Error, "sysctl -w net.ipv4.ip_forward=1")],
    );
    let facts = with(|facts| facts.sysctl.rp_filter_all = Some(1));
    expect(
        &facts,
        "",
        "rp-filter",
        &[(Warn, "net.ipv4.conf.tweed0.rp_filter=2")],
    );
    let udp = "[underlay]\nmode = \"udp\"";
    expect(
        &facts,
        udp,
        "rp-filter",
        &[(Warn, "tweed0"), (Hint, "conf.eth0.rp_filter=2")],
    );
    let loose = with(|facts| {
        facts.sysctl.rp_filter_all = Some(1);
        facts.sysctl.rp_filter_uplink = Some(2);
    });
    expect(&loose, "", "rp-filter", &[(Fine, "")]);
    for (bridge_nf, words) in [(Some(false), "is off"), (None, "modprobe br_netfilter")] {
        let facts = with(|facts| facts.sysctl.bridge_nf = bridge_nf);
        expect(&facts, "", "bridge-nf", &[(Hint, words)]);
    }
}

#[test]
fn the_underlay_device() {
    let facts = with(|facts| facts.underlay = Some(Err("no device".into())));
    expect(&facts, "", "underlay", &[(Error, "underlay.interface")]);
    expect(
        &good(),
        "",
        "underlay",
        &[(Fine, "eth0 (mlx5_core) at 192.168.7.1, MTU 1500")],
    );
}

#[test]
fn xdp_and_zero_copy() {
    let none = underlay(|device| device.xdp = Some(XdpFeatures::default()));
    let unknown = underlay(|device| device.xdp = None);
    let copying = underlay(|device| {
        device.xdp = Some(XdpFeatures {
            native: true,
            ..XdpFeatures::default()
        });
    });
    let mode = |mode: &str| format!("[underlay]\nmode = \"{mode}\"");
    expect(&none, "", "xdp", &[(Hint, "generic XDP is slow")]);
    expect(&none, &mode("copy"), "xdp", &[(Error, "mode = \"auto\"")]);
    expect(&none, &mode("generic"), "xdp", &[(Fine, "")]);
    expect(&none, &mode("udp"), "xdp", &[]);
    expect(&unknown, "", "xdp", &[(Hint, "does not tell")]);
    expect(&unknown, "", "zero-copy", &[]);
    expect(&copying, "", "zero-copy", &[(Fine, "copied")]);
    expect(
        &copying,
        &mode("zero-copy"),
        "zero-copy",
        &[(Error, "insists")],
    );
    expect(
        &good(),
        &mode("copy"),
        "zero-copy",
        &[(Hint, "does not use it")],
    );
}

#[test]
fn another_program_is_in_the_way_until_the_engine_runs() {
    let mut facts = underlay(|device| device.program = Some(42));
    expect(&facts, "", "xdp-program", &[]);
    facts.daemons.engine = None;
    expect(
        &facts,
        "",
        "xdp-program",
        &[(Error, "bpftool prog show id 42")],
    );
}

#[test]
fn queues_against_workers() {
    let channels = |now, most| underlay(|device| device.channels = Some(Channels { now, most }));
    let two = "[[worker]]\nqueue = 0\ncpu = 0\n[[worker]]\nqueue = 1\ncpu = 1";
    expect(
        &channels(4, 8),
        "",
        "queues",
        &[(Warn, "ethtool -L eth0 combined 1")],
    );
    expect(
        &channels(1, 8),
        two,
        "queues",
        &[(Error, "ethtool -L eth0 combined 2")],
    );
    expect(&channels(1, 1), two, "queues", &[(Error, "one [[worker]]")]);
    expect(&channels(2, 8), two, "queues", &[(Fine, "2 queues")]);
    let mut veth = channels(1, 4);
    if let Some(Ok(device)) = &mut veth.underlay {
        device.kind = Some("veth".into());
    }
    expect(
        &veth,
        two,
        "queues",
        &[(Error, "ethtool -L eth0 rx 2 tx 2")],
    );
}

#[test]
fn one_queue_for_all_that_a_peer_sends() {
    let hashes = |ports| {
        underlay(|device| {
            device.channels = Some(Channels { now: 2, most: 8 });
            device.hashes_ports = ports;
        })
    };
    expect(
        &hashes(Some(false)),
        "",
        "rss",
        &[(Warn, "ethtool -N eth0 rx-flow-hash udp4 sdfn")],
    );
    expect(&hashes(None), "", "rss", &[]);
    expect(&good(), "", "rss", &[]);
}

#[test]
fn offloads() {
    let facts = underlay(|device| device.features = vec!["rx-gro".into(), "rx-lro".into()]);
    expect(
        &facts,
        "",
        "receive-aggregation",
        &[(Warn, "ethtool -K eth0 lro off")],
    );
    let facts = with(|facts| {
        let uplink = facts.uplink.as_mut().unwrap();
        uplink.features = vec![
            "tx-checksum-ip-generic".into(),
            "tx-generic-segmentation".into(),
        ];
    });
    expect(
        &facts,
        "",
        "uplink-offloads",
        &[(Error, "ethtool -K tweed0 tx off")],
    );
    expect(&facts, "[overlay]\nkind = \"tun\"", "uplink-offloads", &[]);
}

#[test]
fn sizes() {
    let mtu = |mtu| underlay(|device| device.mtu = mtu);
    expect(
        &mtu(1400),
        "",
        "mtu",
        &[(Warn, "ip link set eth0 mtu 1500")],
    );
    expect(
        &mtu(1400),
        "[overlay]\nmtu = 1450",
        "mtu",
        &[(Warn, "overlay.mtu = 1350")],
    );
    expect(
        &mtu(9000),
        "[overlay]\nmtu = 1450",
        "mtu",
        &[(Fine, "room for 8950")],
    );
    let narrow = with(|facts| facts.daemons.narrowest = Some(1350));
    expect(
        &narrow,
        "",
        "mtu",
        &[(Fine, ""), (Hint, "overlay.mtu = 1350")],
    );

    // README: an MTU up to 1,728, or 3,776 with chunks of 4096.
    let large = "[dataplane]\nchunk_size = 4096";
    expect(&mtu(1728), "", "chunk-size", &[(Fine, "")]);
    expect(&mtu(1729), "", "chunk-size", &[(Warn, "chunk_size = 4096")]);
    expect(&mtu(3776), large, "chunk-size", &[(Fine, "")]);
    expect(&mtu(9000), large, "chunk-size", &[(Warn, "mtu 3776")]);
    let copy = "[underlay]\nmode = \"copy\"";
    expect(&mtu(9000), copy, "chunk-size", &[(Error, "udp")]);
    expect(&mtu(9000), copy, "xdp-mtu", &[(Error, "mtu 3498")]);
    expect(&mtu(3498), "", "xdp-mtu", &[]);

    let bridge = with(|facts| facts.bridge.as_mut().unwrap().mtu = 1500);
    expect(
        &bridge,
        "",
        "bridge-mtu",
        &[(Warn, "ip link set cni0 mtu 1450")],
    );
}

#[test]
fn the_tunnels_port() {
    let owner = |owner| with(|facts| facts.port_owner = owner);
    expect(&owner(None), "", "tunnel-port", &[(Fine, "free")]);
    let flanneld = PortOwner::Process {
        pid: 5,
        name: "flanneld".into(),
    };
    expect(
        &owner(Some(flanneld)),
        "",
        "tunnel-port",
        &[(Error, "ps -fp 5")],
    );
    expect(
        &owner(Some(PortOwner::Unseen)),
        "",
        "tunnel-port",
        &[(Error, "ss -lunp")],
    );
    let mut elsewhere = owner(Some(PortOwner::Unseen));
    elsewhere.daemons.ports[0].mode = BoundMode::Udp;
    expect(&elsewhere, "", "tunnel-port", &[(Fine, "the engine's")]);
    elsewhere.daemons.engine = Some(Life::Gone);
    expect(&elsewhere, "", "tunnel-port", &[(Error, "ss -lunp")]);
    let mut kernel = owner(Some(PortOwner::Unseen));
    let tunnel = |up| Tunnel {
        name: "flannel.1".into(),
        vni: 1,
        port: 8472,
        up,
    };
    kernel.tunnels = vec![tunnel(true)];
    expect(
        &kernel,
        "",
        "tunnel-port",
        &[(Error, "systemctl start tweed-control")],
    );
    let mut stranger = kernel.clone();
    stranger.tunnels = vec![Tunnel {
        name: "vxlan7".into(),
        ..tunnel(true)
    }];
    expect(
        &stranger,
        "",
        "tunnel-port",
        &[(Error, "ip link del vxlan7")],
    );
    expect(&kernel, "", "other-tunnels", &[]);
    let idle = with(|facts| facts.tunnels = vec![tunnel(false)]);
    expect(
        &idle,
        "",
        "other-tunnels",
        &[(Hint, "ip link del flannel.1")],
    );
}

#[test]
fn the_forward_hook() {
    let chain = |name: &str, legacy, accepts| {
        with(|facts| {
            facts.forward = vec![ForwardChain {
                name: name.into(),
                legacy,
                accepts,
            }];
        })
    };
    let remedy = "nft insert rule ip filter FORWARD ip saddr 10.244.0.0/16 accept && nft insert rule ip filter FORWARD ip daddr";
    expect(
        &chain("ip filter FORWARD", false, false),
        "",
        "forward-policy",
        &[(Error, remedy)],
    );
    let remedy =
        "iptables-legacy -I FORWARD -s 10.244.0.0/16 -j ACCEPT && iptables-legacy -I FORWARD -d";
    expect(
        &chain("iptables-legacy FORWARD", true, false),
        "",
        "forward-policy",
        &[(Error, remedy)],
    );
    expect(
        &chain("ip filter FORWARD", false, true),
        "",
        "forward-policy",
        &[(Fine, "")],
    );
    let blind = with(|facts| facts.no_firewall = Some("nft: not found".into()));
    expect(
        &blind,
        "",
        "forward-policy",
        &[(Hint, "apt-get install nftables")],
    );
}

#[test]
fn memory() {
    let mut facts = with(|facts| {
        facts.daemons.engine = None;
        facts.memory.free_huge_pages = Some(3);
    });
    // 16,384 chunks of 2 KiB are 16 pages.
    expect(
        &facts,
        "",
        "hugepages",
        &[(Hint, "sysctl -w vm.nr_hugepages=16")],
    );
    expect(
        &facts,
        "[dataplane]\nhugepages = \"on\"",
        "hugepages",
        &[(Error, "nr_hugepages=16")],
    );
    expect(
        &facts,
        "[dataplane]\nhugepages = \"off\"",
        "hugepages",
        &[(Fine, "")],
    );
    facts.daemons.engine = Some(Life::Running);
    expect(&facts, "", "hugepages", &[]);

    facts.memory.locks_freely = false;
    facts.memory.memlock = Some(8 << 20);
    expect(&facts, "", "memlock", &[(Warn, "LimitMEMLOCK=infinity")]);
    facts.memory.of_engine = false;
    expect(
        &facts,
        "",
        "memlock",
        &[(Hint, "this shell may lock 8 MiB")],
    );
    facts.memory.memlock = Some(64 << 20);
    expect(&facts, "", "memlock", &[(Fine, "")]);
}

#[test]
fn processors() {
    let worker = |cpu: u32| format!("[[worker]]\nqueue = 0\ncpu = {cpu}");
    expect(
        &good(),
        &worker(9),
        "worker-cpus",
        &[(Error, "one of 0,1,2,3")],
    );
    let shared = "[[worker]]\nqueue = 0\ncpu = 1\n[[worker]]\nqueue = 1\ncpu = 1";
    expect(&good(), shared, "worker-cpus", &[(Warn, "share CPU 1")]);
    let spin = |cpu| format!("{}\n[dataplane]\nidle = \"spin\"", worker(cpu));
    expect(&good(), &spin(1), "isolated-cpus", &[(Hint, "isolcpus=1")]);
    expect(&good(), &spin(2), "isolated-cpus", &[(Fine, "")]);
    let slow = with(|facts| facts.cpu.governors = [(0, "powersave".to_owned())].into());
    expect(&slow, "", "cpu-governor", &[(Hint, "cpupower -c 0")]);
}

#[test]
fn the_run_directory() {
    let facts = with(|facts| facts.run_dir.directory = None);
    expect(
        &facts,
        "",
        "run-dir",
        &[(Hint, "systemctl start tweed-control")],
    );
    let facts = with(|facts| facts.run_dir.files[0].mode = 0o622);
    expect(
        &facts,
        "",
        "run-dir",
        &[(Warn, "chmod go-w /run/tweed/tables")],
    );
    let facts = with(|facts| facts.run_dir.files[0].uid = 1000);
    expect(&facts, "", "run-dir", &[(Warn, "chown root")]);
    let facts = with(|facts| facts.run_dir.is_tmpfs = false);
    expect(&facts, "", "run-dir", &[(Hint, "below /run")]);
    let facts = with(|facts| facts.run_dir.unreadable = vec!["ABI 1; run the same version".into()]);
    expect(
        &facts,
        "",
        "segments",
        &[(Error, "ABI 1 -> run the same version")],
    );
}
