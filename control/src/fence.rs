//! Which pods are kept out of the overlay: those with addresses that this node gave out and no longer has.
//!
//! A subnet that is lost and taken by another node does not leave the pods that were made in it. They go on sending, and what they
//! send would leave under the other node's addresses, whatever subnet this node holds by then. So control remembers every
//! subnet that pods can have got an address from, and the kernel refuses those that are not ours now
//! ([`rule`](crate::netlink::rule)). The engine never sees such a packet and pays nothing for it.
//!
//! Pods do not outlive a boot, and neither does the memory ([`State::given_out`](crate::state::State::given_out)).

use std::collections::BTreeSet;
use std::net::IpAddr;

use contract::tables::Tables;
use ipnet::Ipv4Net;

use crate::lease::Cluster;
use crate::netlink::{Netlink, NetlinkError};
use crate::slots::OWN;

/// The fence, as the kernel was told of it.
#[derive(Debug)]
pub struct Fence {
    /// Subnets that pods can have addresses of.
    given_out: BTreeSet<Ipv4Net>,
    /// The cluster's network, and what is kept out of it.
    standing: Option<(Ipv4Net, Vec<Ipv4Net>)>,
}

impl Fence {
    /// Around what was `given_out` in earlier runs; the kernel has not been asked yet.
    pub fn new(given_out: BTreeSet<Ipv4Net>) -> Self {
        Fence {
            given_out,
            standing: None,
        }
    }

    /// From now on pods can have addresses of `subnet`, too. All that they can have.
    pub fn give_out(&mut self, subnet: Ipv4Net) -> &BTreeSet<Ipv4Net> {
        self.given_out.insert(subnet);
        &self.given_out
    }

    /// Makes it right while `held` is ours. `look`: the kernel's rules may have been changed by others.
    pub async fn put(
        &mut self,
        netlink: &Netlink,
        network: Ipv4Net,
        held: Ipv4Net,
        look: bool,
    ) -> Result<(), NetlinkError> {
        let wanted = (network, fenced(&self.given_out, held));
        let stands = self.standing.as_ref() == Some(&wanted);
        let may_be_gone = look && !wanted.1.is_empty();
        if stands && !may_be_gone {
            return Ok(());
        }
        netlink.put_fence(network, &wanted.1).await?;
        if !stands {
            for subnet in &wanted.1 {
                tracing::warn!(
                    "pods with addresses of {subnet}, which was ours, are kept out of the overlay (`ip rule`): restart them"
                );
            }
        }
        self.standing = Some(wanted);
        Ok(())
    }
}

/// Whether tables that an earlier run published call a subnet ours that another node has.
pub fn is_anothers(standing: Option<&Tables>, cluster: &Cluster) -> bool {
    let routes = standing.into_iter().flat_map(|tables| &tables.routes);
    let mut own = routes
        .filter(|route| route.adjacency == OWN)
        .filter_map(|route| match route.prefix {
            IpAddr::V4(prefix) => Ipv4Net::new(prefix, route.len).ok(),
            IpAddr::V6(_) => None,
        });
    own.any(|own| {
        let mut leased = cluster.leases.keys();
        leased.any(|subnet| subnet.contains(&own) || own.contains(subnet))
    })
}

/// The prefixes of `given_out` that `held` does not cover, disjoint and as few as possible.
pub fn fenced(given_out: &BTreeSet<Ipv4Net>, held: Ipv4Net) -> Vec<Ipv4Net> {
    let mut rest = Vec::new();
    for subnet in given_out {
        cut(*subnet, held, &mut rest);
    }
    Ipv4Net::aggregate(&rest)
}

/// Adds to `rest` what is left of `subnet` without `hole`. Two prefixes are apart or one holds the other, so this goes down
/// the one half that holds the hole: at most 32 pieces.
fn cut(subnet: Ipv4Net, hole: Ipv4Net, rest: &mut Vec<Ipv4Net>) {
    if hole.contains(&subnet) {
        return;
    }
    if !subnet.contains(&hole) {
        rest.push(subnet);
        return;
    }
    // Longer than `subnet` and at most as long as `hole`, hence a length that exists.
    for half in subnet
        .subnets(subnet.prefix_len() + 1)
        .into_iter()
        .flatten()
    {
        cut(half, hole, rest);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn text(given_out: &str, held: &str) -> String {
        let given_out = given_out
            .split_whitespace()
            .map(|net| net.parse().unwrap())
            .collect();
        let fenced = fenced(&given_out, held.parse().unwrap());
        let texts: Vec<_> = fenced.iter().map(ToString::to_string).collect();
        texts.join(" ")
    }

    #[test]
    fn what_is_held_is_not_fenced() {
        assert_eq!(text("", "10.1.1.0/24"), "");
        assert_eq!(text("10.1.1.0/24", "10.1.1.0/24"), "");
        assert_eq!(text("10.1.1.0/26", "10.1.1.0/24"), "");
    }

    #[test]
    fn what_was_held_is() {
        assert_eq!(
            text("10.1.1.0/24 10.1.2.0/24 10.1.9.0/24", "10.1.2.0/24"),
            "10.1.1.0/24 10.1.9.0/24"
        );
    }

    #[test]
    fn of_a_larger_subnet_the_rest_is() {
        assert_eq!(
            text("10.1.0.0/22", "10.1.2.0/24"),
            "10.1.0.0/23 10.1.3.0/24"
        );
    }

    #[test]
    fn neighbours_are_one() {
        assert_eq!(
            text("10.1.4.0/24 10.1.5.0/24 10.1.5.128/25", "10.1.2.0/24"),
            "10.1.4.0/23"
        );
    }

    fn subnet() -> impl Strategy<Value = Ipv4Net> {
        (0u32..1 << 10, 22u8..=31).prop_map(|(bits, len)| {
            Ipv4Net::new(Ipv4Addr::from_bits(bits), len)
                .unwrap()
                .trunc()
        })
    }

    proptest! {
        #[test]
        fn an_address_is_fenced_if_it_was_given_out_and_is_not_held(
            given_out in prop::collection::btree_set(subnet(), 0..8), held in subnet(), probe in 0u32..1 << 10,
        ) {
            let probe = Ipv4Addr::from_bits(probe);
            let wanted = given_out.iter().any(|net| net.contains(&probe)) && !held.contains(&probe);
            let hits = fenced(&given_out, held).iter().filter(|net| net.contains(&probe)).count();
            prop_assert_eq!(hits, usize::from(wanted));
        }
    }
}
