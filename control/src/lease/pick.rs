//! Choosing a free subnet, as flannel does: one of the first hundred that overlap no lease, at random, so that nodes
//! which start together seldom want the same one (`pkg/subnet/etcd/local_manager.go`, `allocateSubnet`).

use std::cmp::Reverse;

use ipnet::Ipv4Net;

use super::NetworkConfig;

/// How many free subnets the choice is among.
const CHOICES: usize = 100;

/// Address ranges that leases occupy: first and last address, merged and ascending.
pub(super) struct Occupied(Vec<(u32, u32)>);

impl Occupied {
    pub(super) fn new(subnets: impl Iterator<Item = Ipv4Net>) -> Self {
        let mut ranges: Vec<_> = subnets
            .map(|net| (net.network().to_bits(), net.broadcast().to_bits()))
            .collect();
        // The larger first of two that begin alike. Subnets nest or are apart, so a range that begins within the one
        // before it also ends there.
        ranges.sort_unstable_by_key(|(first, last)| (*first, Reverse(*last)));
        let mut end = None;
        ranges.retain(|(first, last)| {
            let apart = end.is_none_or(|end| *first > end);
            if apart {
                end = Some(*last);
            }
            apart
        });
        Occupied(ranges)
    }

    /// Whether no address of `subnet` is occupied.
    pub(super) fn frees(&self, subnet: Ipv4Net) -> bool {
        let (first, last) = (subnet.network().to_bits(), subnet.broadcast().to_bits());
        let next = self.0.partition_point(|(_, end)| *end < first);
        self.0.get(next).is_none_or(|(start, _)| *start > last)
    }
}

/// `wish` if it may be leased and is free, else one of the lowest free subnets by `choose(count) < count`.
pub(super) fn pick(
    network: &NetworkConfig,
    occupied: &Occupied,
    wish: Option<Ipv4Net>,
    choose: impl FnOnce(usize) -> usize,
) -> Option<Ipv4Net> {
    let wish = wish.filter(|net| network.leases_out(*net) && occupied.frees(*net));
    wish.or_else(|| {
        let free: Vec<_> = network
            .subnets()
            .filter(|net| occupied.frees(*net))
            .take(CHOICES)
            .collect();
        (!free.is_empty()).then(|| free[choose(free.len())])
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(fields: &str) -> NetworkConfig {
        NetworkConfig::parse(format!(r#"{{{fields},"Backend":{{"Type":"vxlan"}}}}"#).as_bytes())
            .unwrap()
    }

    fn nets(text: &str) -> Vec<Ipv4Net> {
        text.split_whitespace()
            .map(|net| net.parse().unwrap())
            .collect()
    }

    #[test]
    fn the_wish_is_granted_when_it_is_free_and_fits_the_config() {
        let network = network(r#""Network":"10.3.0.0/16""#);
        let pick = |occupied: &str, wish: &str| {
            let occupied = Occupied::new(nets(occupied).into_iter());
            pick(&network, &occupied, Some(wish.parse().unwrap()), |_| 0)
                .unwrap()
                .to_string()
        };
        assert_eq!(pick("", "10.3.9.0/24"), "10.3.9.0/24");
        assert_eq!(pick("10.3.9.0/24", "10.3.9.0/24"), "10.3.1.0/24");
        assert_eq!(pick("10.3.9.64/26", "10.3.9.0/24"), "10.3.1.0/24");
        assert_eq!(pick("10.3.8.0/22", "10.3.9.0/24"), "10.3.1.0/24");
        assert_eq!(
            pick("10.3.8.0/24 10.3.8.0/23", "10.3.9.0/24"),
            "10.3.1.0/24"
        );
        assert_eq!(pick("", "10.3.9.0/25"), "10.3.1.0/24");
        assert_eq!(pick("", "10.3.0.0/24"), "10.3.1.0/24");
        assert_eq!(pick("", "10.4.9.0/24"), "10.3.1.0/24");
    }

    #[test]
    fn the_choice_is_among_the_first_hundred_free() {
        let network = network(r#""Network":"10.0.0.0/8""#);
        let occupied = Occupied::new(nets("10.0.1.0/24 10.0.4.0/22 10.0.9.128/25").into_iter());
        let mut count = 0;
        let last = pick(&network, &occupied, None, |n| {
            count = n;
            n - 1
        });
        assert_eq!(count, 100);
        // 1, 4 to 7 and 9 are taken, so the hundredth free subnet is number 106.
        assert_eq!(last.unwrap().to_string(), "10.0.106.0/24");
    }

    #[test]
    fn a_full_network_has_nothing_to_give() {
        let network =
            network(r#""Network":"10.3.0.0/16","SubnetMin":"10.3.5.0","SubnetMax":"10.3.6.0""#);
        let occupied = |text: &str| Occupied::new(nets(text).into_iter());
        assert_eq!(
            pick(&network, &occupied("10.3.5.0/24 10.3.6.0/24"), None, |_| 0),
            None
        );
        assert_eq!(pick(&network, &occupied("10.0.0.0/8"), None, |_| 0), None);
        assert_eq!(
            pick(&network, &occupied("10.3.5.0/24"), None, |_| 0),
            Some("10.3.6.0/24".parse().unwrap())
        );
    }

    proptest! {
        #[test]
        fn free_means_that_no_subnet_overlaps(
            specs in prop::collection::vec((0u32..1 << 10, 22u8..=31), 0..30), probe in (0u32..1 << 10, 22u8..=31),
        ) {
            let net = |(bits, len): (u32, u8)| Ipv4Net::new(std::net::Ipv4Addr::from_bits(bits << 1), len).unwrap().trunc();
            let taken: Vec<_> = specs.into_iter().map(net).collect();
            let probe = net(probe);
            let overlap = taken.iter().any(|other| other.contains(&probe) || probe.contains(other));
            prop_assert_eq!(Occupied::new(taken.iter().copied()).frees(probe), !overlap);
        }
    }
}
