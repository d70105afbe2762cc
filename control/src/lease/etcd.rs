//! etcd as the lease source: connect, list, watch, and keep our own lease, for as long as the daemon runs.
//!
//! ```text
//! open: next endpoint, config, list at revision R (or resume)  ->  watch from R+1  ->  serve until something breaks
//! ```
//!
//! No gap: the watch starts right after the list, and after a reconnect right after the last event that was delivered
//! (never after a response header's revision, which may be ahead of events not yet sent). A compaction in between means
//! a new list. A list every five minutes, compared by value, repairs whatever a watch might miss. When etcd is away the
//! last state stays published, with the trouble beside it, and our lease is ours until it must have ended.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::{Event, EventType, WatchResponse, WatchStream};
use futures::FutureExt;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout, timeout_at};
use tracing::{info, warn};

use super::backoff::Backoff;
use super::change::follow;
use super::client::Connection;
use super::listing::Listing;
use super::own::{Means, Own};
use super::plan::Step;
use super::publish::Publisher;
use super::refusal::EtcdError;
use super::trouble::Trouble;
use super::{Contact, EtcdSource, Identity, NetworkConfig, NetworkError, View};

/// How often everything is listed again, seconds; each time a little earlier at random, to spread the nodes of a cluster.
const LIST_EVERY_S: f64 = 300.0;
/// A session that lasted this long was a good one: the next reconnect is quick again.
const GOOD_SESSION: Duration = Duration::from_secs(10);
/// Responses applied before the view is published, when a watch catches up.
const DRAIN: usize = 1000;
/// Longest wait for a release at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a session ended or did not begin.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    #[error("{prefix}/config is not in etcd; put the network config there, as for flannel")]
    NoConfig { prefix: String },
    #[error("{prefix}/config: {error}")]
    Config { prefix: String, error: NetworkError },
    #[error("etcd did not answer before our lease ended")]
    TooLate,
    #[error("our address changed; connecting to etcd anew")]
    Moved,
}

struct Session {
    etcd: Connection,
    watch: WatchStream,
}

/// Follows etcd until `stop`.
pub(super) async fn run(
    source: EtcdSource,
    identity: watch::Receiver<Identity>,
    view: watch::Sender<View>,
    stop: impl Future<Output = ()>,
) {
    let release = source.release_on_exit;
    let mut follower = Follower::new(source, identity, view);
    select! {
        () = follower.follow() => {}
        () = stop => {}
    }
    if release {
        follower.release().await;
    }
}

struct Follower {
    own: Own,
    source: EtcdSource,
    identity: watch::Receiver<Identity>,
    publisher: Publisher,
    endpoint: usize,
    /// Of the start, with what can be followed of later ones: like flannel, a running node does not move to another network.
    network: Option<NetworkConfig>,
    listing: Listing,
    /// The first revision that has not been delivered; `None`: list first.
    resume: Option<i64>,
    connection: Trouble,
    config: Trouble,
    contact: Contact,
}

impl Follower {
    fn new(
        source: EtcdSource,
        identity: watch::Receiver<Identity>,
        view: watch::Sender<View>,
    ) -> Self {
        Follower {
            own: Own::new(&source),
            // Nodes with the same list of endpoints begin at different ones.
            endpoint: fastrand::usize(..source.etcd.endpoints.len()),
            source,
            identity,
            publisher: Publisher::new(view),
            network: None,
            listing: Listing::default(),
            resume: None,
            connection: Trouble::new("etcd"),
            config: Trouble::new("network config"),
            contact: Contact::default(),
        }
    }

    fn who(&self) -> Identity {
        *self.identity.borrow()
    }

