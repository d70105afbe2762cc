//! Who is who on the benchmark's network. Every device under test gets the same one, with the same addresses.
//!
//! ```text
//!             outside                    device under test                 outside
//!   our pods  10.244.0.10           VTEP 172.16.0.1                peer p: VTEP 172.16.1.0 + p
//!             pods ================ overlay     underlay ================= wire
//!                                                                  pods of 10.245.0.0 + p, /24
//!   encap     frames from here ---------> + 50 bytes ------------> counted here
//!   decap     counted here <------------- - 50 bytes <------------ frames from here
//! ```

use std::net::Ipv4Addr;

use contract::wire::{Mac, Vxlan};

/// VNI of the overlay.
pub const VNI: u32 = 1;
/// The pod behind the device under test that sends and receives.
pub const OWN_POD: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 10);
/// Its router's address.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);
/// Length of every subnet's prefix.
pub const SUBNET_LEN: u8 = 24;
/// Tunnel address of the device under test.
pub const OWN_VTEP: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 1);
/// Length of the underlay's prefix: all VTEPs are on the link.
pub const UNDERLAY_LEN: u8 = 16;
/// VTEP MAC of the device under test.
pub const OWN_VTEP_MAC: Mac = Mac([2, 0xf1, 0, 0, 0xff, 0xff]);
/// Most peers that the addresses above have room for.
pub const MAX_PEERS: u16 = 1024;

/// A veth pair between the device under test and the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The end of the device under test.
    pub device: &'static str,
    /// Its MAC.
    pub mac: Mac,
    /// The end outside.
    pub outside: &'static str,
    /// Its MAC.
    pub outside_mac: Mac,
}

/// The pod side.
pub const OVERLAY: Link = Link {
    device: "overlay",
    mac: Mac([2, 0, 0, 0, 0, 1]),
    outside: "pods",
    outside_mac: Mac([2, 0, 0, 0, 0, 2]),
};

/// The side of the other nodes. All of them answer to one MAC, as behind a router.
pub const UNDERLAY: Link = Link {
    device: "underlay",
    mac: Mac([2, 0, 0, 0, 0, 3]),
    outside: "wire",
    outside_mac: Mac([2, 0, 0, 0, 0, 4]),
};

/// What the frames of a run have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Other nodes that they go to or come from.
    pub peers: u16,
    /// Different flows among them; 0: each frame is of a flow of its own, as good as.
    pub flows: u32,
}

/// Another node, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub u16);

impl Peer {
    /// Network address of its subnet.
    pub fn subnet(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(
            Ipv4Addr::new(10, 245, 0, 0).to_bits() + (u32::from(self.0) << (32 - SUBNET_LEN)),
        )
    }

    /// Its tunnel address.
    pub fn vtep(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(Ipv4Addr::new(172, 16, 1, 0).to_bits() + u32::from(self.0))
    }

    /// Its VTEP MAC.
    pub fn vtep_mac(self) -> Mac {
        let [high, low] = self.0.to_be_bytes();
        Mac([2, 0xf1, 0, 0, high, low])
    }
}

/// A direction through the device under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Leg {
    /// From our pods to the peers.
    Encap,
    /// From the peers to our pods.
    Decap,
}

impl Leg {
    /// Both.
    pub const ALL: [Leg; 2] = [Leg::Encap, Leg::Decap];

    /// Its name in tables and on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Leg::Encap => "encap",
            Leg::Decap => "decap",
        }
    }

    /// Where its frames come from.
    pub const fn ingress(self) -> Link {
        match self {
            Leg::Encap => OVERLAY,
            Leg::Decap => UNDERLAY,
        }
    }

    /// Where they go.
    pub const fn egress(self) -> Link {
        match self {
            Leg::Encap => UNDERLAY,
            Leg::Decap => OVERLAY,
        }
    }

    /// Bytes of the frames sent, for plain frames of `size`: the size is that of the pods' frame on both legs.
    pub const fn sent_len(self, size: usize) -> usize {
        match self {
            Leg::Encap => size,
            Leg::Decap => size + Vxlan::OVERHEAD_IPV4,
        }
    }

    /// Bytes of the frames that arrive once the device has done its work on them.
    pub const fn done_len(self, size: usize) -> usize {
        match self {
            Leg::Encap => size + Vxlan::OVERHEAD_IPV4,
            Leg::Decap => size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_peer_has_addresses_of_its_own_kind() {
        let last = Peer(MAX_PEERS - 1);
        assert_eq!(last.subnet(), Ipv4Addr::new(10, 248, 255, 0));
        assert_eq!(last.vtep(), Ipv4Addr::new(172, 16, 4, 255));
        assert_ne!(last.vtep_mac(), OWN_VTEP_MAC);
    }

    #[test]
    fn what_one_leg_adds_the_other_takes_off() {
        assert_eq!(Leg::Encap.done_len(64), Leg::Decap.sent_len(64));
        assert_eq!(Leg::Decap.done_len(64), Leg::Encap.sent_len(64));
    }
}
