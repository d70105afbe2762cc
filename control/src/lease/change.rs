//! What becomes of a network config that changes in etcd while nodes run.
//!
//! flanneld reads it once and notices nothing until it is started again. Here a change is told, and followed where nothing that
//! stands is harmed by it: where subnets are cut from next time, and how large new pods' packets may be. What all nodes must
//! agree on for packets to arrive is left as it was read at start, until an operator restarts the nodes.

use super::{NetworkBackend, NetworkConfig};

/// What a change came to, in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// In force now.
    pub(super) followed: Vec<String>,
    /// In force after a restart.
    pub(super) left: Vec<String>,
}

/// Takes into `now` what can be followed of `new`.
pub(super) fn follow(now: &mut NetworkConfig, new: &NetworkConfig) -> Change {
    let mut change = Change::default();
    // Bounds are aligned to the subnets of their own config.
    if (now.network, now.subnet_len) == (new.network, new.subnet_len) {
        let followed = &mut change.followed;
        take(
            followed,
            "SubnetMin",
            &mut now.subnet_min,
            &new.subnet_min,
            |ip| ip.to_string(),
        );
        take(
            followed,
            "SubnetMax",
            &mut now.subnet_max,
            &new.subnet_max,
            |ip| ip.to_string(),
        );
    }
    if let (NetworkBackend::Vxlan(now), NetworkBackend::Vxlan(new)) =
        (&mut now.backend, &new.backend)
    {
        take(
            &mut change.followed,
            "Backend.MTU",
            &mut now.mtu,
            &new.mtu,
            |mtu| mtu.map_or("that of the device".into(), |mtu| mtu.to_string()),
        );
        // Nothing here depends on it.
        now.learning = new.learning;
    }
    if now == new {
        return change;
    }
    let differences = [
        differs("Network", &now.network, &new.network),
        differs("SubnetLen", &now.subnet_len, &new.subnet_len),
        differs(
            "EnableIPv6",
            &now.network6.is_some(),
            &new.network6.is_some(),
        ),
        differs("EnableNFTables", &now.nftables, &new.nftables),
        differs("Backend.Type", &now.backend.name(), &new.backend.name()),
    ];
    let options = differing_options(&now.backend, &new.backend);
    change.left = differences.into_iter().chain(options).flatten().collect();
    if change.left.is_empty() {
        // Such as IPv6Network: no value is worth a line that is not there.
        change.left.push("another of its fields".into());
    }
    change
}

/// Of one type of backend.
fn differing_options(now: &NetworkBackend, new: &NetworkBackend) -> Vec<Option<String>> {
    let mut differences = Vec::new();
    match (now, new) {
        (NetworkBackend::Vxlan(now), NetworkBackend::Vxlan(new)) => differences.extend([
            differs("Backend.VNI", &now.vni, &new.vni),
            differs("Backend.Port", &now.port, &new.port),
            differs("Backend.GBP", &now.gbp, &new.gbp),
        ]),
        (NetworkBackend::Udp { port: now }, NetworkBackend::Udp { port: new }) => {
            differences.push(differs("Backend.Port", now, new));
        }
        _ => {}
    }
    if now.name() == new.name() {
        let (now, new) = (now.direct_routing(), new.direct_routing());
        differences.push(differs("Backend.DirectRouting", &now, &new));
    }
    differences
}

fn take<T: PartialEq + Clone>(
    followed: &mut Vec<String>,
    field: &str,
    now: &mut T,
    new: &T,
    show: impl Fn(&T) -> String,
) {
    if now != new {
        followed.push(format!("{field} from {} to {}", show(now), show(new)));
        now.clone_from(new);
    }
}

fn differs<T: PartialEq + ToString>(field: &str, now: &T, new: &T) -> Option<String> {
    (now != new).then(|| format!("{field} from {} to {}", now.to_string(), new.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the change from one config to the other comes to, and what is in force then.
    fn from_to(now: &str, new: &str) -> (Change, NetworkConfig) {
        let parse = |text: &str| NetworkConfig::parse(text.as_bytes()).unwrap();
        let mut now = parse(now);
        (follow(&mut now, &parse(new)), now)
    }

    const OLD: &str = r#"{"Network":"10.3.0.0/16","Backend":{"Type":"vxlan"}}"#;

    #[test]
    fn what_means_the_same_is_no_change() {
        let spelled = r#"{"network":"10.3.9.9/16","SubnetLen":24,"Backend":{"type":"VXLAN","Port":8472,"Learning":true}}"#;
        assert_eq!(from_to(OLD, spelled).0, Change::default());
    }

    #[test]
    fn the_range_of_subnets_and_the_mtu_are_followed() {
        let new = r#"{"Network":"10.3.0.0/16","SubnetMin":"10.3.8.0","SubnetMax":"10.3.9.0","Backend":{"Type":"vxlan","MTU":1400}}"#;
        let (change, now) = from_to(OLD, new);
        assert_eq!(
            change.followed,
            [
                "SubnetMin from 10.3.1.0 to 10.3.8.0",
                "SubnetMax from 10.3.255.0 to 10.3.9.0",
                "Backend.MTU from that of the device to 1400",
            ]
        );
        assert_eq!(change.left, [""; 0]);
        assert_eq!(now, NetworkConfig::parse(new.as_bytes()).unwrap());
    }

    #[test]
    fn what_nodes_must_agree_on_is_left_and_named() {
        let new = r#"{"Network":"10.4.0.0/16","Backend":{"Type":"vxlan","VNI":7,"Port":4789,"MTU":1400}}"#;
        let (change, now) = from_to(OLD, new);
        assert_eq!(change.followed.len(), 1);
        assert_eq!(
            change.left,
            [
                "Network from 10.3.0.0/16 to 10.4.0.0/16",
                "Backend.VNI from 1 to 7",
                "Backend.Port from 8472 to 4789",
            ]
        );
        let old = NetworkConfig::parse(OLD.as_bytes()).unwrap();
        assert_eq!(now.network, old.network);
        assert_eq!(now.subnet_min, old.subnet_min);
        assert_eq!(now.backend.vxlan().unwrap().vni, 1);
    }

    #[test]
    fn of_another_backend_its_type_is_told_and_of_the_same_its_options() {
        let config = |backend: &str| {
            format!(r#"{{"Network":"10.3.0.0/16","Backend":{{"Type":{backend}}}}}"#)
        };
        for (old, new, left) in [
            (
                r#""vxlan""#,
                r#""host-gw""#,
                "Backend.Type from vxlan to host-gw",
            ),
            (
                r#""udp","Port":1"#,
                r#""ipip""#,
                "Backend.Type from udp to ipip",
            ),
            (
                r#""udp""#,
                r#""udp","Port":9000"#,
                "Backend.Port from 8285 to 9000",
            ),
            (
                r#""ipip""#,
                r#""ipip","DirectRouting":true"#,
                "Backend.DirectRouting from false to true",
            ),
        ] {
            let (change, now) = from_to(&config(old), &config(new));
            assert_eq!((change.followed, change.left), (vec![], vec![left.into()]));
            assert_eq!(now, NetworkConfig::parse(config(old).as_bytes()).unwrap());
        }
    }

    #[test]
    fn a_field_without_a_line_of_its_own_is_told_all_the_same() {
        let dual = |network: &str| {
            format!(
                r#"{{"Network":"10.3.0.0/16","EnableIPv6":true,"IPv6Network":"{network}","Backend":{{"Type":"vxlan"}}}}"#
            )
        };
        let (change, _) = from_to(&dual("fc00::/48"), &dual("fc01::/48"));
        assert_eq!(change.left, ["another of its fields"]);
    }
}
