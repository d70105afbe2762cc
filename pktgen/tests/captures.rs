//! What leaves is valid: tcpdump at the far end, tshark as the judge, every kind of packet by every way out.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use support::capture::{Capture, Pcap};
use support::run::pktgen;
use support::wire::{A, A_MAC, B, B_MAC, Wire};

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

/// What tshark is asked about each frame. Of a tunnelled one a field has several values, from the outside in.
const FIELDS: [&str; 22] = [
    "frame.len",
    "eth.src",
    "eth.dst",
    "ip.src",
    "ip.dst",
    "ip.ttl",
    "ip.dsfield",
    "ipv6.src",
    "udp.srcport",
    "udp.dstport",
    "udp.length",
    "udp.checksum",
    "tcp.dstport",
    "icmp.type",
    "icmpv6.type",
    "vxlan.flags",
    "vxlan.vni",
    "ip.checksum.status",
    "udp.checksum.status",
    "tcp.checksum.status",
    "_ws.malformed",
    "_ws.expert.severity",
];

/// A captured frame.
struct Frame(Vec<String>);

impl Frame {
    /// Values of a field, joined by commas; empty if the frame has none.
    fn all(&self, field: &str) -> &str {
        let at = FIELDS
            .iter()
            .position(|name| *name == field)
            .expect("a field that was asked for");
        self.0.get(at).map_or("", String::as_str)
    }

    /// The outermost value.
    fn outer(&self, field: &str) -> &str {
        self.all(field).split(',').next().unwrap_or_default()
    }

    /// The innermost value.
    fn inner(&self, field: &str) -> &str {
        self.all(field).rsplit(',').next().unwrap_or_default()
    }

    fn number(&self, field: &str) -> u32 {
        self.outer(field)
            .parse()
            .unwrap_or_else(|error| panic!("{field}: {error}: {:?}", self.0))
    }

