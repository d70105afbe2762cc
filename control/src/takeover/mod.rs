//! Taking a node over from flanneld, and giving it back.
//!
//! flanneld leaves its kernel device behind when it stops, and the device goes on carrying the pods' traffic. Taking over is
//! done in an order in which it never stops to be carried:
//!
//! 1. Before a lease is asked for, the device's VTEP MAC becomes ours ([`former`]): the lease in etcd then says what it said
//!    before, and no other node notices.
//! 2. Uplink and tables are made beside the device. Its routes, one for each node's subnet, are more specific than ours for the
//!    whole network, so packets still leave through it. The tables say that the UDP port is
//!    [`Awaited`](TunnelPort::Awaited), and the engine opens the underlay without it: from then on datagrams of the tunnel come
//!    in through the engine.
//! 3. When the stats say that the ports are open ([`engine`]), and each node that can be reached has its next hop, the device's
//!    routes are removed: packets leave through the engine.
//! 4. The device is removed, and its addresses, neighbours, forwarding entries and hold on the UDP port with it. The engine's
//!    own socket follows within milliseconds; until then only fragments of outer packets are lost.
//!
//! An underlay over UDP needs the port itself, and is open a moment after step 4 instead of before step 3.
//!
//! The state of this is the kernel's: a control that dies on the way goes on where it was. [`release`] is the way back.

// What the engine says of its ports.
pub mod engine;
// Which kernel device is this instance's.
pub mod former;
// The way back.
pub mod release;
// The device to give back.
mod wish;

use std::path::Path;
use std::time::Duration;

use contract::tables::TunnelPort;
use ipnet::Ipv4Net;
use tokio::time::Instant;

use crate::compile::{Compiled, Obstacle, Peer, Underlay};
use crate::lease::{NetworkBackend, NetworkConfig, Vxlan};
use crate::netlink::link::Link;
use crate::netlink::{Netlink, NetlinkError, vxlan};

/// Between two looks at the engine, while things move.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// While they do not: each look is a pass.
const LOOK_SELDOM: Duration = Duration::from_secs(1);
/// They do not, if nothing has changed for so long.
const STILL: Duration = Duration::from_secs(5);
/// How long nodes whose next hop does not answer hold up the rest. Dead ones keep their leases for a day.
const PATIENCE: Duration = Duration::from_secs(3);

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Nobody looked yet.
    #[default]
    Unknown,
    /// There is a device; why it still carries the traffic.
    Waiting {
        /// Its name.
        device: String,
        /// In words.
        why: String,
    },
    /// No device, or not any more.
    Over,
}

/// A takeover, once in the life of a control. A device that comes back later is another daemon's doing, and no way to settle
/// who shall have the node.
#[derive(Debug, Default)]
pub struct Takeover {
    stage: Stage,
    device: Option<Link>,
    /// Another vxlan device on the same UDP port, which would lose its packets to us.
    rival: Option<String>,
    /// Whether there may be routes that go past the tunnel.
    direct: bool,
    ready_since: Option<Instant>,
    changed: Option<Instant>,
}

impl Takeover {
    /// How far it is.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// What the tables are to say of the UDP port.
    pub fn tunnel_port(&self) -> TunnelPort {
        match (&self.device, &self.rival) {
            (Some(_), None) => TunnelPort::Awaited,
            _ => TunnelPort::Held,
        }
    }

    /// When to come back, if there is something to wait for.
    pub fn wait(&self) -> Option<Duration> {
        let still = self.changed.is_some_and(|at| at.elapsed() >= STILL);
        let delay = if still { LOOK_SELDOM } else { LOOK_AGAIN };
        (self.device.is_some() || self.direct).then_some(delay)
    }

