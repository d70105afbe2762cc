//! The uplink against a real kernel.

use super::netns::Netns;
use contract::config::{BindMode, OverlayKind};
use contract::wire::Mac;
use control::netlink::uplink::Wanted;
use control::netlink::{Netlink, NetlinkError};

const VTEP_MAC: Mac = Mac([2, 0, 0, 0, 0, 0x10]);

fn wanted() -> Wanted {
    Wanted {
        kind: OverlayKind::Veth,
        device: "tweed0".into(),
        engine_device: "tweed0x".into(),
        vtep_mac: VTEP_MAC,
        mtu: 1450,
        queues: 2,
        network: "10.244.0.0/16".parse().unwrap(),
        subnet: "10.244.1.0/24".parse().unwrap(),
    }
}

/// Interface numbers and carrier changes: both stay when an uplink is adopted.
fn marks(netns: &Netns) -> Vec<String> {
    let read =
        |device: &str, what: &str| netns.exec(&format!("cat /sys/class/net/{device}/{what}"));
    ["tweed0", "tweed0x"]
        .iter()
        .flat_map(|device| [read(device, "ifindex"), read(device, "carrier_changes")])
        .collect()
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn it_is_created_as_it_must_be() {
    let netns = Netns::new("up");
    // An administrator who is strict about sources: the uplink must still let ICMP errors of ours in.
    netns.exec("sysctl -qw net.ipv4.conf.all.rp_filter=1");
    netns.enter(async || {
        let uplink = Netlink::open()
            .unwrap()
            .ensure_uplink(&wanted())
            .await
            .unwrap();
        assert_eq!(uplink.host_mac, VTEP_MAC);
        assert_eq!(uplink.engine_device, "tweed0x");
    });

    for (device, mac) in [
        ("tweed0", "02:00:00:00:00:10"),
        ("tweed0x", "02:00:00:00:00:11"),
    ] {
        let link = netns.ip(&format!("-d link show {device}"));
        for expected in [
            "NOARP",
            ",UP",
            "mtu 1450",
            mac,
            "numtxqueues 2",
            "numrxqueues 2",
        ] {
            assert!(link.contains(expected), "{device}: {expected}: {link}");
        }
        assert!(!link.contains("MULTICAST"), "{link}");
        let features = netns.exec(&format!("ethtool -k {device}"));
        for line in features.lines().map(str::trim) {
            let large = line.contains("-segmentation:") && !line.contains("tx-generic");
            if large || line.starts_with("tx-checksum-") || line.starts_with("rx-gro:") {
                assert!(line.contains(": off"), "{device}: {line}");
            }
        }
        assert!(features.contains("tx-checksumming: off"), "{features}");
        assert_eq!(netns.ip(&format!("-6 addr show dev {device}")), "");
    }
    let addresses = netns.ip("-4 -o addr show dev tweed0");
    assert!(addresses.contains("inet 10.244.1.0/32 "), "{addresses}");
    assert_eq!(netns.ip("-4 addr show dev tweed0x"), "");
    let routes = netns.ip("-4 route");
    assert!(
        routes.contains("10.244.0.0/16 via 169.254.0.1 dev tweed0")
            && routes.contains("src 10.244.1.0"),
        "{routes}"
    );
    assert!(routes.contains("unreachable 10.244.1.0/24"), "{routes}");
    let sysctl = |name: &str| {
        let key = format!("net.ipv4.conf.tweed0.{name}");
        netns.exec(&format!("sysctl -n {key}")).trim().to_owned()
    };
    assert_eq!(sysctl("rp_filter"), "2");
    assert_eq!(sysctl("accept_local"), "1");
    assert_eq!(sysctl("forwarding"), "1");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn packets_to_any_pod_need_one_neighbour_and_no_arp() {
    let netns = Netns::new("one");
    netns.enter(async || {
        Netlink::open()
            .unwrap()
            .ensure_uplink(&wanted())
            .await
            .unwrap();
    });
    for pod in ["10.244.2.9", "10.244.3.9", "10.244.200.9"] {
        let ping = format!("ping -c 1 -W 0.1 {pod}");
        let mut child = std::process::Command::new("ip")
            .args(["netns", "exec", netns.name()])
            .args(ping.split_whitespace())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        assert!(
            !child.wait().unwrap().success(),
            "nobody is there to answer"
        );
    }
    let neighbours = netns.ip("neigh show nud all dev tweed0");
    let lines: Vec<_> = neighbours
        .lines()
        .filter(|line| line.contains("NOARP"))
        .collect();
    assert_eq!(lines.len(), 1, "{neighbours}");
    // Fewer if the kernel had not yet noticed the new carrier; more would be something else than the pings.
    let sent = netns.exec("cat /sys/class/net/tweed0x/statistics/rx_packets");
    assert!(sent.trim().parse::<u32>().unwrap() <= 3, "{sent}");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_right_one_is_adopted_untouched() {
    let netns = Netns::new("adopt");
    netns.enter(async || {
        Netlink::open()
            .unwrap()
            .ensure_uplink(&wanted())
            .await
            .unwrap();
    });
    let before = marks(&netns);
    netns.enter(async || {
        Netlink::open()
            .unwrap()
            .ensure_uplink(&wanted())
            .await
            .unwrap();
    });
    assert_eq!(marks(&netns), before);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_wrong_one_is_repaired_or_replaced() {
    let netns = Netns::new("wrong");
    // What a node with one worker and another subnet left behind.
    let old = Wanted {
        queues: 1,
        subnet: "10.244.7.0/24".parse().unwrap(),
        ..wanted()
    };
    netns.enter(async || {
        Netlink::open().unwrap().ensure_uplink(&old).await.unwrap();
    });
    let before = marks(&netns);
    netns.enter(async || {
        Netlink::open()
            .unwrap()
            .ensure_uplink(&wanted())
            .await
            .unwrap();
    });
    assert_ne!(marks(&netns), before, "queues cannot be changed in place");
    let routes = netns.ip("-4 route");
    assert!(!routes.contains("10.244.7.0"), "{routes}");

    // What an administrator may do by hand.
    netns.ip("link set tweed0 mtu 1300 address 02:00:00:00:00:99");
    netns.ip("link set tweed0x down");
    netns.ip("addr add 10.244.9.0/32 dev tweed0");
    netns.exec("ethtool -K tweed0 tx on");
    let before = netns.exec("cat /sys/class/net/tweed0/ifindex");
    netns.enter(async || {
        Netlink::open()
            .unwrap()
            .ensure_uplink(&wanted())
            .await
            .unwrap();
    });
    assert_eq!(netns.exec("cat /sys/class/net/tweed0/ifindex"), before);
    let link = netns.ip("-d link show tweed0");
    assert!(
        link.contains("mtu 1450") && link.contains("02:00:00:00:00:10"),
        "{link}"
    );
    assert!(netns.ip("link show tweed0x").contains(",UP"));
    let addresses = netns.ip("-4 -o addr show dev tweed0");
    assert!(!addresses.contains("10.244.9.0"), "{addresses}");
    let features = netns.exec("ethtool -k tweed0");
    assert!(features.contains("tx-checksumming: off"), "{features}");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn two_instances_leave_each_others_routes_alone() {
    let netns = Netns::new("two");
    let other = Wanted {
        device: "blue0".into(),
        engine_device: "blue0x".into(),
        network: "10.99.0.0/16".parse().unwrap(),
        subnet: "10.99.3.0/24".parse().unwrap(),
        ..wanted()
    };
    netns.enter(async || {
        let netlink = Netlink::open().unwrap();
        for instance in [&other, &wanted(), &other] {
            netlink.ensure_uplink(instance).await.unwrap();
        }
    });
    let routes = netns.ip("-4 route");
    for route in [
        "10.244.0.0/16 via 169.254.0.1 dev tweed0",
        "unreachable 10.244.1.0/24",
        "10.99.0.0/16 via 169.254.0.1 dev blue0",
        "unreachable 10.99.3.0/24",
    ] {
        assert!(routes.contains(route), "{route}: {routes}");
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_is_not_a_veth_is_not_removed() {
    let netns = Netns::new("foreign");
    netns.ip("link add tweed0 type bridge");
    netns.enter(async || {
        let error = Netlink::open()
            .unwrap()
            .ensure_uplink(&wanted())
            .await
            .unwrap_err();
        assert!(
            matches!(error, NetlinkError::ForeignDevice { .. }),
            "{error}"
        );
        assert!(
            error.to_string().contains("tweed0 exists and is bridge"),
            "{error}"
        );
    });
    assert!(netns.ip("-d link show tweed0").contains("bridge"));
}

fn wanted_tun() -> Wanted {
    Wanted {
        kind: OverlayKind::Tun,
        engine_device: "tweed0".into(),
        ..wanted()
    }
}

fn ensure(netns: &Netns, wanted: &Wanted) {
    netns.enter(async || {
        let uplink = Netlink::open()
            .unwrap()
            .ensure_uplink(wanted)
            .await
            .unwrap();
        assert_eq!(uplink.engine_device, wanted.engine_device);
        let mode = match wanted.kind {
            OverlayKind::Veth => BindMode::Auto,
            OverlayKind::Tun => BindMode::Tun,
        };
        assert_eq!(uplink.mode, mode);
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_tun_is_created_as_it_must_be_adopted_and_repaired() {
    let netns = Netns::new("tun");
    ensure(&netns, &wanted_tun());
    let link = netns.ip("-d link show tweed0");
    for expected in [
        "POINTOPOINT,NOARP",
        ",UP",
        "mtu 1450",
        "tun type tun pi off vnet_hdr on multi_queue",
        "persist on",
    ] {
        assert!(link.contains(expected), "{expected}: {link}");
    }
    assert!(!link.contains("MULTICAST"), "{link}");
    assert_eq!(netns.ip("-6 addr show dev tweed0"), "");
    let addresses = netns.ip("-4 -o addr show dev tweed0");
    assert!(addresses.contains("inet 10.244.1.0/32 "), "{addresses}");
    let routes = netns.ip("-4 route");
    assert!(
        routes.contains("10.244.0.0/16 dev tweed0") && routes.contains("scope link src 10.244.1.0"),
        "{routes}"
    );
    assert!(routes.contains("unreachable 10.244.1.0/24"), "{routes}");

    let index = || netns.exec("cat /sys/class/net/tweed0/ifindex");
    let before = index();
    ensure(&netns, &wanted_tun());
    netns.ip("link set tweed0 down mtu 1300 multicast on");
    netns.ip("addr add 10.244.9.0/32 dev tweed0");
    // Other than those of a pair, its queues are not fixed when it is made.
    ensure(
        &netns,
        &Wanted {
            queues: 7,
            ..wanted_tun()
        },
    );
    assert_eq!(index(), before, "what can be repaired is not replaced");
    let link = netns.ip("-d link show tweed0");
    assert!(
        link.contains("mtu 1450") && link.contains(",UP") && !link.contains("MULTICAST"),
        "{link}"
    );
    let addresses = netns.ip("-4 -o addr show dev tweed0");
    assert!(!addresses.contains("10.244.9.0"), "{addresses}");
    let routes = netns.ip("-4 route");
    assert!(
        routes.contains("10.244.0.0/16 dev tweed0"),
        "gone with the link, and back: {routes}"
    );
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn an_uplink_of_the_other_kind_is_replaced_and_a_foreign_tun_is_not() {
    let netns = Netns::new("kind");
    ensure(&netns, &wanted());
    ensure(&netns, &wanted_tun());
    let links = netns.ip("-o link show");
    assert!(
        links.contains("tweed0:") && !links.contains("tweed0x"),
        "{links}"
    );
    ensure(&netns, &wanted());
    let links = netns.ip("-o link show");
    assert!(
        links.contains("tweed0x@tweed0:"),
        "a pair again, and the TUN gone: {links}"
    );

    netns.ip("link del tweed0");
    netns.ip("tuntap add dev tweed0 mode tun");
    for wanted in [wanted(), wanted_tun()] {
        netns.enter(async || {
            let refused = Netlink::open().unwrap().ensure_uplink(&wanted).await;
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("tweed0 exists and is tun"), "{error}");
        });
    }
}
