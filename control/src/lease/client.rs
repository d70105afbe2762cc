//! One connection to one etcd member: the few calls that leases need, each with a time limit and an error that names
//! the operation, the object, the endpoint and the remedy.
//!
//! One endpoint at a time, chosen by the caller: a balancer over all of them would fail a share of the calls as long as
//! one member is down. Every call asks for a leader, so a member cut off from its cluster fails instead of staying
//! silent, and HTTP/2 pings find a dead connection in ten seconds. Authentication tokens are renewed when they expire.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use contract::config::Etcd;
use etcd_client::{
    Certificate, Client, Compare, CompareOp, ConnectOptions, GetOptions, Identity, KeyValue,
    KvClient, PutOptions, TlsOptions, Txn, TxnOp, WatchClient, WatchOptions, WatchStream,
};
use thiserror::Error;
use tokio::time::timeout;

/// Longest wait for one answer.
const CALL: Duration = Duration::from_secs(5);
/// etcd refuses pings more often than every five seconds (`--grpc-keepalive-min-time`).
const PING_EVERY: Duration = Duration::from_secs(6);
const PING_WAIT: Duration = Duration::from_secs(4);
/// Keys per page of a list: a page of ordinary leases is below 1 MiB.
const PAGE: i64 = 4096;
/// tonic refuses messages beyond 4 MiB unless told otherwise; a watch that catches up can be larger.
const LARGEST_MESSAGE: usize = 64 << 20;

/// Why etcd could not be used.
#[derive(Debug, Error)]
pub enum EtcdError {
    /// A certificate or key could not be read.
    #[error(
        "cannot read {key} {path}: {source}; it must name a PEM file that tweed-control may read"
    )]
    File {
        /// The key in `node.toml`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// etcd refused, or could not be reached.
    #[error("etcd at {endpoint}: cannot {operation}: {cause}; {remedy}")]
    Call {
        /// The member.
        endpoint: String,
        /// What was tried, with its object.
        operation: String,
        /// What came back.
        cause: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The connection's view of the past is gone or was rewritten; list again.
    #[error("etcd at {endpoint}: {reason}; reading everything again")]
    Stale {
        /// The member.
        endpoint: String,
        /// What happened.
        reason: String,
    },
}

impl EtcdError {
    /// Whether a new login might help.
    pub(super) fn is_about_credentials(&self) -> bool {
        matches!(self, EtcdError::Call { remedy, .. } if *remedy == CREDENTIALS)
    }
}

const CREDENTIALS: &str =
    "check etcd.username, etcd.password and the permissions of that user's roles";
const REACH: &str =
    "check that etcd runs there and that etcd.endpoints, cafile, certfile and keyfile fit it";
const ASK_ETCD: &str = "look into etcd's own log";

/// A lease of etcd's: an id that keys are bound to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Granted {
    pub(super) id: i64,
    /// Time to live that was granted; etcd may give more than was asked.
    pub(super) ttl: Duration,
}

pub(super) struct Connection {
    client: Client,
    kv: KvClient,
    watch: WatchClient,
    endpoint: String,
    prefix: String,
}

