//! etcd behind TLS and behind a login.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use control::lease::{EtcdSource, Source};
use etcd_client::{Certificate, ConnectOptions, Identity, Permission, TlsOptions};

use crate::audit::audit;
use crate::etcd::{CONFIG, Etcd, PREFIX};
use crate::node::{Node, source};

fn openssl(directory: &Path, args: &str) {
    let output = Command::new("openssl")
        .args(args.split_whitespace())
        .current_dir(directory)
        .output()
        .expect("cannot run openssl; install Debian's package openssl");
    assert!(
        output.status.success(),
        "openssl {args}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A certificate authority `<name>.crt`.
fn make_ca(directory: &Path, name: &str) {
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    openssl(
        directory,
        &format!("{new} -subj /CN={name} -keyout {name}.key -out {name}.crt"),
    );
}

/// A certificate `<name>.crt` for the loopback, signed by `ca`.
fn make_certificate(directory: &Path, name: &str, ca: &str) {
    let new = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        directory,
        &format!("{new} -subj /CN={name} -keyout {name}.key -out {name}.csr"),
    );
    std::fs::write(directory.join("san"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl(
        directory,
        &format!(
            "x509 -req -in {name}.csr -CA {ca}.crt -CAkey {ca}.key -CAcreateserial -days 2 -extfile san -out {name}.crt"
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_client_certificates() {
    let etcd = Etcd::bare("https", |dir| {
        make_ca(dir, "ca");
        make_ca(dir, "strangers");
        make_certificate(dir, "server", "ca");
        make_certificate(dir, "client", "ca");
        let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
        let options = [
            ("--cert-file", "server.crt"),
            ("--key-file", "server.key"),
            ("--trusted-ca-file", "ca.crt"),
        ];
        let files = options.map(|(option, name)| [option.to_owned(), file(name)]);
        [files.concat(), vec!["--client-cert-auth".into()]].concat()
    });
    let file = |name: &str| etcd.directory().join(name);
    let pem = |name: &str| std::fs::read(file(name)).unwrap();
    let tls = TlsOptions::new()
        .ca_certificate(Certificate::from_pem(pem("ca.crt")))
        .identity(Identity::from_pem(pem("client.crt"), pem("client.key")));
    let mut client = etcd
        .client_with(Some(ConnectOptions::new().with_tls(tls)))
        .await;
    client
        .put(format!("{PREFIX}/config"), CONFIG, None)
        .await
        .unwrap();
    let start = |n, ca: &str, certificate: Option<&str>| {
        let mut source = source(&[etcd.endpoint()]);
        source.etcd.cafile = Some(file(ca));
        source.etcd.cert_and_key =
            certificate.map(|name| (file(&format!("{name}.crt")), file(&format!("{name}.key"))));
        Node::start(n, Source::Etcd(source))
    };

    let mut right = start(1, "ca.crt", Some("client"));
    right.until_held().await;

    let mut wrong_ca = start(2, "strangers.crt", Some("client"));
    let trouble = wrong_ca
        .until_trouble("etcd.endpoints, cafile, certfile and keyfile")
        .await;
    assert!(trouble.contains("certificate"), "{trouble}");

    let mut no_certificate = start(3, "ca.crt", None);
    no_certificate
        .until_trouble("etcd.endpoints, cafile, certfile and keyfile")
        .await;

    let mut no_file = start(4, "nowhere.crt", None);
    let trouble = no_file.until_trouble("cannot read etcd.cafile").await;
    assert!(trouble.contains("nowhere.crt"), "{trouble}");

    audit(&mut client, 1, &[]).await;
    for node in [right, wrong_ca, no_certificate, no_file] {
        node.stop().await;
    }
}

/// The user may read and write below the prefix and nothing else, as an operator would set it up; tokens live for two
/// seconds, so that they end while leases are renewed.
#[tokio::test(flavor = "multi_thread")]
async fn login_and_tokens_that_expire() {
    let etcd = Etcd::bare("http", |dir| {
        openssl(dir, "genrsa -out jwt.key 2048");
        openssl(dir, "rsa -in jwt.key -pubout -out jwt.pub");
        let (key, public) = (dir.join("jwt.key"), dir.join("jwt.pub"));
        let token = format!(
            "jwt,pub-key={},priv-key={},sign-method=RS256,ttl=2s",
            public.display(),
            key.display()
        );
        vec!["--auth-token".into(), token]
    });
    let mut client = etcd.client().await;
    client
        .put(format!("{PREFIX}/config"), CONFIG, None)
        .await
        .unwrap();
    for (user, password) in [("root", "rootpw"), ("tweed", "secret"), ("guest", "guest")] {
        client.user_add(user, password, None).await.unwrap();
    }
    for role in ["root", "network", "reader"] {
        client.role_add(role).await.unwrap();
    }
    let end = format!("{PREFIX}0");
    let all = Permission::read_write(format!("{PREFIX}/")).with_range_end(end.clone());
    client.role_grant_permission("network", all).await.unwrap();
    let reading = Permission::read(format!("{PREFIX}/")).with_range_end(end);
    client
        .role_grant_permission("reader", reading)
        .await
        .unwrap();
    for (user, role) in [("root", "root"), ("tweed", "network"), ("guest", "reader")] {
        client.user_grant_role(user, role).await.unwrap();
    }
    client.auth_enable().await.unwrap();
    let start = |n, user: Option<(&str, &str)>| {
        let mut source = source(&[etcd.endpoint()]);
        source.etcd.user = user.map(|(name, password)| (name.into(), password.into()));
        let short = EtcdSource {
            ttl: Duration::from_secs(20),
            renew_margin: Duration::from_secs(19),
            ..source
        };
        Node::start(n, Source::Etcd(short))
    };

    let mut right = start(1, Some(("tweed", "secret")));
    right.until_held().await;
    for (n, user) in [(2, Some(("tweed", "wrong"))), (3, None)] {
        let mut node = start(n, user);
        node.until_trouble("check etcd.username, etcd.password")
            .await;
        assert_eq!(node.view.borrow().cluster, None);
        node.stop().await;
    }
    // May read everything and write nothing: follows the others and says why it has no lease.
    let mut guest = start(4, Some(("guest", "guest")));
    guest.until_trouble("cannot write").await;
    guest
        .until_cluster("the first node's lease", |cluster| {
            cluster.leases.len() == 1
        })
        .await;
    guest.stop().await;

    let mut ends = std::collections::BTreeSet::new();
    right
        .until_cluster("renewals beyond the life of two tokens", |cluster| {
            ends.insert(format!("{:?}", cluster.own));
            ends.len() == 6
        })
        .await;
    assert!(!right.ever_lost());
    right.stop().await;
    let root = ConnectOptions::new()
        .with_user("root", "rootpw")
        .with_auto_token_refresh(true);
    audit(&mut etcd.client_with(Some(root)).await, 1, &[]).await;
}
