//! The fence around lost subnets against a real kernel.

use super::netns::Netns;
use control::netlink::Netlink;
use ipnet::Ipv4Net;

const FENCE: [&str; 2] = [
    "116:\tfrom 10.244.5.0/24 to 10.244.0.0/16 lookup main suppress_prefixlength 16 proto 116",
    "117:\tfrom 10.244.5.0/24 to 10.244.0.0/16 prohibit proto 116",
];

/// A node with a bridge's route, an uplink's, and a default route.
fn node() -> Netns {
    let node = Netns::new("rule");
    for (device, address) in [
        ("eth0", "10.77.0.1/24"),
        ("cni0", "10.244.5.1/24"),
        ("tweed0", "10.244.6.0/32"),
    ] {
        node.ip(&format!("link add {device} type veth peer name {device}x"));
        node.ip(&format!("addr add {address} dev {device}"));
        node.ip(&format!("link set {device}x up"));
        node.ip(&format!("link set {device} up"));
    }
    node.ip("addr add 10.244.6.1/24 dev cni0");
    node.ip("route add 10.244.0.0/16 dev tweed0 src 10.244.6.0");
    node.ip("route add default via 10.77.0.2");
    node.exec("sysctl -qw net.ipv4.ip_forward=1");
    node
}

fn put(node: &Netns, network: &str, sources: &[&str]) {
    let sources: Vec<Ipv4Net> = sources.iter().map(|net| net.parse().unwrap()).collect();
    let network = network.parse().unwrap();
    node.enter(async || {
        let netlink = Netlink::open().unwrap();
        netlink.put_fence(network, &sources).await.unwrap();
    });
}

fn rules(node: &Netns) -> Vec<String> {
    let text = node.ip("rule");
    text.lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// The device that the kernel forwards a packet to; `None`: it refuses it.
fn way(node: &Netns, from: &str, to: &str, iif: &str) -> Option<String> {
    let script = format!("ip route get {to} from {from} iif {iif} 2>&1 || true");
    let said = node.script(&script);
    let (_, rest) = said.split_once(" dev ")?;
    Some(rest.split_whitespace().next().unwrap().to_owned())
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn it_keeps_pods_of_a_lost_subnet_out_of_the_uplink_and_nothing_else() {
    let node = node();
    let way = |from, to, iif| way(&node, from, to, iif);
    assert_eq!(
        way("10.244.5.9", "10.244.9.9", "cni0").as_deref(),
        Some("tweed0")
    );
    put(&node, "10.244.0.0/16", &["10.244.5.0/24"]);
    assert_eq!(way("10.244.5.9", "10.244.9.9", "cni0"), None);
    // Not those of the subnet that is ours now, and nobody's way to the world outside.
    assert_eq!(
        way("10.244.6.9", "10.244.9.9", "cni0").as_deref(),
        Some("tweed0")
    );
    assert_eq!(
        way("10.244.5.9", "10.99.9.9", "cni0").as_deref(),
        Some("eth0")
    );
    // Pods of the node that has the subnet now reach ours.
    assert_eq!(
        way("10.244.5.9", "10.244.6.9", "tweed0").as_deref(),
        Some("cni0")
    );
    // This node goes on reaching the pods that are fenced, with an address of the same subnet.
    let own = node.ip("route get 10.244.5.9 from 10.244.5.1");
    assert!(own.contains("dev cni0"), "{own}");
    put(&node, "10.244.0.0/16", &[]);
    assert_eq!(
        way("10.244.5.9", "10.244.9.9", "cni0").as_deref(),
        Some("tweed0")
    );
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn it_is_put_once_repaired_and_taken_away() {
    let node = Netns::new("rule");
    let before = rules(&node);
    put(&node, "10.244.0.0/16", &["10.244.5.0/24"]);
    put(&node, "10.244.0.0/16", &["10.244.5.0/24"]);
    let with = rules(&node);
    assert_eq!(with.len(), before.len() + 2, "{with:#?}");
    for rule in FENCE {
        assert!(with.iter().any(|line| line == rule), "{rule}: {with:#?}");
        node.ip(&format!("rule del pref {}", &rule[..3]));
        put(&node, "10.244.0.0/16", &["10.244.5.0/24"]);
        assert_eq!(rules(&node), with);
    }

    // An administrator's, and another instance's: not ours to remove.
    node.ip("rule add pref 118 from 10.244.5.0/24 to 10.244.0.0/16 prohibit");
    put(&node, "10.99.0.0/16", &["10.99.1.0/24"]);
    put(&node, "10.244.0.0/16", &["10.244.7.0/24"]);
    let moved = rules(&node);
    assert_eq!(moved.len(), before.len() + 5, "{moved:#?}");
    assert!(!moved.iter().any(|line| FENCE.contains(&line.as_str())));
    put(&node, "10.244.0.0/16", &[]);
    assert_eq!(rules(&node).len(), before.len() + 3);
    put(&node, "10.99.0.0/16", &[]);
    assert_eq!(rules(&node).len(), before.len() + 1);
}
