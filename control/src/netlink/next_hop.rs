//! The underlay path to each peer: the kernel's route, then the MAC of its next hop.
//!
//! Kept between events so that a neighbour that changes costs a look-up in a map, and a new lease one question to the
//! kernel, however many peers there are. What is kept is only ever the kernel's last word; [`NextHops::forget_routes`]
//! and a full look replace it.
//!
//! A next hop that stops answering keeps its last MAC while its route stands. Frames to a silent MAC are lost, as
//! they would be without; but when the node is back, or only ARP was lost, traffic flows at once and not after the next
//! probe. The price: a switch that has forgotten the MAC floods them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::Ipv4Addr;

use contract::wire::Mac;

use super::neighbour::Neighbour;
use super::route::Path;
use super::{Netlink, NetlinkError};
use crate::compile::{Hop, Obstacle, Underlay};

/// Paths and MACs on one underlay device.
#[derive(Debug, Default)]
pub struct NextHops {
    device: u32,
    /// By peer.
    paths: HashMap<Ipv4Addr, Result<Path, String>>,
    /// The last good MAC of every next hop in use, and of any other neighbour on the device while it lasts.
    macs: HashMap<Ipv4Addr, Mac>,
    /// Next hops that the kernel was told to keep resolved.
    asked: HashSet<Ipv4Addr>,
    /// Whether the neighbours were listed once. An entry that stood before us and stays as it is makes no event.
    listed: bool,
}

impl NextHops {
    /// Nothing known yet about this device.
    pub fn new(device: u32) -> Self {
        NextHops {
            device,
            ..NextHops::default()
        }
    }

    /// The device these paths leave through.
    pub fn device(&self) -> u32 {
        self.device
    }

    /// Takes in a notification. Whether a next hop in use has a new MAC.
    pub fn observe(&mut self, neighbour: &Neighbour, gone: bool) -> bool {
        if neighbour.device != self.device {
            return false;
        }
        let used = self.asked.contains(&neighbour.address);
        if gone && !used {
            self.macs.remove(&neighbour.address);
        }
        match neighbour.mac {
            Some(mac) if !gone => self.macs.insert(neighbour.address, mac) != Some(mac) && used,
            _ => false,
        }
    }

    /// The routes may have changed: ask for all of them again.
    pub fn forget_routes(&mut self) {
        self.paths.clear();
    }

    /// Fills in what is missing for these peers, and drops what is kept for others.
    ///
    /// A full look also compares every neighbour entry: after an overflow, at start, and now and then.
    pub async fn look(
        &mut self,
        netlink: &Netlink,
        peers: &BTreeSet<Ipv4Addr>,
        full: bool,
    ) -> Result<(), NetlinkError> {
        self.paths.retain(|peer, _| peers.contains(peer));
        let unknown: Vec<_> = peers
            .iter()
            .filter(|peer| !self.paths.contains_key(peer))
            .copied()
            .collect();
        if !unknown.is_empty() {
            let paths = netlink.paths(&unknown).await?;
            self.paths.extend(unknown.into_iter().zip(paths));
        }
        let wanted: HashSet<_> = self
            .paths
            .iter()
            .filter_map(|(peer, path)| Some((peer, path.as_ref().ok()?)))
            .filter(|(_, path)| path.device == self.device)
            .map(|(peer, path)| path.gateway.unwrap_or(*peer))
            .collect();
        if full || !self.listed {
            self.look_at_neighbours(netlink, &wanted).await?;
            self.listed = true;
        }
        let ask: Vec<_> = wanted.difference(&self.asked).copied().collect();
        if !ask.is_empty() {
            netlink.resolve(self.device, &ask).await?;
            self.asked.extend(ask);
        }
        let idle: Vec<_> = self.asked.difference(&wanted).copied().collect();
        if !idle.is_empty() {
            netlink.forget(self.device, &idle).await?;
            for address in idle {
                self.asked.remove(&address);
                self.macs.remove(&address);
            }
        }
        Ok(())
    }

    async fn look_at_neighbours(
        &mut self,
        netlink: &Netlink,
        wanted: &HashSet<Ipv4Addr>,
    ) -> Result<(), NetlinkError> {
        let mut settled = HashSet::new();
        let mut macs = HashMap::new();
        for neighbour in netlink.neighbours(self.device).await? {
            if let Some(mac) = neighbour.mac {
                macs.insert(neighbour.address, mac);
            }
            // Ours from an earlier run and no longer wanted: `look` removes what is asked and not wanted.
            if neighbour.fixed || neighbour.managed || neighbour.ours {
                settled.insert((neighbour.address, neighbour.fixed, neighbour.managed));
            }
        }
        for (address, mac) in &self.macs {
            if wanted.contains(address) {
                macs.entry(*address).or_insert(*mac);
            }
        }
        self.macs = macs;
        // What the kernel does not refresh by itself is asked for again.
        self.asked = settled
            .into_iter()
            .filter(|(address, fixed, managed)| {
                if wanted.contains(address) {
                    *fixed || *managed
                } else {
                    !*fixed
                }
            })
            .map(|(address, ..)| address)
            .collect();
        Ok(())
    }

