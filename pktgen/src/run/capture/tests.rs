use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::simple_packet::SimplePacketBlock;
use pcap_file::{DataLink, Endianness, TsResolution};
use proptest::prelude::*;
use std::time::Duration;

use super::*;

/// A frame of `len` bytes, each byte telling frame and place.
fn frame(i: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 3 + i) as u8).collect()
}

fn header(resolution: TsResolution, endianness: Endianness) -> PcapHeader {
    PcapHeader {
        ts_resolution: resolution,
        endianness,
        datalink: DataLink::ETHERNET,
        ..PcapHeader::default()
    }
}

/// A classic file of frames at times.
fn classic(header: PcapHeader, frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
    for (at_ns, bytes) in frames {
        let at = Duration::from_nanos(1_700_000_000_000_000_000 + at_ns);
        let packet = PcapPacket::new(at, bytes.len() as u32, bytes);
        writer.write_packet(&packet).unwrap();
    }
    writer.into_writer()
}

/// A pcapng of frames at times in units of its own.
fn next(options: Vec<InterfaceDescriptionOption<'static>>, frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    let mut interface = InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0);
    interface.options = options;
    writer.write_pcapng_block(interface).unwrap();
    for (units, bytes) in frames {
        let packet = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(*units),
            original_len: bytes.len() as u32,
            data: bytes.into(),
            options: vec![],
        };
        writer.write_pcapng_block(packet).unwrap();
    }
    writer.into_inner()
}

fn frames(times: [u64; 3]) -> Vec<(u64, Vec<u8>)> {
    let lens = [14, 61, FRAME_ROOM];
    let one = |i: usize| (times[i], frame(i, lens[i]));
    (0..3).map(one).collect()
}

#[track_caller]
fn holds(capture: &Capture, frames: &[(u64, Vec<u8>)], times: [u64; 3]) {
    assert_eq!(capture.count(), 3);
    for (i, (_, bytes)) in frames.iter().enumerate() {
        assert_eq!(capture.frame(i), (&bytes[..], times[i]));
    }
}

#[test]
fn both_units_and_both_orders_of_bytes_are_read() {
    let frames = frames([0, 1_500, 2_000_000_000]);
    for endianness in [Endianness::Big, Endianness::Little] {
        let ns = classic(header(TsResolution::NanoSecond, endianness), &frames);
        holds(
            &Capture::parse(&ns).unwrap(),
            &frames,
            [0, 1_500, 2_000_000_000],
        );
        let us = classic(header(TsResolution::MicroSecond, endianness), &frames);
        holds(
            &Capture::parse(&us).unwrap(),
            &frames,
            [0, 1_000, 2_000_000_000],
        );
    }
}

#[test]
fn every_interface_has_its_unit_of_time() {
    use InterfaceDescriptionOption::{IfTsOffset, IfTsResol};
    // Microseconds unless told; nanoseconds; picoseconds; 2^-20 s.
    for (options, unit, ns) in [
        (vec![], 1, 1_000),
        (vec![IfTsResol(9)], 1, 1),
        (vec![IfTsResol(9), IfTsOffset(3_600)], 1, 1),
        (vec![IfTsResol(12)], 5_000, 5),
        (vec![IfTsResol(0x80 | 20)], 1 << 20, 1_000_000_000),
    ] {
        let frames = frames([7 * unit, 8 * unit, 17 * unit]);
        let capture = Capture::parse(&next(options, &frames)).unwrap();
        holds(&capture, &frames, [0, ns, 10 * ns]);
    }
    let odd = next(vec![IfTsResol(99)], &frames([0, 1, 2]));
    assert!(
        Capture::parse(&odd)
            .unwrap_err()
            .contains("packet 1 has a unit of time")
    );
}

#[test]
fn times_never_go_back() {
    let frames = frames([5_000, 9_000, 1_000]);
    let file = classic(header(TsResolution::NanoSecond, Endianness::Big), &frames);
    let capture = Capture::parse(&file).unwrap();
    holds(&capture, &frames, [0, 4_000, 4_000]);
    assert_eq!(
        (capture.back(), capture.span_ns(), capture.gap_ns()),
        (1, 4_000, 2_000)
    );
}

