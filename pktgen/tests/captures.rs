//! What leaves is valid: tcpdump at the far end, tshark as the judge, every kind of packet by every way out.

mod support;

use support::capture::{Capture, Pcap};
use support::run::pktgen;
use support::wire::Wire;

/// A stream of each kind. Sizes are those of the frame with FCS; a capture shows four bytes less. No port is one behind which
/// tshark would look for a protocol.
const PROFILE: &str = r#"
payload = "random"
[[stream]]
name = "udp4"
src = "10.9.0.1"
dst = "10.9.0.2"
sport = "50000-50009"
dport = 9
flows = 10
size = 64
[[stream]]
name = "tcp4"
proto = "tcp"
src = "10.9.0.1"
dst = "10.9.0.2"
sport = "50100-50109"
dport = 40080
flows = 10
size = "imix"
[[stream]]
name = "icmp4"
proto = "icmp"
src = "10.9.0.1"
dst = "10.9.0.2"
size = 101
tos = 184
ttl = 7
[[stream]]
name = "udp6"
src = "fd00::1-fd00::4"
dst = "fd00::2"
sport = "50200-50203"
dport = 44000
flows = 16
size = "90-300"
[[stream]]
name = "tcp6"
proto = "tcp"
src = "fd00::1"
dst = "fd00::2"
sport = 50300
dport = 40443
size = 128
[[stream]]
name = "icmp6"
proto = "icmp"
src = "fd00::1"
dst = "fd00::2"
size = 129
[[stream]]
name = "vxlan"
src = "10.244.1.2"
dst = "10.244.2.0/28"
sport = "50400-50409"
dport = 40053
flows = 100
order = "random"
size = 160
[stream.vxlan]
vni = 7654321
src = "10.9.0.1"
dst = "10.9.0.2"
port = 8472
inner_src_mac = "02:00:00:00:01:01"
inner_dst_mac = "02:00:00:00:02:02"
[[stream]]
name = "vxlan, checksummed, with IPv6 and TCP inside"
proto = "tcp"
src = "fd01::1"
dst = "fd01::2"
sport = 50500
dport = 40007
size = 1518
[stream.vxlan]
vni = 1
src = "10.9.0.1"
dst = "10.9.0.2"
port = 4789
inner_src_mac = "02:00:00:00:01:01"
inner_dst_mac = "02:00:00:00:02:02"
checksum = true
"#;

/// Frames of each stream.
const EACH: usize = 300;
const STREAMS: usize = 8;

/// Anything that tshark finds wrong, at any layer, outer or inner.
const BAD: &str = "ip.checksum.status==0 || udp.checksum.status==0 || tcp.checksum.status==0 || icmp.checksum.status==0 || \
                   icmpv6.checksum.status==0 || _ws.malformed || \
                   _ws.expert.severity == 0x800000";

type HasSize = fn(u32) -> bool;

/// Streams by a filter that only they match, with the sizes that their frames may have without FCS.
const FILTERS: [(&str, &str, HasSize); STREAMS] = [
    ("udp4", "!vxlan && ip && udp.dstport==9", |len| len == 60),
    ("tcp4", "!vxlan && ip && tcp.dstport==40080", |len| {
        matches!(len, 72 | 590 | 1514)
    }),
    (
        "icmp4",
        "!vxlan && icmp.type==8 && ip.ttl==7 && ip.dsfield==184",
        |len| len == 97,
    ),
    ("udp6", "!vxlan && ipv6 && udp.dstport==44000", |len| {
        (86..=296).contains(&len)
    }),
    ("tcp6", "!vxlan && ipv6 && tcp.dstport==40443", |len| {
        len == 124
    }),
    ("icmp6", "icmpv6.type==128", |len| len == 125),
    (
        "vxlan",
        "udp.dstport==8472 && vxlan.vni==7654321 && udp.dstport==40053",
        |len| len == 156,
    ),
    (
        "vxlan6",
        "udp.dstport==4789 && vxlan.vni==1 && tcp.dstport==40007",
        |len| len == 1514,
    ),
];

fn capture(io: &str) -> (Wire, Pcap) {
    let wire = Wire::new().acquainted();
    wire.b.run("ethtool -K b0 gro on").unwrap();
    let profile = wire.files.path("all.toml");
    // Every stream has the same next hop.
    let text = PROFILE.replace(
        "[[stream]]\n",
        "[[stream]]\ndst_mac = \"02:00:00:00:00:0b\"\n",
    );
    std::fs::write(&profile, text).unwrap();
    let capture = Capture::start(&wire.b, "b0", 2_000);
    let report = pktgen(format!(
        "tx -i {} --io {io} --profile {} --rate 10kpps --count {} --seed 42 --json --quiet",
        wire.tx(),
        profile.display(),
        EACH * STREAMS
    ))
    .report();
    let pcap = capture.stop();
    for stream in report.sent.expect("what was sent").streams {
        assert_eq!(stream.frames as usize, EACH, "{}", stream.name);
    }
    (wire, pcap)
}

