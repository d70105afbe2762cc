//! The loop that holds everything together, level-triggered: events only say "look again".
//!
//! Each pass looks at the leases, the devices and the next hops as they are now, compiles the whole, and publishes it if it
//! differs by value from what stands. A lost event costs at most one [`RESYNC`]; a doubled one a compilation. A pass that
//! fails leaves standing what stands, is told once per change of its reason, and is tried again.

// Why a pass failed.
mod error;
// What to ask again.
mod look;

use std::sync::Arc;
use std::time::Duration;

use contract::config::Config;
use contract::tables::{PublishError, Publisher, Tables};
use contract::wire::Mac;
use ipnet::Ipv4Net;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::compile::{self, Compiled, Underlay, Uplink};
use crate::fence::{self, Fence};
use crate::lease::{Cluster, Identity, NetworkBackend, OwnLease, View};
use crate::masquerade::{Keeper, Standing, Wanted as WantedRules};
use crate::netlink::events::Events;
use crate::netlink::next_hop::NextHops;
use crate::netlink::uplink::Wanted;
use crate::netlink::{Netlink, NetlinkError, sysctl};
use crate::slots::Slots;
use crate::state::State;
use crate::status::{self, InForce, Own, PeerStatus, Status, StatusFile};
use crate::subnet_env::{self, SubnetEnv};
use crate::takeover::Takeover;
pub use error::ReconcileError;
use look::Look;

/// A look at everything at least this often, whatever the events say.
pub const RESYNC: Duration = Duration::from_secs(10);
/// Changes come in bursts: a failover moves many neighbours, an etcd snapshot many leases. A single one waits this long.
const SETTLE: Duration = Duration::from_millis(5);
/// A reader that holds the other bank lets go of it within a turn, which is microseconds.
const RETRY_BUSY: Duration = Duration::from_millis(5);
/// Anything else that failed.
const RETRY: Duration = Duration::from_secs(1);
/// A bank that stays busy for so long is worth a line in the log.
const BUSY_IS_TROUBLE: Duration = Duration::from_secs(1);

/// Everything control holds while it runs.
pub struct Reconciler {
    config: Config,
    netlink: Netlink,
    events: Events,
    publisher: Publisher,
    state: State,
    status: StatusFile,
    identity: watch::Sender<Identity>,
    view: watch::Receiver<View>,
    underlay: Underlay,
    uplink: Option<(Wanted, Uplink)>,
    takeover: Takeover,
    rules: Keeper,
    hops: NextHops,
    slots: Slots,
    /// What stands in the segment, if it could be read back.
    standing: Option<Tables>,
    compiled: Option<Compiled>,
    subnet_env: Option<SubnetEnv>,
    fence: Fence,
    /// Our lease was held in this run: from then on not holding it is a loss.
    was_held: bool,
    /// Tables of ours were published in this run: from then on nothing the node lacks ends it.
    was_served: bool,
    /// What a pass that failed had to look at, so that the next one does.
    owed: Look,
    trouble: Option<String>,
    busy_since: Option<Instant>,
}

