//! The device that a former flanneld of this instance left.
//!
//! Several networks may share a node, each with its own prefix in etcd and its own `subnet.env`; by the latter one knows which
//! device is whose: flanneld gives its device the address `<subnet>.0`, and no two networks have the same subnet here.

use std::net::Ipv4Addr;

use contract::wire::Mac;
use ipnet::Ipv4Net;

use crate::compile::Underlay;
use crate::netlink::link::Link;
use crate::netlink::vxlan::{Vxlan, device_name};
use crate::netlink::{Netlink, NetlinkError};

/// A device that carries the traffic of our pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    /// Interface name.
    pub name: String,
    /// The VTEP MAC that other nodes know.
    pub mac: Mac,
    /// The subnet of our pods.
    pub subnet: Ipv4Net,
}

/// The device of the subnet that `subnet.env` names, if there is one.
pub async fn find(
    netlink: &Netlink,
    underlay: &Underlay,
    subnet: Option<Ipv4Net>,
) -> Result<Option<Former>, NetlinkError> {
    let Some(subnet) = subnet else {
        return Ok(None);
    };
    for link in netlink.links().await? {
        let Some(mac) = candidate(&link, underlay) else {
            continue;
        };
        if netlink
            .zero_addresses(link.index)
            .await?
            .contains(&subnet.network())
        {
            let name = link.name;
            return Ok(Some(Former { name, mac, subnet }));
        }
    }
    Ok(None)
}

/// The MAC of a device that flanneld would have made for some VNI on our underlay.
fn candidate(link: &Link, underlay: &Underlay) -> Option<Mac> {
    let vxlan = link.vxlan?;
    let flannels = link.name == device_name(vxlan.vni) && is_over(&vxlan, underlay);
    link.mac.filter(|mac| flannels && mac.is_unicast())
}

/// Whether its outer packets go where ours would.
pub fn is_over(vxlan: &Vxlan, underlay: &Underlay) -> bool {
    let ours = |local: Ipv4Addr| local == underlay.address || local == underlay.public_ip;
    vxlan.carrier.is_none_or(|index| index == underlay.index) && vxlan.local.is_none_or(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn underlay() -> Underlay {
        Underlay {
            index: 2,
            name: "eth0".into(),
            mac: Mac([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            address: Ipv4Addr::new(192, 168, 77, 1),
            public_ip: Ipv4Addr::new(203, 0, 113, 1),
        }
    }

    fn link(name: &str, vxlan: Option<Vxlan>) -> Link {
        Link {
            index: 9,
            name: name.into(),
            kind: None,
            mac: Some(Mac([2, 0, 0, 0, 0, 9])),
            mtu: 1450,
            up: true,
            noarp: false,
            multicast: true,
            peer: None,
            queues: (1, 1),
            is_our_tun: false,
            vxlan,
        }
    }

    #[test]
    fn only_flannels_device_on_our_underlay_is_a_candidate() {
        let flannel = Vxlan {
            vni: 7,
            port: 8472,
            carrier: Some(2),
            local: Some(Ipv4Addr::new(192, 168, 77, 1)),
        };
        let is = |name: &str, vxlan| candidate(&link(name, vxlan), &underlay()).is_some();
        assert!(is("flannel.7", Some(flannel)));
        // Behind NAT flanneld takes the PublicIP for its own address.
        let local = Some(Ipv4Addr::new(203, 0, 113, 1));
        assert!(is("flannel.7", Some(Vxlan { local, ..flannel })));

        assert!(!is("flannel.1", Some(flannel)), "another VNI's name");
        assert!(!is("vxlan7", Some(flannel)), "not flannel's name");
        assert!(!is("flannel.7", None), "no vxlan device");
        let carrier = Some(3);
        assert!(!is("flannel.7", Some(Vxlan { carrier, ..flannel })));
        let local = Some(Ipv4Addr::new(192, 168, 78, 1));
        assert!(!is("flannel.7", Some(Vxlan { local, ..flannel })));
    }
}
