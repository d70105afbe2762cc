//! The underlay and next hops against a real kernel: a node, a peer on its link, and networks behind that peer.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::netns::Netns;
use contract::config;
use contract::wire::Mac;
use control::choice::ChoiceError;
use control::compile::{Hop, Obstacle, Underlay};
use control::netlink::events::{Event, Events};
use control::netlink::next_hop::NextHops;
use control::netlink::{Netlink, NetlinkError};

const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const BEHIND: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 9);
const SILENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 200);
const NOWHERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

fn pair() -> (Netns, Netns) {
    let (node, peer) = (Netns::new("node"), Netns::new("peer"));
    node.join("10.77.0.1/24", &peer, "10.77.0.2/24");
    node.ip("route add 10.78.0.0/24 via 10.77.0.2 mtu 1400");
    (node, peer)
}

fn by_name(interface: &str) -> config::Config {
    underlay(&format!("interface = {interface:?}"))
}

/// As typed in node.toml.
fn underlay(keys: &str) -> config::Config {
    let text = format!("[underlay]\n{keys}\n");
    config::Config::parse("node.toml".as_ref(), &text).unwrap()
}

fn mac_of(netns: &Netns) -> Mac {
    netns
        .exec("cat /sys/class/net/eth0/address")
        .trim()
        .parse()
        .unwrap()
}

