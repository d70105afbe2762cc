//! How a node keeps its subnet, and notices when it does not.

use std::time::Duration;

use control::lease::{Cluster, EtcdSource, Loss, OwnLease, Source};
use etcd_client::PutOptions;

use crate::audit::audit;
use crate::etcd::{CONFIG, Etcd, PREFIX, key, put_as_flannel, read, value};
use crate::node::{Node, identity, source};

const ONE: &str = r#"{"Network":"10.244.0.0/16","SubnetMin":"10.244.5.0","SubnetMax":"10.244.5.0","Backend":{"Type":"vxlan"}}"#;

fn key_of(subnet: ipnet::Ipv4Net) -> String {
    key(&subnet.to_string().replace('/', "-"))
}

/// A lease of so many seconds, renewed each second.
fn short_lived(etcd: &Etcd, ttl_s: u64) -> EtcdSource {
    EtcdSource {
        ttl: Duration::from_secs(ttl_s),
        renew_margin: Duration::from_secs(ttl_s - 1),
        ..source(&[etcd.endpoint()])
    }
}

fn lost_to(cluster: &Cluster, wanted: Loss) -> bool {
    matches!(cluster.own, OwnLease::Lost { loss, .. } if loss == wanted)
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_moves_the_end_and_leaves_the_key_alone() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let mut node = Node::start(1, Source::Etcd(short_lived(&etcd, 20)));
    let subnet = node.until_held().await;
    let before = read(&mut client, &key_of(subnet)).await.unwrap();
    let mut ends = std::collections::BTreeSet::new();
    node.until_cluster("five different ends of our lease", |cluster| {
        let OwnLease::Held { expires, .. } = cluster.own else {
            return false;
        };
        ends.insert(expires.unwrap());
        ends.len() == 5
    })
    .await;
    assert_eq!(
        read(&mut client, &key_of(subnet)).await.unwrap(),
        before,
        "a renewal wrote the key"
    );
    assert!(!node.ever_lost());
    assert_eq!(audit(&mut client, 1, &[]).await, 1, "peers saw events");
}

