//! `tweed-control release`: the node goes back to the kernel's vxlan device, made as flanneld makes it, while traffic flows.
//!
//! The takeover backwards, in an order in which there is always somebody who carries the packets:
//!
//! 1. The device is made, with address and forwarding entries, and stays down: it needs the UDP port to be up.
//! 2. Tables say [`Released`](TunnelPort::Released): the engine closes its socket on the port, and over AF_XDP forwards on.
//! 3. The device comes up, and routes lead into it: packets leave through it.
//! 4. Tables say [`Relieved`](TunnelPort::Relieved): the XDP program goes, and packets come in through the device, too.
//! 5. Empty tables are published, by which the engine closes its ports. Uplink, its routes, and the neighbours that control had
//!    the kernel keep, are removed; masquerade rules become flannel's.
//!
//! Each step may be done again, so a release that broke off is finished by another one. The lease is not touched: flanneld
//! finds it by the node's PublicIP, as we did.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use contract::config::Config;
use contract::tables::{
    Adjacency, Node, Origin, PublishError, Publisher, SegmentError, Tables, TunnelPort,
};
use contract::wire::Mac;
use ipnet::Ipv4Net;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::{engine, wish};
use crate::compile::Underlay;
use crate::lease::{self, Cluster, EtcdSource, Identity, OwnLease, Source, View};
use crate::masquerade;
use crate::netlink::link::Link;
use crate::netlink::vxlan::{Wanted, device_name};
use crate::netlink::{Netlink, NetlinkError};
use crate::state::{State, StateError};
use crate::subnet_env;

/// For the lease source to answer. Without it there are the tables that stand.
const ASK: Duration = Duration::from_secs(5);
/// For the engine to close its devices: drivers may take seconds to let go.
const CLOSING: Duration = Duration::from_secs(10);
/// For the engine to close a socket. It looks 20 times a second.
const LETTING_GO: Duration = Duration::from_secs(3);
/// Between two tries. While nobody has the port, what comes in is lost.
const TRY_AGAIN: Duration = Duration::from_millis(1);

/// Why the node was not given back.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// The daemon runs.
    #[error(
        "tweed-control runs on this node and would take it back; stop it first (`systemctl stop tweed-control`): \
         the dataplane goes on meanwhile"
    )]
    Running,
    /// Neither leases nor tables tell what the device must be.
    #[error(
        "nothing to give back: no lease of this node is known, neither from its source ({trouble}) nor from {tables}"
    )]
    Unknown {
        /// What is wrong with the source.
        trouble: String,
        /// The tables.
        tables: PathBuf,
    },
    /// No device of the kernel's carries the traffic of this backend.
    #[error(
        "the cluster's backend is {0}, and only vxlan is given back; stop tweed-control and tweed-dataplane, remove the uplink \
         (`ip link del tweed0`) and start flanneld"
    )]
    Backend(&'static str),
    /// Another than our engine has the port.
    #[error(
        "UDP port {port} is still taken, so {device} cannot come up; see who holds it with `ss -ulpn sport = :{port}`. \
         Nothing was changed: the dataplane goes on"
    )]
    Taken {
        /// The tunnel's port.
        port: u16,
        /// The kernel's device.
        device: String,
    },
    /// The run directory cannot be made.
    #[error("cannot create node.run_dir {path}: {source}")]
    RunDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// Our files.
    #[error(transparent)]
    State(StateError),
    /// The tables cannot be opened.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The tables cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl ReleaseError {
    /// Whether the node lacks something that trying again will not bring.
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Netlink(error) => error.is_environment(),
            Self::Publish(_) => false,
            _ => true,
        }
    }
}

impl From<StateError> for ReleaseError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Taken { .. } => Self::Running,
            error => Self::State(error),
        }
    }
}

/// Gives the node back; what was done, in a line for people.
pub async fn run(config: &Config, netlink: &Netlink) -> Result<String, ReleaseError> {
    let state = State::new(&config.state_dir);
    let _alone = state.lock()?;
    let underlay = netlink.underlay(config).await?;
    std::fs::create_dir_all(&config.run_dir).map_err(|source| ReleaseError::RunDir {
        path: config.run_dir.clone(),
        source,
    })?;
    let (mut tables, origin) = Publisher::open_or_create(&config.tables_path())?;
    let standing = match origin {
        Origin::Continued { .. } => tables.tables().unwrap_or_default(),
        Origin::Created | Origin::Replaced { .. } => Tables::default(),
    };
    let mac = match state.known_vtep_mac()? {
        Some(mac) => Some(mac),
        None => Some(standing.node.vtep_mac).filter(|mac| *mac != Mac::default()),
    };
    let (wanted, network) = find_out(config, &state, netlink, &underlay, &standing, mac).await?;

    let link = netlink.prepare_vxlan(&wanted).await?;
    publish(&mut tables, &with(&standing, TunnelPort::Released)).await?;
    if !raise(netlink, &link).await? {
        publish(&mut tables, &standing).await?;
        netlink.remove_link(&link).await?;
        return Err(ReleaseError::Taken {
            port: wanted.port,
            device: link.name,
        });
    }
    netlink.route_into_vxlan(&link, &wanted).await?;
    let stats = config.stats_path();
    publish(&mut tables, &with(&standing, TunnelPort::Relieved)).await?;
    let relieved = until(CLOSING, || engine::is_relieved(&stats)).await;
    publish(&mut tables, &nothing()).await?;
    if !relieved || !until(CLOSING, || engine::has_let_go(&stats)).await {
        tracing::warn!("tweed-dataplane has not closed its ports yet; stop it");
    }
    netlink
        .remove_uplink(&config.overlay.device, &config.overlay.engine_device())
        .await?;
    netlink.remove_guard(wanted.subnet).await?;
    netlink.forget_ours(underlay.index).await?;
    if let Some(network) = network {
        netlink.put_fence(network, &[]).await?;
        if let Err(error) = masquerade::give_back(config, network, wanted.subnet) {
            tracing::warn!("the masquerade rules stay as they are: {error}");
        }
    }
    Ok(format!(
        "{} carries {} again, to {} other nodes; start flanneld, and stop tweed-dataplane",
        device_name(wanted.vni),
        wanted.subnet,
        wanted.peers.len() + wanted.direct.len()
    ))
}

