//! What others write into etcd, and what stands in a lease file: never a panic, and never a lease that flannel would read
//! otherwise.
//!
//! ```text
//! input:  | kind: 0 a record, 1 a network configuration, 2 a lease file | text |
//! record: key, newline, value
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::LazyLock;

use contract::wire::Mac;
use control::lease::{Backend, Identity, Lease, LeaseFile, NetworkConfig};
use ipnet::{Ipv4Net, Ipv6Net};
use regex::Regex;

/// Reads the text.
pub fn check(input: &[u8]) {
    let [kind, text @ ..] = input else { return };
    match kind % 3 {
        0 => {
            let end = text.iter().position(|byte| *byte == b'\n');
            let (key, value) = text.split_at(end.unwrap_or(text.len()));
            record(
                &String::from_utf8_lossy(key),
                value.get(1..).unwrap_or_default(),
            );
        }
        1 => match NetworkConfig::parse(text) {
            Ok(network) => check_network(&network),
            Err(error) => assert!(!error.to_string().is_empty()),
        },
        _ => match LeaseFile::parse(Path::new("leases.json"), text) {
            Ok(file) => check_file(&file),
            Err(error) => assert!(error.to_string().contains("leases.json")),
        },
    }
}

fn record(key: &str, value: &[u8]) {
    // The grammar of a key, apart from what follows it: this value is one that everyone reads.
    const GOOD: &str = r#"{"PublicIP":"192.0.2.1"}"#;
    let ours = Lease::parse(key, GOOD.as_bytes()).map(|lease| (lease.subnet, lease.subnet6));
    match flannel_key(key) {
        Some((v4, v6)) if v4 == v4.trunc() => {
            assert_eq!(ours.ok(), Some((v4, v6.map(|net| net.trunc()))), "{key:?}");
        }
        // Host bits: flannel makes a route of it that hides another's. Refused here.
        _ => assert!(ours.is_err(), "{key:?}: {ours:?}"),
    }
    match Lease::parse(key, value) {
        Ok(lease) => check_lease(&lease),
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < 1000, "a reason quotes too much: {message}");
        }
    }
}

/// What flannel reads from a key (`pkg/subnet/subnet.go`, `ParseSubnetKey`; FLANNEL.md 1.2), here with a regular expression
/// as it does.
fn flannel_key(key: &str) -> Option<(Ipv4Net, Option<Ipv6Net>)> {
    static KEY: LazyLock<Regex> = LazyLock::new(|| {
        let (v4, v6) = (
            r"([0-9]+\.[0-9]+.[0-9]+.[0-9]+)-([0-9]+)",
            r"([a-f0-9:]+)-([0-9]+)",
        );
        Regex::new(&format!("{v4}(?:&{v6})?$")).expect("a regular expression")
    });
    let parts = KEY.captures(key)?;
    let len = |group: usize, most: u64| {
        let len = parts.get(group)?.as_str().parse::<u64>().ok()?;
        u8::try_from(len).ok().filter(|_| len <= most)
    };
    let address: Ipv4Addr = parts[1].parse().ok()?;
    let v4 = Ipv4Net::new(address, len(2, 31)?).ok()?;
    let v6 = match parts.get(3) {
        None => None,
        Some(text) => {
            let address: Ipv6Addr = text.as_str().parse().ok()?;
            Some(Ipv6Net::new(address, len(4, 127)?).ok()?)
        }
    };
    Some((v4, v6))
}

fn check_lease(lease: &Lease) {
    assert_eq!(lease.subnet, lease.subnet.trunc());
    let ip = lease.public_ip;
    assert!(!ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast() && !ip.is_loopback());
    if let Backend::Vxlan { vtep_mac } = lease.backend {
        assert!(vtep_mac.is_unicast() && vtep_mac != Mac([0; 6]));
    }
}

fn check_network(network: &NetworkConfig) {
    assert_eq!(network.network, network.network.trunc());
    let vxlan = network.backend.vxlan();
    assert!(vxlan.is_none_or(|vxlan| vxlan.vni < 1 << 24));
    assert!((network.network.prefix_len() + 2..=30).contains(&network.subnet_len));
    // Every subnet it would lease out is one that it leases out: the ends, and no more than are looked at in no time.
    for subnet in network.subnets().take(100) {
        assert!(
            network.leases_out(subnet) && network.network.contains(&subnet),
            "{subnet}"
        );
    }
}

/// What is left after leases were judged against each other: see `Cluster`.
fn check_file(file: &LeaseFile) {
    let identity = Identity {
        public_ip: Ipv4Addr::new(192, 0, 2, 1),
        vtep_mac: Mac([2, 0, 0, 0, 0, 1]),
    };
    let cluster = file.cluster(identity, None);
    check_network(&cluster.network);
    let mut subnets: Vec<_> = cluster.leases.keys().copied().collect();
    subnets.extend(cluster.own.subnet());
    subnets.sort();
    for pair in subnets.windows(2) {
        assert!(pair[0].broadcast() < pair[1].network(), "{pair:?} overlap");
    }
    for (subnet, lease) in cluster.leases.iter() {
        assert_eq!(*subnet, lease.subnet);
        assert!(cluster.network.network.contains(subnet));
        assert_ne!(lease.public_ip, identity.public_ip);
        check_lease(lease);
    }
}