#[tokio::test(flavor = "multi_thread")]
async fn theft_is_noticed_and_a_new_subnet_is_taken() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let mut node = Node::of(1, &etcd);
    let subnet = node.until_held().await;
    // What a flanneld does that comes back after more than a day.
    put_as_flannel(
        &mut client,
        &subnet.to_string().replace('/', "-"),
        &value(9),
    )
    .await;
    let after = node
        .until_cluster("another subnet", |c| {
            c.own.subnet().is_some_and(|new| new != subnet)
        })
        .await;
    assert_eq!(after.leases[&subnet].public_ip, identity(9).public_ip);
    assert!(
        read(&mut client, &key_of(subnet))
            .await
            .unwrap()
            .2
            .contains("192.0.2.9"),
        "we took it back"
    );
    audit(&mut client, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_lease_is_published_as_lost_with_the_thief() {
    let etcd = Etcd::start(ONE).await;
    let mut client = etcd.client().await;
    let mut node = Node::of(1, &etcd);
    node.until_held().await;
    put_as_flannel(&mut client, "10.244.5.0-24", &value(9)).await;
    let thief = Loss::Stolen {
        by: identity(9).public_ip,
        vtep_mac: Some("0a:00:00:00:00:09".parse().unwrap()),
    };
    node.until_cluster("the theft", |cluster| lost_to(cluster, thief))
        .await;
    node.until_trouble("out of subnets").await;
    // The thief goes; the subnet is ours again.
    client.delete(key("10.244.5.0-24"), None).await.unwrap();
    node.until_held().await;
    audit(&mut client, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_with_our_public_ip_costs_us_the_lease_for_a_moment_only() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let mut node = Node::of(1, &etcd);
    let subnet = node.until_held().await;
    put_as_flannel(
        &mut client,
        &subnet.to_string().replace('/', "-"),
        &value(1),
    )
    .await;
    let twin = Loss::Stolen {
        by: identity(1).public_ip,
        vtep_mac: Some("0a:00:00:00:00:01".parse().unwrap()),
    };
    node.until_cluster("the loss to the twin", |cluster| lost_to(cluster, twin))
        .await;
    assert_eq!(node.until_held().await, subnet);
    assert!(
        read(&mut client, &key_of(subnet))
            .await
            .unwrap()
            .2
            .contains("02:00:00:00:00:01")
    );
    audit(&mut client, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_key_and_a_revoked_lease_are_made_again() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let mut node = Node::of(1, &etcd);
    let subnet = node.until_held().await;
    let (first, etcd_lease, _) = read(&mut client, &key_of(subnet)).await.unwrap();
    client.lease_revoke(etcd_lease).await.unwrap();
    let second = recreated(&mut client, &key_of(subnet), first).await;
    client.delete(key_of(subnet), None).await.unwrap();
    recreated(&mut client, &key_of(subnet), second).await;
    assert_eq!(node.until_held().await, subnet);
    assert_eq!(audit(&mut client, 1, &[]).await, 3);
}

/// Waits until the key is there again, later than at `revision`.
async fn recreated(client: &mut etcd_client::Client, key: &str, revision: i64) -> i64 {
    for _ in 0..600 {
        match read(client, key).await {
            Some((mod_revision, etcd_lease, _)) if mod_revision > revision => {
                assert_ne!(etcd_lease, 0);
                return mod_revision;
            }
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("{key} was not made again");
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_in_our_key_is_repaired() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let mut node = Node::of(1, &etcd);
    let subnet = node.until_held().await;
    let (_, etcd_lease, good) = read(&mut client, &key_of(subnet)).await.unwrap();
    let junk = client
        .put(key_of(subnet), "junk", None)
        .await
        .unwrap()
        .header()
        .unwrap()
        .revision();
    recreated(&mut client, &key_of(subnet), junk).await;
    let (_, lease_now, text) = read(&mut client, &key_of(subnet)).await.unwrap();
    assert_eq!((lease_now, text), (etcd_lease, good));
    assert!(!node.ever_lost());
    audit(&mut client, 1, &["junk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_public_ip_or_mac_keeps_the_subnet() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let mut node = Node::of(1, &etcd);
    let subnet = node.until_held().await;
    let (before, etcd_lease, _) = read(&mut client, &key_of(subnet)).await.unwrap();
    node.identity.send_replace(identity(7));
    recreated(&mut client, &key_of(subnet), before).await;
    let (_, lease_now, text) = read(&mut client, &key_of(subnet)).await.unwrap();
    assert_eq!(lease_now, etcd_lease);
    assert!(
        text.contains("192.0.2.7") && text.contains("02:00:00:00:00:07"),
        "{text}"
    );
    assert_eq!(node.until_held().await, subnet);
    assert!(!node.ever_lost());
    audit(&mut client, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_taken_off_its_etcd_lease_becomes_a_reservation() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let mut node = Node::of(1, &etcd);
    let subnet = node.until_held().await;
    client
        .put(
            key_of(subnet),
            "",
            Some(PutOptions::new().with_ignore_value()),
        )
        .await
        .unwrap();
    node.until_cluster("a lease without end", |cluster| {
        cluster.own
            == OwnLease::Held {
                subnet,
                expires: None,
            }
    })
    .await;
    assert_eq!(read(&mut client, &key_of(subnet)).await.unwrap().1, 0);
    audit(&mut client, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_shorter_than_the_lease_is_no_loss() {
    let mut etcd = Etcd::start(CONFIG).await;
    let mut node = Node::of(1, &etcd);
    let subnet = node.until_held().await;
    etcd.stop();
    let down = node
        .until("the trouble", |view| view.trouble.is_some())
        .await;
    assert_eq!(down.cluster.unwrap().own.subnet(), Some(subnet));
    etcd.resume();
    // The watch goes on: a lease that came after the outage is seen.
    let mut client = etcd.client().await;
    put_as_flannel(&mut client, "10.244.250.0-24", &value(9)).await;
    node.until_cluster("the new lease", |cluster| cluster.leases.len() == 1)
        .await;
    node.until("no trouble", |view| view.trouble.is_none())
        .await;
    assert_eq!(node.until_held().await, subnet);
    assert!(!node.ever_lost());
    assert_eq!(audit(&mut client, 1, &[]).await, 2);
}

/// Renewals fail for a while, again and again, at a member that answers and at two that do not.
#[tokio::test(flavor = "multi_thread")]
async fn renewals_outlive_a_time_without_a_leader() {
    let mut members = Etcd::cluster(["a", "b", "c"]);
    let mut client = members[0].client().await;
    client
        .put(format!("{PREFIX}/config"), CONFIG, None)
        .await
        .unwrap();
    let endpoints: Vec<_> = members.iter().map(Etcd::endpoint).collect();
    let mut node = Node::start(
        1,
        Source::Etcd(EtcdSource {
            ttl: Duration::from_secs(30),
            renew_margin: Duration::from_secs(29),
            ..source(&endpoints)
        }),
    );
    let subnet = node.until_held().await;
    let end = |cluster: &Cluster| match cluster.own {
        OwnLease::Held { expires, .. } => expires.unwrap(),
        _ => panic!("{:?}", cluster.own),
    };
    members[1].stop();
    members[2].stop();
    node.until_trouble("no leader").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = end(node.view.borrow().cluster.as_ref().unwrap());
    members[2].resume();
    node.until_cluster("a renewal", |cluster| end(cluster) > before)
        .await;
    node.until("no trouble", |view| view.trouble.is_none())
        .await;
    assert_eq!(node.until_held().await, subnet);
    assert!(!node.ever_lost());
    assert_eq!(audit(&mut client, 1, &[]).await, 1, "the key was rewritten");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_the_lease_is_a_loss_until_etcd_is_back() {
    let mut etcd = Etcd::start(CONFIG).await;
    let mut node = Node::start(1, Source::Etcd(short_lived(&etcd, 3)));
    let subnet = node.until_held().await;
    etcd.stop();
    let lost = node
        .until_cluster("the loss", |cluster| lost_to(cluster, Loss::Expired))
        .await;
    assert_eq!(lost.own.subnet(), None);
    etcd.resume();
    assert_eq!(node.until_held().await, subnet);
    audit(&mut etcd.client().await, 1, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_releases_only_what_is_ours_and_only_if_asked() {
    let etcd = Etcd::start(CONFIG).await;
    let mut client = etcd.client().await;
    let releasing = || {
        Source::Etcd(EtcdSource {
            release_on_exit: true,
            ..source(&[etcd.endpoint()])
        })
    };

    let mut keeps = Node::of(1, &etcd);
    let kept = keeps.until_held().await;
    keeps.stop().await;
    assert!(read(&mut client, &key_of(kept)).await.is_some());

    let mut releases = Node::start(2, releasing());
    let released = releases.until_held().await;
    releases.stop().await;
    assert!(read(&mut client, &key_of(released)).await.is_none());
    assert_eq!(
        client.leases().await.unwrap().leases().len(),
        1,
        "only the first node's etcd lease is left"
    );

    client
        .put(key("10.244.99.0-24"), value(3), None)
        .await
        .unwrap();
    let mut reserved = Node::start(3, releasing());
    assert_eq!(
        reserved.until_held().await,
        "10.244.99.0/24".parse().unwrap()
    );
    reserved.stop().await;
    assert!(
        read(&mut client, &key("10.244.99.0-24")).await.is_some(),
        "a reservation is the operator's"
    );
    audit(&mut client, 1, &[]).await;
}