    /// Which stream it is of.
    fn stream(&self) -> &'static str {
        match (
            self.inner("udp.dstport"),
            self.inner("tcp.dstport"),
            self.all("vxlan.vni"),
        ) {
            ("9", "", "") => "udp4",
            ("", "40080", "") => "tcp4",
            ("44000", "", "") => "udp6",
            ("", "40443", "") => "tcp6",
            ("40053", "", "7654321") => "vxlan",
            ("4789", "40007", "1") => "vxlan6",
            ("", "", "") if self.all("icmp.type") == "8" => "icmp4",
            ("", "", "") if self.all("icmpv6.type") == "128" => "icmp6",
            _ => panic!("of no stream: {:?}", self.0),
        }
    }

    /// Nothing that tshark finds wrong, at any layer, outer or inner: 0 is a bad checksum, and an expert's error is 8388608.
    /// 1 is a good one, 3 none at all, which only an outer UDP header may have. Checksums of ICMP have no field but an expert's.
    fn is_valid(&self) -> bool {
        let good = |field| {
            self.all(field)
                .split(',')
                .all(|status| matches!(status, "" | "1"))
        };
        let udp = match self.stream() {
            "vxlan" => self.all("udp.checksum.status") == "3,1",
            _ => good("udp.checksum.status"),
        };
        let expert = self.all("_ws.expert.severity");
        udp && good("ip.checksum.status")
            && good("tcp.checksum.status")
            && self.all("_ws.malformed").is_empty()
            && !expert.split(',').any(|severity| severity == "8388608")
    }

    /// Whether its size (without FCS) is one that its stream has.
    fn has_its_size(&self) -> bool {
        let len = self.number("frame.len");
        match self.stream() {
            "udp4" => len == 60,
            // 64 bytes cannot hold TCP's header and a signature.
            "tcp4" => matches!(len, 72 | 590 | 1514),
            "icmp4" => len == 97,
            "udp6" => (86..=296).contains(&len),
            "tcp6" => len == 124,
            "icmp6" => len == 125,
            "vxlan" => len == 156,
            _ => len == 1514,
        }
    }
}

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
    let frames: Vec<Frame> = pcap
        .fields("frame", &FIELDS)
        .into_iter()
        .map(Frame)
        .collect();
    assert_eq!(frames.len(), EACH * STREAMS, "--io {io}: frames in all");
    let mut counts = BTreeMap::new();
    for frame in &frames {
        assert!(
            frame.is_valid(),
            "--io {io}: tshark does not like {:?} of {FIELDS:?}",
            frame.0
        );
        assert!(
            frame.has_its_size(),
            "--io {io}: the size of {}: {:?}",
            frame.stream(),
            frame.0
        );
        assert_eq!(
            (frame.outer("eth.src"), frame.outer("eth.dst")),
            (A_MAC, B_MAC),
            "--io {io}: {:?}",
            frame.0
        );
        *counts.entry(frame.stream()).or_insert(0) += 1;
    }
    assert!(
        counts.len() == STREAMS && counts.values().all(|&count| count == EACH),
        "--io {io}: {counts:?}"
    );
    for frame in of(&frames, "icmp4") {
        assert_eq!(
            (frame.all("ip.ttl"), frame.all("ip.dsfield")),
            ("7", "0xb8"),
            "--io {io}: {:?}",
            frame.0
        );
    }
    for (stream, udp_len) in [("vxlan", 122), ("vxlan6", 1_480)] {
        of(&frames, stream).for_each(|frame| is_tunnelled(frame, udp_len));
    }

    // Flows.
    let distinct = |stream: &str, fields: &[&str]| {
        let values = |frame: &Frame| {
            fields
                .iter()
                .map(|field| frame.all(field).to_owned())
                .collect::<Vec<_>>()
        };
        of(&frames, stream)
            .map(values)
            .collect::<BTreeSet<_>>()
            .len()
    };
    assert_eq!(
        distinct("udp4", &["ip.src", "ip.dst", "udp.srcport"]),
        10,
        "--io {io}"
    );
    assert_eq!(
        distinct("udp6", &["ipv6.src", "udp.srcport"]),
        16,
        "--io {io}"
    );
    let tunnelled = distinct("vxlan", &["ip.dst", "udp.srcport"]);
    assert!(
        (90..=100).contains(&tunnelled),
        "--io {io}: {tunnelled} of 100 flows in 300 random draws"
    );
    // A hundred flows on 16,384 outer ports hardly meet; one flow has one.
    let ports: BTreeSet<_> = of(&frames, "vxlan")
        .map(|frame| frame.outer("udp.srcport"))
        .collect();
    assert!(ports.len() > 60, "--io {io}: {} outer ports", ports.len());
    assert_eq!(distinct("vxlan6", &["udp.srcport"]), 1, "--io {io}");
}

fn of<'a>(frames: &'a [Frame], stream: &str) -> impl Iterator<Item = &'a Frame> {
    frames.iter().filter(move |frame| frame.stream() == stream)
}

/// RFC 7348: flags 0x08, outer source ports in the dynamic range, outer lengths that fit, and the UDP checksum only where it was
/// asked for. The VNI is what a stream was recognised by.
fn is_tunnelled(frame: &Frame, udp_len: u32) {
    let all = &frame.0;
    assert_eq!(frame.all("vxlan.flags"), "0x0800", "{all:?}");
    assert_eq!(
        (frame.outer("ip.src"), frame.outer("ip.dst")),
        (A, B),
        "{all:?}"
    );
    assert!(frame.number("udp.srcport") >= 49_152, "{all:?}");
    assert_eq!(frame.number("udp.length"), udp_len, "{all:?}");
    assert_eq!(
        frame.outer("udp.checksum") != "0x0000",
        frame.stream() == "vxlan6",
        "{all:?}"
    );
    let inner = (frame.inner("eth.src"), frame.inner("eth.dst"));
    assert_eq!(inner, ("02:00:00:00:01:01", "02:00:00:00:02:02"), "{all:?}");
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
