//! One packet cut in several.

use contract::wire::{Ipv4, Tcp, TcpFlags};
use dataplane::offload::{Refused, Super, VnetHeader};
use zerocopy::FromBytes;

use crate::packets::{Recipe, assert_valid, segments};

fn ip(packet: &[u8]) -> &Ipv4 {
    Ipv4::ref_from_prefix(packet).unwrap().0
}

/// Of a packet over IPv4 without options.
fn tcp(packet: &[u8]) -> &Tcp {
    Tcp::ref_from_prefix(&packet[20..]).unwrap().0
}

#[test]
fn five_bytes_in_three_segments_to_the_last_byte() {
    // 10.0.0.1:1 to 10.0.0.2:2, payload "abcde" by two; each checksum counted by hand.
    let packet = [
        0x45, 0, 0, 45, 0, 5, 0x40, 0, 64, 6, 0x26, 0xc4, 10, 0, 0, 1, 10, 0, 0, 2, //
        0, 1, 0, 2, 0, 0, 0, 9, 0, 0, 0, 7, 0x50, 0x19, 0, 3, 0x14, 0x22, 0, 0, //
        b'a', b'b', b'c', b'd', b'e',
    ];
    let vnet = VnetHeader {
        flags: VnetHeader::NEEDS_CSUM,
        gso_type: VnetHeader::GSO_TCPV4,
        hdr_len: 40.into(),
        gso_size: 2.into(),
        csum_start: 20.into(),
        csum_offset: 16.into(),
    };
    let expected: [&[u8]; 3] = [
        &[
            0x45, 0, 0, 42, 0, 5, 0x40, 0, 64, 6, 0x26, 0xc7, 10, 0, 0, 1, 10, 0, 0, 2, //
            0, 1, 0, 2, 0, 0, 0, 9, 0, 0, 0, 7, 0x50, 0x10, 0, 3, 0x3a, 0x58, 0, 0, b'a', b'b',
        ],
        &[
            0x45, 0, 0, 42, 0, 6, 0x40, 0, 64, 6, 0x26, 0xc6, 10, 0, 0, 1, 10, 0, 0, 2, //
            0, 1, 0, 2, 0, 0, 0, 11, 0, 0, 0, 7, 0x50, 0x10, 0, 3, 0x38, 0x54, 0, 0, b'c', b'd',
        ],
        &[
            0x45, 0, 0, 41, 0, 7, 0x40, 0, 64, 6, 0x26, 0xc6, 10, 0, 0, 1, 10, 0, 0, 2, //
            0, 1, 0, 2, 0, 0, 0, 13, 0, 0, 0, 7, 0x50, 0x19, 0, 3, 0x36, 0xae, 0, 0, b'e',
        ],
    ];
    assert_eq!(segments(&vnet, &packet), expected);
}

#[test]
fn lengths_ids_and_sequence_numbers_count_on_and_wrap() {
    let recipe = Recipe::tcp();
    let (_, whole) = recipe.build();
    let segments = recipe.segments();
    assert_eq!(segments.len(), 4);
    let mut payload = Vec::new();
    for (n, segment) in segments.iter().enumerate() {
        assert_valid(segment);
        assert_eq!(ip(segment).id.get(), 0xfffeu16.wrapping_add(n as u16));
        let seq = 0xffff_f000u32.wrapping_add(1398 * n as u32);
        assert_eq!(tcp(segment).seq.get(), seq);
        payload.extend_from_slice(&segment[52..]);
    }
    assert_eq!(payload, whole[52..]);
}

#[test]
fn push_and_fin_are_the_lasts_and_cwr_the_firsts() {
    use TcpFlags as F;
    let recipe = Recipe {
        flags: F::ACK | F::PSH | F::FIN | F::CWR | F::ECE | F::URG,
        ..Recipe::tcp()
    };
    let flags: Vec<_> = recipe.segments().iter().map(|s| tcp(s).flags).collect();
    let all = F::ACK | F::ECE | F::URG;
    assert_eq!(
        flags,
        [all | F::CWR, all, all, all | F::PSH | F::FIN],
        "{flags:x?}"
    );
    // All in one is as it was.
    let one = Recipe {
        payload: 100,
        ..recipe.clone()
    };
    assert_eq!(tcp(&one.segments()[0]).flags, recipe.flags);
}