    /// Every peer's hop, as last looked up.
    pub fn hops(&self, underlay: &Underlay) -> HashMap<Ipv4Addr, Hop> {
        self.paths
            .iter()
            .map(|(peer, path)| (*peer, self.hop(*peer, path, underlay)))
            .collect()
    }

    /// Whose MAC packets to a peer are sent to, as last looked up; `None` where the kernel has no way through our device.
    pub fn next_hop(&self, peer: Ipv4Addr) -> Option<Ipv4Addr> {
        let path = self.paths.get(&peer)?.as_ref().ok()?;
        (path.device == self.device).then(|| path.gateway.unwrap_or(peer))
    }

    fn hop(&self, peer: Ipv4Addr, path: &Result<Path, String>, underlay: &Underlay) -> Hop {
        let path = match path {
            Ok(path) => path,
            Err(words) => return Hop::Blocked(Obstacle::NoRoute(words.clone())),
        };
        if path.device != self.device {
            return Hop::Blocked(Obstacle::OtherDevice(path.device));
        }
        let next_hop = path.gateway.unwrap_or(peer);
        match self.macs.get(&next_hop) {
            None => Hop::Blocked(Obstacle::NoNeighbour(next_hop)),
            Some(mac) => Hop::Ready {
                mac: *mac,
                mtu: path.mtu.map_or(underlay.mtu, |mtu| mtu.min(underlay.mtu)),
                gateway: path.gateway,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: u32 = 7;
    const PEER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 2);
    const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 254);

    fn neighbour(address: Ipv4Addr, last: Option<u8>) -> Neighbour {
        Neighbour {
            device: DEVICE,
            address,
            mac: last.map(|last| Mac([2, 0, 0, 0, 0, last])),
            fixed: false,
            managed: true,
            ours: true,
        }
    }

    fn hops(gateway: Option<Ipv4Addr>, mtu: Option<u32>) -> NextHops {
        let mut hops = NextHops::new(DEVICE);
        let path = Path {
            device: DEVICE,
            gateway,
            mtu,
        };
        hops.paths.insert(PEER, Ok(path));
        hops.asked.insert(gateway.unwrap_or(PEER));
        hops
    }

    fn hop(hops: &NextHops) -> Hop {
        let underlay = Underlay {
            index: DEVICE,
            name: "eth0".into(),
            mac: Mac::default(),
            mtu: 1500,
            address: Ipv4Addr::new(192, 168, 77, 1),
            public_ip: Ipv4Addr::new(192, 168, 77, 1),
        };
        hops.hops(&underlay)[&PEER].clone()
    }

    fn ready(last: u8, mtu: u32, gateway: Option<Ipv4Addr>) -> Hop {
        Hop::Ready {
            mac: Mac([2, 0, 0, 0, 0, last]),
            mtu,
            gateway,
        }
    }

    #[test]
    fn a_mac_counts_once_and_a_silent_next_hop_keeps_it() {
        let mut hops = hops(None, None);
        assert_eq!(hop(&hops), Hop::Blocked(Obstacle::NoNeighbour(PEER)));
        assert!(hops.observe(&neighbour(PEER, Some(1)), false));
        assert!(!hops.observe(&neighbour(PEER, Some(1)), false));
        assert!(hops.observe(&neighbour(PEER, Some(2)), false));
        assert!(!hops.observe(&neighbour(PEER, None), false));
        assert!(!hops.observe(&neighbour(PEER, None), true));
        assert_eq!(hop(&hops), ready(2, 1500, None));
    }

    #[test]
    fn behind_a_gateway_it_is_the_gateways_mac_and_the_routes_mtu() {
        let mut hops = hops(Some(GATEWAY), Some(1400));
        assert!(!hops.observe(&neighbour(PEER, Some(1)), false));
        assert_eq!(hop(&hops), Hop::Blocked(Obstacle::NoNeighbour(GATEWAY)));
        assert!(hops.observe(&neighbour(GATEWAY, Some(9)), false));
        assert_eq!(hop(&hops), ready(9, 1400, Some(GATEWAY)));
    }

    #[test]
    fn other_devices_are_not_ours_to_listen_to() {
        let mut hops = hops(None, None);
        let mut elsewhere = neighbour(PEER, Some(1));
        elsewhere.device = 8;
        assert!(!hops.observe(&elsewhere, false));
        assert_eq!(hop(&hops), Hop::Blocked(Obstacle::NoNeighbour(PEER)));

        let path = Path {
            device: 8,
            gateway: None,
            mtu: None,
        };
        hops.paths.insert(PEER, Ok(path));
        assert_eq!(hop(&hops), Hop::Blocked(Obstacle::OtherDevice(8)));
    }
}
