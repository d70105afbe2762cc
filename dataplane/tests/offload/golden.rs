//! Our segments beside those that the kernel made of the same packets (`tests/data/kernel-gso.pcap`, Linux 6.18; written and
//! compared by the test in `kernel.rs`).

use std::path::{Path, PathBuf};

use contract::wire::TcpFlags as F;
use dataplane::offload::{GRO_PACKETS, Gro};
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapReader, PcapWriter};

use crate::packets::{Recipe, SACK, TIMESTAMPS, coalesce};

/// The packets, in the order of the capture. A `gso_size` of zero: a checksum to be completed and no more.
pub fn cases() -> Vec<(&'static str, Recipe)> {
    let (tcp, udp) = (Recipe::tcp(), Recipe::udp());
    let all = F::ACK | F::PSH | F::FIN | F::CWR | F::ECE | F::URG;
    vec![
        (
            "pushed",
            Recipe {
                flags: F::ACK | F::PSH,
                ..tcp.clone()
            },
        ),
        (
            "every flag",
            Recipe {
                flags: all,
                tos: 2,
                ..tcp.clone()
            },
        ),
        (
            "an exact multiple, bare headers",
            Recipe {
                tcp_options: Vec::new(),
                payload: 3 * 536,
                gso_size: 536,
                ..tcp.clone()
            },
        ),
        (
            "odd sizes, no df, zero window",
            Recipe {
                dont_fragment: false,
                window: 0,
                payload: 2999,
                gso_size: 999,
                ..tcp.clone()
            },
        ),
        (
            "ip options",
            Recipe {
                ip_options: vec![1, 1, 1, 0],
                ..tcp.clone()
            },
        ),
        (
            "65,535 bytes",
            Recipe {
                payload: 65_535 - 52,
                ..tcp.clone()
            },
        ),
        (
            "ipv6",
            Recipe {
                v6: true,
                flags: all,
                ..tcp.clone()
            },
        ),
        ("datagrams", udp.clone()),
        (
            "datagrams over ipv6",
            Recipe {
                v6: true,
                gso_size: 777,
                ..udp.clone()
            },
        ),
        (
            "a partial checksum",
            Recipe {
                payload: 701,
                gso_size: 0,
                ..tcp.clone()
            },
        ),
        (
            "a datagram's",
            Recipe {
                payload: 702,
                gso_size: 0,
                ..udp.clone()
            },
        ),
        (
            "all the options that fit, a last byte alone",
            Recipe {
                tcp_options: [&TIMESTAMPS[..], &SACK].concat(),
                payload: 2 * 1370 + 1,
                gso_size: 1370,
                ..tcp.clone()
            },
        ),
        (
            "the same over ipv6",
            Recipe {
                v6: true,
                tcp_options: [&TIMESTAMPS[..], &SACK].concat(),
                payload: 2 * 1370 + 1,
                gso_size: 1370,
                ..tcp.clone()
            },
        ),
        (
            "urgent",
            Recipe {
                flags: F::ACK | F::URG,
                ..tcp.clone()
            },
        ),
        (
            "congestion met, and told",
            Recipe {
                flags: F::ACK | F::ECE | F::FIN,
                tos: 0xb8 | 3,
                ..tcp.clone()
            },
        ),
        (
            "less congestion, no df",
            Recipe {
                flags: F::ACK | F::CWR,
                tos: 2,
                dont_fragment: false,
                ..tcp.clone()
            },
        ),
        (
            "as many options of ip as fit",
            Recipe {
                ip_options: vec![1; 40],
                tcp_options: [&TIMESTAMPS[..], &SACK].concat(),
                payload: 3000,
                gso_size: 1300,
                ..tcp.clone()
            },
        ),
        (
            "65,535 bytes over ipv6",
            Recipe {
                v6: true,
                payload: 65_535 - 72,
                ..tcp
            },
        ),
        (
            "65,535 bytes of datagrams, no df, congestion met",
            Recipe {
                payload: 65_535 - 28,
                gso_size: 1472,
                dont_fragment: false,
                tos: 3,
                ..udp.clone()
            },
        ),
        (
            "datagrams with options of ip, a last byte alone",
            Recipe {
                ip_options: vec![1, 1, 1, 0],
                payload: 4 * 999 + 1,
                gso_size: 999,
                ..udp.clone()
            },
        ),
        (
            "datagrams over ipv6, an exact multiple",
            Recipe {
                v6: true,
                payload: 3 * 1000,
                gso_size: 1000,
                tos: 3,
                ..udp
            },
        ),
    ]
}

/// Where the kernel's segments are.
pub fn capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kernel-gso.pcap")
}

pub fn read(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = PcapReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        packets.push(packet.unwrap().data.into_owned());
    }
    packets
}

pub fn write(path: &Path, packets: &[Vec<u8>]) {
    let header = PcapHeader {
        datalink: DataLink::RAW,
        ..PcapHeader::default()
    };
    let file = std::fs::File::create(path).unwrap();
    let mut writer = PcapWriter::with_header(file, header).unwrap();
    for (n, packet) in packets.iter().enumerate() {
        let time = std::time::Duration::from_micros(n as u64);
        writer
            .write_packet(&PcapPacket::new(time, packet.len() as u32, packet))
            .unwrap();
    }
}

#[test]
fn our_segments_are_the_kernels() {
    let mut kernel = read(&capture()).into_iter();
    for (what, recipe) in cases() {
        for (n, ours) in recipe.segments().into_iter().enumerate() {
            assert_eq!(Some(ours), kernel.next(), "{what}, segment {n}");
        }
    }
    assert_eq!(kernel.next(), None);
}

#[test]
fn the_kernels_segments_become_its_packets() {
    let mut kernel = read(&capture()).into_iter();
    for (what, recipe) in cases() {
        let (vnet, packet) = recipe.build();
        let segments: Vec<_> = kernel.by_ref().take(recipe.segments().len()).collect();
        assert!(segments.len() <= GRO_PACKETS);
        let written = coalesce(&mut Gro::new(true), &segments);
        if recipe.gso_size == 0 || recipe.flags & F::URG != 0 || !recipe.ip_options.is_empty() {
            assert_eq!(written.len(), segments.len(), "{what}");
        } else {
            assert_eq!(written.len(), 1, "{what}");
            assert_eq!((written[0].vnet, &written[0].packet), (vnet, &packet));
        }
    }
}
