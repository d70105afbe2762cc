//! One etcd, stopped and removed with the value that stands for it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use etcd_client::{Client, PutOptions};
use tempfile::TempDir;

/// Where leases live in these tests.
pub const PREFIX: &str = "/coreos.com/network";
/// A config with room for 255 nodes.
pub const CONFIG: &str = r#"{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}"#;

pub struct Etcd {
    child: Option<Child>,
    directory: TempDir,
    name: &'static str,
    /// `http` or `https`.
    scheme: &'static str,
    port: u16,
    peer_port: u16,
    /// All members of its cluster, as `--initial-cluster` wants them.
    members: String,
    extra: Vec<String>,
}

impl Etcd {
    /// An etcd that answers, with `config` in place.
    pub async fn start(config: &str) -> Self {
        let etcd = Self::bare("http", |_| Vec::new());
        etcd.client()
            .await
            .put(format!("{PREFIX}/config"), config, None)
            .await
            .unwrap();
        etcd
    }

    /// An etcd with further arguments, which may name files in its directory; perhaps not answering yet.
    pub fn bare(scheme: &'static str, extra: impl FnOnce(&std::path::Path) -> Vec<String>) -> Self {
        let (port, peer_port) = (free_port(), free_port());
        Self::member(
            "a",
            scheme,
            (port, peer_port),
            format!("a={}", peer_url(peer_port)),
            extra,
        )
    }

    /// A cluster: with half of it gone, the rest has no leader.
    pub fn cluster<const N: usize>(names: [&'static str; N]) -> [Self; N] {
        let places = names.map(|name| (name, (free_port(), free_port())));
        let members = places.map(|(name, ports)| format!("{name}={}", peer_url(ports.1)));
        let members = members.join(",");
        places
            .map(|(name, ports)| Self::member(name, "http", ports, members.clone(), |_| Vec::new()))
    }

    fn member(
        name: &'static str,
        scheme: &'static str,
        (port, peer_port): (u16, u16),
        members: String,
        extra: impl FnOnce(&std::path::Path) -> Vec<String>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let extra = extra(directory.path());
        let mut etcd = Etcd {
            child: None,
            directory,
            name,
            scheme,
            port,
            peer_port,
            members,
            extra,
        };
        etcd.resume();
        etcd
    }

    /// Stops it and takes its data away, as a restore from nothing.
    pub fn wipe(&mut self) {
        self.stop();
        std::fs::remove_dir_all(self.directory.path().join("data")).unwrap();
    }

    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn endpoint(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// Starts it (again), on the same ports and data.
    pub fn resume(&mut self) {
        let client = self.endpoint();
        let peer = peer_url(self.peer_port);
        let child = Command::new("etcd")
            .arg("--data-dir")
            .arg(self.directory.path().join("data"))
            .args([
                "--name",
                self.name,
                "--logger",
                "zap",
                "--log-level",
                "error",
            ])
            .args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ])
            .args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ])
            .args(["--initial-cluster", &self.members])
            .args(&self.extra)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect(
                "cannot start etcd; install Debian's package etcd-server (apt install etcd-server)",
            );
        self.child = Some(child);
    }

    /// Kills it, as a power failure would.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A client of our own, once etcd answers.
    pub async fn client(&self) -> Client {
        self.client_with(None).await
    }

    pub async fn client_with(&self, options: Option<etcd_client::ConnectOptions>) -> Client {
        for _ in 0..200 {
            let options = options
                .clone()
                .unwrap_or_default()
                .with_timeout(Duration::from_secs(2));
            if let Ok(mut client) = Client::connect([self.endpoint()], Some(options)).await
                && client.get("ready?", None).await.is_ok()
            {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("etcd at {} does not answer", self.endpoint());
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn peer_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The key of a lease.
pub fn key(subnet: &str) -> String {
    format!("{PREFIX}/subnets/{subnet}")
}

/// What flanneld would write for node `n`.
pub fn value(n: u8) -> String {
    format!(
        r#"{{"PublicIP":"192.0.2.{n}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{{"VNI":1,"VtepMAC":"0a:00:00:00:00:{n:02x}"}}}}"#
    )
}

/// Puts a lease as flanneld does: blindly, bound to a new etcd lease of a day. Returns the etcd lease.
pub async fn put_as_flannel(client: &mut Client, subnet: &str, value: &str) -> i64 {
    let id = client.lease_grant(86400, None).await.unwrap().id();
    let options = PutOptions::new().with_lease(id);
    client.put(key(subnet), value, Some(options)).await.unwrap();
    id
}

/// Mod revision, etcd lease and text of a key.
pub async fn read(client: &mut Client, key: &str) -> Option<(i64, i64, String)> {
    let response = client.get(key, None).await.unwrap();
    let kv = response.kvs().first()?;
    Some((
        kv.mod_revision(),
        kv.lease(),
        kv.value_str().unwrap().to_owned(),
    ))
}
