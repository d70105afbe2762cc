//! What ports and peers are called: the engine's port status, and control's word on peers as `stats` shows it.

use std::net::IpAddr;

use contract::stats::Snapshot;
use contract::tables::PortKind;
use serde::Serialize;

use crate::stats::{ControlStatus, printable};

/// Names at one moment.
#[derive(Clone, Debug, Default)]
pub struct Names {
    ports: Vec<(usize, String, Option<PortKind>)>,
    peers: Vec<Peer>,
}

/// A peer, as far as control says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// Its adjacency.
    pub slot: u16,
    /// Its underlay address.
    pub public_ip: Option<String>,
    /// Its pod subnets.
    pub subnets: Vec<String>,
}

impl Names {
    /// Of the engine's segment, and of control's status if there is one.
    pub fn new(snapshot: &Snapshot, control: Option<&ControlStatus>) -> Self {
        let ports = snapshot.ports.iter();
        let peers = control.into_iter().flat_map(|status| &status.peers);
        Names {
            ports: ports
                .map(|(number, status)| (*number, printable(&status.name), status.kind))
                .collect(),
            peers: peers
                .filter_map(|peer| {
                    Some(Peer {
                        slot: peer.slot?,
                        public_ip: peer.public_ip.clone(),
                        subnets: peer.subnets.clone(),
                    })
                })
                .collect(),
        }
    }

    /// A port's name; its number when it has none.
    pub fn port(&self, number: u8) -> String {
        let found = self.find(number).filter(|(_, name, _)| !name.is_empty());
        found.map_or_else(|| number.to_string(), |(_, name, _)| name.clone())
    }

    /// Whether frames on this port are tunnel datagrams.
    pub fn is_underlay(&self, port: u8) -> bool {
        self.find(port)
            .is_some_and(|(_, _, kind)| *kind == Some(PortKind::Underlay))
    }

    /// Whether a port was open when the names were read.
    pub fn has_port(&self, number: u8) -> bool {
        self.find(number).is_some()
    }

    /// The peer in a slot; slot 0 is nobody's. One that control does not name has no more than its slot.
    pub fn peer(&self, slot: u16) -> Option<Peer> {
        let known = self.peers.iter().find(|peer| peer.slot == slot).cloned();
        let unknown = || Peer {
            slot,
            public_ip: None,
            subnets: Vec::new(),
        };
        (slot != 0).then(|| known.unwrap_or_else(unknown))
    }

    /// The peer at an underlay address.
    pub fn peer_at(&self, address: IpAddr) -> Option<Peer> {
        let address = address.to_string();
        let is = |peer: &&Peer| peer.public_ip.as_ref() == Some(&address);
        self.peers.iter().find(is).cloned()
    }

    /// All that control names.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter()
    }

    fn find(&self, number: u8) -> Option<&(usize, String, Option<PortKind>)> {
        let mut ports = self.ports.iter();
        ports.find(|(index, ..)| *index == usize::from(number))
    }
}

impl Peer {
    /// Its first subnet, else its address, else its slot.
    pub fn name(&self) -> String {
        let name = self.subnets.first().or(self.public_ip.as_ref());
        name.map_or_else(|| format!("slot {}", self.slot), |name| printable(name))
    }

    /// Whether this is its slot, its address or one of its subnets.
    pub fn is_called(&self, name: &str) -> bool {
        name.parse() == Ok(self.slot)
            || self.public_ip.as_deref() == Some(name)
            || self.subnets.iter().any(|subnet| subnet == name)
    }
}
