//! What is not ours, and what only looks like it.

use std::net::Ipv4Addr;

use etherparse::PacketBuilder;
use pktgen::frame::classify::{Seen, classify};
use pktgen::frame::signature::{MAGIC, MARK, SIGNATURE_LEN, Signature};
use proptest::prelude::*;

use crate::kinds::{LANE, PORTS, RUN, Tunnel, frames, kinds};

const SIGNATURE: Signature = Signature {
    run: RUN,
    lane: LANE,
    flow: 1,
    sequence: 2,
    stamp: 3,
};

fn seen(frame: &[u8]) -> Seen {
    classify(frame, Some(RUN), &PORTS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_bytes_are_foreign_without_a_witness(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let magic = bytes.windows(2).any(|pair| pair == MAGIC.to_be_bytes());
        if !magic {
            prop_assert_eq!(seen(&bytes), Seen::Foreign);
        }
        let _ = classify(&bytes, None, &PORTS);
    }

    /// The start of a frame of ours, and then anything.
    #[test]
    fn any_end_is_survived(
        kind in prop::sample::select(kinds()),
        keep in 0usize..150,
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let whole = frames(&kind.stream(), 1).remove(0);
        let frame = [&whole[..keep.min(whole.len())], &bytes].concat();
        // A few bytes behind a whole one may be padding.
        if !frame.starts_with(&whole) {
            prop_assert!(!matches!(seen(&frame), Seen::Intact(_)));
        }
    }
}

#[test]
fn another_run_is_foreign_whole_or_damaged() {
    for kind in kinds() {
        let mut frame = frames(&kind.stream(), 1).remove(0);
        assert_eq!(classify(&frame, Some(RUN + 1), &PORTS), Seen::Foreign);
        // TTL.
        frame[kind.outer() + 14 + if kind.v6 { 7 } else { 8 }] ^= 1;
        assert_eq!(classify(&frame, Some(RUN + 1), &PORTS), Seen::Foreign);
    }
}

#[test]
fn whole_packets_of_others() {
    let udp = PacketBuilder::ethernet2([2; 6], [3; 6])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .udp(53, 8472);
    let mut frame = Vec::new();
    udp.write(&mut frame, &[7; 40]).expect("written");
    assert_eq!(seen(&frame), Seen::Foreign);

    let arp = PacketBuilder::ethernet2([2; 6], [3; 6]).arp(
        etherparse::ArpPacket::new(
            etherparse::ArpHardwareId::ETHERNET,
            etherparse::EtherType::IPV4,
            etherparse::ArpOperation::REQUEST,
            &[2; 6],
            &[10, 0, 0, 1],
            &[0; 6],
            &[10, 0, 0, 2],
        )
        .expect("lengths that agree"),
    );
    let mut frame = Vec::new();
    arp.write(&mut frame).expect("written");
    assert_eq!(seen(&frame), Seen::Foreign);
}

/// Our mark, by chance: foreign as long as nothing is wrong with the packet.
#[test]
fn a_mark_on_a_whole_packet_is_chance() {
    let mut header = etherparse::Ipv4Header::new(
        28,
        64,
        etherparse::IpNumber::UDP,
        [10, 0, 0, 1],
        [10, 0, 0, 2],
    )
    .expect("a short payload");
    header.identification = MARK;
    let build = |header: &etherparse::Ipv4Header| {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2; 6], [3; 6])
            .ip(etherparse::IpHeaders::Ipv4(
                header.clone(),
                Default::default(),
            ))
            .udp(1, 2)
            .write(&mut frame, &[1; 20])
            .expect("written");
        frame
    };
    let mut frame = build(&header);
    assert_eq!(seen(&frame), Seen::Foreign);
    frame[50] ^= 1;
    assert_eq!(seen(&frame), Seen::Corrupted(None));
}

/// "Port unreachable" for one of our packets, as the kernel of a host sends it: that is no damage.
#[test]
fn an_icmp_error_quotes_us_and_is_foreign() {
    let ours = frames(&kinds()[0].stream(), 1).remove(0);
    let error = etherparse::Icmpv4Type::DestinationUnreachable(
        etherparse::icmpv4::DestUnreachableHeader::Port,
    );
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [3; 6])
        .ipv4(Ipv4Addr::LOCALHOST.octets(), [10, 0, 0, 2], 64)
        .icmpv4(error)
        .write(&mut frame, &ours[14..])
        .expect("written");
    assert_eq!(seen(&frame), Seen::Foreign);
    // The same packet damaged cannot be told from a damaged one of ours.
    frame[30] ^= 1;
    assert_eq!(seen(&frame), Seen::Corrupted(Some(LANE)));
}

