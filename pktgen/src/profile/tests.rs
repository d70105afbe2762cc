//! Any profile that can exist, as TOML, reads back as itself; any text is read or refused, never more.

use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::range::tests::{any_v4, any_v6};
use super::rate::tests::any_rate;
use super::size::tests::any_size;
use super::*;
use crate::frame::build::len_of;

/// What stands for everything left out, in tests.
const DEFAULTS: Defaults = Defaults {
    rate: Rate::Max,
    stop: Stop::Never,
    seed: 7,
};

fn any_ports() -> impl Strategy<Value = RangeInclusive<u16>> {
    prop_oneof![
        any::<u16>().prop_map(|port| port..=port),
        any::<(u16, u16)>().prop_map(|(a, b)| a.min(b)..=a.max(b)),
    ]
}

fn any_ip() -> impl Strategy<Value = Ip> {
    prop_oneof![
        (any_v4(), any_v4()).prop_map(|(src, dst)| Ip::V4 { src, dst }),
        (any_v6(), any_v6()).prop_map(|(src, dst)| Ip::V6 { src, dst }),
    ]
}

fn any_transport() -> impl Strategy<Value = Transport> {
    prop_oneof![
        (any_ports(), any_ports()).prop_map(|(sport, dport)| Transport::Udp { sport, dport }),
        (any_ports(), any_ports()).prop_map(|(sport, dport)| Transport::Tcp { sport, dport }),
        any_ports().prop_map(|id| Transport::Icmp { id }),
    ]
}

fn single_mac() -> impl Strategy<Value = Mac> {
    any::<[u8; 6]>().prop_map(|mut bytes| {
        bytes[0] &= 0xfe;
        Mac(bytes)
    })
}

prop_compose! {
    fn any_vxlan()(
        vni in 0u32..=0xff_ffff, src: [u8; 4], dst: [u8; 4], port in 1u16.., inner_src_mac in single_mac(),
        inner_dst_mac: [u8; 6], checksum: bool,
    ) -> Vxlan {
        let inner_dst_mac = Mac(inner_dst_mac);
        Vxlan { vni, src: src.into(), dst: dst.into(), port, inner_src_mac, inner_dst_mac, checksum }
    }
}

/// Combinations of ranges, counted without the code under test.
fn combinations(ip: &Ip, transport: &Transport) -> u128 {
    let addresses = match ip {
        Ip::V4 { src, dst } => {
            [src, dst].map(|range| u128::from(range.end().to_bits() - range.start().to_bits()) + 1)
        }
        Ip::V6 { src, dst } => {
            [src, dst].map(|range| range.end().to_bits() - range.start().to_bits() + 1)
        }
    };
    let ports = match transport {
        Transport::Udp { sport, dport } | Transport::Tcp { sport, dport } => {
            sport.len() * dport.len()
        }
        Transport::Icmp { id } => id.len(),
    };
    addresses[0] * addresses[1] * ports as u128
}

prop_compose! {
    fn any_fields()(
        weight in 1u16..=1000, src_mac in prop::option::of(single_mac()), dst_mac: Option<[u8; 6]>, ip in any_ip(),
        ttl in 1u8.., tos: u8, transport in any_transport(), flows in 1u32..=1_000_000, random: bool,
        vxlan in prop::option::of(any_vxlan()),
    ) -> Stream {
        let most = combinations(&ip, &transport).min(1_000_000) as u32;
        let order = if random { Order::Random } else { Order::RoundRobin };
        Stream {
            name: String::new(), weight, src_mac, dst_mac: dst_mac.map(Mac), ip, ttl, tos, transport,
            flows: Flows { count: flows.min(most), order }, size: Size::Fixed(0), vxlan,
        }
    }
}

fn any_stream() -> impl Strategy<Value = Stream> {
    any_fields().prop_flat_map(|stream| {
        let least = len_of(&stream) as u16 + 4;
        any_size(least).prop_map(move |size| Stream {
            size,
            ..stream.clone()
        })
    })
}

fn any_stop() -> impl Strategy<Value = Stop> {
    prop_oneof![
        Just(Stop::Never),
        (1..=u64::MAX).prop_map(Stop::Count),
        (1..=duration::LONGEST).prop_map(Stop::After),
    ]
}

fn any_payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        Just(Payload::Zeros),
        Just(Payload::Increment),
        Just(Payload::Random),
        any::<u8>().prop_map(Payload::Byte),
    ]
}