fn is_valid(io: &str) {
    let (_wire, pcap) = capture(io);
    let bad = pcap.fields(BAD, &["frame.number", "frame.protocols", "_ws.expert.message"]);
    assert!(
        bad.is_empty(),
        "--io {io}: tshark does not like {} frames, the first of them {:?}",
        bad.len(),
        bad[0]
    );
    for (name, filter, has_size) in FILTERS {
        let rows = pcap.fields(filter, &["frame.len", "eth.src", "eth.dst"]);
        assert_eq!(rows.len(), EACH, "--io {io}: frames of {name}");
        for row in &rows {
            let len = row[0].parse().unwrap();
            assert!(
                has_size(len),
                "--io {io}: {name} has a frame of {len} bytes"
            );
            assert!(
                row[1].starts_with("02:00:00:00:00:0a"),
                "{name}: from {}",
                row[1]
            );
            assert!(
                row[2].starts_with("02:00:00:00:00:0b"),
                "{name}: to {}",
                row[2]
            );
        }
    }
    assert_eq!(
        pcap.times_ns().len(),
        EACH * STREAMS,
        "--io {io}: frames in all"
    );
    tunnels_are_as_asked(&pcap, io);
    flows_are_as_asked(&pcap, io);
}

/// RFC 7348: flags 0x08, the VNI, outer source ports by flow in the dynamic range, outer lengths that fit, and the UDP checksum
/// only where it was asked for.
fn tunnels_are_as_asked(pcap: &Pcap, io: &str) {
    let fields = [
        "vxlan.flags",
        "vxlan.vni",
        "ip.src",
        "udp.srcport",
        "udp.length",
        "udp.checksum",
        "eth.dst",
    ];
    for (vni, length, checksummed) in [("7654321", 122, false), ("1", 1480, true)] {
        let rows = pcap.fields(&format!("vxlan.vni=={vni}"), &fields);
        let mut ports = std::collections::BTreeSet::new();
        for row in &rows {
            let outer = |at: usize| row[at].split(',').next().unwrap_or_default();
            let number = |at: usize| outer(at).parse::<u32>().unwrap();
            assert_eq!(
                (row[0].as_str(), outer(2)),
                ("0x0800", "10.9.0.1"),
                "--io {io}: {row:?}"
            );
            assert!(number(3) >= 49_152, "--io {io}: outer source port: {row:?}");
            assert_eq!(number(4), length, "--io {io}: outer UDP length: {row:?}");
            assert_eq!(
                outer(5) != "0x0000",
                checksummed,
                "--io {io}: outer checksum: {row:?}"
            );
            assert!(
                row[6].ends_with("02:00:00:00:02:02"),
                "--io {io}: inner destination: {row:?}"
            );
            ports.insert(number(3));
        }
        // A hundred flows on 16,384 ports hardly meet; one flow has one.
        assert!(
            if checksummed {
                ports.len() == 1
            } else {
                ports.len() > 60
            },
            "--io {io}: {} outer ports",
            ports.len()
        );
    }
}

fn flows_are_as_asked(pcap: &Pcap, io: &str) {
    let count = |filter: &str, fields: &[&str]| {
        let rows = pcap.fields(filter, fields);
        rows.into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    assert_eq!(
        count(
            "!vxlan && udp.dstport==9",
            &["ip.src", "ip.dst", "udp.srcport"]
        ),
        10,
        "--io {io}"
    );
    assert_eq!(
        count("!vxlan && udp.dstport==44000", &["ipv6.src", "udp.srcport"]),
        16,
        "--io {io}"
    );
    let tunnelled = count("vxlan.vni==7654321", &["ip.dst", "udp.srcport"]);
    assert!(
        (90..=100).contains(&tunnelled),
        "--io {io}: {tunnelled} of 100 flows in 300 random draws"
    );
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn frames_sent_by_af_xdp_are_valid() {
    is_valid("xdp");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn frames_sent_by_af_xdp_in_generic_mode_are_valid() {
    is_valid("xdp --mode generic");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn frames_sent_by_packet_sockets_are_valid() {
    is_valid("packet");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn live_frames_are_valid() {
    is_valid("xdp-live");
}
