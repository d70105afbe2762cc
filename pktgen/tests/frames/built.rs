//! Every kind, size, flow and payload: read back by us as intact, by etherparse with the same checksums and fields.

use std::net::IpAddr;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pktgen::frame::build::{Builder, body, len_of};
use pktgen::frame::classify::{Seen, classify};
use pktgen::frame::flow::{fields, outer_sport};
use pktgen::frame::signature::{Lane, MARK, STAMP_BITS, Signature};
use pktgen::frame::template::HEAD_ROOM;
use pktgen::io::FRAME_ROOM;
use pktgen::profile::{Flows, Ip, Order, Payload, Size, Stream, Transport};
use proptest::prelude::*;
use proptest::sample::select;

use crate::kinds::{Kind, LANE, MACS, PORTS, RUN, Tunnel, frames, kinds};

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        Just(Payload::Zeros),
        Just(Payload::Increment),
        any::<u8>().prop_map(Payload::Byte),
        Just(Payload::Random),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    select(vec![Order::RoundRobin, Order::Random])
}

/// Streams of all kinds, sizes and ranges.
fn stream() -> impl Strategy<Value = (Kind, Stream)> {
    let ports = || (any::<u16>(), any::<u16>()).prop_map(|(a, b)| a.min(b)..=a.max(b));
    let wide = (any::<u128>(), any::<u128>(), any::<u32>(), any::<u32>());
    let sizes = (0u16..3_600, 0u16..3_600, 0..3);
    let values = (any::<u8>(), any::<u8>(), 1u32..1_000_000, order());
    (select(kinds()), ports(), ports(), wide, sizes, values).prop_map(
        |(kind, sport, dport, (src, dst, a, b), sizes, (ttl, tos, count, order))| {
            let mut stream = kind.stream();
            (stream.ttl, stream.tos, stream.flows) = (ttl, tos, Flows { count, order });
            stream.ip = if kind.v6 {
                let last = |first: u128, span: u32| (first | u128::from(span)).into();
                Ip::V6 {
                    src: src.into()..=last(src, a),
                    dst: dst.into()..=last(dst, b),
                }
            } else {
                let last = |first: u128, span: u32| (first as u32 | span).into();
                Ip::V4 {
                    src: (src as u32).into()..=last(src, a),
                    dst: (dst as u32).into()..=last(dst, b),
                }
            };
            stream.transport = match kind.protocol {
                "udp" => Transport::Udp { sport, dport },
                "tcp" => Transport::Tcp { sport, dport },
                _ => Transport::Icmp { id: sport },
            };
            let least = len_of(&stream) as u16 + 4;
            let fit = |size: u16| size.clamp(least, FRAME_ROOM as u16 + 4);
            let (a, b) = (fit(sizes.0), fit(sizes.1));
            stream.size = match sizes.2 {
                0 => Size::Fixed(a),
                1 => Size::Range(a.min(b)..=a.max(b)),
                _ => Size::Mix(vec![(least, 7), (a, 4), (b, 1)]),
            };
            (kind, stream)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn frames_are_intact_and_valid(
        (kind, stream) in stream(),
        payload in payload(),
        seed: u64,
        stamp: u64,
        run: u16,
        lane: u8,
        dirt: u8,
    ) {
        // A plain packet to a VXLAN port is no matter: its signature comes first.
        let lane = Lane(lane);
        let mut builder = Builder::new(&stream, MACS, run, lane, payload, seed);
        let pattern = body(payload, seed);
        let mut buffer = pattern;
        for sequence in 0..5u32 {
            // What another stream left behind.
            buffer[..HEAD_ROOM].fill(dirt);
            let stamp = stamp.wrapping_add(sequence.into());
            let len = builder.write(&mut buffer, stamp);
            let frame = &buffer[..len];
            let Seen::Intact(signature) = classify(frame, Some(run), &PORTS) else {
                panic!("{:?}: {frame:02x?}", classify(frame, Some(run), &PORTS));
            };
            prop_assert!(signature.flow < stream.flows.count);
            let expected = Signature {
                run,
                lane,
                flow: signature.flow,
                sequence,
                stamp: stamp & ((1 << STAMP_BITS) - 1),
            };
            prop_assert_eq!(signature, expected);
            prop_assert_eq!(classify(frame, None, &PORTS), Seen::Intact(signature));
            prop_assert_eq!(classify(frame, Some(!run), &PORTS), Seen::Foreign);
            let signature_end = check(kind, &stream, frame, signature);
            prop_assert_eq!(&buffer[signature_end..], &pattern[signature_end..]);
        }
        prop_assert_eq!(builder.written(), 5);
    }
}

/// Asks etherparse. Returns where the body begins.
fn check(kind: Kind, stream: &Stream, frame: &[u8], signature: Signature) -> usize {
    if let Some(vxlan) = &stream.vxlan {
        let outer = SlicedPacket::from_ethernet(frame).expect("an outer frame");
        let Some(NetSlice::Ipv4(ip)) = &outer.net else {
            panic!("{:?}", outer.net)
        };
        let header = ip.header().to_header();
        assert_eq!(header.calc_header_checksum(), header.header_checksum);
        assert_eq!(header.identification, MARK);
        assert_eq!(
            (header.source, header.destination),
            (vxlan.src.octets(), vxlan.dst.octets())
        );
        assert_eq!(usize::from(header.total_len), frame.len() - 14);
        let Some(TransportSlice::Udp(udp)) = &outer.transport else {
            panic!("{:?}", outer.transport)
        };
        let header_of_udp = udp.to_header();
        assert_eq!(header_of_udp.source_port, outer_sport(signature.flow));
        assert!(header_of_udp.source_port >= 49152);
        assert_eq!(header_of_udp.destination_port, vxlan.port);
        assert_eq!(usize::from(header_of_udp.length), frame.len() - 34);
        let sum = header_of_udp.calc_checksum_ipv4(&header, udp.payload());
        let sum = if vxlan.checksum {
            sum.expect("fits")
        } else {
            0
        };
        assert_eq!(header_of_udp.checksum, sum);
        let [_, v0, v1, v2] = vxlan.vni.to_be_bytes();
        assert_eq!(udp.payload()[..8], [8, 0, 0, 0, v0, v1, v2, 0]);
    }
    let inner = &frame[kind.outer()..];
    let packet = SlicedPacket::from_ethernet(inner).expect("a frame");
    let fields = fields(stream, signature.flow);
    let (src, dst) = match (&stream.ip, packet.net.as_ref().expect("an IP packet")) {
        (Ip::V4 { .. }, NetSlice::Ipv4(ip)) => {
            let header = ip.header().to_header();
            assert_eq!(header.calc_header_checksum(), header.header_checksum);
            assert_eq!((header.identification, header.dont_fragment), (MARK, true));
            assert_eq!((header.time_to_live, header.options.len()), (stream.ttl, 0));
            assert_eq!(
                header.dscp.value() << 2 | header.ecn.value(),
                stream.tos,
                "type of service"
            );
            assert_eq!(usize::from(header.total_len), inner.len() - 14);
            (
                IpAddr::from(header.source),
                IpAddr::from(header.destination),
            )
        }
        (Ip::V6 { .. }, NetSlice::Ipv6(ip)) => {
            let header = ip.header().to_header();
            assert_eq!(header.flow_label.value() & 0xffff, u32::from(MARK));
            assert_eq!(
                (header.hop_limit, header.traffic_class),
                (stream.ttl, stream.tos)
            );
            assert_eq!(usize::from(header.payload_length), inner.len() - 54);
            (
                IpAddr::from(header.source),
                IpAddr::from(header.destination),
            )
        }
        (_, other) => panic!("{other:?}"),
    };
    assert_eq!((src, dst), addresses(stream, fields.src, fields.dst));
    let payload = check_transport(&packet, fields.sport, fields.dport, signature.sequence);
    assert_eq!(payload[..18], signature.to_bytes());
    frame.len() - payload.len() + 18
}

fn addresses(stream: &Stream, src_offset: u32, dst_offset: u32) -> (IpAddr, IpAddr) {
    match &stream.ip {
        Ip::V4 { src, dst } => {
            let at = |first: u32, offset: u32| IpAddr::V4((first + offset).into());
            (
                at(src.start().to_bits(), src_offset),
                at(dst.start().to_bits(), dst_offset),
            )
        }
        Ip::V6 { src, dst } => {
            let at = |first: u128, offset: u32| IpAddr::V6((first + u128::from(offset)).into());
            (
                at(src.start().to_bits(), src_offset),
                at(dst.start().to_bits(), dst_offset),
            )
        }
    }
}

/// Checks the transport header against its own checksum and the flow's fields; returns the payload.
fn check_transport<'a>(
    packet: &SlicedPacket<'a>,
    sport: u16,
    dport: u16,
    sequence: u32,
) -> &'a [u8] {
    match (packet.transport.as_ref(), packet.net.as_ref()) {
        (Some(TransportSlice::Udp(udp)), Some(net)) => {
            let header = udp.to_header();
            let sum = match net {
                NetSlice::Ipv4(ip) => {
                    header.calc_checksum_ipv4(&ip.header().to_header(), udp.payload())
                }
                NetSlice::Ipv6(ip) => {
                    header.calc_checksum_ipv6(&ip.header().to_header(), udp.payload())
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(header.checksum, sum.expect("fits"));
            assert_ne!(header.checksum, 0);
            assert_eq!(
                (header.source_port, header.destination_port),
                (sport, dport)
            );
            udp.payload()
        }
        (Some(TransportSlice::Tcp(tcp)), Some(net)) => {
            let header = tcp.to_header();
            let sum = match net {
                NetSlice::Ipv4(ip) => {
                    header.calc_checksum_ipv4(&ip.header().to_header(), tcp.payload())
                }
                NetSlice::Ipv6(ip) => {
                    header.calc_checksum_ipv6(&ip.header().to_header(), tcp.payload())
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(header.checksum, sum.expect("fits"));
            assert_eq!(
                (header.source_port, header.destination_port),
                (sport, dport)
            );
            assert_eq!(
                (header.sequence_number, header.window_size),
                (sequence, 65_535)
            );
            assert_eq!((header.ack, header.psh, header.syn), (true, true, false));
            tcp.payload()
        }
        (Some(TransportSlice::Icmpv4(icmp)), _) => {
            let header = icmp.header();
            assert_eq!(
                header.icmp_type.calc_checksum(icmp.payload()),
                header.checksum
            );
            let echo = etherparse::IcmpEchoHeader {
                id: sport,
                seq: sequence as u16,
            };
            assert_eq!(header.icmp_type, etherparse::Icmpv4Type::EchoRequest(echo));
            icmp.payload()
        }
        (Some(TransportSlice::Icmpv6(icmp)), Some(NetSlice::Ipv6(ip))) => {
            let (header, ip) = (icmp.header(), ip.header().to_header());
            let sum = (header.icmp_type).calc_checksum(ip.source, ip.destination, icmp.payload());
            assert_eq!(header.checksum, sum.expect("fits"));
            let echo = etherparse::IcmpEchoHeader {
                id: sport,
                seq: sequence as u16,
            };
            assert_eq!(header.icmp_type, etherparse::Icmpv6Type::EchoRequest(echo));
            icmp.payload()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_smallest_frames() {
    let lens: Vec<usize> = kinds()
        .iter()
        .map(|kind| frames(&kind.stream(), 1)[0].len())
        .collect();
    // UDP, TCP, ICMP over IPv4, then IPv6: plain, then in tunnels.
    let plain = [60, 72, 60, 80, 92, 80];
    let tunnel = plain.map(|len| len + 50);
    assert_eq!(lens, [plain, tunnel, tunnel].concat());
}

/// A UDP checksum that comes out as zero is sent as 0xffff (RFC 768).
#[test]
fn no_udp_checksum_is_zero() {
    for kind in kinds() {
        if kind.protocol != "udp" {
            continue;
        }
        let mut builder = crate::kinds::builder(&kind.stream());
        let mut buffer = body(Payload::Random, 1);
        let mut all_ones = 0;
        // Sums as good as random: one in 65,536 is zero.
        for stamp in 0..200_000u64 {
            let len = builder.write(&mut buffer, stamp.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let at = kind.outer() + if kind.v6 { 60 } else { 40 };
            let check = u16::from_be_bytes([buffer[at], buffer[at + 1]]);
            assert_ne!(check, 0);
            all_ones += u32::from(check == 0xffff);
            if check == 0xffff {
                let seen = classify(&buffer[..len], Some(RUN), &PORTS);
                assert!(matches!(seen, Seen::Intact(_)), "{seen:?}");
                // The same sum, and yet: no checksum, so not what we sent.
                buffer[at..at + 2].fill(0);
                let seen = classify(&buffer[..len], Some(RUN), &PORTS);
                assert_eq!(seen, Seen::Corrupted(Some(LANE)));
            }
        }
        assert_ne!(all_ones, 0, "{kind:?}");
    }
}

/// Nor that of a tunnel, which varies with the flow and the length.
#[test]
fn no_outer_checksum_is_zero() {
    for kind in kinds() {
        if kind.tunnel != Tunnel::Summed {
            continue;
        }
        let mut stream = kind.stream();
        stream.size = Size::Range(len_of(&stream) as u16 + 4..=3_500);
        let mut buffer = body(Payload::Random, 1);
        let mut all_ones = 0;
        // Source ports and lengths spread the sum over a quarter of its values; the VNI moves it by an eighth.
        for vni in (0..256).step_by(32) {
            stream.vxlan.as_mut().expect("a tunnel").vni = vni;
            let mut builder = crate::kinds::builder(&stream);
            for _ in 0..40_000 {
                let len = builder.write(&mut buffer, 0);
                assert_ne!(buffer[40..42], [0, 0], "{kind:?}, {len} bytes");
                all_ones += u32::from(buffer[40..42] == [0xff, 0xff]);
            }
        }
        assert_ne!(all_ones, 0, "{kind:?}");
    }
}

/// Streams and workers share buffers: each leaves its head, and all have one body.
#[test]
fn frames_of_other_lanes_leave_nothing_behind() {
    let streams: Vec<Stream> = kinds().iter().map(|kind| kind.stream()).collect();
    let mut builders: Vec<Builder> = (streams.iter().zip(0..))
        .map(|(stream, n)| Builder::new(stream, MACS, RUN, Lane(n), Payload::Random, 9))
        .collect();
    let mut buffer = body(Payload::Random, 9);
    for turn in 0..500 {
        let lane = turn * 7 % builders.len();
        let len = builders[lane].write(&mut buffer, 0);
        let Seen::Intact(signature) = classify(&buffer[..len], Some(RUN), &PORTS) else {
            panic!("lane {lane}, turn {turn}")
        };
        assert_eq!(signature.lane, Lane(lane as u8));
    }
}

#[test]
fn the_number_of_the_lane_is_in_it() {
    let stream = kinds()[0].stream();
    let frame = &frames(&stream, 1)[0];
    let Seen::Intact(signature) = classify(frame, Some(RUN), &[]) else {
        panic!("{frame:02x?}")
    };
    assert_eq!((signature.lane, signature.run), (LANE, RUN));
}
