//! Our own lease: what we believe about it, and the calls that make it so.
//!
//! Every write is a compare-and-swap on the key's revision, so two nodes cannot both hold a subnet through us. Renewal
//! is a look at the key and a KeepAlive of the etcd lease it is bound to: neither value nor lease id change, so peers see
//! no event. (flanneld puts the key anew each time, which wakes every peer and can overwrite another node's subnet.)
//!
//! What is lost is believed lost at once and published as such; then the same subnet is asked for again, and if another
//! node has it a new one, which is what flanneld does in two lives (it exits, its supervisor restarts it). The end of
//! a lease is counted from before the request that started it, on the monotonic clock: we never believe longer than etcd.

use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use tracing::{debug, error, info, warn};

use super::backoff::Backoff;
use super::client::{Connection, Granted};
use super::listing::{Entry, Listing};
use super::plan::{Binding, Holding, Scene, Standing, Step};
use super::refusal::EtcdError;
use super::sleep::Sleep;
use super::trouble::Trouble;
use super::{EtcdSource, Identity, Loss, NetworkBackend, NetworkConfig, OwnLease, record};

/// A renewal that failed is tried again after this or a quarter of what is left, whichever is less.
const RENEW_AGAIN: Duration = Duration::from_secs(60);

/// What a step works with.
pub(super) struct Means<'a> {
    pub(super) identity: Identity,
    pub(super) backend: NetworkBackend,
    pub(super) listing: &'a mut Listing,
    pub(super) etcd: &'a mut Connection,
}

/// Our lease in etcd.
pub(super) struct Own {
    prefix: String,
    ttl: Duration,
    margin: Duration,
    previous: Option<Ipv4Net>,
    standing: Standing,
    not_before: Instant,
    /// Between attempts to acquire.
    acquiring: Backoff,
    /// Between taking our lease back from a node with our own PublicIP: it may do the same.
    duel: Backoff,
    sleep: Sleep,
    trouble: Trouble,
}

impl Own {
    pub(super) fn new(source: &EtcdSource) -> Self {
        Own {
            prefix: source.etcd.prefix.clone(),
            ttl: source.ttl,
            margin: source.renew_margin,
            previous: source.previous,
            standing: Standing::Acquiring,
            not_before: Instant::now(),
            acquiring: Backoff::new(Duration::from_millis(50), Duration::from_secs(5)),
            duel: Backoff::new(Duration::from_secs(1), Duration::from_secs(300)),
            sleep: Sleep::new(),
            trouble: Trouble::new("own lease"),
        }
    }

