//! tshark's opinion of every kind.

use std::process::Command;
use std::time::Duration;

use pcap_file::pcap::{PcapPacket, PcapWriter};
use pktgen::profile::Size;

use crate::kinds::{Kind, Tunnel, frames, kinds};

/// Asks tshark for fields of each frame.
fn tshark(frames: &[Vec<u8>], fields: &[&str]) -> Vec<Vec<String>> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut writer = PcapWriter::new(file.reopen().expect("the file")).expect("a header");
    for frame in frames {
        let packet = PcapPacket::new(Duration::ZERO, frame.len() as u32, frame);
        writer.write_packet(&packet).expect("a packet");
    }
    drop(writer);
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file.path());
    command.args([
        "-d",
        "udp.port==8472,vxlan",
        "-T",
        "fields",
        "-E",
        "separator=|",
    ]);
    // Payloads are payloads: tshark would guess at them.
    command.args(["-d", "udp.port==9-10,data", "-d", "tcp.port==9-10,data"]);
    for preference in ["ip", "udp", "tcp"] {
        command.args(["-o", &format!("{preference}.check_checksum:TRUE")]);
    }
    // Segments without a connection: it would miss the others.
    command.args(["-o", "tcp.analyze_sequence_numbers:FALSE"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().expect("tshark (make deps installs it)");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<Vec<String>> = text
        .lines()
        .map(|line| line.split('|').map(str::to_owned).collect())
        .collect();
    assert_eq!(lines.len(), frames.len(), "{text}");
    lines
}

/// Three frames of each kind: least size, odd, large.
fn all() -> Vec<(Kind, Vec<u8>)> {
    let mut all = Vec::new();
    for kind in kinds() {
        let mut stream = kind.stream();
        let Size::Fixed(least) = stream.size else {
            unreachable!()
        };
        for size in [least, least + 33, 1518] {
            stream.size = Size::Fixed(size);
            let frame = frames(&stream, 100).remove(99);
            all.push((kind, frame));
        }
    }
    all
}

/// `_ws.expert.severity` of errors (8388608) and warnings (6291456): what `tshark -z expert` calls Malformed, Bad
/// checksum.
fn complaints(line: &[String]) -> bool {
    let (malformed, severities) = (&line[0], &line[1]);
    let bad = |severity: &str| severity.parse::<u32>().is_ok_and(|s| s >= 6_291_456);
    !malformed.is_empty() || severities.split(',').any(bad)
}

const STATUS: [&str; 8] = [
    "_ws.malformed",
    "_ws.expert.severity",
    "ip.checksum.status",
    "udp.checksum.status",
    "tcp.checksum.status",
    "icmp.checksum.status",
    "icmpv6.checksum.status",
    "vxlan.vni",
];

#[test]
fn tshark_finds_nothing_wrong() {
    let all = all();
    let frames: Vec<Vec<u8>> = all.iter().map(|(_, frame)| frame.clone()).collect();
    for ((kind, frame), line) in all.iter().zip(tshark(&frames, &STATUS)) {
        assert!(!complaints(&line), "{kind:?}: {line:?} {frame:02x?}");
        // Status: 1 good, 3 not there.
        let outer_udp = match kind.tunnel {
            Tunnel::Plain => "",
            Tunnel::Unsummed => "3",
            Tunnel::Summed => "1",
        };
        let with = |inner: bool| match (outer_udp, inner) {
            (outer, false) => outer.to_owned(),
            ("", true) => "1".to_owned(),
            (outer, true) => format!("{outer},1"),
        };
        let once = |is: bool| if is { "1" } else { "" };
        let ip = match (kind.tunnel, kind.v6) {
            (Tunnel::Plain, false) => "1",
            (Tunnel::Plain, true) => "",
            (_, false) => "1,1",
            (_, true) => "1",
        };
        assert_eq!(line[2], ip, "{kind:?} IPv4");
        assert_eq!(line[3], with(kind.protocol == "udp"), "{kind:?} UDP");
        assert_eq!(line[4], once(kind.protocol == "tcp"), "{kind:?} TCP");
        let icmp = kind.protocol == "icmp";
        assert_eq!(line[5], once(icmp && !kind.v6), "{kind:?} ICMP");
        assert_eq!(line[6], once(icmp && kind.v6), "{kind:?} ICMPv6");
        let vni = if outer_udp.is_empty() { "" } else { "1193046" };
        assert_eq!(line[7], vni, "{kind:?} VNI");
    }
}

/// That it would say so.
#[test]
fn tshark_finds_damage() {
    let mut damaged: Vec<Vec<u8>> = all().into_iter().map(|(_, frame)| frame).collect();
    for frame in &mut damaged {
        // The last byte of all signatures and bodies: under the transport checksum.
        *frame.last_mut().expect("bytes") ^= 1;
    }
    for (line, frame) in tshark(&damaged, &STATUS).iter().zip(&damaged) {
        let zero = |field: &str| field.split(',').any(|status| status == "0");
        assert!(
            line[3..7].iter().any(|field| zero(field)),
            "{line:?} {frame:02x?}"
        );
    }
}
