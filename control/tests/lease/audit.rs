//! Everything that was ever written, checked as flannel's nodes would have read it.
//!
//! A parser of its own, stricter than ours: it takes what flanneld writes and nothing else.

use etcd_client::{Client, EventType, WatchOptions};
use serde_json::Value;

use crate::etcd::PREFIX;

/// Replays etcd's history from `from` on and checks each put and each key, but for what the test itself wrote
/// (`except`: values). Returns how many of the checked puts there were.
pub async fn audit(client: &mut Client, from: i64, except: &[&str]) -> usize {
    // A mark after everything, so that the replay knows its end.
    let mark = client
        .put("/audit", "", None)
        .await
        .unwrap()
        .header()
        .unwrap()
        .revision();
    let options = WatchOptions::new()
        .with_all_keys()
        .with_start_revision(from);
    let mut watch = client.watch("\0", Some(options)).await.unwrap();
    let mut checked = 0;
    loop {
        let response = watch
            .message()
            .await
            .unwrap()
            .expect("the history ended early");
        assert_eq!(
            response.compact_revision(),
            0,
            "the history is compacted; audit from a later revision"
        );
        for event in response.events() {
            let kv = event.kv().unwrap();
            if kv.mod_revision() == mark {
                return checked;
            }
            let (key, value) = (kv.key_str().unwrap(), String::from_utf8_lossy(kv.value()));
            if event.event_type() == EventType::Delete
                || except.contains(&&*value)
                || key == format!("{PREFIX}/config")
            {
                continue;
            }
            let verdict = check(key, &value);
            assert!(verdict.is_some(), "flannel would not parse {key} = {value}");
            checked += 1;
        }
    }
}

fn check(key: &str, value: &str) -> Option<()> {
    let (network, len) = key
        .strip_prefix(PREFIX)?
        .strip_prefix("/subnets/")?
        .split_once('-')?;
    let network: std::net::Ipv4Addr = network.parse().ok()?;
    let len: u32 = len.parse().ok().filter(|len| (1..=31).contains(len))?;
    (network.to_bits() << len == 0).then_some(())?;

    let value: Value = serde_json::from_str(value).ok()?;
    let fields = value.as_object()?;
    let known = ["BackendData", "BackendType", "PublicIP", "PublicIPv6"];
    fields.keys().eq(known).then_some(())?;
    fields["PublicIP"]
        .as_str()?
        .parse::<std::net::Ipv4Addr>()
        .ok()?;
    fields["PublicIPv6"].is_null().then_some(())?;
    (fields["BackendType"] == "vxlan").then_some(())?;
    fields["BackendData"]["VNI"].as_u64()?;
    let mac = fields["BackendData"]["VtepMAC"].as_str()?;
    let bytes: Vec<_> = mac
        .split(':')
        .filter(|b| b.len() == 2)
        .filter_map(|b| u8::from_str_radix(b, 16).ok())
        .collect();
    (bytes.len() == 6 && mac.len() == 17).then_some(())
}

#[test]
fn the_audit_knows_what_breaks_flannel() {
    let key = &crate::etcd::key("10.244.1.0-24");
    let good = &crate::etcd::value(1);
    assert!(check(key, good).is_some());
    for bad_key in [
        &key[..key.len() - 3],
        "/coreos.com/network/subnets",
        "/coreos.com/network/subnets/10.244.1.7-24",
    ] {
        assert!(check(bad_key, good).is_none(), "{bad_key}");
    }
    for bad in [
        "",
        "{}",
        "null",
        &good.replace("\"192.0.2.1\"", "null"),
        &good.replace("0a:", ""),
    ] {
        assert!(check(key, bad).is_none(), "{bad}");
    }
}
