//! The network between nodes: two segments, each a bridge in the switch namespace, and a router between them.
//!
//! ```text
//!   near 192.168.77.0/24            far 192.168.78.0/24
//!   nodes .1 ...  etcd .250         nodes .1 ...
//!        |            |                  |
//!   =====+====+=======+=====        =====+=====+=====
//!             | .254                           | .254
//!             +------------ router ------------+      its routes may carry a smaller MTU
//! ```
//!
//! A route's MTU, unlike a device's, makes the router fragment what it forwards (outer packets have DF clear) in both
//! directions while every device keeps 1500: the narrow path that flannel's nodes answer with outer fragments.

use std::net::Ipv4Addr;

use super::error::{LabError, Result};
use super::name::Prefix;
use super::namespace::Namespace;

/// MTU of every underlay device.
pub const MTU: u16 = 1500;

/// The router's host number on both segments.
const ROUTER: u8 = 254;

/// Where a host is plugged in, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Host number: the last octet of its address. 1 to 249 are for nodes.
    pub host: u8,
    /// Behind the router.
    pub far: bool,
    /// Queues of its NIC.
    pub queues: u32,
    /// Leave TSO, GSO, GRO and checksum offload on, as no real wire does.
    pub offloads: bool,
}

impl Place {
    /// On the segment of etcd.
    pub fn near(host: u8) -> Self {
        Place {
            host,
            far: false,
            queues: 1,
            offloads: false,
        }
    }

    /// Behind the router.
    pub fn far(host: u8) -> Self {
        Place {
            far: true,
            ..Place::near(host)
        }
    }

    /// The same with so many queues.
    pub fn queues(self, queues: u32) -> Self {
        Place { queues, ..self }
    }

    /// The same with the NIC's offloads left on.
    pub fn with_offloads(self) -> Self {
        Place {
            offloads: true,
            ..self
        }
    }

    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        segment(self.far, self.host)
    }

    fn bridge(&self) -> &'static str {
        if self.far { "far" } else { "near" }
    }
}

impl From<u8> for Place {
    fn from(host: u8) -> Self {
        Place::near(host)
    }
}

fn segment(far: bool, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, if far { 78 } else { 77 }, host)
}

/// The switch and the router.
pub struct Underlay {
    switch: Namespace,
    router: Namespace,
}

impl Underlay {
    /// Builds both segments.
    pub fn build(prefix: &Prefix) -> Result<Self> {
        let switch = Namespace::create(prefix, "switch")?;
        let router = Namespace::create(prefix, "router")?;
        for bridge in ["near", "far"] {
            switch.ip(&format!(
                "link add {bridge} type bridge mcast_snooping 0\nlink set {bridge} up"
            ))?;
        }
        let underlay = Underlay { switch, router };
        for (device, far) in [("near", false), ("far", true)] {
            let place = Place {
                far,
                ..Place::near(ROUTER)
            };
            underlay.cable(&underlay.router, device, &place, &format!("r-{device}"))?;
        }
        underlay.router.sysctl("net/ipv4/ip_forward", "1")?;
        Ok(underlay)
    }

    /// Gives `ns` a NIC `eth0` on the underlay, with an address and a default route.
    pub fn attach(&self, ns: &Namespace, place: &Place, port: &str) -> Result<()> {
        if place.host == 0 || place.host >= ROUTER {
            return Err(LabError::Unexpected(format!(
                "host number {} is not between 1 and {}",
                place.host,
                ROUTER - 1
            )));
        }
        self.cable(ns, "eth0", place, port)?;
        ns.ip(&format!(
            "route add default via {}",
            segment(place.far, ROUTER)
        ))
    }

    /// One cable: a veth pair, one end a port of the switch.
    fn cable(&self, ns: &Namespace, device: &str, place: &Place, port: &str) -> Result<()> {
        let queues = format!("numtxqueues {0} numrxqueues {0}", place.queues);
        self.switch.ip(&format!(
            "link add {port} mtu {MTU} {queues} type veth peer name {device} mtu {MTU} {queues} netns {ns}\n\
             link set {port} master {bridge} up",
            ns = ns.name(),
            bridge = place.bridge(),
        ))?;
        if !place.offloads {
            self.switch.make_wire(port)?;
            ns.make_wire(device)?;
        }
        ns.ip(&format!(
            "link set {device} up\naddr add {}/24 dev {device}",
            place.address()
        ))
    }

    /// Makes the path between the segments narrower than the devices at its ends.
    pub fn narrow(&self, mtu: u16) -> Result<()> {
        self.router.ip(&format!(
            "route replace 192.168.77.0/24 dev near src 192.168.77.{ROUTER} mtu {mtu}\n\
             route replace 192.168.78.0/24 dev far src 192.168.78.{ROUTER} mtu {mtu}"
        ))
    }

    /// The switch, for captures: its ports are named after the nodes.
    pub fn switch(&self) -> &Namespace {
        &self.switch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_its_address() {
        assert_eq!(Place::from(3).address(), Ipv4Addr::new(192, 168, 77, 3));
        assert_eq!(
            Place::far(9).queues(2).address(),
            Ipv4Addr::new(192, 168, 78, 9)
        );
    }
}
