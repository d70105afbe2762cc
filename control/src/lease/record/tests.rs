use proptest::prelude::*;

use super::super::Vxlan;
use super::*;

const KEY: &str = "/coreos.com/network/subnets/10.244.1.0-24";
const FLANNEL: &str = r#"{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}"#;

const IPIP: NetworkBackend = NetworkBackend::Ipip {
    direct_routing: true,
};

fn vxlan(vni: u32) -> NetworkBackend {
    NetworkBackend::Vxlan(Vxlan {
        vni,
        port: 8472,
        mtu: None,
        gbp: false,
        learning: false,
        direct_routing: false,
    })
}

fn subnets(key: &str) -> Option<String> {
    let subnets = Subnets::parse(key).ok()?;
    let v6 = subnets.v6.map_or(String::new(), |net| format!(" {net}"));
    Some(format!("{}{v6}", subnets.v4))
}

#[track_caller]
fn refused(value: &str, expected: &str) {
    let message = Lease::parse(KEY, value.as_bytes()).unwrap_err().to_string();
    assert!(
        message.contains(expected),
        "{value} gave {message:?}, which lacks {expected:?}"
    );
}

#[test]
fn keys_are_read_from_their_end() {
    for (key, expected) in [
        ("10.5.52.0-24", "10.5.52.0/24"),
        ("/coreos.com/network/subnets/10.5.52.0-24", "10.5.52.0/24"),
        ("/n/subnets-foo/10.5.52.0-24", "10.5.52.0/24"),
        ("/n/subnets/x10.5.52.0-24", "10.5.52.0/24"),
        ("/n/subnets/é10.5.52.0-24", "10.5.52.0/24"),
        ("/n/subnets/7.10.5.52.0-24", "10.5.52.0/24"),
        ("/r&d/subnets/10.5.52.0-24", "10.5.52.0/24"),
        ("10.0.0.0-031", "10.0.0.0/31"),
        (
            "10.12.13.0-24&fd00:12:13::-56",
            "10.12.13.0/24 fd00:12:13::/56",
        ),
    ] {
        assert_eq!(subnets(key).as_deref(), Some(expected), "{key}");
    }
    for key in [
        "",
        "-",
        "&",
        "10.5.52.0",
        "10.5.52.0-",
        "10.5.52.0-+24",
        "10.5.52.0-32",
        "10.5.52.0-24/",
        "10.5.52.0-24 ",
        "10.5.52-24",
        "10.5.052.0-24",
        "10.5.256.0-24",
        "10.5.52.7-24",
        "10.5.52.0-24&FD00::-56",
        "10.5.52.0-24&fd00::-128",
        "10.5.52.0-24&",
        "fd00::-56",
        "10.5.52.0-99999999999999999999",
    ] {
        assert_eq!(subnets(key), None, "{key}");
    }
}