    /// For the published view.
    pub(super) fn lease(&self) -> OwnLease {
        match &self.standing {
            Standing::Acquiring => OwnLease::Acquiring,
            Standing::Held(held) => OwnLease::Held {
                subnet: held.subnet,
                expires: held.expires,
            },
            Standing::Lost { subnet, loss } => OwnLease::Lost {
                subnet: *subnet,
                loss: *loss,
            },
        }
    }

    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.text()
    }

    /// When our lease ends unless renewed.
    pub(super) fn expires(&self) -> Option<Instant> {
        match &self.standing {
            Standing::Held(held) => held.expires,
            _ => None,
        }
    }

    /// Whatever the machine slept through has brought the end of our lease nearer. To be called before time is looked at.
    pub(super) fn notice_sleep(&mut self) {
        let slept = self.sleep.slept();
        if !slept.is_zero() {
            info!("the machine slept for {slept:.1?}, during which our lease went on ageing");
            self.age(slept);
        }
    }

    fn age(&mut self, by: Duration) {
        if let Standing::Held(held) = &mut self.standing {
            let now = Instant::now();
            for time in [&mut held.expires, &mut held.renew_at]
                .into_iter()
                .flatten()
            {
                // Before the machine's first moment is over, too.
                *time = time.checked_sub(by).unwrap_or(now).min(*time);
            }
        }
    }

    /// Without etcd there is one thing to notice: that our time is over.
    pub(super) fn check_expiry(&mut self, identity: Identity) {
        if self.expires().is_some_and(|end| end <= Instant::now()) {
            self.lose(Loss::Expired, identity);
        }
    }

    pub(super) fn plan(
        &self,
        network: &NetworkConfig,
        listing: &Listing,
        identity: Identity,
    ) -> Step {
        let scene = Scene {
            network,
            prefix: &self.prefix,
            listing,
            identity,
            previous: self.previous,
            not_before: self.not_before,
            now: Instant::now(),
        };
        scene.plan(&self.standing)
    }

    /// Does one step, and remembers a failure: when to try again, and what to tell.
    pub(super) async fn act(&mut self, step: Step, with: &mut Means<'_>) -> Result<(), EtcdError> {
        let result = match step {
            Step::Rest(_) => Ok(()),
            Step::Lose(loss) => {
                self.lose(loss, with.identity);
                Ok(())
            }
            Step::Starve => {
                self.trouble.set(
                    "out of subnets: every subnet from SubnetMin to SubnetMax is leased; delete leases of nodes that \
                     are gone or widen the network"
                        .into(),
                );
                Ok(())
            }
            Step::Renew => self.renew(with).await,
            Step::Adopt { subnet, etcd_lease } => self.adopt(subnet, etcd_lease, with).await,
            Step::Take {
                subnet,
                expected,
                binding,
            } => self.take(subnet, expected, binding, with).await,
            Step::Discard {
                key,
                subnet,
                expected,
            } => self.discard(&key, subnet, expected, with).await,
        };
        if let Err(e) = &result {
            self.failed(e.to_string());
        }
        result
    }

    /// A step could not be done: later, and soon enough.
    pub(super) fn failed(&mut self, why: String) {
        let now = Instant::now();
        let delay = match self.expires() {
            None => self.acquiring.delay(),
            Some(end) => RENEW_AGAIN.min(end.saturating_duration_since(now) / 4),
        };
        self.not_before = now + delay.max(Duration::from_millis(50));
        self.trouble.set(why);
    }

    fn lose(&mut self, loss: Loss, identity: Identity) {
        let Standing::Held(held) = &self.standing else {
            return;
        };
        let subnet = held.subnet;
        error!("our lease of {subnet} is lost: {loss}; traffic of its pods must stop");
        if let Loss::Stolen { by, .. } = loss
            && by == identity.public_ip
        {
            error!(
                "another daemon uses our PublicIP {by}; stop it, or set underlay.public_ip on one of the two"
            );
            self.not_before = Instant::now() + self.duel.delay();
        }
        self.standing = Standing::Lost { subnet, loss };
    }

    /// We hold `subnet` from `since` on.
    fn hold(
        &mut self,
        subnet: Ipv4Net,
        identity: Identity,
        granted: Option<Granted>,
        since: Instant,
    ) {
        match &self.standing {
            Standing::Lost { subnet: old, .. } if *old != subnet => error!(
                "our subnet is now {subnet}, no longer {old}: pods with addresses of {old} are no longer reached; restart them"
            ),
            Standing::Lost { .. } => warn!("our lease of {subnet} is ours again"),
            Standing::Acquiring => info!("our subnet is {subnet}"),
            Standing::Held(_) => {}
        }
        let expires = granted.map(|granted| since + granted.ttl);
        self.standing = Standing::Held(Holding {
            subnet,
            identity,
            etcd_lease: granted.map_or(0, |granted| granted.id),
            expires,
            // A margin as long as the lease would renew without pause; the config does not allow it, a caller might.
            renew_at: granted
                .map(|granted| since + (granted.ttl - self.margin.min(granted.ttl * 9 / 10))),
        });
        self.previous = Some(subnet);
        self.acquiring.reset();
        self.trouble.clear();
    }

    /// Looks at our key with a linearizable read, which a cut-off member cannot answer, and restarts its time to live.
    async fn renew(&mut self, with: &mut Means<'_>) -> Result<(), EtcdError> {
        let Standing::Held(held) = self.standing.clone() else {
            return Ok(());
        };
        let key = record::key(&self.prefix, held.subnet);
        let (kv, revision) = with.etcd.get(&key).await?;
        match &kv {
            Some(kv) => with.listing.put(kv),
            None => with.listing.delete(&key, revision),
        }
        let as_left = |entry: &&Entry| {
            entry.says(held.identity, &with.backend) && entry.etcd_lease == held.etcd_lease
        };
        if with.listing.get(&key).filter(as_left).is_none() {
            // The next plan sees that, too, and says what it means.
            return Ok(());
        }
        let since = Instant::now();
        match with.etcd.keep_alive(held.etcd_lease).await? {
            Some(granted) => {
                self.hold(held.subnet, held.identity, Some(granted), since);
                self.duel.reset();
            }
            // The etcd lease ended between the two calls; its delete event is on its way.
            None => self.lose(Loss::Expired, held.identity),
        }
        Ok(())
    }

    /// Believes a key that already says it is ours. No write, hence no event at the peers, if its etcd lease lives as
    /// long as ours would.
    async fn adopt(
        &mut self,
        subnet: Ipv4Net,
        etcd_lease: i64,
        with: &mut Means<'_>,
    ) -> Result<(), EtcdError> {
        let since = Instant::now();
        if etcd_lease == 0 {
            self.hold(subnet, with.identity, None, since);
            return Ok(());
        }
        match with.etcd.keep_alive(etcd_lease).await? {
            Some(granted) if granted.ttl == self.ttl => {
                self.hold(subnet, with.identity, Some(granted), since);
                Ok(())
            }
            _ => {
                let entry = with.listing.get(&record::key(&self.prefix, subnet));
                let expected = entry.map_or(0, |entry| entry.mod_revision);
                self.take(subnet, expected, Binding::Fresh, with).await
            }
        }
    }

    /// Writes our value, in place of exactly what we have seen.
    async fn take(
        &mut self,
        subnet: Ipv4Net,
        expected: i64,
        binding: Binding,
        with: &mut Means<'_>,
    ) -> Result<(), EtcdError> {
        let since = Instant::now();
        let (granted, fresh) = match binding {
            Binding::Keep(0) => (None, false),
            Binding::Fresh => (Some(with.etcd.grant(self.ttl).await?), true),
            Binding::Keep(id) => match with.etcd.keep_alive(id).await? {
                Some(granted) => (Some(granted), false),
                // The one to keep has ended.
                None => (Some(with.etcd.grant(self.ttl).await?), true),
            },
        };
        let key = record::key(&self.prefix, subnet);
        let value = record::value(with.identity, &with.backend);
        let id = granted.map_or(0, |granted| granted.id);
        let written = with.etcd.put_if(&key, expected, &value, id).await;
        if let Ok(Some(revision)) = written {
            with.listing.wrote(&key, &value, id, revision);
            self.hold(subnet, with.identity, granted, since);
            return Ok(());
        }
        // After an error the put may have happened all the same; revoking undoes that, too.
        if fresh && let Err(e) = with.etcd.revoke(id).await {
            debug!("an unused etcd lease ends with its time to live: {e}");
        }
        match written {
            Err(e) => Err(e),
            Ok(_) => self.lost_race(with).await,
        }
    }

    /// Deletes a lease with our PublicIP that the config would not lease out, as flannel does.
    async fn discard(
        &mut self,
        key: &str,
        subnet: Ipv4Net,
        expected: i64,
        with: &mut Means<'_>,
    ) -> Result<(), EtcdError> {
        let public_ip = with.identity.public_ip;
        warn!(
            "deleting {key}: it carries our PublicIP {public_ip} and does not fit the network config"
        );
        match with.etcd.delete_if(key, expected).await? {
            Some(revision) => {
                with.listing.delete(key, revision);
                // A dual-stack lease may name just the IPv4 subnet that we would like.
                self.previous = Some(subnet);
                Ok(())
            }
            None => self.lost_race(with).await,
        }
    }

    /// Someone changed what we were about to change: look again, and a moment later, for there may be many of us.
    async fn lost_race(&mut self, with: &mut Means<'_>) -> Result<(), EtcdError> {
        let (kvs, revision) = with.etcd.list().await?;
        with.listing.replace(&kvs, revision);
        self.not_before = Instant::now() + self.acquiring.delay();
        Ok(())
    }

    /// Gives our lease back, if it is still ours and not a reservation.
    pub(super) async fn release(
        &mut self,
        listing: &Listing,
        backend: &NetworkBackend,
        etcd: &mut Connection,
    ) -> Result<(), EtcdError> {
        let Standing::Held(held) = &self.standing else {
            return Ok(());
        };
        let key = record::key(&self.prefix, held.subnet);
        let entry = listing
            .get(&key)
            .filter(|entry| entry.says(held.identity, backend));
        if let Some(entry) = entry
            && held.etcd_lease != 0
            && etcd.delete_if(&key, entry.mod_revision).await?.is_some()
        {
            info!("released {}", held.subnet);
            etcd.revoke(held.etcd_lease).await?;
            self.standing = Standing::Acquiring;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use contract::config::Config;
    use contract::wire::Mac;

    use super::*;
    use crate::lease::Source;

    const DAY: Duration = Duration::from_secs(86_400);

    fn held() -> (Own, Identity) {
        let Source::Etcd(source) = Source::new(&Config::default(), None) else {
            panic!("the default source is etcd");
        };
        let identity = Identity {
            public_ip: [192, 0, 2, 1].into(),
            vtep_mac: Mac([2, 0, 0, 0, 0, 1]),
        };
        let mut own = Own::new(&source);
        let granted = Granted { id: 7, ttl: DAY };
        let subnet = "10.244.1.0/24".parse().unwrap();
        own.hold(subnet, identity, Some(granted), Instant::now());
        (own, identity)
    }

    #[test]
    fn a_lease_ages_while_the_machine_sleeps() {
        let (mut own, identity) = held();
        let end = own.expires().unwrap();
        own.notice_sleep();
        assert_eq!(own.expires(), Some(end), "nobody slept");
        own.age(DAY / 2);
        assert_eq!(own.expires(), Some(end - DAY / 2));
        own.check_expiry(identity);
        assert!(matches!(own.lease(), OwnLease::Held { .. }));
        own.age(DAY / 2);
        own.check_expiry(identity);
        assert!(
            matches!(
                own.lease(),
                OwnLease::Lost {
                    loss: Loss::Expired,
                    ..
                }
            ),
            "{:?}",
            own.lease()
        );
    }

    #[test]
    fn a_sleep_longer_than_the_machine_was_up_ends_a_lease_all_the_same() {
        let (mut own, identity) = held();
        own.age(Duration::MAX);
        own.check_expiry(identity);
        assert!(matches!(own.lease(), OwnLease::Lost { .. }));
    }
}
