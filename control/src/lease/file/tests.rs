use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/leases.json");

fn identity(public_ip: &str, mac: &str) -> Identity {
    Identity {
        public_ip: public_ip.parse().unwrap(),
        vtep_mac: mac.parse().unwrap(),
    }
}

fn parse(text: &str) -> Result<LeaseFile, FileError> {
    LeaseFile::parse(Path::new("leases.json"), text.as_bytes())
}

const CONFIG: &str = r#""config":{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}"#;

#[test]
fn the_example_loads_without_a_complaint() {
    let file = LeaseFile::load(Path::new(EXAMPLE)).unwrap();
    let who = identity("192.0.2.1", "02:00:00:00:00:01");
    let cluster = file.cluster(who, None);
    assert_eq!(
        cluster.own,
        OwnLease::Held {
            subnet: "10.244.1.0/24".parse().unwrap(),
            expires: None
        }
    );
    assert!(!cluster.leases.is_empty());
    assert_eq!(*cluster.skipped, []);
    assert_eq!(file.complaint(who), None);
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name() {
    for (text, expected) in [
        ("", "not a JSON object"),
        ("{}", "has no \"config\""),
        (
            r#"{"config":{"Network":"10.244.0.0/16","Backend":{"Type":"ipsec"}}}"#,
            "config: backend \"ipsec\"",
        ),
        (&format!(r#"{{{CONFIG},"subnets":[]}}"#), "not an object"),
    ] {
        let message = parse(text).unwrap_err().to_string();
        assert!(
            message.starts_with("leases.json") && message.contains(expected),
            "{text}: {message}"
        );
    }
    let message = LeaseFile::load(Path::new("/nonexistent/leases.json"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("/nonexistent/leases.json") && message.contains("lease.file"),
        "{message}"
    );
}

#[test]
fn a_bad_lease_is_skipped_and_the_rest_stays() {
    let text = format!(
        r#"{{{CONFIG},"subnets":{{"10.244.1.0-24":{{"PublicIP":"192.0.2.1"}},"10.244.2.0-24":7,"x":{{}}}}}}"#
    );
    let cluster = parse(&text)
        .unwrap()
        .cluster(identity("192.0.2.9", "02:00:00:00:00:09"), None);
    assert_eq!(cluster.leases.len(), 1);
    assert_eq!(
        cluster
            .skipped
            .iter()
            .map(|s| s.key.as_str())
            .collect::<Vec<_>>(),
        ["10.244.2.0-24", "x"]
    );
    assert_eq!(cluster.own, OwnLease::Acquiring);
}

#[test]
fn our_own_lease_is_complained_about_when_it_misleads_others() {
    let file = LeaseFile::load(Path::new(EXAMPLE)).unwrap();
    let complaint = |who| file.complaint(who).unwrap();
    assert!(
        complaint(identity("192.0.2.1", "02:00:00:00:00:99"))
            .contains("does not carry our VTEP MAC")
    );
    assert!(complaint(identity("192.0.2.77", "02:00:00:00:00:01")).contains("add one"));
    let of_host_gw = |kind: &str| {
        let text = format!(
            r#"{{"config":{{"Network":"10.244.0.0/16","Backend":{{"Type":"host-gw"}}}},"subnets":{{"10.244.1.0-24":{{"PublicIP":"192.0.2.1"{kind}}}}}}}"#
        );
        let who = identity("192.0.2.1", "02:00:00:00:00:01");
        parse(&text).unwrap().complaint(who)
    };
    assert_eq!(of_host_gw(r#","BackendType":"host-gw""#), None);
    let complaint = of_host_gw("").unwrap();
    assert!(
        complaint.contains("our lease is one of udp, and the cluster's backend is host-gw"),
        "{complaint}"
    );
}

#[test]
fn a_hundred_thousand_leases_load() {
    let mut text = String::from(
        r#"{"config":{"Network":"10.0.0.0/7","SubnetLen":24,"Backend":{"Type":"vxlan"}},"subnets":{"#,
    );
    for i in 1..=100_000u32 {
        let separator = if i == 1 { "" } else { "," };
        let subnet = std::net::Ipv4Addr::from_bits(0x0a00_0000 + (i << 8));
        let public_ip = std::net::Ipv4Addr::from_bits(0xc000_0000 + i);
        let [_, b, c, d] = i.to_be_bytes();
        write!(
            text,
            r#"{separator}"{subnet}-24":{{"PublicIP":"{public_ip}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{{"VNI":1,"VtepMAC":"02:00:00:{b:02x}:{c:02x}:{d:02x}"}}}}"#
        )
        .unwrap();
    }
    text += "}}";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("leases.json");
    std::fs::write(&path, text).unwrap();
    let began = std::time::Instant::now();
    let cluster = LeaseFile::load(&path)
        .unwrap()
        .cluster(identity("192.0.0.7", "02:00:00:00:00:07"), None);
    println!("loaded in {:?}", began.elapsed());
    assert_eq!(cluster.leases.len(), 99_999);
    assert_eq!(cluster.own.subnet(), Some("10.0.7.0/24".parse().unwrap()));
    assert_eq!(*cluster.skipped, []);
}

proptest! {
    #[test]
    fn no_bytes_make_the_loader_panic(bytes: Vec<u8>, inner: String) {
        let _ = LeaseFile::parse(Path::new("x"), &bytes);
        let _ = LeaseFile::parse(Path::new("x"), format!(r#"{{{CONFIG},"subnets":{inner}}}"#).as_bytes());
    }
}
