use super::*;

const ETH0: u32 = 2;
const ETH1: u32 = 3;
const WG0: u32 = 5;

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// `permanent`, but for the flags named.
fn address(device: u32, text: &str, flags: &str) -> Address {
    Address {
        device,
        ip: ip(text),
        permanent: !flags.contains("dynamic"),
        secondary: flags.contains("secondary"),
        deprecated: flags.contains("deprecated"),
    }
}

/// lo, eth0 with a leased address before its own, eth1 with several, a bridge without any, and a tunnel.
fn node() -> Node {
    let device = |index, name: &str| Device {
        index,
        name: name.into(),
    };
    Node {
        devices: vec![
            device(1, "lo"),
            device(ETH0, "eth0"),
            device(ETH1, "eth1"),
            device(4, "bare0"),
            device(WG0, "wg0"),
        ],
        addresses: vec![
            address(1, "127.0.0.1", ""),
            address(ETH0, "192.168.1.77", "dynamic"),
            address(ETH0, "192.168.1.5", ""),
            address(ETH1, "169.254.3.4", ""),
            address(ETH1, "10.1.0.9", "deprecated"),
            address(ETH1, "10.1.0.8", "secondary"),
            address(ETH1, "10.1.0.7", ""),
            address(WG0, "100.64.0.1", ""),
        ],
        default_device: Some(ETH0),
        reach: None,
    }
}

/// As typed in node.toml.
fn underlay(keys: &str) -> Underlay {
    let text = format!("[underlay]\n{keys}\n");
    let config = contract::config::Config::parse("node.toml".as_ref(), &text);
    config.unwrap().underlay
}

#[test]
fn a_device_is_chosen_as_flannel_chooses() {
    let rows = [
        // The default route's device, and of its addresses the one that is its own.
        ("", ETH0, "192.168.1.5"),
        // By name, by address, and the first that is there.
        ("interface = 'eth1'", ETH1, "10.1.0.7"),
        ("interface = '10.1.0.8'", ETH1, "10.1.0.8"),
        ("interface = '192.168.1.77'", ETH0, "192.168.1.77"),
        ("interface = ['eth9', 'wg0', 'eth1']", WG0, "100.64.0.1"),
        // A device without an address is none.
        ("interface = ['bare0', 'eth1']", ETH1, "10.1.0.7"),
        // A pattern sees every address before any name, and devices in the kernel's order.
        ("interface_regex = '^10\\.1\\.'", ETH1, "10.1.0.7"),
        ("interface_regex = '0\\.8$'", ETH1, "10.1.0.8"),
        ("interface_regex = '^(eth1|100\\.)'", WG0, "100.64.0.1"),
        ("interface_regex = 'eth'", ETH0, "192.168.1.5"),
        ("interface_regex = ['^bond', '^wg']", WG0, "100.64.0.1"),
        ("interface_regex = ['^bare', '^eth1$']", ETH1, "10.1.0.7"),
        // A deprecated address is not to be found by a pattern; loopback's neither.
        (
            "interface_regex = ['0\\.9$', '^127', 'wg']",
            WG0,
            "100.64.0.1",
        ),
        // Names go before patterns wherever they stand.
        (
            "interface_regex = 'eth0'\ninterface = 'eth1'",
            ETH1,
            "10.1.0.7",
        ),
        (
            "interface = 'eth9'\ninterface_regex = 'eth1'",
            ETH1,
            "10.1.0.7",
        ),
    ];
    for (keys, device, address) in rows {
        let expected = Choice {
            device,
            address: ip(address),
            public_ip: ip(address),
        };
        assert_eq!(choose(&underlay(keys), &node()), Ok(expected), "{keys}");
    }
}

#[test]
fn the_way_to_an_address_is_the_last_resort() {
    let rows = [
        // Its source address, which need not be the first one.
        ("", Ok((ETH1, Some("10.1.0.8"))), ETH1, "10.1.0.8"),
        ("", Ok((ETH1, None)), ETH1, "10.1.0.7"),
        ("interface = 'wg0'", Ok((ETH1, None)), WG0, "100.64.0.1"),
        (
            "interface_regex = 'wg'",
            Ok((ETH1, None)),
            WG0,
            "100.64.0.1",
        ),
        ("interface = 'eth9'", Ok((ETH1, None)), ETH1, "10.1.0.7"),
    ];
    for (keys, answer, device, address) in rows {
        let answer: Result<(u32, Option<&str>), String> = answer;
        let node = Node {
            reach: Some(answer.map(|(device, source)| (device, source.map(ip)))),
            ..node()
        };
        let keys = format!("{keys}\ninterface_can_reach = '203.0.113.9'");
        let choice = choose(&underlay(&keys), &node).unwrap();
        assert_eq!(
            (choice.device, choice.address),
            (device, ip(address)),
            "{keys}"
        );
    }
}

#[test]
fn a_public_ip_names_the_device_moves_the_source_or_stands_for_a_node_behind_nat() {
    let rows = [
        ("public_ip = '10.1.0.8'", ETH1, "10.1.0.8"),
        (
            "interface = 'eth1'\npublic_ip = '10.1.0.8'",
            ETH1,
            "10.1.0.8",
        ),
        (
            "interface = 'eth1'\npublic_ip = '198.51.100.1'",
            ETH1,
            "10.1.0.7",
        ),
        (
            "interface = 'eth0'\npublic_ip = '10.1.0.8'",
            ETH0,
            "192.168.1.5",
        ),
    ];
    for (keys, device, address) in rows {
        let config = underlay(keys);
        let expected = Choice {
            device,
            address: ip(address),
            public_ip: config.public_ip.unwrap(),
        };
        assert_eq!(choose(&config, &node()), Ok(expected), "{keys}");
    }
}

#[test]
fn what_cannot_be_chosen_says_what_was_tried_and_what_is_there() {
    let reach = Some(Err("Network is unreachable".to_owned()));
    let lonely = Node {
        default_device: None,
        reach,
        ..node()
    };
    let rows = [
        ("", "no IPv4 default route"),
        ("interface = 'eth9'", "eth9 does not exist"),
        ("interface = 'bare0'", "bare0 has no IPv4 address"),
        ("interface = 'lo'", "lo has no IPv4 address"),
        (
            "interface = ['eth9', '10.9.9.9']\ninterface_regex = '^bond'\ninterface_can_reach = '203.0.113.9'",
            "eth9 does not exist, no device has the address 10.9.9.9, no address and no name matches \"^bond\", \
             no way to 203.0.113.9: Network is unreachable; this node has: eth0 (192.168.1.5, 192.168.1.77), \
             eth1 (10.1.0.7, 10.1.0.8, 169.254.3.4), bare0, wg0 (100.64.0.1)",
        ),
        ("public_ip = '198.51.100.1'", "behind NAT"),
    ];
    for (keys, expected) in rows {
        let message = choose(&underlay(keys), &lonely).unwrap_err().to_string();
        assert!(message.contains(expected), "{keys}: {message}");
    }
}