/// The same tables, but for who has the UDP port.
fn with(standing: &Tables, tunnel_port: TunnelPort) -> Tables {
    Tables {
        node: Node {
            tunnel_port,
            ..standing.node.clone()
        },
        ..standing.clone()
    }
}

/// Tables by which the engine does nothing.
fn nothing() -> Tables {
    Tables {
        adjacencies: vec![Adjacency::Empty],
        ..Tables::default()
    }
}

/// The device from the leases as they are now, and the cluster's network; else from the last tables, which do not know it.
async fn find_out(
    config: &Config,
    state: &State,
    netlink: &Netlink,
    underlay: &Underlay,
    standing: &Tables,
    mac: Option<Mac>,
) -> Result<(Wanted, Option<Ipv4Net>), ReleaseError> {
    let asked = match mac {
        Some(vtep_mac) => {
            let identity = Identity {
                public_ip: underlay.public_ip,
                vtep_mac,
            };
            ask(config, state, identity).await
        }
        None => Err("tweed-control never ran here".to_owned()),
    };
    match (asked, mac) {
        (Ok((cluster, subnet)), Some(mac)) => {
            let backend = &cluster.network.backend;
            let wanted = wish::from_cluster(&cluster, subnet, underlay, mac)
                .ok_or_else(|| ReleaseError::Backend(backend.name()))?;
            let wanted = match backend.direct_routing() {
                true => wish::route_directly(wanted, netlink).await?,
                false => wanted,
            };
            Ok((wanted, Some(cluster.network.network)))
        }
        (asked, _) => {
            let trouble = asked.err().unwrap_or_default();
            let wanted = wish::from_tables(standing, underlay);
            if wanted.is_some() {
                tracing::warn!("from the last leases that are known: {trouble}");
            }
            let unknown = || ReleaseError::Unknown {
                trouble,
                tables: config.tables_path(),
            };
            Ok((wanted.ok_or_else(unknown)?, None))
        }
    }
}

/// The leases. Ours is adopted, as at a start of the daemon, and left as it is.
async fn ask(
    config: &Config,
    state: &State,
    identity: Identity,
) -> Result<(Arc<Cluster>, Ipv4Net), String> {
    let previous = state
        .previous_subnet()
        .or_else(|| subnet_env::previous_subnet(&config.lease.subnet_env));
    let source = match Source::new(config, previous) {
        Source::Etcd(etcd) => Source::Etcd(EtcdSource {
            release_on_exit: false,
            ..etcd
        }),
        file => file,
    };
    let (_identity, identity_now) = watch::channel(identity);
    let (view_now, mut view) = watch::channel(View::default());
    let keeper = tokio::spawn(lease::run(
        source,
        identity_now,
        view_now,
        std::future::pending(),
    ));
    let is_held = |view: &View| held(view).is_some();
    let found = match timeout(ASK, view.wait_for(is_held)).await {
        Ok(Ok(view)) => held(&view),
        _ => None,
    };
    keeper.abort();
    found.ok_or_else(|| {
        let trouble = view.borrow().trouble.clone();
        trouble.unwrap_or_else(|| format!("no answer within {} s", ASK.as_secs()))
    })
}

fn held(view: &View) -> Option<(Arc<Cluster>, Ipv4Net)> {
    let cluster = view.cluster.as_ref()?;
    match cluster.own {
        OwnLease::Held { subnet, .. } => Some((cluster.clone(), subnet)),
        OwnLease::Acquiring | OwnLease::Lost { .. } => None,
    }
}

/// Publishes as soon as no reader is in the way.
async fn publish(publisher: &mut Publisher, tables: &Tables) -> Result<(), ReleaseError> {
    let deadline = Instant::now() + LETTING_GO;
    loop {
        match publisher.publish(tables) {
            Ok(_) => return Ok(()),
            Err(PublishError::Busy(_)) if Instant::now() < deadline => sleep(TRY_AGAIN).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Brings the device up as soon as the engine has let go of the port; `false`: it never did.
async fn raise(netlink: &Netlink, link: &Link) -> Result<bool, NetlinkError> {
    let deadline = Instant::now() + LETTING_GO;
    while !netlink.raise_vxlan(link).await? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        sleep(TRY_AGAIN).await;
    }
    Ok(true)
}

async fn until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(TRY_AGAIN).await;
    }
    true
}