impl Reconciler {
    /// Before the first pass, in a tokio runtime. `netlink` and `events` must belong to the namespace of `underlay`, and `events` must be the
    /// older, so that nothing happens unseen in between.
    #[expect(
        clippy::too_many_arguments,
        reason = "what main opened, handed over once"
    )]
    pub fn new(
        config: Config,
        netlink: Netlink,
        events: Events,
        mut publisher: Publisher,
        state: State,
        underlay: Underlay,
        identity: watch::Sender<Identity>,
        view: watch::Receiver<View>,
    ) -> Self {
        // Mangled tables cannot be continued; the next publication replaces them.
        let standing = publisher.tables().ok();
        let mut given_out = state.given_out();
        // Of flanneld's run before us, say.
        given_out.extend(subnet_env::previous_subnet(&config.lease.subnet_env));
        Reconciler {
            slots: standing.as_ref().map(Slots::read_back).unwrap_or_default(),
            hops: NextHops::new(underlay.index),
            status: StatusFile::new(&config.run_dir),
            rules: Keeper::start(Duration::from_secs(config.firewall.resync_s.into())),
            config,
            netlink,
            events,
            publisher,
            state,
            identity,
            view,
            underlay,
            uplink: None,
            takeover: Takeover::default(),
            standing,
            compiled: None,
            subnet_env: None,
            fence: Fence::new(given_out),
            was_held: false,
            was_served: false,
            owed: Look::default(),
            trouble: None,
            busy_since: None,
        }
    }

    /// Runs for good. `after_pass` is told after each pass whether our tables stand. Ends only with an error: one of the
    /// node's environment before the first publication, or the end of the lease keeper. Drop the future to stop.
    pub async fn run(
        &mut self,
        resync: Duration,
        mut after_pass: impl FnMut(bool),
    ) -> Result<(), ReconcileError> {
        let mut timer = tokio::time::interval(resync.min(RESYNC));
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = Look::EVERYWHERE;
        loop {
            let view = self.view.borrow_and_update().clone();
            look = look.and(std::mem::take(&mut self.owed));
            let began = Instant::now();
            let outcome = self.pass(&view, look).await;
            tracing::debug!(?look, took = ?began.elapsed(), "pass");
            let retry = self.judge(outcome, look)?;
            self.tell(&view);
            after_pass(self.compiled.is_some());
            look = self.wake(&mut timer, retry).await?;
        }
    }

    async fn pass(&mut self, view: &View, look: Look) -> Result<(), ReconcileError> {
        let underlay = match look.devices {
            true => self.look_at_underlay().await,
            false => Ok(()),
        };
        let Some(cluster) = &view.cluster else {
            return underlay;
        };
        let standing = self.standing.as_ref();
        match cluster.own {
            OwnLease::Held { subnet, .. } => {
                underlay?;
                self.was_held = true;
                self.serve(cluster, subnet, look).await
            }
            // A lease not yet had is no lease lost: what an earlier run published goes on until the source has spoken.
            OwnLease::Acquiring if !self.was_held && !fence::is_anothers(standing, cluster) => {
                underlay
            }
            // Whatever the state of the underlay: the subnet may be another's.
            OwnLease::Acquiring | OwnLease::Lost { .. } => self.fence().and(underlay),
        }
    }

    async fn look_at_underlay(&mut self) -> Result<(), ReconcileError> {
        let underlay = self.netlink.underlay(&self.config).await?;
        if underlay == self.underlay {
            return Ok(());
        }
        tracing::info!(
            device = underlay.name,
            address = %underlay.address,
            public_ip = %underlay.public_ip,
            mac = %underlay.mac,
            mtu = underlay.mtu,
            "the underlay changed"
        );
        if underlay.index != self.hops.device() {
            self.hops = NextHops::new(underlay.index);
        }
        self.identity.send_if_modified(|identity| {
            let changed = identity.public_ip != underlay.public_ip;
            identity.public_ip = underlay.public_ip;
            changed
        });
        self.underlay = underlay;
        Ok(())
    }

    /// Our lease is held: uplink, tables, and the file that lets pods be attached.
    async fn serve(
        &mut self,
        cluster: &Arc<Cluster>,
        subnet: Ipv4Net,
        look: Look,
    ) -> Result<(), ReconcileError> {
        let network = cluster.network.network;
        let public_ip = self.underlay.public_ip;
        if network.contains(&public_ip) {
            return Err(NetlinkError::Clash { public_ip, network }.into());
        }
        let mtu = compile::overlay_mtu(cluster, self.underlay.mtu, &self.config);
        let env = SubnetEnv {
            network,
            subnet,
            mtu: mtu.try_into().unwrap_or(u16::MAX),
            ipmasq: self.config.firewall.ip_masq,
        };
        if cluster.network.backend == NetworkBackend::Alloc {
            let compiled = compile::without_path(cluster, std::mem::take(&mut self.slots));
            return self.stand(compiled, env);
        }
        let Underlay { name, address, .. } = &self.underlay;
        if cluster.network.backend == NetworkBackend::HostGw && public_ip != *address {
            return Err(ReconcileError::NotOnLink {
                public_ip,
                device: name.clone(),
                address: *address,
            });
        }
        self.warn_of_filter(cluster, &env);
        self.look_at_uplink(network, subnet, mtu, look).await?;
        // Before tables are published that would carry what the pods of a lost subnet send.
        self.fence
            .put(&self.netlink, network, subnet, look.routes)
            .await?;
        let Some((_, uplink)) = &self.uplink else {
            return Ok(());
        };
        self.takeover
            .look(&self.netlink, &self.underlay, &cluster.network, subnet)
            .await?;

        if look.routes {
            self.hops.forget_routes();
        }
        self.hops
            .look(&self.netlink, &cluster.reached_peers(), look.neighbours)
            .await?;
        let hops = self.hops.hops(&self.underlay);
        let slots = std::mem::take(&mut self.slots);
        let mut compiled = compile::compile(
            cluster,
            subnet,
            &self.underlay,
            uplink,
            &hops,
            &self.config,
            slots,
        );
        compiled.tables.node.tunnel_port = self.takeover.tunnel_port();
        let stood = self.stand(compiled, env);
        // What could not be published may not be what the engine has.
        if !matches!(stood, Err(ReconcileError::Publish(_)))
            && let Some(compiled) = &self.compiled
        {
            let (netlink, stats) = (&self.netlink, self.config.stats_path());
            self.takeover
                .advance(netlink, &self.underlay, &cluster.network, &stats, compiled)
                .await?;
        }
        stood
    }

    /// Bare packets of peers are the kernel's to forward, and their way back is the uplink.
    fn warn_of_filter(&self, cluster: &Cluster, env: &SubnetEnv) {
        let backend = &cluster.network.backend;
        let bare = *backend == NetworkBackend::HostGw || backend.direct_routing();
        let device = &self.underlay.name;
        if bare && self.subnet_env.as_ref() != Some(env) && sysctl::filters_strictly(device) {
            tracing::warn!(
                "net.ipv4.conf.{device}.rp_filter is strict: the kernel drops packets that peers send without a tunnel; \
                 `sysctl -w net.ipv4.conf.{device}.rp_filter=2`"
            );
        }
    }

    /// Publishes, and then lets pods be attached.
    fn stand(&mut self, compiled: Compiled, env: SubnetEnv) -> Result<(), ReconcileError> {
        self.slots = compiled.slots.clone();
        self.publish(&compiled.tables)?;
        self.compiled = Some(compiled);
        self.was_served = true;
        let rules = WantedRules::new(&self.config, env.network, env.subnet);
        let standing = self.rules.want(rules);
        if standing == Standing::Pending {
            // The file says who masquerades: not before that was tried. The end of the first look wakes us.
            return Ok(());
        }
        self.admit_pods(env)?;
        match standing {
            Standing::Trouble(error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn look_at_uplink(
        &mut self,
        network: Ipv4Net,
        subnet: Ipv4Net,
        mtu: u32,
        look: Look,
    ) -> Result<(), NetlinkError> {
        let wanted = Wanted {
            kind: self.config.overlay.kind,
            device: self.config.overlay.device.clone(),
            engine_device: self.config.overlay.engine_device(),
            vtep_mac: self.vtep_mac(),
            mtu,
            queues: self.config.workers.len() as u32,
            network,
            subnet,
        };
        let stands = matches!(&self.uplink, Some((standing, _)) if *standing == wanted);
        if !stands || look.devices {
            let uplink = self.netlink.ensure_uplink(&wanted).await?;
            self.uplink = Some((wanted, uplink));
        }
        Ok(())
    }

    /// Our lease is lost: nothing in, nothing out, ports stay. No pod is told a subnet that is not ours.
    fn fence(&mut self) -> Result<(), ReconcileError> {
        self.compiled = None;
        self.subnet_env = None;
        let standing = self.standing.clone().unwrap_or_default();
        self.publish(&compile::fence(&standing))
    }

    /// Fences for the last time, before our lease is given back: its subnet may be another's a moment later, and the engine
    /// outlives us.
    pub async fn retire(&mut self) -> Result<(), ReconcileError> {
        let deadline = Instant::now() + BUSY_IS_TROUBLE;
        loop {
            match self.fence() {
                Err(ReconcileError::Publish(PublishError::Busy(_)))
                    if Instant::now() < deadline =>
                {
                    tokio::time::sleep(RETRY_BUSY).await;
                }
                outcome => return outcome,
            }
        }
    }

    fn publish(&mut self, tables: &Tables) -> Result<(), ReconcileError> {
        if self.publisher.is_replaced() {
            tracing::warn!("the tables segment was removed: making it again");
        } else if self.standing.as_ref() == Some(tables) {
            return Ok(());
        }
        let published = self.publisher.publish(tables)?;
        tracing::debug!(
            generation = published.generation,
            bytes = published.bytes,
            routes = tables.routes.len(),
            "published"
        );
        self.standing = Some(tables.clone());
        Ok(())
    }

    /// `subnet.env`, and the subnet to ask for next time.
    fn admit_pods(&mut self, env: SubnetEnv) -> Result<(), ReconcileError> {
        if self.subnet_env == Some(env) {
            return Ok(());
        }
        self.state.remember_subnet(env.subnet)?;
        self.state
            .remember_given_out(self.fence.give_out(env.subnet))?;
        env.write(&self.config.lease.subnet_env)?;
        tracing::info!(subnet = %env.subnet, mtu = env.mtu, "pods may be attached");
        if !sysctl::forwards_ipv4() {
            tracing::warn!(
                "net.ipv4.ip_forward is off: until the CNI plugin or you set it, pods reach nothing beyond this node"
            );
        }
        self.subnet_env = Some(env);
        Ok(())
    }

    /// What a failure means: the end, or another try after this long. Told once per change.
    fn judge(
        &mut self,
        outcome: Result<(), ReconcileError>,
        look: Look,
    ) -> Result<Option<Duration>, ReconcileError> {
        let error = match outcome {
            Ok(()) => {
                self.busy_since = None;
                if self.trouble.take().is_some() {
                    tracing::info!("all well again");
                }
                return Ok(self.takeover.wait());
            }
            Err(error) => error,
        };
        let mut retry = RETRY;
        if matches!(error, ReconcileError::Publish(PublishError::Busy(_))) {
            // Everything was looked at; only the last step is to be done again.
            retry = RETRY_BUSY;
            if self.busy_since.get_or_insert_with(Instant::now).elapsed() < BUSY_IS_TROUBLE {
                return Ok(Some(retry));
            }
        } else {
            self.busy_since = None;
            self.owed = look;
        }
        if error.is_environment() && !self.was_served {
            return Err(error);
        }
        let text = error.to_string();
        if self.trouble.as_ref() != Some(&text) {
            tracing::error!("{text}; what was published before goes on");
            self.trouble = Some(text);
        }
        Ok(Some(retry))
    }

    /// The status file; that it cannot be written harms no packet.
    fn tell(&mut self, view: &View) {
        let cluster = view.cluster.as_deref();
        let status = Status {
            pid: 0,
            generation: self.publisher.generation(),
            trouble: self.trouble.clone().or_else(|| view.trouble.clone()),
            network: cluster.map(|cluster| cluster.network.network),
            own: Own::new(
                cluster.map(|cluster| &cluster.own),
                self.underlay.public_ip,
                self.vtep_mac().to_string(),
            ),
            source: status::Source::new(&self.config.lease.source, &view.contact),
            config: cluster.map(|cluster| InForce::new(cluster, &self.underlay, &self.config)),
            underlay: self.underlay.name.clone(),
            mtu: self.uplink.as_ref().map_or(0, |(_, uplink)| uplink.mtu),
            peers: self.peers(cluster),
            skipped: cluster.map(status::skipped).unwrap_or_default(),
        };
        if let Err(error) = self.status.write(status) {
            tracing::debug!("{error}");
        }
    }

    fn peers(&self, cluster: Option<&Cluster>) -> Vec<PeerStatus> {
        let compiled = self.compiled.iter();
        let peers = compiled.flat_map(|compiled| compiled.peers.iter().map(move |p| (compiled, p)));
        peers
            .map(|(compiled, peer)| {
                let lease = cluster.and_then(|cluster| cluster.leases.get(peer.subnets.first()?));
                let next_hop = self.hops.next_hop(peer.public_ip);
                PeerStatus::new(peer, lease, &compiled.tables, next_hop)
            })
            .collect()
    }

    fn vtep_mac(&self) -> Mac {
        self.identity.borrow().vtep_mac
    }
}