/// Follows events until the peer's hop is this one.
async fn until(
    events: &mut Events,
    hops: &mut NextHops,
    underlay: &Underlay,
    peer: Ipv4Addr,
    mac: Mac,
) {
    let wanted = Hop::Ready {
        mac,
        mtu: 1500,
        gateway: None,
    };
    while hops.hops(underlay)[&peer] != wanted {
        if let Event::Neighbour { neighbour, gone } = events.next().await {
            hops.observe(&neighbour, gone);
        }
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_peer_on_the_link_is_resolved_and_followed() {
    let (node, peer) = pair();
    let (first, second) = (mac_of(&peer), "02:00:00:00:77:77");
    node.enter(async || {
        let netlink = Netlink::open().unwrap();
        let mut events = Events::subscribe().unwrap();
        let underlay = netlink.underlay(&by_name("eth0")).await.unwrap();
        assert_eq!(underlay.public_ip, Ipv4Addr::new(10, 77, 0, 1));
        let mut hops = NextHops::new(underlay.index);
        hops.look(&netlink, &BTreeSet::from([NEIGHBOUR]), true)
            .await
            .unwrap();
        until(&mut events, &mut hops, &underlay, NEIGHBOUR, first).await;
        let entry = node.ip(&format!("neigh show {NEIGHBOUR}"));
        assert!(
            entry.contains("managed") && entry.contains("extern_learn"),
            "{entry}"
        );

        // A new MAC that announces itself, as after a failover.
        peer.exec("sysctl -qw net.ipv4.conf.eth0.arp_notify=1");
        peer.ip(&format!("link set eth0 address {second}"));
        until(
            &mut events,
            &mut hops,
            &underlay,
            NEIGHBOUR,
            second.parse().unwrap(),
        )
        .await;

        // The peer is gone from the cluster: so is our entry.
        hops.look(&netlink, &BTreeSet::new(), false).await.unwrap();
        assert!(hops.hops(&underlay).is_empty());
        let entries = node.ip("neigh show dev eth0");
        assert!(!entries.contains("managed"), "{entries}");
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_new_run_finds_what_the_last_one_resolved_and_removes_what_it_left() {
    let (node, peer) = pair();
    let mac = mac_of(&peer);
    node.enter(async || {
        let netlink = Netlink::open().unwrap();
        let mut events = Events::subscribe().unwrap();
        let underlay = netlink.underlay(&by_name("eth0")).await.unwrap();
        let mut hops = NextHops::new(underlay.index);
        hops.look(&netlink, &BTreeSet::from([NEIGHBOUR, SILENT]), true)
            .await
            .unwrap();
        until(&mut events, &mut hops, &underlay, NEIGHBOUR, mac).await;

        let mut again = NextHops::new(underlay.index);
        let peers = BTreeSet::from([NEIGHBOUR]);
        again.look(&netlink, &peers, true).await.unwrap();
        assert_eq!(
            again.hops(&underlay)[&NEIGHBOUR],
            Hop::Ready {
                mac,
                mtu: 1500,
                gateway: None,
            }
        );
        let entries = node.ip("neigh show dev eth0 nud all");
        assert!(!entries.contains("10.77.0.200"), "{entries}");
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_gateway_answers_for_who_is_behind_it_and_others_are_said_to_be_out_of_reach() {
    let (node, peer) = pair();
    let mac = mac_of(&peer);
    node.enter(async || {
        let netlink = Netlink::open().unwrap();
        let mut events = Events::subscribe().unwrap();
        let underlay = netlink.underlay(&by_name("eth0")).await.unwrap();
        let mut hops = NextHops::new(underlay.index);
        let peers = BTreeSet::from([NEIGHBOUR, BEHIND, SILENT, NOWHERE, Ipv4Addr::LOCALHOST]);
        hops.look(&netlink, &peers, true).await.unwrap();
        until(&mut events, &mut hops, &underlay, NEIGHBOUR, mac).await;
        let found = hops.hops(&underlay);
        assert_eq!(
            found[&BEHIND],
            Hop::Ready {
                mac,
                mtu: 1400,
                gateway: Some(NEIGHBOUR),
            }
        );
        assert_eq!(found[&SILENT], Hop::Blocked(Obstacle::NoNeighbour(SILENT)));
        assert!(matches!(
            &found[&NOWHERE],
            Hop::Blocked(Obstacle::NoRoute(_))
        ));
        assert!(matches!(
            &found[&Ipv4Addr::LOCALHOST],
            Hop::Blocked(Obstacle::NoRoute(_))
        ));

        // The route goes: the answer is stale until it is asked for again.
        node.ip("route del 10.78.0.0/24");
        while !matches!(events.next().await, Event::Route) {}
        hops.forget_routes();
        hops.look(&netlink, &peers, false).await.unwrap();
        assert!(matches!(
            &hops.hops(&underlay)[&BEHIND],
            Hop::Blocked(Obstacle::NoRoute(_))
        ));
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn five_thousand_peers_are_one_look() {
    let (node, _peer) = pair();
    node.ip("addr add 10.79.0.1/16 dev eth0");
    let peers: BTreeSet<Ipv4Addr> = (0..5000u32)
        .map(|n| (u32::from(Ipv4Addr::new(10, 79, 1, 0)) + n).into())
        .collect();
    node.enter(async || {
        let netlink = Netlink::open().unwrap();
        let underlay = netlink.underlay(&by_name("eth0")).await.unwrap();
        let mut hops = NextHops::new(underlay.index);
        hops.look(&netlink, &peers, true).await.unwrap();
        let found = hops.hops(&underlay);
        assert_eq!(found.len(), 5000);
        assert!(
            found
                .iter()
                .all(|(peer, hop)| *hop == Hop::Blocked(Obstacle::NoNeighbour(*peer)))
        );
        assert_eq!(
            netlink.neighbours(underlay.index).await.unwrap().len(),
            5000
        );
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_underlay_is_the_configured_device_or_the_default_routes() {
    let (node, _peer) = pair();
    node.ip("link add dull type bridge");
    node.enter(async || {
        let netlink = Netlink::open().unwrap();
        let any = config::Config::default();
        let error = netlink.underlay(&any).await.unwrap_err();
        assert!(
            matches!(
                error,
                NetlinkError::Choice(ChoiceError::NoDefaultRoute { .. })
            ),
            "{error}"
        );
        assert!(error.to_string().contains("eth0"), "{error}");

        let error = netlink.underlay(&by_name("eth7")).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("eth7 does not exist") && text.contains("eth0"),
            "{text}"
        );
        assert!(error.is_environment());

        let error = netlink.underlay(&by_name("dull")).await.unwrap_err();
        let nothing = matches!(error, NetlinkError::Choice(ChoiceError::NoAddress(_)));
        assert!(nothing, "{error}");
        node.ip("addr add 10.79.0.1/24 dev dull");
        let error = netlink.underlay(&by_name("dull")).await.unwrap_err();
        assert!(error.to_string().contains("dull is down"), "{error}");
        node.ip("addr add 10.79.1.1/32 dev lo");
        let error = netlink.underlay(&by_name("lo")).await.unwrap_err();
        assert!(error.to_string().contains("no Ethernet"), "{error}");

        node.ip("route add default via 10.77.0.2");
        let underlay = netlink.underlay(&any).await.unwrap();
        assert_eq!((underlay.name.as_str(), underlay.mtu), ("eth0", 1500));
    });
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_underlay_is_what_a_pattern_an_address_or_the_kernels_way_leads_to() {
    let (node, _peer) = pair();
    node.ip("addr add 10.77.0.7/24 dev eth0");
    // The uplink's name, with an address that every pattern below would like.
    node.ip("link add tweed0 type bridge");
    node.ip("addr add 10.77.0.99/32 dev tweed0");
    node.enter(async || {
        let netlink = Netlink::open().unwrap();
        let rows = [
            ("interface_regex = '^10[.]77[.]'", "10.77.0.1", "10.77.0.1"),
            ("interface_regex = '[.]7$'", "10.77.0.7", "10.77.0.7"),
            ("interface_regex = '^eth'", "10.77.0.1", "10.77.0.1"),
            (
                "interface = ['eth7', '10.77.0.7']",
                "10.77.0.7",
                "10.77.0.7",
            ),
            // Behind the peer, by a route; the source is the kernel's choice.
            (
                "interface_can_reach = '10.78.0.9'",
                "10.77.0.1",
                "10.77.0.1",
            ),
            ("public_ip = '10.77.0.7'", "10.77.0.7", "10.77.0.7"),
            (
                "interface = 'eth0'\npublic_ip = '203.0.113.1'",
                "10.77.0.1",
                "203.0.113.1",
            ),
        ];
        for (keys, address, public_ip) in rows {
            let found = netlink.underlay(&underlay(keys)).await.unwrap();
            let found = (found.name, found.address, found.public_ip);
            let expected = (address.parse().unwrap(), public_ip.parse().unwrap());
            assert_eq!(found, ("eth0".into(), expected.0, expected.1), "{keys}");
        }

        node.ip("route add 10.80.0.0/24 dev eth0 src 10.77.0.7");
        let through = underlay("interface_can_reach = '10.80.0.1'");
        let found = netlink.underlay(&through).await.unwrap();
        assert_eq!(found.address, Ipv4Addr::new(10, 77, 0, 7));

        let nowhere = underlay("interface_can_reach = '203.0.113.9'");
        let error = netlink.underlay(&nowhere).await.unwrap_err().to_string();
        assert!(error.contains("no way to 203.0.113.9"), "{error}");
    });
}
