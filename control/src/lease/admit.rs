//! Which of the leases that were found are used: the rule that turns a heap of records into disjoint routes.
//!
//! flannel's own nodes keep leases disjoint only if all read the same config, and its kernel nodes install whatever they
//! find. Here each address has one owner, and every tweed node picks the same one: of two that overlap the older key
//! wins (etcd's create revision), for its pods were there first. Our own subnet is ours whatever others claim.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::record::RecordError;
use super::{Lease, NetworkConfig, Skipped};

/// One record as a source holds it.
pub(super) struct Found<'a> {
    pub(super) key: &'a str,
    /// Smaller is older; ties are broken by the key.
    pub(super) age: i64,
    pub(super) lease: Result<&'a Lease, &'a RecordError>,
}

/// Disjoint leases of others by subnet, and what was left out, by key.
pub(super) fn admit<'a>(
    network: &NetworkConfig,
    public_ip: Ipv4Addr,
    own: Option<Ipv4Net>,
    found: impl Iterator<Item = Found<'a>>,
) -> (BTreeMap<Ipv4Net, Lease>, Vec<Skipped>) {
    let mut skipped = Vec::new();
    let mut skip = |key: &str, reason: String| {
        skipped.push(Skipped {
            key: super::json::excerpt(key),
            reason,
        });
    };
    let mut candidates = Vec::new();
    for record in found {
        match record.lease {
            Err(reason) => skip(record.key, reason.to_string()),
            Ok(lease) if lease.public_ip == public_ip && own == Some(lease.subnet) => {}
            Ok(lease) if lease.public_ip == public_ip => {
                skip(
                    record.key,
                    format!("carries our PublicIP {public_ip} but is not our lease"),
                );
            }
            Ok(lease) if !network.network.contains(&lease.subnet) => {
                // A route for it would pull traffic of the world outside, or of the nodes themselves, into the tunnel.
                skip(
                    record.key,
                    format!(
                        "{} lies outside the network {}",
                        lease.subnet, network.network
                    ),
                );
            }
            Ok(lease) => candidates.push((record.age, record.key, lease)),
        }
    }
    candidates.sort_unstable_by_key(|(age, key, _)| (*age, *key));

    // Subnets admitted so far by first address; disjoint, so only the neighbours of a new one can overlap it.
    let mut taken: BTreeMap<Ipv4Addr, Ipv4Net> =
        own.map(|net| (net.network(), net)).into_iter().collect();
    let mut admitted = Vec::with_capacity(candidates.len());
    for (_, key, lease) in candidates {
        let subnet = lease.subnet;
        let below = taken
            .range(..=subnet.network())
            .next_back()
            .map(|(_, net)| *net);
        let above = taken
            .range(subnet.network()..=subnet.broadcast())
            .next()
            .map(|(_, net)| *net);
        let overlaps = |net: &Ipv4Net| net.contains(&subnet) || subnet.contains(net);
        match below.filter(overlaps).or(above) {
            Some(net) if own == Some(net) => {
                skip(key, format!("{subnet} overlaps our own subnet {net}"))
            }
            Some(net) => skip(
                key,
                format!("{subnet} overlaps {net}, whose lease is older"),
            ),
            None => {
                taken.insert(subnet.network(), subnet);
                admitted.push((subnet, lease.clone()));
            }
        }
    }
    skipped.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    (admitted.into_iter().collect(), skipped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Backend;
    use super::*;

    fn network() -> NetworkConfig {
        NetworkConfig::parse(br#"{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan"}}"#).unwrap()
    }

    fn lease(subnet: &str, public_ip: &str) -> Lease {
        Lease {
            subnet: subnet.parse().unwrap(),
            subnet6: None,
            public_ip: public_ip.parse().unwrap(),
            public_ip6: None,
            backend: Backend::Other("udp".into()),
        }
    }

    fn run(own: Option<&str>, leases: &[(i64, Lease)]) -> (Vec<String>, Vec<String>) {
        let keys: Vec<String> = (0..leases.len()).map(|i| format!("k{i}")).collect();
        let found = leases.iter().zip(&keys).map(|((age, lease), key)| Found {
            key,
            age: *age,
            lease: Ok(lease),
        });
        let own = own.map(|net| net.parse().unwrap());
        let (admitted, skipped) = admit(&network(), "192.0.2.1".parse().unwrap(), own, found);
        (
            admitted
                .values()
                .map(|l| format!("{} {}", l.subnet, l.public_ip))
                .collect(),
            skipped
                .iter()
                .map(|s| format!("{} {}", s.key, s.reason))
                .collect(),
        )
    }

    #[test]
    fn of_two_that_overlap_the_older_wins_whatever_their_order() {
        let old = (5, lease("10.1.2.0/24", "192.0.2.2"));
        let wide = (9, lease("10.1.0.0/16", "192.0.2.3"));
        let narrow = (7, lease("10.1.2.128/25", "192.0.2.4"));
        for order in [
            [&old, &wide, &narrow],
            [&narrow, &wide, &old],
            [&wide, &old, &narrow],
        ] {
            let order: Vec<_> = order.into_iter().cloned().collect();
            let (admitted, skipped) = run(None, &order);
            assert_eq!(admitted, ["10.1.2.0/24 192.0.2.2"]);
            assert_eq!(skipped.len(), 2);
            assert!(
                skipped
                    .iter()
                    .all(|s| s.contains("overlaps 10.1.2.0/24, whose lease is older")),
                "{skipped:?}"
            );
        }
    }

    #[test]
    fn our_own_subnet_is_ours_and_our_address_is_no_peer() {
        let (admitted, skipped) = run(
            Some("10.1.2.0/24"),
            &[
                (1, lease("10.1.0.0/16", "192.0.2.2")),
                (2, lease("10.1.2.0/24", "192.0.2.1")),
                (3, lease("10.1.3.0/24", "192.0.2.1")),
                (4, lease("10.1.4.0/24", "192.0.2.3")),
                (5, lease("11.0.0.0/24", "192.0.2.4")),
            ],
        );
        assert_eq!(admitted, ["10.1.4.0/24 192.0.2.3"]);
        assert_eq!(
            skipped,
            [
                "k0 10.1.0.0/16 overlaps our own subnet 10.1.2.0/24",
                "k2 carries our PublicIP 192.0.2.1 but is not our lease",
                "k4 11.0.0.0/24 lies outside the network 10.0.0.0/8",
            ]
        );
    }

    #[test]
    fn a_bad_record_is_shown_with_its_reason_and_the_rest_stays() {
        let good = lease("10.1.4.0/24", "192.0.2.3");
        let found = [
            Found {
                key: "bad",
                age: 1,
                lease: Err(&RecordError::NoPublicIp),
            },
            Found {
                key: "good",
                age: 2,
                lease: Ok(&good),
            },
        ];
        let (admitted, skipped) = admit(
            &network(),
            "192.0.2.1".parse().unwrap(),
            None,
            found.into_iter(),
        );
        assert_eq!(admitted.len(), 1);
        assert_eq!(
            skipped,
            [Skipped {
                key: "bad".into(),
                reason: "the value has no PublicIP".into()
            }]
        );
    }

    proptest! {
        /// Against the definition, pair by pair: admitted leases are disjoint, and each that was not admitted overlaps
        /// an older admitted one.
        #[test]
        fn admission_is_disjoint_and_greedy_by_age(specs in prop::collection::vec((0u32..1 << 12, 20u8..=31), 0..40)) {
            let leases: Vec<(i64, Lease)> = specs
                .iter()
                .enumerate()
                .map(|(i, (bits, len))| {
                    let net = Ipv4Net::new(Ipv4Addr::from_bits(0x0a00_0000 | bits << 2), *len).unwrap().trunc();
                    (i as i64, Lease { subnet: net, ..lease("10.0.0.0/24", "192.0.2.9") })
                })
                .collect();
            let overlap = |a: &Ipv4Net, b: &Ipv4Net| a.contains(b) || b.contains(a);
            let mut expected: Vec<Ipv4Net> = Vec::new();
            for (_, lease) in &leases {
                if !expected.iter().any(|net| overlap(net, &lease.subnet)) {
                    expected.push(lease.subnet);
                }
            }
            expected.sort();
            let found = leases.iter().map(|(age, lease)| Found { key: "k", age: *age, lease: Ok(lease) });
            let (admitted, skipped) = admit(&network(), "192.0.2.1".parse().unwrap(), None, found);
            prop_assert_eq!(admitted.keys().copied().collect::<Vec<_>>(), expected);
            prop_assert_eq!(admitted.len() + skipped.len(), leases.len());
        }
    }
}
