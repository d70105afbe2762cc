//! Interfaces and neighbours as they are found from outside their namespace, and what is said of those that are not.

mod support;

use std::net::IpAddr;
use std::process::Command;

use perf::lab::{Namespace, run};
use pktgen::error::Failure;
use pktgen::io::{Interface, link, neighbour, netns};
use pktgen::profile::Mac;
use support::wire::{A_MAC, B, B_MAC, Wire};

fn interface(ns: &Namespace, name: &str) -> Interface {
    Interface {
        name: name.into(),
        netns: Some(ns.name().into()),
    }
}

fn mac(text: &str) -> Mac {
    let bytes: Vec<_> = (text.split(':'))
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    Mac(bytes.try_into().unwrap())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A wire whose A knows no neighbour.
fn strangers() -> Wire {
    let wire = Wire::new();
    wire.a.run("ip neigh flush dev a0 nud all").unwrap();
    assert_eq!(wire.a.run("ip neigh").unwrap(), "");
    wire
}

/// Fails unless it is the environment's fault and the text has all of `words`.
#[track_caller]
fn tells<T: std::fmt::Debug>(result: Result<T, Failure>, words: &[&str]) {
    match result {
        Err(Failure::Environment(text)) => {
            for word in words {
                assert!(text.contains(word), "nothing of {word:?} in {text:?}");
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn an_interface_is_described() {
    let wire = Wire::with_queues(2);
    wire.a.ip("link set a0 mtu 1400").unwrap();
    let a = link::find(&interface(&wire.a, "a0")).unwrap();
    assert_eq!((a.mac, a.mtu), (mac(A_MAC), 1400));
    assert_eq!((a.rx_queues, a.tx_queues), (2, 2));
    assert_eq!(a.driver, "veth");
    // ethtool's word for the same.
    let said = wire.a.run("ethtool a0").unwrap();
    let speed = a.speed.expect("a veth claims a speed");
    assert!(said.contains(&format!("Speed: {speed}Mb/s")), "{said}");
    let index = wire.a.run("cat /sys/class/net/a0/ifindex").unwrap();
    assert_eq!(a.index.to_string(), index.trim());
    let lo = link::find(&interface(&wire.a, "lo")).unwrap();
    assert_eq!((lo.driver.as_str(), lo.speed), ("loopback", None));
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn an_interface_that_cannot_be_used_is_told_with_the_remedy() {
    let wire = Wire::new();
    tells(
        link::find(&interface(&wire.a, "eth7")),
        &["eth7@", wire.a.name(), "there are lo, a0"],
    );
    wire.a.ip("link set a0 down").unwrap();
    let remedy = format!("ip -n {} link set a0 up", wire.a.name());
    tells(link::find(&interface(&wire.a, "a0")), &[&remedy]);
    tells(
        link::find_connected(&interface(&wire.b, "b0")),
        &["no carrier"],
    );
    assert!(link::find(&interface(&wire.b, "b0")).is_ok());
    let nowhere = Interface {
        name: "a0".into(),
        netns: Some("tweed-nonesuch".into()),
    };
    tells(link::find(&nowhere), &["tweed-nonesuch", wire.a.name()]);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn addresses_of_global_scope_ipv4_first() {
    let wire = Wire::new();
    wire.a.sysctl("net/ipv6/conf/a0/disable_ipv6", "0").unwrap();
    wire.a
        .ip(
            "addr add fd09::1/64 dev a0 nodad\naddr add 10.9.0.9/24 dev a0\n\
             addr add 169.254.3.3/16 scope link dev a0\naddr add 10.8.0.1 peer 10.8.0.2 dev a0",
        )
        .unwrap();
    let found = link::addresses(&interface(&wire.a, "a0")).unwrap();
    let mut v4 = found[..3].to_vec();
    v4.sort();
    assert_eq!(v4, [ip("10.8.0.1"), ip("10.9.0.1"), ip("10.9.0.9")]);
    assert_eq!(found[3..], [ip("fd09::1")]);
    let first = found.iter().position(|a| *a == ip("10.9.0.1"));
    assert!(
        first < found.iter().position(|a| *a == ip("10.9.0.9")),
        "{found:?}"
    );
    wire.b.ip("addr flush dev b0").unwrap();
    let none = link::addresses(&interface(&wire.b, "b0")).unwrap();
    assert!(none.is_empty(), "{none:?}");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_thread_is_inside_and_only_it() {
    let wire = Wire::new();
    let links = || run(Command::new("ip").args(["-o", "link"])).unwrap();
    let outside = links();
    let inside = netns::inside(Some(wire.a.name()), links).unwrap();
    assert!(inside.contains("a0") && !outside.contains("a0@"));
    assert_eq!(links(), outside);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_neighbour_is_asked_for() {
    let wire = strangers();
    let a = interface(&wire.a, "a0");
    assert_eq!(neighbour::find(&a, ip(B)).unwrap(), mac(B_MAC));
    // Once more, from the table: nobody is there to answer.
    wire.b.ip("addr flush dev b0").unwrap();
    assert_eq!(neighbour::find(&a, ip(B)).unwrap(), mac(B_MAC));
    // And with an entry that has failed before.
    wire.a.ip("neigh flush dev a0").unwrap();
    let to = format!("{B} (3 s)");
    tells(
        neighbour::find(&a, ip(B)),
        &["nobody answers", &to, "--dst-mac"],
    );
    wire.b.ip(&format!("addr add {B}/24 dev b0")).unwrap();
    assert_eq!(neighbour::find(&a, ip(B)).unwrap(), mac(B_MAC));
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_gateway_answers_for_what_is_behind_it() {
    let wire = strangers();
    let a = interface(&wire.a, "a0");
    wire.a
        .ip(&format!(
            "link add br0 type bridge\nlink set br0 up\naddr add 10.7.0.1/24 dev br0\n\
             route add 10.1.0.0/16 via {B} dev a0\nroute add 10.2.0.0/16 via 10.7.0.2 dev br0 onlink\n\
             route add blackhole 10.3.0.0/16"
        ))
        .unwrap();
    assert_eq!(neighbour::find(&a, ip("10.1.2.3")).unwrap(), mac(B_MAC));
    // Over another interface, over none, to nowhere, to itself.
    for (to, what) in [
        ("10.2.0.1", "no route to 10.2.0.1"),
        ("172.31.0.1", "no route to 172.31.0.1"),
        ("10.3.0.1", "no route to 10.3.0.1"),
        (
            "10.9.0.1",
            "10.9.0.1 is an address of this namespace itself",
        ),
    ] {
        let see = format!("`ip -n {} route get {to} oif a0`", wire.a.name());
        tells(neighbour::find(&a, ip(to)), &[what, &see, "--dst-mac"]);
    }
    // A gateway that nobody is.
    wire.a
        .ip("route add 10.4.0.0/16 via 10.9.0.77 dev a0")
        .unwrap();
    tells(
        neighbour::find(&a, ip("10.4.0.1")),
        &["nobody answers for 10.9.0.77, the gateway to 10.4.0.1"],
    );
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn neighbours_of_ipv6_are_discovered() {
    let wire = Wire::new();
    for (ns, device, address) in [(&wire.a, "a0", "fd09::1"), (&wire.b, "b0", "fd09::2")] {
        let switch = format!("net/ipv6/conf/{device}/disable_ipv6");
        ns.sysctl(&switch, "0").unwrap();
        ns.ip(&format!("addr add {address}/64 dev {device} nodad"))
            .unwrap();
    }
    wire.a.ip("route add fd0a::/16 via fd09::2 dev a0").unwrap();
    // IPv4 by a gateway of IPv6.
    wire.a
        .ip("route add 10.5.0.0/16 via inet6 fd09::2 dev a0")
        .unwrap();
    let a = interface(&wire.a, "a0");
    for to in ["fd09::2", "fd0a::7", "10.5.0.1"] {
        assert_eq!(neighbour::find(&a, ip(to)).unwrap(), mac(B_MAC), "{to}");
    }
    tells(neighbour::find(&a, ip("fd0b::1")), &["no route to fd0b::1"]);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn groups_and_interfaces_without_arp_need_no_asking() {
    let wire = Wire::new();
    let a = interface(&wire.a, "a0");
    let of = |to: &str| neighbour::find(&a, ip(to)).unwrap();
    assert_eq!(of("10.9.0.255"), Mac([0xff; 6]));
    assert_eq!(of("224.0.0.1"), Mac([0x01, 0, 0x5e, 0, 0, 1]));
    wire.a.ip("link set a0 arp off").unwrap();
    assert_eq!(of("10.9.0.2"), mac(A_MAC));
    let lo = interface(&wire.a, "lo");
    assert_eq!(neighbour::find(&lo, ip("127.0.0.1")).unwrap(), Mac([0; 6]));
}