#[test]
fn flannels_own_examples_are_read() {
    let lease = Lease::parse(KEY, FLANNEL.as_bytes()).unwrap();
    assert_eq!(
        lease,
        Lease {
            subnet: "10.244.1.0/24".parse().unwrap(),
            subnet6: None,
            public_ip: "192.168.64.3".parse().unwrap(),
            public_ip6: None,
            backend: Backend::Vxlan {
                vtep_mac: "c6:d2:32:6f:8f:44".parse().unwrap()
            },
        }
    );
    let udp = Lease::parse(KEY, br#"{"PublicIP":"1.2.3.4","PublicIPv6":null}"#).unwrap();
    assert_eq!(udp.backend, Backend::Unnamed);
    let host_gw = Lease::parse(KEY, br#"{"PublicIP":"1.2.3.4","BackendType":"host-gw"}"#).unwrap();
    assert_eq!(host_gw.backend, Backend::HostGw);
    let ipip = Lease::parse(KEY, br#"{"PublicIP":"1.2.3.4","BackendType":"ipip"}"#).unwrap();
    assert_eq!(ipip.backend, Backend::Ipip);
    // Exactly so: flannel compares the name as it stands.
    let other = Lease::parse(KEY, br#"{"PublicIP":"1.2.3.4","BackendType":"IPIP"}"#).unwrap();
    assert_eq!(other.backend, Backend::Other("IPIP".into()));
}

#[test]
fn names_fold_case_and_extra_fields_are_ignored() {
    let value = r#"{"publicip":"1.2.3.4","publicIPV6":"fd00::4","BACKENDTYPE":"vxlan","x":{"y":[]},
        "backenddata":{"vni":"ignored","vtepmac":"02:00:00:00:00:01","more":1}}"#;
    let lease = Lease::parse(KEY, value.as_bytes()).unwrap();
    assert_eq!(lease.public_ip6, Some("fd00::4".parse().unwrap()));
    assert_eq!(
        lease.backend,
        Backend::Vxlan {
            vtep_mac: Mac([2, 0, 0, 0, 0, 1])
        }
    );
}

#[test]
fn a_bad_value_says_why() {
    refused("", "not a JSON object");
    refused("{", "not a JSON object");
    refused("{}", "no PublicIP");
    refused("null", "no PublicIP");
    refused(r#"{"PublicIP":null}"#, "PublicIP is null");
    refused(r#"{"PublicIP":""}"#, "PublicIP is \"\"");
    refused(r#"{"PublicIP":7}"#, "PublicIP is 7");
    refused(r#"{"PublicIP":"0.0.0.0"}"#, "no PublicIP");
    refused(
        r#"{"PublicIP":"224.0.0.1"}"#,
        "224.0.0.1 is not the address of a node",
    );
    refused(
        r#"{"PublicIP":"127.0.0.1"}"#,
        "127.0.0.1 is not the address of a node",
    );
    refused(
        r#"{"PublicIP":"1.2.3.4","PublicIPv6":""}"#,
        "PublicIPv6 is \"\"",
    );
    refused(
        r#"{"PublicIP":"1.2.3.4","BackendType":1}"#,
        "BackendType is 1",
    );
    let vxlan = |data: &str| format!(r#"{{"PublicIP":"1.2.3.4","BackendType":"vxlan"{data}}}"#);
    refused(&vxlan(""), "BackendData is missing");
    refused(&vxlan(r#","BackendData":null"#), "BackendData is missing");
    refused(&vxlan(r#","BackendData":{}"#), "BackendData is missing");
    refused(&vxlan(r#","BackendData":"x""#), "BackendData is \"x\"");
    refused(
        &vxlan(r#","BackendData":{"VtepMAC":"02:00"}"#),
        "VtepMAC is \"02:00\"",
    );
    refused(
        &vxlan(r#","BackendData":{"VtepMAC":"00:00:00:00:00:00"}"#),
        "not the address of one station",
    );
    refused(
        &vxlan(r#","BackendData":{"VtepMAC":"01:00:5e:00:00:01"}"#),
        "not the address of one station",
    );
}

#[test]
fn what_we_write_is_flannels_text_to_the_byte() {
    let identity = Identity {
        public_ip: "192.168.64.3".parse().unwrap(),
        vtep_mac: "c6:d2:32:6f:8f:44".parse().unwrap(),
    };
    assert_eq!(value(identity, &vxlan(1)), FLANNEL);
    let bare = r#"{"PublicIP":"192.168.64.3","PublicIPv6":null"#;
    for (backend, rest) in [
        (NetworkBackend::HostGw, r#","BackendType":"host-gw"}"#),
        (IPIP, r#","BackendType":"ipip"}"#),
        (NetworkBackend::Udp { port: 8285 }, "}"),
        (NetworkBackend::Alloc, "}"),
    ] {
        let value = value(identity, &backend);
        assert_eq!(value, format!("{bare}{rest}"));
        let lease = Lease::parse(KEY, value.as_bytes()).unwrap();
        assert!(lease.says(identity, &backend));
        assert!(!lease.says(identity, &vxlan(1)));
    }
    assert_eq!(
        key("/coreos.com/network", "10.244.1.0/24".parse().unwrap()),
        KEY
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(key: String, value: Vec<u8>) {
        let _ = Lease::parse(&key, &value);
        let _ = Lease::parse(KEY, &value);
    }

    #[test]
    fn no_near_miss_makes_the_key_parser_panic(key in "[0-9./&:a-f-]{0,40}") {
        if let Ok(subnets) = Subnets::parse(&key) {
            prop_assert_eq!(subnets.v4, subnets.v4.trunc());
        }
    }

    #[test]
    fn what_we_write_reads_back(ip in 1u32..0x7f00_0000, mac: [u8; 6], bits: u32, len in 1u8..=31, vni in 0u32..1 << 24) {
        let mut mac = mac;
        mac[0] = mac[0] & 0xfe | 2;
        let identity = Identity { public_ip: Ipv4Addr::from_bits(ip), vtep_mac: Mac(mac) };
        let subnet = Ipv4Net::new(Ipv4Addr::from_bits(bits), len).unwrap().trunc();
        let lease = Lease::parse(&key("/p", subnet), value(identity, &vxlan(vni)).as_bytes()).unwrap();
        prop_assert_eq!(lease.subnet, subnet);
        prop_assert_eq!(lease.public_ip, identity.public_ip);
        prop_assert_eq!(lease.backend, Backend::Vxlan { vtep_mac: identity.vtep_mac });
    }
}
