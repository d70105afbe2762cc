//! The masquerade rules as nft reads them: flannel's six, in flannel's order (`pkg/trafficmngr/iptables`).
//!
//! C is the cluster's network, P this node's part of it. The first four leave packets alone: what kube-proxy has marked as its
//! own to masquerade, and whatever keeps its address on the way to or from a pod of ours. Then what pods send to the world
//! leaves as this node, but for multicast; and last what the world sends through this node to another node's pods comes from
//! this node, so that the answer returns through it.

use ipnet::IpNet;

use super::{MASQUERADE_CHAIN, Pods, Ports};

/// On each rule, as on flannel's: tools look for it.
const COMMENT: &str = "flanneld masq";

/// An address family, by nft's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
}

impl Family {
    /// Both.
    pub const ALL: [Family; 2] = [Family::Ip, Family::Ip6];

    /// The family of a network.
    pub fn of(network: &IpNet) -> Self {
        match network {
            IpNet::V4(_) => Family::Ip,
            IpNet::V6(_) => Family::Ip6,
        }
    }

    /// As nft spells it.
    pub fn name(self) -> &'static str {
        match self {
            Family::Ip => "ip",
            Family::Ip6 => "ip6",
        }
    }

    fn multicast(self) -> &'static str {
        match self {
            Family::Ip => "224.0.0.0/4",
            Family::Ip6 => "ff00::/8",
        }
    }
}

/// The rules, first to last.
pub fn rules(pods: &Pods, ports: Ports) -> [String; 6] {
    let family = Family::of(&pods.network);
    let (ip, multicast) = (family.name(), family.multicast());
    let (c, p) = (pods.network, pods.subnet);
    let masquerade = match ports {
        Ports::Random => "masquerade fully-random",
        Ports::Kept => "masquerade",
    };
    [
        "meta mark & 0x4000 == 0x4000 return".to_owned(),
        format!("{ip} saddr {p} {ip} daddr {c} return"),
        format!("{ip} saddr {c} {ip} daddr {p} return"),
        format!("{ip} saddr != {c} {ip} daddr {p} return"),
        format!("{ip} saddr {c} {ip} daddr != {multicast} {masquerade}"),
        format!("{ip} saddr != {c} {ip} daddr {c} {masquerade}"),
    ]
}

/// One transaction after which the table is exactly this, whatever was there: the kernel shows packets the old rules until it
/// shows them the new ones.
///
/// One behind the priority of iptables' own chains: flannel appends its rules to theirs, and what an administrator wrote there
/// goes first. Adding the table before deleting it makes deleting one that is not there no error.
pub fn replacement(table: &str, pods: &Pods, ports: Ports) -> String {
    let family = Family::of(&pods.network).name();
    let mut text = removal(table, Family::of(&pods.network));
    text += &format!("table {family} {table} {{\n\tchain {MASQUERADE_CHAIN} {{\n");
    text += "\t\ttype nat hook postrouting priority srcnat + 1; policy accept;\n";
    for rule in rules(pods, ports) {
        text += &format!("\t\t{rule} comment \"{COMMENT}\"\n");
    }
    text + "\t}\n}\n"
}

/// One transaction after which there is no such table.
pub fn removal(table: &str, family: Family) -> String {
    let family = family.name();
    format!("add table {family} {table}\ndelete table {family} {table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(network: &str, subnet: &str) -> Pods {
        Pods {
            network: network.parse().unwrap(),
            subnet: subnet.parse().unwrap(),
        }
    }

    #[test]
    fn the_rules_are_flannels_in_flannels_order() {
        let text = replacement(
            "tweed",
            &pods("10.244.0.0/16", "10.244.7.0/24"),
            Ports::Random,
        );
        assert_eq!(
            text,
            r#"add table ip tweed
delete table ip tweed
table ip tweed {
	chain FLANNEL-POSTRTG {
		type nat hook postrouting priority srcnat + 1; policy accept;
		meta mark & 0x4000 == 0x4000 return comment "flanneld masq"
		ip saddr 10.244.7.0/24 ip daddr 10.244.0.0/16 return comment "flanneld masq"
		ip saddr 10.244.0.0/16 ip daddr 10.244.7.0/24 return comment "flanneld masq"
		ip saddr != 10.244.0.0/16 ip daddr 10.244.7.0/24 return comment "flanneld masq"
		ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random comment "flanneld masq"
		ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/16 masquerade fully-random comment "flanneld masq"
	}
}
"#
        );
    }

    #[test]
    fn ipv6_has_the_same_rules_in_a_table_of_its_own() {
        let text = replacement(
            "tweed",
            &pods("fd00:12::/48", "fd00:12:0:7::/64"),
            Ports::Kept,
        );
        assert_eq!(
            text,
            r#"add table ip6 tweed
delete table ip6 tweed
table ip6 tweed {
	chain FLANNEL-POSTRTG {
		type nat hook postrouting priority srcnat + 1; policy accept;
		meta mark & 0x4000 == 0x4000 return comment "flanneld masq"
		ip6 saddr fd00:12:0:7::/64 ip6 daddr fd00:12::/48 return comment "flanneld masq"
		ip6 saddr fd00:12::/48 ip6 daddr fd00:12:0:7::/64 return comment "flanneld masq"
		ip6 saddr != fd00:12::/48 ip6 daddr fd00:12:0:7::/64 return comment "flanneld masq"
		ip6 saddr fd00:12::/48 ip6 daddr != ff00::/8 masquerade comment "flanneld masq"
		ip6 saddr != fd00:12::/48 ip6 daddr fd00:12::/48 masquerade comment "flanneld masq"
	}
}
"#
        );
    }

    /// The rules as a function of source, destination and mark, read from the text: what becomes of a packet. A second reading
    /// of the same lines, for a wrong order shows here in words.
    fn masquerades(rules: &[String], source: &str, destination: &str, mark: u32) -> bool {
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        for rule in rules {
            let mut words = rule.split(' ').peekable();
            let mut matches = true;
            while let Some(word) = words.next() {
                let address: &std::net::IpAddr = match word {
                    "mark" => {
                        matches &= mark & 0x4000 == 0x4000;
                        continue;
                    }
                    "saddr" => &source,
                    "daddr" => &destination,
                    "return" if matches => return false,
                    "masquerade" if matches => return true,
                    _ => continue,
                };
                let not = words.next_if_eq(&"!=").is_some();
                let network: IpNet = words.next().unwrap().parse().unwrap();
                matches &= network.contains(address) != not;
            }
        }
        false
    }

    #[test]
    fn only_what_leaves_the_cluster_or_passes_through_this_node_is_masqueraded() {
        let rules = rules(&pods("10.244.0.0/16", "10.244.7.0/24"), Ports::Random);
        let (ours, theirs, world) = ("10.244.7.5", "10.244.9.5", "192.0.2.1");
        let rows = [
            (ours, theirs, 0, false),
            (theirs, ours, 0, false),
            (ours, "10.244.7.6", 0, false),
            ("10.244.7.0", theirs, 0, false),
            (world, ours, 0, false),
            (ours, world, 0, true),
            (ours, "224.0.0.251", 0, false),
            (world, theirs, 0, true),
            (ours, world, 0x4000, false),
            (ours, world, 0x8000, true),
            (world, "192.0.2.2", 0, false),
        ];
        for (source, destination, mark, expected) in rows {
            assert_eq!(
                masquerades(&rules, source, destination, mark),
                expected,
                "{source} -> {destination} mark {mark:#x}"
            );
        }
    }
}
