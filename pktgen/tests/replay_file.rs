//! `tweed-pktgen replay` end to end: what arrives is the capture, byte for byte, in order, as tcpdump sees it; and a
//! capture that cannot be sent whole is not sent at all.

mod support;

use std::path::Path;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapReader, PcapWriter};
use pcap_file::{DataLink, TsResolution};
use pktgen::report::Report;
use support::capture::Capture;
use support::run::{Background, pktgen};
use support::wire::{Wire, counter};

/// What the tests send: 100 frames of 14 to 1,514 bytes, 1 ms apart. Generated once by [`frames`].
const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay_file/small.pcap");

/// Between two frames of [`SMALL`].
const GAP: Duration = Duration::from_millis(1);

/// The frames of [`SMALL`]: addresses that nobody has, the EtherType for experiments, a number, a pattern.
fn frames() -> Vec<Vec<u8>> {
    (0..100usize)
        .map(|i| {
            let len = [14, 60, 1514, 64, 513][i % 5] + 3 * (i / 5) * usize::from(i % 5 == 4);
            let mut frame = vec![
                2, 0, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0, 0xaa, 0x88, 0xb5, i as u8,
            ];
            frame.extend((frame.len()..1600).map(|at| (at * 5 + i) as u8));
            // The shortest have no room for a number: the source tells.
            frame[11] = i as u8;
            frame.truncate(len);
            frame
        })
        .collect()
}

/// A classic file of nanoseconds.
fn pcap(link: DataLink, frames: impl IntoIterator<Item = (Duration, Vec<u8>)>) -> Vec<u8> {
    let header = PcapHeader {
        datalink: link,
        ts_resolution: TsResolution::NanoSecond,
        endianness: pcap_file::Endianness::Little,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for (at, frame) in frames {
        let packet = PcapPacket::new(at, frame.len() as u32, &frame);
        writer.write_packet(&packet).unwrap();
    }
    writer.into_writer()
}

fn small() -> Vec<u8> {
    let at = |i: u32| Duration::from_secs(1_700_000_000) + i * GAP;
    let frames = frames().into_iter().zip(0..);
    pcap(DataLink::ETHERNET, frames.map(|(frame, i)| (at(i), frame)))
}

/// The frames of a capture that tcpdump wrote, without what others sent.
fn of(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = PcapReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let data = packet.unwrap().data.into_owned();
        if data[12..14] == [0x88, 0xb5] {
            frames.push(data);
        }
    }
    frames
}

/// Set `TWEED_WRITE` to write it anew.
#[test]
fn the_committed_capture_is_what_the_tests_expect() {
    if std::env::var_os("TWEED_WRITE").is_some() {
        std::fs::write(SMALL, small()).unwrap();
    }
    assert!(std::fs::read(SMALL).unwrap() == small());
}