    /// Sessions, one after the other.
    async fn follow(&mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let began = Instant::now();
            let error = match before(self.own.expires(), self.open()).await {
                Some(Ok(session)) => self.serve(session).await,
                Some(Err(error)) => error,
                None => SessionError::TooLate,
            };
            if began.elapsed() > GOOD_SESSION {
                backoff.reset();
            }
            match &error {
                // Part of etcd's normal life, and over with the next list.
                SessionError::Etcd(EtcdError::Stale { .. }) => {
                    info!("{error}");
                    self.resume = None;
                }
                SessionError::Moved => info!("{error}"),
                error => {
                    self.contact.failed(error.to_string());
                    self.connection.set(error.to_string());
                }
            }
            let again = Instant::now() + backoff.delay();
            loop {
                self.own.notice_sleep();
                self.own.check_expiry(self.who());
                self.publish();
                let wake = self.own.expires().map_or(again, |end| end.min(again));
                sleep_until(wake.into()).await;
                if Instant::now() >= again {
                    break;
                }
            }
        }
    }

    /// Connects to the next endpoint and brings the mirror up to date.
    async fn open(&mut self) -> Result<Session, SessionError> {
        let endpoints = &self.source.etcd.endpoints;
        let endpoint = &endpoints[self.endpoint % endpoints.len()];
        self.endpoint += 1;
        let mut etcd = Connection::open(&self.source.etcd, endpoint).await?;
        let (text, read_at) = etcd.config().await?;
        let network = self.parse_config(text.as_deref());
        match self.network {
            Some(_) => self.follow_config(network),
            None => {
                let network = network?;
                warn_of_options(&network);
                self.network = Some(network);
            }
        }
        let from = match self.resume {
            Some(from) => from,
            None => self.list(&mut etcd).await?,
        };
        self.resume = Some(from);
        let watch = etcd.watch(from, read_at + 1).await?;
        Ok(Session { etcd, watch })
    }

    fn parse_config(&self, text: Option<&[u8]>) -> Result<NetworkConfig, SessionError> {
        let prefix = || self.source.etcd.prefix.clone();
        let text = text.ok_or_else(|| SessionError::NoConfig { prefix: prefix() })?;
        NetworkConfig::parse(text).map_err(|error| SessionError::Config {
            prefix: prefix(),
            error,
        })
    }

    /// The config as it is in etcd now, while another is in force.
    fn follow_config(&mut self, new: Result<NetworkConfig, SessionError>) {
        let Some(now) = &mut self.network else { return };
        let change = match new {
            Ok(new) => follow(now, &new),
            Err(error) => {
                let text = format!("{error}; the one that was read before stays in force");
                return self.config.set(text);
            }
        };
        if !change.followed.is_empty() {
            let followed = change.followed.join(", ");
            info!("the network config changed in etcd, and this node follows: {followed}");
        }
        if change.left.is_empty() {
            return self.config.clear();
        }
        let left = change.left.join(", ");
        self.config.set(format!(
            "it changed in etcd ({left}), which a running node does not follow; restart tweed-control, and the other nodes'"
        ));
    }

    /// Lists everything; returns the revision to watch from.
    async fn list(&mut self, etcd: &mut Connection) -> Result<i64, SessionError> {
        let (kvs, revision) = etcd.list().await?;
        self.listing.replace(&kvs, revision);
        Ok(revision + 1)
    }

    /// Applies events and keeps our lease until the session breaks.
    async fn serve(&mut self, mut session: Session) -> SessionError {
        let mut list_at = next_list();
        loop {
            let wake = match self.keep_own(&mut session.etcd).await {
                Ok(wake) => wake.map_or(list_at, |wake| wake.min(list_at)),
                Err(error) => return error,
            };
            let result = select! {
                message = session.watch.message() => self.receive(message, &mut session).await,
                () = sleep_until(wake.into()) => Ok(()),
                // A connection from an address that is gone would take a minute to say so.
                () = changed(&mut self.identity) => Err(SessionError::Moved),
            };
            if let Err(error) = result {
                return error;
            }
            if Instant::now() >= list_at {
                list_at = next_list();
                if let Err(error) = self.list_again(&mut session.etcd).await {
                    return error;
                }
            }
        }
    }

    /// Does what is to do about our own lease; returns when to look again.
    async fn keep_own(&mut self, etcd: &mut Connection) -> Result<Option<Instant>, SessionError> {
        loop {
            self.own.notice_sleep();
            self.publish();
            let Some(network) = &self.network else {
                return Ok(None);
            };
            let step = self.own.plan(network, &self.listing, self.who());
            if let Step::Rest(until) = step {
                return Ok(until);
            }
            let starved = step == Step::Starve;
            let end = self.own.expires();
            let mut means = Means {
                identity: *self.identity.borrow(),
                backend: network.backend,
                listing: &mut self.listing,
                etcd,
            };
            match before(end, self.own.act(step, &mut means)).await {
                // A new login needs a new connection; anything else is retried on this one, which its watch looks after.
                Some(Err(error)) if error.is_about_credentials() => return Err(error.into()),
                Some(_) if starved => {
                    self.publish();
                    return Ok(None);
                }
                Some(_) => {}
                None => self.own.failed(SessionError::TooLate.to_string()),
            }
        }
    }

    /// Takes a watch response and those right behind it.
    async fn receive(
        &mut self,
        first: Result<Option<WatchResponse>, etcd_client::Error>,
        session: &mut Session,
    ) -> Result<(), SessionError> {
        let mut message = first;
        for left in (0..DRAIN).rev() {
            let response = match message {
                Ok(Some(response)) => response,
                Ok(None) => {
                    let cause = "etcd closed the stream".into();
                    return Err(session.etcd.watch_ended(cause).into());
                }
                Err(error) => return Err(session.etcd.watch_broke(&error).into()),
            };
            session.etcd.check_watch(&response, self.resume)?;
            // Accepted or delivering: either way the member is with its cluster.
            self.connection.clear();
            self.contact.answered(session.etcd.endpoint());
            for event in response.events() {
                self.take(event, &session.etcd);
            }
            // What is taken off the stream here must be applied, so ask only if there is a turn left for it.
            let ready = (left > 0).then(|| session.watch.message().now_or_never());
            match ready.flatten() {
                Some(next) => message = next,
                None => break,
            }
        }
        Ok(())
    }

    fn take(&mut self, event: &Event, etcd: &Connection) {
        let Some(kv) = event.kv() else { return };
        if kv.key() == etcd.config_key().as_bytes() {
            let text = (event.event_type() == EventType::Put).then(|| kv.value());
            let network = self.parse_config(text);
            return self.follow_config(network);
        }
        self.listing.apply(event);
        self.resume = Some(kv.mod_revision() + 1);
    }

    /// The periodic list. It finds nothing new, unless a watch missed something or etcd was restored from a backup.
    async fn list_again(&mut self, etcd: &mut Connection) -> Result<(), SessionError> {
        let (kvs, revision) = etcd.list().await?;
        etcd.check_list(self.listing.revision(), revision)?;
        self.listing.replace(&kvs, revision);
        let (text, _) = etcd.config().await?;
        let network = self.parse_config(text.as_deref());
        self.follow_config(network);
        Ok(())
    }

    /// Publishes what is known.
    fn publish(&mut self) {
        let trouble = [
            self.connection.text(),
            self.own.trouble(),
            self.config.text(),
        ];
        let trouble = trouble.into_iter().flatten().next().map(str::to_owned);
        // Before the first list there is no cluster to show.
        let network = self.network.as_ref().filter(|_| self.resume.is_some());
        let (own, who) = (self.own.lease(), self.who());
        let cluster =
            network.map(|network| self.publisher.cluster(network, own, who, &self.listing));
        self.publisher.send(View {
            cluster: cluster.map(Arc::new),
            contact: self.contact.clone(),
            trouble,
        });
    }

    /// Gives our lease back over a connection of its own, for the session's may be what broke.
    async fn release(&mut self) {
        let endpoint = &self.source.etcd.endpoints
            [self.endpoint.wrapping_sub(1) % self.source.etcd.endpoints.len()];
        // Without a network there was never a lease.
        let Some(backend) = self.network.as_ref().map(|network| network.backend) else {
            return;
        };
        let farewell = async {
            let mut etcd = Connection::open(&self.source.etcd, endpoint).await?;
            self.own.release(&self.listing, &backend, &mut etcd).await
        };
        match timeout(FAREWELL, farewell).await {
            Ok(Ok(())) => self.publish(),
            Ok(Err(error)) => {
                warn!("our lease was not released and ends with its time to live: {error}")
            }
            Err(_) => warn!(
                "our lease was not released and ends with its time to live: no answer from etcd"
            ),
        }
    }
}

fn next_list() -> Instant {
    Instant::now() + Duration::from_secs_f64(LIST_EVERY_S * (0.9 + 0.1 * fastrand::f64()))
}

/// `future`, or `None` when the deadline comes first.
async fn before<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline.into(), future).await.ok(),
        None => Some(future.await),
    }
}

/// A new identity; never, once nobody can send one.
async fn changed(identity: &mut watch::Receiver<Identity>) {
    if identity.changed().await.is_err() {
        pending().await
    }
}

fn warn_of_options(network: &NetworkConfig) {
    if network.network6.is_some() {
        warn!("the network is dual-stack; tweed takes and serves only IPv4 subnets");
    }
    if network.backend.vxlan().is_some_and(|vxlan| vxlan.gbp) {
        warn!(
            "Backend.GBP is on; tweed accepts frames with a group policy id, but sends none and marks no packet with it"
        );
    }
}