impl Connection {
    /// Connects and, with a user, logs in. Without one the first call is what finds a dead endpoint.
    pub(super) async fn open(config: &Etcd, endpoint: &str) -> Result<Self, EtcdError> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CALL)
            .with_keep_alive(PING_EVERY, PING_WAIT)
            // Pings without a call under way are refused by etcd; a watch is always under way when it matters.
            .with_keep_alive_while_idle(false)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some((user, password)) = &config.user {
            options = options.with_user(user, password);
        }
        if endpoint.starts_with("https://") {
            options = options.with_tls(tls(config)?);
        }
        let connecting = Client::connect([endpoint], Some(options));
        let client = call(endpoint, connecting, || "connect".into()).await?;
        Ok(Connection {
            kv: client
                .kv_client()
                .max_decoding_message_size(LARGEST_MESSAGE),
            watch: client
                .watch_client()
                .max_decoding_message_size(LARGEST_MESSAGE),
            client,
            endpoint: endpoint.to_owned(),
            prefix: config.prefix.clone(),
        })
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The key as it is now, and the revision of "now".
    pub(super) async fn get(&mut self, key: &str) -> Result<(Option<KeyValue>, i64), EtcdError> {
        let mut response = call(&self.endpoint, self.kv.get(key, None), || {
            format!("read {key}")
        })
        .await?;
        let revision = response.header().map_or(0, |h| h.revision());
        Ok((response.take_kvs().pop(), revision))
    }

    /// The value of `<prefix>/config`, if it is there.
    pub(super) async fn config(&mut self) -> Result<Option<Vec<u8>>, EtcdError> {
        let (kv, _) = self.get(&format!("{}/config", self.prefix)).await?;
        Ok(kv.map(|kv| kv.into_key_value().1))
    }

    /// Everything below the string prefix `<prefix>/subnets`, in pages of one revision, which is returned too.
    pub(super) async fn list(&mut self) -> Result<(Vec<KeyValue>, i64), EtcdError> {
        let (mut from, end) = self.range();
        let (mut kvs, mut revision) = (Vec::new(), 0);
        loop {
            let options = GetOptions::new()
                .with_range(end.clone())
                .with_limit(PAGE)
                .with_revision(revision);
            let operation = || format!("list {}/subnets", self.prefix);
            let mut page =
                call(&self.endpoint, self.kv.get(from, Some(options)), operation).await?;
            if revision == 0 {
                revision = page.header().map_or(0, |h| h.revision());
            }
            kvs.append(&mut page.take_kvs());
            match kvs.last().filter(|_| page.more()) {
                Some(last) => from = [last.key(), b"\0"].concat(),
                None => return Ok((kvs, revision)),
            }
        }
    }

    /// Watches what [`Connection::list`] lists, from `revision` on, and sees that etcd has accepted the watch.
    pub(super) async fn watch(&mut self, revision: i64) -> Result<WatchStream, EtcdError> {
        let operation = || format!("watch {}/subnets", self.prefix);
        let (from, end) = self.range();
        let options = WatchOptions::new()
            .with_range(end)
            .with_start_revision(revision);
        call(
            &self.endpoint,
            self.watch.watch(from, Some(options)),
            operation,
        )
        .await
    }

    /// What a watch response means when it carries no events to apply.
    pub(super) fn check_watch(
        &self,
        response: &etcd_client::WatchResponse,
    ) -> Result<(), EtcdError> {
        if response.compact_revision() > 0 {
            return Err(EtcdError::Stale {
                endpoint: self.endpoint.clone(),
                reason: format!(
                    "the changes since revision {} were compacted",
                    response.compact_revision()
                ),
            });
        }
        if !response.canceled() {
            return Ok(());
        }
        Err(self.watch_ended(response.cancel_reason().to_owned()))
    }

    /// A watch that ended with `cause`.
    pub(super) fn watch_ended(&self, cause: String) -> EtcdError {
        let remedy = if cause.contains("auth") || cause.contains("permission") {
            CREDENTIALS
        } else {
            ASK_ETCD
        };
        EtcdError::Call {
            endpoint: self.endpoint.clone(),
            operation: format!("watch {}/subnets", self.prefix),
            cause,
            remedy,
        }
    }

    /// A watch that broke.
    pub(super) fn watch_broke(&self, error: &etcd_client::Error) -> EtcdError {
        failed(
            &self.endpoint,
            format!("watch {}/subnets", self.prefix),
            error,
        )
    }

    /// A new etcd lease.
    pub(super) async fn grant(&mut self, ttl: Duration) -> Result<Granted, EtcdError> {
        let seconds = ttl.as_secs().max(1) as i64;
        let response = call(
            &self.endpoint,
            self.client.lease_grant(seconds, None),
            || "grant a lease".into(),
        )
        .await?;
        Ok(Granted {
            id: response.id(),
            ttl: Duration::from_secs(response.ttl().max(0) as u64),
        })
    }

    /// Restarts an etcd lease's time to live. `None`: there is no such lease any more.
    pub(super) async fn keep_alive(&mut self, id: i64) -> Result<Option<Granted>, EtcdError> {
        let operation = || format!("renew lease {id:x}");
        let renewal = async {
            match self.client.lease_keep_alive(id).await {
                // The crate's way to say that the time to live came back as 0.
                Err(etcd_client::Error::LeaseKeepAliveError(_)) => Ok(None),
                other => other.map(Some),
            }
        };
        if call(&self.endpoint, renewal, operation).await?.is_none() {
            return Ok(None);
        }
        // The crate keeps the answer's time to live for itself, so ask.
        let asking = self.client.lease_time_to_live(id, None);
        let left = call(&self.endpoint, asking, operation).await?;
        let ttl = u64::try_from(left.granted_ttl())
            .ok()
            .filter(|_| left.ttl() > 0);
        Ok(ttl.map(|ttl| Granted {
            id,
            ttl: Duration::from_secs(ttl),
        }))
    }

    /// Ends an etcd lease and deletes the keys bound to it.
    pub(super) async fn revoke(&mut self, id: i64) -> Result<(), EtcdError> {
        call(&self.endpoint, self.client.lease_revoke(id), || {
            format!("revoke lease {id:x}")
        })
        .await?;
        Ok(())
    }

    /// Puts `value` if the key was last changed at `expected` (0: does not exist), bound to `etcd_lease` (0: to none).
    /// Returns the new revision, or `None` if someone was faster.
    pub(super) async fn put_if(
        &mut self,
        key: &str,
        expected: i64,
        value: &str,
        etcd_lease: i64,
    ) -> Result<Option<i64>, EtcdError> {
        let put = TxnOp::put(key, value, Some(PutOptions::new().with_lease(etcd_lease)));
        self.transact(key, expected, put, "write").await
    }

    /// Deletes the key if it was last changed at `expected`; whether it did.
    pub(super) async fn delete_if(
        &mut self,
        key: &str,
        expected: i64,
    ) -> Result<Option<i64>, EtcdError> {
        self.transact(key, expected, TxnOp::delete(key, None), "delete")
            .await
    }

    async fn transact(
        &mut self,
        key: &str,
        expected: i64,
        operation: TxnOp,
        verb: &str,
    ) -> Result<Option<i64>, EtcdError> {
        // A key that does not exist compares as revision 0.
        let guard = Compare::mod_revision(key, CompareOp::Equal, expected);
        let txn = Txn::new().when([guard]).and_then([operation]);
        let response = call(&self.endpoint, self.kv.txn(txn), || format!("{verb} {key}")).await?;
        let revision = response.header().map_or(0, |h| h.revision());
        Ok(response.succeeded().then_some(revision))
    }

    /// From the string prefix `<prefix>/subnets` to the first string beyond it: flannel's range, without a slash.
    fn range(&self) -> (Vec<u8>, Vec<u8>) {
        let from = format!("{}/subnets", self.prefix);
        let end = format!("{}/subnett", self.prefix);
        (from.into(), end.into())
    }
}