fn sent(report: &Report) -> u64 {
    assert_eq!(report.mode, "replay");
    let sent = report.sent.as_ref().unwrap();
    assert_eq!(sent.unfinished, 0);
    sent.frames
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn it_arrives_byte_for_byte_and_in_order() {
    let wire = Wire::new();
    let expected = frames();
    for (io, flags, times) in [
        ("packet", "", 1),
        ("packet", "--loops 3 --timing 10x", 3),
        ("packet", "--loops 20 --rate max", 20),
        ("packet", "--loops 2 --rate 10kpps", 2),
        ("xdp", "--mode copy --loops 3 --timing 100x", 3),
        ("xdp", "--mode copy --loops 20 --rate max", 20),
    ] {
        let capture = Capture::start(&wire.b, "b0", 0);
        let flags = format!("replay {SMALL} -i {} --io {io} {flags} --json", wire.tx());
        let outcome = pktgen(&flags);
        let pcap = capture.stop();
        assert_eq!(sent(&outcome.report()), 100 * times, "{flags}");
        let arrived = of(pcap.path());
        assert_eq!(arrived.len() as u64, 100 * times, "{flags}");
        for (i, frame) in arrived.iter().enumerate() {
            assert!(
                *frame == expected[i % 100],
                "{flags}: frame {i} is {frame:02x?}"
            );
        }
    }
}

/// The gaps are the capture's: no frame leaves before its time, and the whole takes as long as it should. That it
/// takes no longer is for the pacing tests: a busy machine may be late.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn frames_keep_their_gaps() {
    let wire = Wire::new();
    let capture = Capture::start(&wire.b, "b0", 0);
    let flags = format!(
        "replay {SMALL} -i {} --io packet --loops 2 --timing 0.5x --json",
        wire.tx()
    );
    let report = pktgen(&flags).report();
    let times = capture.stop().times_ns();
    assert_eq!(times.len(), 200);
    // 200 gaps of 2 ms, the one behind the last included.
    assert!(report.seconds >= 0.399, "{}", report.seconds);
    let pacing = report.sent.unwrap().pacing.unwrap();
    assert!((pacing.wanted_pps - 500.0).abs() < 0.01, "{pacing:?}");
    let lag = pacing.lag.max;
    for (i, at) in times.iter().enumerate() {
        // The first may have been late by as much as any was.
        let wanted = times[0] + i as u64 * 2_000_000;
        assert!(
            at + lag + 1_000_000 >= wanted,
            "frame {i} is early by {} ns",
            wanted - at
        );
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn ctrl_c_ends_it_with_a_report() {
    let wire = Wire::new();
    let before = counter(&wire.b, "b0", "rx", "packets");
    let flags = format!(
        "replay {SMALL} -i {} --io packet --loops forever",
        wire.tx()
    );
    let running = Background::start(flags, &wire.files.path(""), "replay");
    perf::lab::wait_until("two loops", 20, || {
        counter(&wire.b, "b0", "rx", "packets") - before > 250
    })
    .unwrap();
    let (code, report, printed) = running.interrupt();
    assert_eq!(code, Some(0), "{printed}");
    let arrived = counter(&wire.b, "b0", "rx", "packets") - before;
    assert_eq!(sent(&report), arrived);
    assert!(arrived > 250);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_cannot_be_sent_whole_is_not_sent() {
    let wire = Wire::new();
    let before = counter(&wire.b, "b0", "rx", "packets");
    let good = small();
    let bad = |name: &str, bytes: &[u8]| {
        let path = wire.files.path(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let replay = |file: &str, more: &str| pktgen(format!("replay {file} -i {} {more}", wire.tx()));
    // Headers: 24 of the file, 16 of each packet. The first packet has 14 bytes.
    let cut = bad("cut.pcap", &good[..good.len() - 7]);
    replay(&cut, "--io packet").tells(2, &[&cut, "ends in the middle of packet 100"]);
    let mut snapped = good.clone();
    snapped[24 + 30 + 12] += 1;
    let snapped = bad("snapped.pcap", &snapped);
    replay(&snapped, "--io packet").tells(2, &["packet 2 has 60 of its 61 bytes"]);
    let long = (Duration::ZERO, vec![7; 9_000]);
    let long = bad("long.pcap", &pcap(DataLink::ETHERNET, [long]));
    replay(&long, "--io packet").tells(2, &["packet 1 has 9000 bytes; 14 to 3520"]);
    let cooked = (Duration::ZERO, vec![7; 90]);
    let cooked = bad("cooked.pcap", &pcap(DataLink::LINUX_SLL, [cooked]));
    replay(&cooked, "--io packet").tells(2, &["packet 1 is of link type", "not Ethernet"]);
    let none = bad("none.pcap", &pcap(DataLink::ETHERNET, []));
    replay(&none, "--io packet").tells(2, &["no packet in it"]);
    replay(&bad("text.pcap", b"hello"), "").tells(2, &["neither pcap nor pcapng"]);
    replay("/nonexistent.pcap", "").tells(2, &["/nonexistent.pcap", "No such file"]);
    // The interface's matter, not the file's.
    wire.a.ip("link set a0 mtu 1400").unwrap();
    replay(SMALL, "--io packet").tells(3, &["packet 3 has 1514 bytes", "MTU of 1400", "mtu 1500"]);
    wire.a.ip("link set a0 mtu 1500").unwrap();
    wire.b.ip("link set b0 down").unwrap();
    replay(SMALL, "--io packet").tells(3, &["no carrier"]);
    replay(SMALL, "--io packet --workers 2").tells(2, &["--workers 2"]);
    assert_eq!(counter(&wire.b, "b0", "rx", "packets"), before);
}
