use proptest::prelude::*;

use super::super::Vxlan;
use super::*;

fn parse(text: &str) -> Result<NetworkConfig, NetworkError> {
    NetworkConfig::parse(text.as_bytes())
}

/// A config with the vxlan backend and the given fields.
fn vxlan(fields: &str) -> Result<NetworkConfig, NetworkError> {
    parse(&format!(r#"{{{fields},"Backend":{{"Type":"vxlan"}}}}"#))
}

#[track_caller]
fn refused(result: Result<NetworkConfig, NetworkError>, expected: &str) {
    let message = result.unwrap_err().to_string();
    assert!(message.contains(expected), "{message:?} lacks {expected:?}");
}

#[test]
fn defaults_are_flannels() {
    let config = vxlan(r#""Network":"10.3.0.0/16""#).unwrap();
    assert_eq!(
        config,
        NetworkConfig {
            network: "10.3.0.0/16".parse().unwrap(),
            subnet_len: 24,
            subnet_min: Ipv4Addr::new(10, 3, 1, 0),
            subnet_max: Ipv4Addr::new(10, 3, 255, 0),
            network6: None,
            nftables: false,
            backend: NetworkBackend::Vxlan(Vxlan {
                vni: 1,
                port: 8472,
                mtu: None,
                gbp: false,
                learning: false,
                direct_routing: false
            }),
        }
    );
}

#[test]
fn names_fold_case_host_bits_are_masked_and_unknown_names_ignored() {
    let config = parse(
        r#"{"network":"10.3.7.9/16","SUBNETLEN":26,"enableNFTables":true,"Whatever":[1],
            "backend":{"type":"VXLAN","vni":5,"port":4789,"MTU":1400,"gbp":true,"learning":true,"directRouting":true}}"#,
    )
    .unwrap();
    assert_eq!(config.network, "10.3.0.0/16".parse().unwrap());
    assert_eq!(config.subnet_len, 26);
    assert_eq!(config.subnet_min, Ipv4Addr::new(10, 3, 0, 64));
    assert_eq!(config.subnet_max, Ipv4Addr::new(10, 3, 255, 192));
    assert!(config.nftables);
    assert_eq!(
        config.backend,
        NetworkBackend::Vxlan(Vxlan {
            vni: 5,
            port: 4789,
            mtu: Some(1400),
            gbp: true,
            learning: true,
            direct_routing: true
        })
    );
}

#[test]
fn zero_and_null_mean_not_given() {
    let config = parse(
        r#"{"Network":"10.3.0.0/16","SubnetLen":0,"SubnetMin":"0.0.0.0","EnableIPv4":null,
            "Backend":{"Type":"vxlan","VNI":null,"Port":0,"MTU":0}}"#,
    )
    .unwrap();
    let vxlan = config.backend.vxlan().unwrap();
    assert_eq!((config.subnet_len, vxlan.vni, vxlan.port), (24, 1, 8472));
    assert_eq!(vxlan.mtu, None);
}

#[test]
fn subnet_len_follows_the_network() {
    for (network, len) in [
        ("10.0.0.0/8", 24),
        ("10.0.0.0/22", 24),
        ("10.0.0.0/23", 25),
        ("10.0.0.0/28", 30),
    ] {
        let config = vxlan(&format!(r#""Network":"{network}""#)).unwrap();
        assert_eq!(config.subnet_len, len, "{network}");
    }
    refused(
        vxlan(r#""Network":"10.0.0.0/29""#),
        "use a network of /28 or larger",
    );
    refused(
        vxlan(r#""Network":"10.0.0.0/16","SubnetLen":31"#),
        "SubnetLen is 31; it must be at most 30",
    );
    refused(
        vxlan(r#""Network":"10.0.0.0/16","SubnetLen":17"#),
        "so at least 18",
    );
    refused(
        vxlan(r#""Network":"10.0.0.0/32","SubnetLen":30"#),
        "so at least 34",
    );
    refused(
        vxlan(r#""Network":"10.0.0.0/16","SubnetLen":-1"#),
        "SubnetLen is -1",
    );
    refused(
        vxlan(r#""Network":"10.0.0.0/16","SubnetLen":24.5"#),
        "SubnetLen is 24.5",
    );
}

#[test]
fn bounds_lie_inside_and_begin_a_subnet() {
    let config =
        vxlan(r#""Network":"10.3.0.0/16","SubnetMin":"10.3.5.0","SubnetMax":"10.3.8.0""#).unwrap();
    let subnets: Vec<_> = config.subnets().map(|net| net.to_string()).collect();
    assert_eq!(
        subnets,
        ["10.3.5.0/24", "10.3.6.0/24", "10.3.7.0/24", "10.3.8.0/24"]
    );
    assert!(config.leases_out("10.3.6.0/24".parse().unwrap()));
    for not_ours in ["10.3.4.0/24", "10.3.9.0/24", "10.3.6.0/25", "10.3.6.1/24"] {
        assert!(!config.leases_out(not_ours.parse().unwrap()), "{not_ours}");
    }
    refused(
        vxlan(r#""Network":"10.3.0.0/16","SubnetMin":"10.4.0.0""#),
        "outside the network",
    );
    refused(
        vxlan(r#""Network":"10.3.0.0/16","SubnetMax":"10.3.5.1""#),
        "does not begin a subnet of /24",
    );
    refused(
        vxlan(r#""Network":"10.3.0.0/16","SubnetMin":"10.3.9.0","SubnetMax":"10.3.8.0""#),
        "above SubnetMax",
    );
    refused(
        vxlan(r#""Network":"10.3.0.0/16","SubnetMin":null"#),
        "SubnetMin is null",
    );
}

#[test]
fn the_edges_of_the_address_space_do_not_overflow() {
    let config = vxlan(r#""Network":"255.255.0.0/16""#).unwrap();
    assert_eq!(config.subnet_max, Ipv4Addr::new(255, 255, 255, 0));
    assert_eq!(config.subnets().count(), 255);
    let config = vxlan(r#""Network":"128.0.0.0/1","SubnetLen":3"#).unwrap();
    assert_eq!(config.subnets().count(), 3);
    let all =
        r#""Network":"10.0.0.0/8","EnableIPv6":true,"IPv6Network":"ff00::/8","IPv6SubnetLen":126"#;
    assert!(vxlan(all).is_ok());
}

#[test]
fn dual_stack_is_checked_though_only_ipv4_is_served() {
    let config =
        vxlan(r#""Network":"10.3.0.0/16","EnableIPv6":true,"ipv6Network":"fc00::/48""#).unwrap();
    assert_eq!(config.network6, Some("fc00::/48".parse().unwrap()));
    refused(
        vxlan(r#""Network":"10.3.0.0/16","EnableIPv6":true"#),
        "IPv6Network is missing",
    );
    refused(
        vxlan(r#""Network":"10.3.0.0/16","EnableIPv6":true,"IPv6Network":"fc00::/125""#),
        "use a network of /124 or larger",
    );
    refused(
        vxlan(
            r#""Network":"10.3.0.0/16","EnableIPv6":true,"IPv6Network":"fc00::/48","IPv6SubnetMin":"fd00::""#,
        ),
        "IPv6SubnetMin is fd00::, which lies outside",
    );
}

#[test]
fn what_we_do_not_serve_is_refused_with_what_we_do() {
    let served = "tweed serves vxlan, host-gw, udp, ipip and alloc over IPv4";
    refused(
        parse(r#"{"Network":"10.3.0.0/16","Backend":{}}"#),
        "no \"Type\"",
    );
    refused(
        parse(r#"{"Network":"10.3.0.0/16","Backend":null}"#),
        "\"Backend\" is null",
    );
    for kind in ["wireguard", "ipsec", "extension", "tencent-vpc", "x"] {
        let result = parse(&format!(
            r#"{{"Network":"10.3.0.0/16","Backend":{{"Type":"{kind}"}}}}"#
        ));
        refused(
            result,
            &format!("backend {kind:?} is not supported; {served}"),
        );
    }
    refused(
        vxlan(r#""EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fc00::/48""#),
        "IPv6-only",
    );
    refused(vxlan(r#""EnableIPv4":false"#), "neither");
}

#[test]
fn junk_is_refused_by_name() {
    refused(parse(""), "not a JSON object");
    refused(parse("[1]"), "not a JSON object");
    refused(
        vxlan(r#""Network":"fc00::/48""#),
        "Network is \"fc00::/48\"",
    );
    refused(vxlan(r#""Network":"0.0.0.0/0""#), "Network is missing");
    refused(vxlan(r#""Network":null"#), "Network is null");
    let vni = |vni: &str| {
        parse(&format!(
            r#"{{"Network":"10.3.0.0/16","Backend":{{"Type":"vxlan","VNI":{vni}}}}}"#
        ))
    };
    refused(
        vni("16777216"),
        "VNI is 16777216; it must be a number from 0 to 16777215",
    );
    refused(vni("\"1\""), "VNI is \"1\"");
    refused(vni("1.0"), "VNI is 1.0");
    let mtu = r#"{"Network":"10.3.0.0/16","Backend":{"Type":"vxlan","MTU":80}}"#;
    refused(parse(mtu), "MTU is 80");
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
        let _ = NetworkConfig::parse(&bytes);
    }

    /// Whatever the numbers, a config that is accepted can list its subnets, all inside the network and of one length.
    #[test]
    fn an_accepted_config_leases_out_what_it_lists(
        ip: u32, prefix in 0u8..=33, len in 0u8..=33, min: Option<u32>, max: Option<u32>,
    ) {
        let mut fields = format!(r#""Network":"{}/{prefix}","SubnetLen":{len}"#, Ipv4Addr::from_bits(ip));
        for (name, bound) in [("SubnetMin", min), ("SubnetMax", max)] {
            if let Some(bits) = bound {
                fields += &format!(r#","{name}":"{}""#, Ipv4Addr::from_bits(bits));
            }
        }
        if let Ok(config) = vxlan(&fields) {
            for subnet in config.subnets().take(300) {
                prop_assert!(config.leases_out(subnet));
                prop_assert!(config.network.contains(&subnet));
            }
        }
    }
}