#[test]
fn vlan_tags_options_padding_and_replies_are_no_damage() {
    for kind in kinds() {
        let frame = frames(&kind.stream(), 1).remove(0);
        let at = kind.outer() + 12;
        for tags in [&[0x81, 0, 0, 5][..], &[0x88, 0xa8, 0, 6, 0x81, 0, 0, 5]] {
            let tagged = [&frame[..12], tags, &frame[12..]].concat();
            assert!(matches!(seen(&tagged), Seen::Intact(_)), "{kind:?}");
        }
        let three = [&frame[..12], &[0x81, 0, 0, 5].repeat(3), &frame[12..]].concat();
        assert_eq!(seen(&three), Seen::Corrupted(Some(LANE)));
        let _ = at;
        // An echo reply: the type is another value, the checksum is patched.
        if kind.protocol == "icmp" && kind.tunnel != Tunnel::Summed {
            let (icmp, change) = if kind.v6 {
                (at + 42, 0x0100u16)
            } else {
                (at + 22, 0xf800)
            };
            let mut reply = frame.clone();
            let word = |frame: &[u8], at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
            let (first, check) = (word(&frame, icmp), word(&frame, icmp + 2));
            reply[icmp..icmp + 2].copy_from_slice(&first.wrapping_add(change).to_be_bytes());
            let sum = u32::from(!check) + u32::from(!first) + u32::from(first.wrapping_add(change));
            let sum = (sum & 0xffff) + (sum >> 16);
            let sum = (sum & 0xffff) + (sum >> 16);
            reply[icmp + 2..icmp + 4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
            assert!(
                matches!(seen(&reply), Seen::Intact(_)),
                "{kind:?}: {:?}",
                seen(&reply)
            );
        }
    }
}

/// Behind the packet there may be padding up to Ethernet's minimum, with a tag; anything more is damage.
#[test]
fn padding_has_an_end() {
    let frame = frames(&kinds()[0].stream(), 1).remove(0);
    for more in [1, 4] {
        let padded = [&frame[..], &vec![0; more]].concat();
        assert!(matches!(seen(&padded), Seen::Intact(_)), "{more}");
    }
    let padded = [&frame[..], &[0; 5]].concat();
    assert_eq!(seen(&padded), Seen::Corrupted(Some(LANE)));
}

/// A VXLAN port that nobody told us about: the packet inside is seen, but it is not where it should be.
#[test]
fn a_tunnel_that_is_not_known() {
    for kind in kinds() {
        let frame = frames(&kind.stream(), 1).remove(0);
        let expected = match kind.tunnel {
            Tunnel::Plain => continue,
            Tunnel::Unsummed => Seen::Corrupted(Some(LANE)),
            Tunnel::Summed => Seen::Foreign,
        };
        assert_eq!(classify(&frame, Some(RUN), &[4789]), expected);
    }
}

/// Only one tunnel is opened.
#[test]
fn a_tunnel_in_a_tunnel() {
    let kind = kinds()[6];
    assert_eq!((kind.protocol, kind.tunnel), ("udp", Tunnel::Unsummed));
    let mut stream = kind.stream();
    stream.vxlan.as_mut().expect("a tunnel").checksum = true;
    let inner = frames(&stream, 1).remove(0);
    let mut outer = frames(&stream, 1).remove(0);
    outer.truncate(50);
    outer.extend(&inner);
    assert_eq!(seen(&outer), Seen::Corrupted(Some(LANE)));
}

#[test]
fn a_signature_without_a_place_is_a_witness() {
    let mut bytes = vec![0xee; 90];
    bytes[41..41 + SIGNATURE_LEN].copy_from_slice(&SIGNATURE.to_bytes());
    assert_eq!(seen(&bytes), Seen::Corrupted(Some(LANE)));
    assert_eq!(classify(&bytes, None, &[]), Seen::Corrupted(Some(LANE)));
    assert_eq!(classify(&bytes, Some(1), &[]), Seen::Foreign);
    // Its stamp damaged: the number of the run is left, for who knows it.
    bytes[55] ^= 1;
    assert_eq!(seen(&bytes), Seen::Corrupted(None));
    assert_eq!(classify(&bytes, None, &[]), Seen::Foreign);
    assert_eq!(
        classify(&bytes[..45], Some(RUN), &[]),
        Seen::Corrupted(None)
    );
    assert_eq!(classify(&bytes[..44], Some(RUN), &[]), Seen::Foreign);
}