/// What cannot be sent is refused with its number.
#[test]
fn what_cannot_be_sent_is_refused_by_number() {
    let plain = header(TsResolution::MicroSecond, Endianness::Little);
    let of = |second: usize| {
        let frames = [(0, frame(0, 60)), (1, frame(1, second))];
        Capture::parse(&classic(plain, &frames)).unwrap_err()
    };
    assert!(
        of(13).contains("packet 2 has 13 bytes; 14 to 3520 can be sent"),
        "{}",
        of(13)
    );
    assert!(of(FRAME_ROOM + 1).starts_with("packet 2 has 3521 bytes"));

    let file = classic(plain, &frames([0, 1, 2]));
    // Header 24, packet 16 + 14, packet 16 + 61.
    for cut in [24 + 1, 24 + 15, 24 + 29] {
        let error = Capture::parse(&file[..cut]).unwrap_err();
        assert!(
            error.contains("ends in the middle of packet 1;"),
            "{cut}: {error}"
        );
    }
    let error = Capture::parse(&file[..24 + 30 + 40]).unwrap_err();
    assert!(error.contains("ends in the middle of packet 2;"), "{error}");

    // The second packet was longer on the wire.
    let mut cut = file.clone();
    cut[24 + 30 + 12] = 62;
    let error = Capture::parse(&cut).unwrap_err();
    assert!(error.contains("packet 2 has 61 of its 62 bytes"), "{error}");

    let mut time = file.clone();
    time[24 + 30 + 7] = 0xff;
    let error = Capture::parse(&time).unwrap_err();
    assert!(
        error.contains("packet 2 is damaged: its time has"),
        "{error}"
    );

    let other = PcapHeader {
        datalink: DataLink::LINUX_SLL,
        ..plain
    };
    let error = Capture::parse(&classic(other, &frames([0, 1, 2]))).unwrap_err();
    assert!(
        error.contains("packet 1 is of link type LINUX_SLL, not Ethernet"),
        "{error}"
    );

    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    let interface = InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0);
    writer.write_pcapng_block(interface).unwrap();
    let simple = SimplePacketBlock {
        original_len: 60,
        data: frame(0, 60).into(),
    };
    writer.write_pcapng_block(simple).unwrap();
    let error = Capture::parse(&writer.into_inner()).unwrap_err();
    assert!(
        error.contains("packet 1 is in a block without a usable time"),
        "{error}"
    );
}

#[test]
fn what_is_no_capture_is_refused() {
    let empty = classic(header(TsResolution::MicroSecond, Endianness::Big), &[]);
    for (bytes, why) in [
        (&b""[..], "neither pcap nor pcapng"),
        (b"#!/bin/sh\n", "neither pcap nor pcapng"),
        (b"\x1f\x8b\x08\x00rest", "compressed"),
        (&empty[..20], "header is damaged"),
        (&empty, "no packet in it"),
        (b"\x0a\x0d\x0d\x0a", "section header is damaged"),
    ] {
        let error = Capture::parse(bytes).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let error = Capture::read(Path::new("/dev/zero"))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("/dev/zero: "), "{error}");
    let error = Capture::read(Path::new("/nonexistent.pcap")).unwrap_err();
    assert!(matches!(error, Failure::Usage(_)), "{error}");
}

proptest! {
    /// Whatever is in a file: frames that can be sent, or a reason; never a panic.
    #[test]
    fn no_file_makes_it_panic(
        ng in any::<bool>(),
        changes in prop::collection::vec((0usize..4_000, any::<u8>()), 0..8),
        end in 0usize..4_000,
    ) {
        let frames = frames([0, 10, 20]);
        let mut file = if ng {
            next(vec![InterfaceDescriptionOption::IfTsResol(9)], &frames)
        } else {
            classic(header(TsResolution::NanoSecond, Endianness::native()), &frames)
        };
        // Most changes go where the headers are.
        for (at, byte) in changes {
            let at = if at % 4 == 0 { at } else { at % 250 } % file.len();
            file[at] = byte;
        }
        file.truncate(file.len().saturating_sub(end.saturating_sub(2_000)));
        if let Ok(capture) = Capture::parse(&file) {
            let mut before = 0;
            for i in 0..capture.count() {
                let (frame, at) = capture.frame(i);
                prop_assert!((SHORTEST..=FRAME_ROOM).contains(&frame.len()) && at >= before);
                before = at;
            }
        }
    }
}