#[test]
fn every_kind_of_packet_becomes_valid_segments() {
    for (v6, udp) in [(false, false), (true, false), (false, true), (true, true)] {
        let base = if udp { Recipe::udp() } else { Recipe::tcp() };
        let largest = 65_535 - base.header_len();
        for (payload, gso_size, count) in [
            (1, 1398, 1),
            (1398, 1398, 1),
            (1399, 1398, 2),
            (1397, 7, 200),
            (largest, 1398, largest.div_ceil(1398)),
        ] {
            let recipe = Recipe {
                v6,
                payload,
                gso_size,
                ..base.clone()
            };
            let segments = recipe.segments();
            assert_eq!(segments.len(), count, "{recipe:?}");
            segments.iter().for_each(|segment| assert_valid(segment));
        }
    }
}

#[test]
fn ip_options_go_with_each_segment() {
    let recipe = Recipe {
        ip_options: vec![0x94, 4, 0, 0], // Router alert.
        ..Recipe::tcp()
    };
    for segment in recipe.segments() {
        assert_valid(&segment);
        assert_eq!(segment[20..24], [0x94, 4, 0, 0]);
    }
}

#[test]
fn a_partial_checksum_is_completed_and_a_complete_one_left_alone() {
    for recipe in [Recipe::tcp(), Recipe::udp()] {
        let (mut vnet, packet) = recipe.build();
        vnet.gso_type = VnetHeader::GSO_NONE;
        let completed = segments(&vnet, &packet);
        assert_eq!(completed.len(), 1);
        assert_valid(&completed[0]);
        assert_eq!(segments(&VnetHeader::default(), &packet), [packet]);
    }
}

#[test]
fn a_udp_checksum_of_zero_is_sent_as_ones() {
    // The last two bytes make up for the sum of all others, so the checksum comes out as zero.
    let base = Recipe {
        payload: 2,
        ..Recipe::udp()
    };
    let (vnet, mut packet) = base.build();
    let mut segment = segments(&vnet, &packet).swap_remove(0);
    let checksum = u16::from_be_bytes([segment[26], segment[27]]);
    let word = u16::from_be_bytes([packet[28], packet[29]]);
    let sum = u32::from(word) + u32::from(checksum);
    let word = (sum & 0xffff) + (sum >> 16);
    packet[28..30].copy_from_slice(&(word as u16).to_be_bytes());
    segment = segments(&vnet, &packet).swap_remove(0);
    assert_eq!(segment[26..28], [0xff, 0xff]);
    let plain = VnetHeader {
        gso_type: VnetHeader::GSO_NONE,
        ..vnet
    };
    assert_eq!(segments(&plain, &packet)[0], segment);
}

