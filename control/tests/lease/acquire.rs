//! How a node comes by its subnet.

use std::collections::BTreeSet;

use control::lease::{OwnLease, Source};

use crate::audit::audit;
use crate::etcd::{CONFIG, Etcd, PREFIX, key, put_as_flannel, read, value};
use crate::node::{Node, source};

const TIGHT: &str = r#"{"Network":"10.244.0.0/16","SubnetMin":"10.244.1.0","SubnetMax":"10.244.20.0","Backend":{"Type":"vxlan"}}"#;

/// As many nodes as subnets, all at once: they collide again and again, and all come through.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_nodes_race_for_twenty_subnets() {
    let etcd = Etcd::start(TIGHT).await;
    let mut nodes: Vec<_> = (1..=20).map(|n| Node::of(n, &etcd)).collect();
    let mut subnets = BTreeSet::new();
    for node in &mut nodes {
        subnets.insert(node.until_held().await);
    }
    assert_eq!(subnets.len(), 20, "{subnets:?}");
    for node in &mut nodes {
        let all = node
            .until_cluster("nineteen others", |cluster| cluster.leases.len() == 19)
            .await;
        assert!(!all.leases.contains_key(&all.own.subnet().unwrap()));
        assert_eq!(*all.skipped, []);
        assert!(!node.ever_lost());
    }
    let mut client = etcd.client().await;
    assert_eq!(
        audit(&mut client, 1, &[]).await,
        20,
        "one put per node is enough"
    );
    // Each lost race gave its etcd lease back.
    assert_eq!(client.leases().await.unwrap().leases().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_subnet_and_wakes_nobody() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let mut node = Node::of(1, &etcd);
    let subnet = node.until_held().await;
    let before = read(&mut client, &key(&subnet.to_string().replace('/', "-")))
        .await
        .unwrap();
    node.kill().await;
    let mut node = Node::of(1, &etcd);
    assert_eq!(node.until_held().await, subnet);
    let after = read(&mut client, &key(&subnet.to_string().replace('/', "-")))
        .await
        .unwrap();
    assert_eq!(after, before, "the restart wrote the key again");
    assert_eq!(audit(&mut client, 1, &[]).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_flanneld_on_this_host_is_taken_over() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let flannels = put_as_flannel(&mut client, "10.244.77.0-24", &value(1)).await;
    let mut node = Node::of(1, &etcd);
    assert_eq!(node.until_held().await, "10.244.77.0/24".parse().unwrap());
    let (_, etcd_lease, text) = read(&mut client, &key("10.244.77.0-24")).await.unwrap();
    assert_ne!(etcd_lease, flannels);
    assert!(text.contains("\"VtepMAC\":\"02:00:00:00:00:01\""), "{text}");
    // flanneld's etcd lease ends without us.
    client.lease_revoke(flannels).await.unwrap();
    assert_eq!(
        read(&mut client, &key("10.244.77.0-24")).await.unwrap().1,
        etcd_lease
    );
    assert!(!node.ever_lost());
    audit(&mut client, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_stays_without_end() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let reservation = r#"{"PublicIP":"192.0.2.1"}"#;
    client
        .put(key("10.244.9.0-24"), reservation, None)
        .await
        .unwrap();
    let mut node = Node::of(1, &etcd);
    let held = node
        .until_cluster("the reserved subnet", |cluster| {
            cluster.own.subnet().is_some()
        })
        .await;
    assert_eq!(
        held.own,
        OwnLease::Held {
            subnet: "10.244.9.0/24".parse().unwrap(),
            expires: None
        }
    );
    let (_, etcd_lease, text) = read(&mut client, &key("10.244.9.0-24")).await.unwrap();
    assert_eq!(etcd_lease, 0);
    assert!(text.contains("vxlan"), "{text}");
    assert_eq!(client.leases().await.unwrap().leases().len(), 0);
    audit(&mut client, 1, &[reservation]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_previous_subnet_is_taken_again_if_it_is_free() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let with_previous = |previous: &str| {
        let mut source = source(&[etcd.endpoint()]);
        source.previous = Some(previous.parse().unwrap());
        Source::Etcd(source)
    };
    let mut first = Node::start(1, with_previous("10.244.200.0/24"));
    assert_eq!(first.until_held().await, "10.244.200.0/24".parse().unwrap());
    let mut second = Node::start(2, with_previous("10.244.200.0/24"));
    assert_ne!(
        second.until_held().await,
        "10.244.200.0/24".parse().unwrap()
    );
    let mut third = Node::start(3, with_previous("10.99.0.0/24"));
    assert!(
        "10.244.0.0/16"
            .parse::<ipnet::Ipv4Net>()
            .unwrap()
            .contains(&third.until_held().await)
    );
    audit(&mut client, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn out_of_subnets_is_said_and_ends_with_the_next_free_one() {
    let one = r#"{"Network":"10.244.0.0/16","SubnetMin":"10.244.5.0","SubnetMax":"10.244.5.0","Backend":{"Type":"vxlan"}}"#;
    let etcd = Etcd::start(one).await;
    let mut client = etcd.client().await;
    put_as_flannel(&mut client, "10.244.5.0-24", &value(9)).await;
    let mut node = Node::of(1, &etcd);
    node.until_trouble("out of subnets").await;
    assert_eq!(
        node.view.borrow().cluster.as_ref().unwrap().own,
        OwnLease::Acquiring
    );
    client.delete(key("10.244.5.0-24"), None).await.unwrap();
    assert_eq!(node.until_held().await, "10.244.5.0/24".parse().unwrap());
    node.until("no trouble", |view| view.trouble.is_none())
        .await;
    audit(&mut client, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_lease_of_another_size_is_discarded() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    put_as_flannel(&mut client, "10.244.8.0-26", &value(1)).await;
    let mut node = Node::of(1, &etcd);
    assert_eq!(node.until_held().await.prefix_len(), 24);
    assert!(read(&mut client, &key("10.244.8.0-26")).await.is_none());
    audit(&mut client, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_is_missing_or_refused_is_said_and_waited_for() {
    let etcd = Etcd::bare("http", |_| Vec::new());
    let mut client = etcd.client().await;
    let mut node = Node::of(1, &etcd);
    node.until_trouble("/coreos.com/network/config is not in etcd")
        .await;
    client
        .put(
            format!("{PREFIX}/config"),
            r#"{"Network":"10.244.0.0/16","Backend":{"Type":"ipsec"}}"#,
            None,
        )
        .await
        .unwrap();
    let trouble = node.until_trouble("backend \"ipsec\"").await;
    assert!(trouble.contains("tweed serves vxlan, "), "{trouble}");
    client
        .put(format!("{PREFIX}/config"), CONFIG, None)
        .await
        .unwrap();
    node.until_held().await;
    node.until("no trouble", |view| view.trouble.is_none())
        .await;
    audit(&mut client, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_etcd_is_said_with_the_endpoint_and_waited_for() {
    let mut etcd = Etcd::start(CONFIG).await;
    etcd.stop();
    let mut node = Node::of(1, &etcd);
    let trouble = node.until_trouble("check that etcd runs there").await;
    assert!(trouble.contains(&etcd.endpoint()), "{trouble}");
    etcd.resume();
    node.until_held().await;
    audit(&mut etcd.client().await, 1, &[]).await;
}
