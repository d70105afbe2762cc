//! One connection to one etcd member: the few calls that leases need, each with a time limit and an error that names
//! the operation, the object, the endpoint and the remedy.
//!
//! One endpoint at a time, chosen by the caller: a balancer over all of them would fail a share of the calls as long as
//! one member is down. Every call asks for a leader, so a member cut off from its cluster fails instead of staying
//! silent, and HTTP/2 pings find a dead connection in ten seconds. Authentication tokens are renewed when they expire.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use contract::config::Etcd;
use etcd_client::{
    Certificate, Client, Compare, CompareOp, ConnectOptions, GetOptions, Identity, KeyValue,
    KvClient, PutOptions, TlsOptions, Txn, TxnOp, WatchClient, WatchOptions, WatchResponse,
    WatchStream,
};
use tokio::time::timeout;

use super::refusal::{ASK_ETCD, CREDENTIALS, EtcdError, REACH, refusal};

/// Longest wait for one answer.
const CALL: Duration = Duration::from_secs(5);
/// etcd refuses pings more often than every five seconds (`--grpc-keepalive-min-time`).
const PING_EVERY: Duration = Duration::from_secs(6);
const PING_WAIT: Duration = Duration::from_secs(4);
/// Keys per page of a list: a page of ordinary leases is below 1 MiB.
const PAGE: i64 = 4096;
/// tonic refuses messages beyond 4 MiB unless told otherwise; a watch that catches up can be larger.
const LARGEST_MESSAGE: usize = 64 << 20;

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

    /// The member.
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

    /// The value of `<prefix>/config`, if it is there, and the revision of this answer.
    pub(super) async fn config(&mut self) -> Result<(Option<Vec<u8>>, i64), EtcdError> {
        let (kv, revision) = self.get(&self.config_key()).await?;
        Ok((kv.map(|kv| kv.into_key_value().1), revision))
    }

    pub(super) fn config_key(&self) -> String {
        format!("{}/config", self.prefix)
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

    /// Watches what [`Connection::list`] lists, from revision `leases` on, and the network config from `config` on, both in
    /// one stream, and sees that etcd has accepted the first.
    pub(super) async fn watch(
        &mut self,
        leases: i64,
        config: i64,
    ) -> Result<WatchStream, EtcdError> {
        let key = self.config_key();
        let (from, end) = self.range();
        let options = |revision| WatchOptions::new().with_start_revision(revision);
        let watching = async {
            let leases = Some(options(leases).with_range(end));
            let mut stream = self.watch.watch(from, leases).await?;
            stream.watch(key, Some(options(config))).await?;
            Ok(stream)
        };
        let operation = || format!("watch {}/subnets and {}/config", self.prefix, self.prefix);
        call(&self.endpoint, watching, operation).await
    }

    /// Sees that a watch from `resume` on still tells everything, and of no other past than the one we know.
    pub(super) fn check_watch(
        &self,
        response: &WatchResponse,
        resume: Option<i64>,
    ) -> Result<(), EtcdError> {
        let stale = |reason| EtcdError::Stale {
            endpoint: self.endpoint.clone(),
            reason,
        };
        if response.compact_revision() > 0 {
            let oldest = response.compact_revision();
            return Err(stale(format!(
                "the changes before revision {oldest} were compacted"
            )));
        }
        if response.canceled() {
            return Err(self.watch_ended(response.cancel_reason().to_owned()));
        }
        // A watch from a revision that does not exist yet is accepted, and silent until it does.
        let newest = response.header().map_or(0, |h| h.revision());
        match resume {
            Some(resume) if response.created() && newest + 1 < resume => {
                Err(stale(went_back(resume - 1, newest)))
            }
            _ => Ok(()),
        }
    }

    /// Sees that a list at `revision` is not older than what was known.
    pub(super) fn check_list(&self, known: i64, revision: i64) -> Result<(), EtcdError> {
        if revision >= known {
            return Ok(());
        }
        Err(EtcdError::Stale {
            endpoint: self.endpoint.clone(),
            reason: went_back(known, revision),
        })
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
        refusal(
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
        Ok(Err(error)) => Err(refusal(endpoint, operation(), &error)),
        Err(_) => Err(EtcdError::Call {
            endpoint: endpoint.to_owned(),
            operation: operation(),
            cause: format!("no answer in {} s", CALL.as_secs()),
            remedy: REACH,
        }),
    }
}

fn went_back(known: i64, newest: i64) -> String {
    format!("its revision went back from {known} to {newest} (restored from a backup?)")
}