/// What a change to a valid packet or to its header is refused for.
fn refused(reason: Refused, change: impl Fn(&mut VnetHeader, &mut Vec<u8>)) {
    for recipe in [Recipe::tcp(), Recipe::udp()] {
        let (mut vnet, mut packet) = recipe.build();
        change(&mut vnet, &mut packet);
        packet[10..12].fill(0);
        let header = (usize::from(packet[0] & 0xf) * 4).min(packet.len());
        let checksum = !crate::packets::ones_sum(&[&packet[..header]]);
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(
            Super::parse(&vnet, &packet).err(),
            Some(reason),
            "udp: {}",
            recipe.udp
        );
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    use Refused::{IpHeader, Offload, Truncated};
    refused(Offload, |vnet, _| vnet.gso_size = 0.into());
    refused(Offload, |vnet, _| vnet.gso_type = VnetHeader::GSO_TCPV6);
    refused(Offload, |vnet, _| vnet.gso_type = 3); // Fragments of UDP, which nobody asked for.
    refused(Offload, |vnet, _| vnet.gso_type = VnetHeader::GSO_ECN);
    refused(Offload, |vnet, _| vnet.gso_type = 0x7f);
    refused(Offload, |vnet, _| {
        vnet.gso_type = VnetHeader::GSO_UDP_L4 | VnetHeader::GSO_ECN
    });
    refused(Offload, |vnet, _| vnet.csum_start = 24.into());
    refused(Offload, |vnet, _| vnet.csum_offset = 8.into());
    refused(Offload, |vnet, _| vnet.csum_start = 0xffff.into());
    refused(Offload, |_, packet| packet[9] = 1);
    refused(Offload, |_, packet| packet[6] = 0x20); // More fragments.
    refused(Offload, |_, packet| packet[7] = 1); // Not the first one.
    refused(Offload, |_, packet| packet[6] = 0x80); // Reserved.
    refused(IpHeader, |_, packet| packet[0] = 0x44);
    refused(IpHeader, |_, packet| packet[0] = 0x55);
    refused(IpHeader, |_, packet| packet[2..4].fill(0));
    refused(Truncated, |_, packet| packet.truncate(100));
    refused(Truncated, |_, packet| packet.truncate(19));
    refused(Truncated, |_, packet| packet[2..4].fill(0xff));
}

#[test]
fn a_partial_checksum_beyond_the_packet_is_refused() {
    let (vnet, packet) = Recipe::udp().build();
    for (start, offset) in [
        (0, 6),
        (19, 6),
        (20, 7),
        (packet.len() - 1, 0),
        (0xffff, 0xfffe),
    ] {
        let vnet = VnetHeader {
            gso_type: VnetHeader::GSO_NONE,
            csum_start: (start as u16).into(),
            csum_offset: (offset as u16).into(),
            ..vnet
        };
        assert_eq!(
            Super::parse(&vnet, &packet).err(),
            Some(Refused::Offload),
            "{start} {offset}"
        );
    }
    assert_eq!(
        Super::parse(&VnetHeader::default(), &[]).err(),
        Some(Refused::Truncated)
    );
}

#[test]
fn headers_that_do_not_end_are_refused() {
    let (vnet, mut packet) = Recipe::tcp().build();
    packet[32] = 0x40;
    assert_eq!(Super::parse(&vnet, &packet).err(), Some(Refused::Offload));
    let (vnet, mut packet) = Recipe {
        payload: 0,
        ..Recipe::tcp()
    }
    .build();
    packet[32] = 0xf0;
    assert_eq!(Super::parse(&vnet, &packet).err(), Some(Refused::Truncated));
    let (vnet, mut packet) = Recipe::udp().build();
    packet[25] ^= 1;
    assert_eq!(Super::parse(&vnet, &packet).err(), Some(Refused::Offload));
}

#[test]
fn what_the_kernel_says_of_the_headers_length_is_not_believed() {
    let (vnet, packet) = Recipe::tcp().build();
    for hdr_len in [0, 20, 66, 0xffff] {
        let vnet = VnetHeader {
            hdr_len: hdr_len.into(),
            ..vnet
        };
        assert_eq!(segments(&vnet, &packet), Recipe::tcp().segments());
    }
}

#[test]
fn a_segment_that_is_not_there_or_does_not_fit_is_none() {
    let (vnet, packet) = Recipe::tcp().build();
    let parsed = Super::parse(&vnet, &packet).ok().unwrap();
    let mut out = [0; 2048];
    assert_eq!(parsed.segment_len(4), 0);
    assert_eq!(parsed.write(4, &mut out), None);
    assert_eq!(parsed.write(usize::MAX, &mut out), None);
    assert_eq!(parsed.write(0, &mut out[..1449]), None);
    assert_eq!(parsed.write(0, &mut out), Some(1450));
    assert_eq!(parsed.write(3, &mut out), Some(152));
}