fn tls(config: &Etcd) -> Result<TlsOptions, EtcdError> {
    let read = |key: &'static str, path: &PathBuf| {
        fs::read(path).map_err(|source| EtcdError::File {
            key,
            path: path.clone(),
            source,
        })
    };
    let mut options = match &config.cafile {
        Some(path) => {
            TlsOptions::new().ca_certificate(Certificate::from_pem(read("etcd.cafile", path)?))
        }
        None => TlsOptions::new().with_enabled_roots(),
    };
    if let Some((cert, key)) = &config.cert_and_key {
        options = options.identity(Identity::from_pem(
            read("etcd.certfile", cert)?,
            read("etcd.keyfile", key)?,
        ));
    }
    Ok(options)
}

async fn call<T>(
    endpoint: &str,
    future: impl Future<Output = Result<T, etcd_client::Error>>,
    operation: impl FnOnce() -> String,
) -> Result<T, EtcdError> {
    match timeout(CALL, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(endpoint, operation(), &error)),
        Err(_) => Err(EtcdError::Call {
            endpoint: endpoint.to_owned(),
            operation: operation(),
            cause: format!("no answer in {} s", CALL.as_secs()),
            remedy: REACH,
        }),
    }
}

fn failed(endpoint: &str, operation: String, error: &etcd_client::Error) -> EtcdError {
    // The client's errors say "transport error" and keep the rest to themselves; the cause is at the end of the chain.
    let chain = |outer: String, error: &dyn std::error::Error| {
        let causes = std::iter::successors(error.source(), |e| e.source()).map(ToString::to_string);
        causes.fold(outer, |text, cause| {
            if text.contains(&cause) {
                text
            } else {
                format!("{text}: {cause}")
            }
        })
    };
    let (cause, remedy) = match error {
        etcd_client::Error::GRpcStatus(status) => {
            let message = status.message();
            let credentials = ["auth", "permission", "user name", "password"]
                .iter()
                .any(|word| message.contains(word));
            // gRPC codes: 14 is Unavailable (nobody there), 2 Unknown (how TLS failures surface).
            let remedy = match status.code() as i32 {
                _ if credentials => CREDENTIALS,
                14 | 2 => REACH,
                _ => ASK_ETCD,
            };
            (chain(message.to_owned(), status), remedy)
        }
        etcd_client::Error::TransportError(e) => (chain(e.to_string(), e), REACH),
        other => (other.to_string(), REACH),
    };
    EtcdError::Call {
        endpoint: endpoint.to_owned(),
        operation,
        cause,
        remedy,
    }
}