prop_compose! {
    fn any_profile()(
        streams in prop::collection::vec((any_stream(), "[^\\p{Cc}]{0,60}"), 1..=16), payload in any_payload(),
        rate in any_rate(), burst in 1u16.., stop in any_stop(), seed: u64,
    ) -> Profile {
        // The number makes names different.
        let named = |(index, (stream, name)): (usize, (Stream, String))| Stream {
            name: format!("{name} {index}"),
            ..stream
        };
        let streams = streams.into_iter().enumerate().map(named).collect();
        Profile { streams, payload, rate, burst, stop, seed }
    }
}

fn read(text: &str) -> Result<Profile, ProfileError> {
    Raw::parse(text)?.profile(Run::default(), DEFAULTS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn toml_reads_back(profile in any_profile()) {
        let text = profile.to_toml();
        prop_assert_eq!(read(&text), Ok(profile), "{}", text);
    }

    /// One value of a good profile replaced by any other: no panic, and no value that cannot be sent.
    #[test]
    fn a_strange_value_is_read_or_refused(
        profile in any_profile(), place: prop::sample::Index, value in "[-0-9a-fx.:/,%]{0,20}|\\PC{0,20}",
    ) {
        let text = profile.to_toml();
        let lines: Vec<&str> = text.lines().collect();
        let keys: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].contains(" = ")).collect();
        let at = keys[place.index(keys.len())];
        let key = lines[at].split(" = ").next().unwrap_or_default();
        let value = toml::Value::String(value).to_string();
        let mut changed: Vec<String> = lines.iter().map(|line| line.to_string()).collect();
        changed[at] = format!("{key} = {value}");
        match read(&changed.join("\n")) {
            Ok(profile) => {
                prop_assert_eq!(read(&profile.to_toml()), Ok(profile));
            }
            // The error names the key, or one that the changed one must agree with.
            Err(error) => {
                prop_assert!(!error.problem.is_empty() && !error.key.starts_with("line"), "{}", error);
                prop_assert!(!error.to_string().contains(char::is_control), "{}", error);
            }
        }
    }

    #[test]
    fn no_text_is_too_strange(text: String) {
        let _ = read(&text);
        let _ = read(&format!("[[stream]]\ndst = \"::1\"\nsrc = \"::1\"\n{text}"));
    }
}

/// What the interface gives stands where nothing was typed, and nowhere else.
#[test]
fn sources_are_filled_in_by_family() {
    let own =
        ["fe80::5", "10.0.0.5", "fd00::5", "10.0.0.6"].map(|a| a.parse().expect("an address"));
    let text = "[[stream]]\ndst = '10.1.0.1'\n[[stream]]\ndst = 'fd00::1'\n[[stream]]\ndst = 'fe80::1'\n\
                [[stream]]\ndst = '10.1.0.1'\nsrc = '192.0.2.1'\n\
                [[stream]]\ndst = 'fd01::1'\nsrc = 'fd01::2'\nvxlan = { vni = 1, dst = '10.0.0.9' }\n";
    let mut raw = Raw::parse(text).expect("TOML");
    assert!(raw.lacks_source());
    raw.fill_sources(&own);
    assert!(!raw.lacks_source());
    let profile = raw.profile(Run::default(), DEFAULTS).expect("a profile");
    let sources: Vec<String> = (profile.streams.iter())
        .map(|stream| match &stream.ip {
            Ip::V4 { src, .. } => src.start().to_string(),
            Ip::V6 { src, .. } => src.start().to_string(),
        })
        .collect();
    assert_eq!(
        sources,
        ["10.0.0.5", "fd00::5", "fe80::5", "192.0.2.1", "fd01::2"]
    );
    let vtep = profile.streams[4].vxlan.as_ref().expect("a tunnel").src;
    assert_eq!(vtep.to_string(), "10.0.0.5");
}

#[test]
fn flags_go_before_the_file() {
    let raw =
        Raw::parse("rate = '1kpps'\ncount = 5\nburst = 2\n[[stream]]\nsrc = '::1'\ndst = '::2'\n");
    let flags = Run {
        rate: Some(Rate::Pps(7.0)),
        stop: Some(Stop::After(9)),
        ..Run::default()
    };
    let profile = raw
        .and_then(|raw| raw.profile(flags, DEFAULTS))
        .expect("a profile");
    assert_eq!(
        (profile.rate, profile.stop),
        (Rate::Pps(7.0), Stop::After(9))
    );
    assert_eq!((profile.burst, profile.seed), (2, 7));
}
