//! The file source while it runs.

use control::lease::{Loss, OwnLease, Source};

use crate::node::{Node, identity};

fn write(path: &std::path::Path, leases: &[(&str, u8)]) {
    let lease = |(subnet, n): &(&str, u8)| {
        let who = identity(*n);
        format!(
            r#""{subnet}":{{"PublicIP":"{}","BackendType":"vxlan","BackendData":{{"VtepMAC":"{}"}}}}"#,
            who.public_ip, who.vtep_mac
        )
    };
    let leases: Vec<_> = leases.iter().map(lease).collect();
    let text = format!(
        r#"{{"config":{},"subnets":{{{}}}}}"#,
        crate::etcd::CONFIG,
        leases.join(",")
    );
    std::fs::write(path, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_followed_and_a_bad_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("leases.json");
    let mut node = Node::start(1, Source::File(path.clone()));
    node.until_trouble("cannot read").await;

    write(&path, &[("10.244.1.0-24", 1), ("10.244.2.0-24", 2)]);
    let subnet = node.until_held().await;
    let first = node
        .until("no trouble", |view| view.trouble.is_none())
        .await;
    assert_eq!(first.cluster.as_ref().unwrap().leases.len(), 1);

    write(
        &path,
        &[
            ("10.244.1.0-24", 1),
            ("10.244.2.0-24", 2),
            ("10.244.3.0-24", 3),
        ],
    );
    let second = node
        .until_cluster("the third node", |cluster| cluster.leases.len() == 2)
        .await;

    std::fs::write(&path, "{").unwrap();
    node.until_trouble("what was last read stays in use").await;
    assert_eq!(node.view.borrow().cluster.as_ref(), Some(&second));

    write(&path, &[("10.244.2.0-24", 2)]);
    let lost = OwnLease::Lost {
        subnet,
        loss: Loss::Unlisted,
    };
    node.until_cluster("the loss", |cluster| cluster.own == lost)
        .await;
    write(&path, &[("10.244.2.0-24", 2), ("10.244.9.0-24", 1)]);
    assert_eq!(node.until_held().await, "10.244.9.0/24".parse().unwrap());

    node.identity.send_replace(identity(2));
    node.until_cluster("the other side", |cluster| {
        cluster.own.subnet() == Some("10.244.2.0/24".parse().unwrap())
    })
    .await;
    node.stop().await;
}