    /// Looks for the device of our lease. To be done before tables are published that have the engine ask for the port.
    pub async fn look(
        &mut self,
        netlink: &Netlink,
        underlay: &Underlay,
        network: &NetworkConfig,
        subnet: Ipv4Net,
    ) -> Result<(), NetlinkError> {
        if self.stage == Stage::Over {
            return Ok(());
        }
        let links = netlink.links().await?;
        let vxlan = network.backend.vxlan();
        let ours = |link: &&Link| vxlan.is_some_and(|vxlan| is_device(link, vxlan, underlay));
        self.device = None;
        if let Some(link) = links.iter().find(ours) {
            let addresses = netlink.zero_addresses(link.index).await?;
            self.device = addresses.contains(&subnet.network()).then(|| link.clone());
        }
        self.direct = network.backend.direct_routing() || network.backend == NetworkBackend::HostGw;
        self.rival = self.device.as_ref().and_then(|device| {
            let mut others = links.iter().filter(|link| link.index != device.index);
            let rival = others.find(|link| link.up && port(link) == port(device));
            rival.map(|link| link.name.clone())
        });
        if self.device.is_none() && !self.direct {
            self.stage = Stage::Over;
        }
        Ok(())
    }

    /// Goes on as far as the engine is ready for. To be done after tables were published.
    pub async fn advance(
        &mut self,
        netlink: &Netlink,
        underlay: &Underlay,
        network: &NetworkConfig,
        stats: &Path,
        compiled: &Compiled,
    ) -> Result<(), NetlinkError> {
        if self.wait().is_none() {
            return Ok(());
        }
        if let Err(why) = self.is_due(stats, compiled) {
            self.tell(why);
            return Ok(());
        }
        if self.direct {
            let (network, len) = (network.network, network.subnet_len);
            let routes = netlink
                .remove_direct_routes(underlay.index, network, len)
                .await?;
            if routes > 0 {
                tracing::info!(routes, "removed flannel's routes past the tunnel");
            }
        }
        if let Some(device) = &self.device {
            let routes = netlink.route_around(device).await?;
            netlink.remove_link(device).await?;
            tracing::info!(
                device = device.name,
                routes,
                "took over from flanneld: the engine carries the traffic, the kernel's device is gone"
            );
        }
        *self = Takeover {
            stage: Stage::Over,
            ..Takeover::default()
        };
        Ok(())
    }

    /// Else what it waits for.
    fn is_due(&mut self, stats: &Path, compiled: &Compiled) -> Result<(), String> {
        if let Some(rival) = &self.rival {
            return Err(format!(
                "{rival} has the same UDP port, and one of two networks on one port and address cannot be taken over; \
                 give one of them another Port in its network config"
            ));
        }
        if let Err(why) = engine::ready(stats, &compiled.tables.ports) {
            self.ready_since = None;
            return Err(why);
        }
        let since = *self.ready_since.get_or_insert_with(Instant::now);
        let open = compiled.peers.iter().filter(|peer| is_on_its_way(peer));
        match open.count() {
            0 => Ok(()),
            _ if since.elapsed() >= PATIENCE => Ok(()),
            count => Err(format!("{count} next hops have not answered yet")),
        }
    }

    /// Once per reason.
    fn tell(&mut self, why: String) {
        let device = self.device.as_ref();
        let device = device.map_or("flannel's direct routes", |link| link.name.as_str());
        let stage = Stage::Waiting {
            device: device.to_owned(),
            why,
        };
        if self.stage == stage {
            return;
        }
        if let Stage::Waiting { device, why } = &stage {
            tracing::info!("still carrying the traffic: {device}; {why}");
        }
        self.stage = stage;
        self.changed = Some(Instant::now());
    }
}

/// Whether flanneld would have made this device for this network.
fn is_device(link: &Link, network: &Vxlan, underlay: &Underlay) -> bool {
    link.name == vxlan::device_name(network.vni)
        && link.vxlan.is_some_and(|vxlan| {
            (vxlan.vni, vxlan.port) == (network.vni, network.port)
                && former::is_over(&vxlan, underlay)
        })
}

fn port(link: &Link) -> Option<u16> {
    link.vxlan.map(|vxlan| vxlan.port)
}

/// Whether nothing keeps packets from this node but that the kernel has not found its next hop yet.
fn is_on_its_way(peer: &Peer) -> bool {
    matches!(
        peer.obstacle,
        Some(Obstacle::Unknown | Obstacle::NoNeighbour(_))
    )
}

#[cfg(test)]
mod tests;
