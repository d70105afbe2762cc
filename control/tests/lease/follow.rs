//! How a node follows everyone else.

use control::lease::{Backend, Cluster, Source};
use etcd_client::{Txn, TxnOp};

use crate::audit::audit;
use crate::etcd::{CONFIG, Etcd, PREFIX, key, put_as_flannel, value};
use crate::node::{Node, identity, source};
use crate::proxy::Proxy;

#[tokio::test(flavor = "multi_thread")]
async fn leases_come_change_and_go() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let mut node = Node::of(1, &etcd);
    node.until_held().await;
    let subnet = "10.244.250.0/24".parse().unwrap();
    let id = put_as_flannel(&mut client, "10.244.250.0-24", &value(9)).await;
    let seen = node
        .until_cluster("the lease", |c| c.leases.contains_key(&subnet))
        .await;
    assert_eq!(
        seen.leases[&subnet].backend,
        Backend::Vxlan {
            vtep_mac: "0a:00:00:00:00:09".parse().unwrap()
        }
    );
    put_as_flannel(&mut client, "10.244.250.0-24", &value(8)).await;
    node.until_cluster("the change", |c| {
        c.leases[&subnet].public_ip == identity(8).public_ip
    })
    .await;
    // The etcd lease it was first bound to no longer matters.
    client.lease_revoke(id).await.unwrap();
    let udp = r#"{"PublicIP":"192.0.2.7","PublicIPv6":null}"#;
    client.put(key("10.244.251.0-24"), udp, None).await.unwrap();
    let both = node
        .until_cluster("the udp node", |c| c.leases.len() == 2)
        .await;
    assert_eq!(
        both.leases[&"10.244.251.0/24".parse().unwrap()].backend,
        Backend::Unnamed
    );
    client.delete(key("10.244.250.0-24"), None).await.unwrap();
    node.until_cluster("the end", |c| !c.leases.contains_key(&subnet))
        .await;
    audit(&mut client, 1, &[udp]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_records_are_skipped_with_a_reason_and_the_rest_stays() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    put_as_flannel(&mut client, "10.244.250.0-24", &value(9)).await;
    // Some before the first list, some through the watch.
    client.put(key("10.244.201.0-24"), "{", None).await.unwrap();
    client
        .put("/coreos.com/network/subnets", "x", None)
        .await
        .unwrap();
    let mut node = Node::of(1, &etcd);
    node.until_held().await;
    client
        .put(key("10.244.202.0-24"), r#"{"PublicIP":null}"#, None)
        .await
        .unwrap();
    client
        .put(key("status"), b"\xff\0".to_vec(), None)
        .await
        .unwrap();
    client
        .put(key("10.245.0.0-24"), value(7), None)
        .await
        .unwrap();
    client
        .put(key("10.244.250.0-25"), value(6), None)
        .await
        .unwrap();
    let seen = node
        .until_cluster("six skipped", |c| c.skipped.len() == 6)
        .await;
    let reasons: Vec<_> = seen
        .skipped
        .iter()
        .map(|s| format!("{} {}", s.key, s.reason))
        .collect();
    for (key, reason) in [
        ("/subnets ", "the key does not end in"),
        ("10.244.201.0-24 ", "not a JSON object"),
        ("10.244.202.0-24 ", "PublicIP is null"),
        (
            "10.244.250.0-25 ",
            "overlaps 10.244.250.0/24, whose lease is older",
        ),
        ("10.245.0.0-24 ", "outside the network"),
        ("status ", "the key does not end in"),
    ] {
        assert!(
            reasons
                .iter()
                .any(|r| r.contains(key) && r.contains(reason)),
            "{key}{reason}: {reasons:#?}"
        );
    }
    assert_eq!(seen.leases.len(), 1);
    client.delete(key("10.244.201.0-24"), None).await.unwrap();
    node.until_cluster("five skipped", |c| c.skipped.len() == 5)
        .await;
    let junk = ["{", "x", r#"{"PublicIP":null}"#, "\u{fffd}\0"];
    audit(&mut client, 1, &junk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_during_a_disconnect_is_seen_after_it() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    put_as_flannel(&mut client, "10.244.250.0-24", &value(9)).await;
    let proxy = Proxy::to(etcd.port()).await;
    let mut node = Node::start(
        1,
        Source::Etcd(source(std::slice::from_ref(&proxy.endpoint))),
    );
    let subnet = node.until_held().await;
    for compact in [false, true] {
        proxy.cut();
        node.until("the trouble", |view| view.trouble.is_some())
            .await;
        client.delete(key("10.244.250.0-24"), None).await.unwrap();
        put_as_flannel(&mut client, "10.244.251.0-24", &value(8)).await;
        let response = client.put("/elsewhere", "", None).await.unwrap();
        if compact {
            client
                .compact(response.header().unwrap().revision(), None)
                .await
                .unwrap();
        }
        proxy.mend();
        let seen = node
            .until_cluster("the changes", |c| {
                c.leases.len() == 1
                    && c.leases
                        .values()
                        .all(|l| l.public_ip == identity(8).public_ip)
            })
            .await;
        assert_eq!(seen.own.subnet(), Some(subnet));
        node.until("no trouble", |view| view.trouble.is_none())
            .await;
        put_as_flannel(&mut client, "10.244.250.0-24", &value(9)).await;
        client.delete(key("10.244.251.0-24"), None).await.unwrap();
        node.until_cluster("the first lease again", |c| {
            c.leases.len() == 1
                && c.leases
                    .values()
                    .all(|l| l.public_ip == identity(9).public_ip)
        })
        .await;
    }
    assert!(!node.ever_lost());
}

/// A connection that is dead without saying so: pings find it, and the next endpoint serves.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_endpoint_is_left_for_another() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let (first, second) = (Proxy::to(etcd.port()).await, Proxy::to(etcd.port()).await);
    let mut node = Node::start(
        1,
        Source::Etcd(source(&[first.endpoint.clone(), second.endpoint.clone()])),
    );
    node.until_held().await;
    // Whichever of the two it uses falls silent, and with it only that one.
    first.freeze();
    put_as_flannel(&mut client, "10.244.250.0-24", &value(9)).await;
    node.until_cluster("the lease", |c| c.leases.len() == 1)
        .await;
    first.mend();
    second.freeze();
    put_as_flannel(&mut client, "10.244.251.0-24", &value(8)).await;
    node.until_cluster("the second lease", |c| c.leases.len() == 2)
        .await;
    assert!(!node.ever_lost());
    audit(&mut client, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_larger_than_a_page_is_listed_whole() {
    let etcd = Etcd::start(r#"{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan"}}"#).await;
    let mut client = etcd.client().await;
    let puts: Vec<_> = (1..=10_000u32)
        .map(|i| {
            let subnet = std::net::Ipv4Addr::from_bits(0x0a80_0000 + (i << 8));
            let public_ip = std::net::Ipv4Addr::from_bits(0xac10_0000 + i).to_string();
            TxnOp::put(
                key(&format!("{subnet}-24")),
                value(9).replace("192.0.2.9", &public_ip),
                None,
            )
        })
        .collect();
    // etcd takes 128 operations in a transaction.
    for puts in puts.chunks(128) {
        client.txn(Txn::new().and_then(puts)).await.unwrap();
    }
    let mut node = Node::of(1, &etcd);
    node.until_held().await;
    let seen = node
        .until_cluster("all of them", |c| c.leases.len() == 10_000)
        .await;
    assert_eq!(*seen.skipped, []);
}

/// A member that lost its cluster answers pings and says nothing; only the demand for a leader tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_a_leader_is_not_believed() {
    let [a, mut b] = Etcd::cluster(["a", "b"]);
    a.client()
        .await
        .put(format!("{PREFIX}/config"), CONFIG, None)
        .await
        .unwrap();
    let mut node = Node::of(1, &a);
    let subnet = node.until_held().await;
    node.until("no trouble", |view| view.trouble.is_none())
        .await;
    b.stop();
    let trouble = node.until_trouble("no leader").await;
    assert!(trouble.contains(&a.endpoint()), "{trouble}");
    b.resume();
    node.until("no trouble", |view| view.trouble.is_none())
        .await;
    assert_eq!(node.until_held().await, subnet);
    assert!(!node.ever_lost());
}

/// A watch from a revision that etcd no longer has is accepted and silent: the node must see that time went back.
#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_that_lost_its_past_is_read_anew() {
    let mut etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    for n in 100..110 {
        put_as_flannel(&mut client, &format!("10.244.{n}.0-24"), &value(n)).await;
    }
    let mut node = Node::of(1, &etcd);
    let subnet = node.until_held().await;
    node.until_cluster("ten others", |c| c.leases.len() == 10)
        .await;
    etcd.wipe();
    etcd.resume();
    let mut client = etcd.client().await;
    client
        .put(format!("{PREFIX}/config"), CONFIG, None)
        .await
        .unwrap();
    put_as_flannel(&mut client, "10.244.250.0-24", &value(9)).await;
    node.until_cluster("what there is now", |c| {
        c.leases.len() == 1 && c.own.subnet() == Some(subnet)
    })
    .await;
    audit(&mut client, 1, &[]).await;
}

/// The network config as flannel nodes would read it at their next start: followed where that is safe, told where it is not.
/// The MTU that the cluster's config sets.
fn mtu(cluster: &Cluster) -> Option<u16> {
    cluster.network.backend.vxlan()?.mtu
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_network_config_is_followed_or_told() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let proxy = Proxy::to(etcd.port()).await;
    let mut node = Node::start(
        1,
        Source::Etcd(source(std::slice::from_ref(&proxy.endpoint))),
    );
    let subnet = node.until_held().await;
    let config = |fields: &str| CONFIG.replace(r#""vxlan""#, &format!(r#""vxlan",{fields}"#));
    let mut put = async |text: String| {
        let key = format!("{PREFIX}/config");
        client.put(key, text, None).await.unwrap();
    };

    put(config(r#""MTU":1400"#)).await;
    let seen = node
        .until_cluster("the MTU", |c| mtu(c) == Some(1400))
        .await;
    assert_eq!(seen.own.subnet(), Some(subnet));
    assert_eq!(node.view.borrow().trouble, None);

    put(config(r#""VNI":7,"MTU":1300"#)).await;
    let trouble = node.until_trouble("Backend.VNI from 1 to 7").await;
    assert!(trouble.contains("restart tweed-control"), "{trouble}");
    let seen = node
        .until_cluster("the other MTU", |c| mtu(c) == Some(1300))
        .await;
    assert_eq!(seen.network.backend.vxlan().unwrap().vni, 1);

    put("{".into()).await;
    let trouble = node.until_trouble("stays in force").await;
    assert!(trouble.contains("/coreos.com/network/config"), "{trouble}");
    put(config(r#""MTU":1300"#)).await;
    node.until("no trouble", |view| view.trouble.is_none())
        .await;

    // While nobody looks.
    proxy.cut();
    node.until("the outage", |view| view.trouble.is_some())
        .await;
    put(config(r#""VNI":8,"MTU":1200"#)).await;
    proxy.mend();
    node.until_trouble("Backend.VNI from 1 to 8").await;
    node.until_cluster("the MTU of the outage", |c| mtu(c) == Some(1200))
        .await;
    assert_eq!(node.until_held().await, subnet);
    assert!(!node.ever_lost());
    audit(&mut client, 1, &[]).await;
}
