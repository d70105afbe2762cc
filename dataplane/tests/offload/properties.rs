//! What holds for any packet: segments are valid, coalesced they are the packet again, nothing is lost or overtaken.

use contract::wire::TcpFlags as F;
use dataplane::offload::{GRO_PACKETS, Gro, Super, VnetHeader};
use fastrand::Rng;
use proptest::prelude::*;

use crate::packets::{Recipe, TIMESTAMPS, assert_valid, coalesce, ones_sum, segments};

fn recipes() -> impl Strategy<Value = Recipe> {
    let bools = any::<(bool, bool, bool, bool)>();
    let flags = prop::sample::subsequence(vec![F::PSH, F::FIN, F::CWR, F::ECE], 0..=4);
    let numbers = any::<(u8, u8, u16, u16, u32, u32, u16)>();
    (bools, flags, numbers, 0..65_450usize, 1..9000u16).prop_map(
        |((v6, udp, options, df), flags, numbers, payload, gso_size)| {
            let (tos, ttl, id, sport, seq, ack, window) = numbers;
            Recipe {
                v6,
                udp,
                ip_options: Vec::new(),
                tcp_options: if options && !udp {
                    TIMESTAMPS.to_vec()
                } else {
                    Vec::new()
                },
                tos,
                ttl,
                id,
                dont_fragment: df,
                sport,
                seq,
                ack,
                flags: flags.into_iter().fold(F::ACK, |all, flag| all | flag),
                window,
                payload,
                gso_size,
            }
        },
    )
}

/// The same with options of IP and urgent data, which are segmented and never coalesced.
fn odd_recipes() -> impl Strategy<Value = Recipe> {
    (recipes(), 0..=10usize, any::<bool>()).prop_map(|(recipe, words, urgent)| {
        let recipe = Recipe {
            ip_options: vec![1; if recipe.v6 { 0 } else { 4 * words }],
            flags: recipe.flags | if urgent { F::URG } else { 0 },
            ..recipe
        };
        let most = 65_535 - recipe.header_len();
        Recipe {
            payload: recipe.payload.min(most),
            ..recipe
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn segments_are_valid_and_make_up_the_payload(recipe in odd_recipes()) {
        let (vnet, packet) = recipe.build();
        let segments = segments(&vnet, &packet);
        prop_assert_eq!(segments.len(), recipe.payload.div_ceil(recipe.gso_size.into()).max(1));
        let mut payload = Vec::new();
        for segment in &segments {
            assert_valid(segment);
            payload.extend_from_slice(&segment[recipe.header_len()..]);
        }
        prop_assert_eq!(&payload, &packet[recipe.header_len()..]);
    }

    /// But for what is documented: a packet of one segment comes back complete, not to be segmented.
    #[test]
    fn segmented_then_coalesced_is_the_same_packet(recipe in recipes()) {
        let least = recipe.payload.div_ceil(GRO_PACKETS) as u16;
        let recipe = Recipe { gso_size: recipe.gso_size.max(least), ..recipe };
        let (vnet, packet) = recipe.build();
        let segments = segments(&vnet, &packet);
        let written = coalesce(&mut Gro::new(true), &segments);
        prop_assert_eq!(written.len(), 1);
        if segments.len() == 1 {
            prop_assert_eq!(&written[0].packet, &segments[0]);
        } else {
            prop_assert_eq!(written[0].vnet, vnet);
            prop_assert_eq!(&written[0].packet, &packet);
        }
    }

    /// Flows side by side, each going on with now and then something else in the way.
    #[test]
    fn a_burst_loses_nothing_and_overtakes_nothing(seed in any::<u64>(), v6 in any::<bool>(), udp in any::<bool>()) {
        let (burst, flows) = traffic(&mut Rng::with_seed(seed), v6, udp);
        let written = coalesce(&mut Gro::new(true), &burst);
        let firsts: Vec<_> = written.iter().map(|group| group.of[0]).collect();
        prop_assert!(firsts.is_sorted());
        // Flow by flow, packets leave in the order they came in.
        let order: Vec<_> = written.iter().flat_map(|group| group.of.iter().copied()).collect();
        for flow in 0..4 {
            let of_flow: Vec<_> = order.iter().filter(|packet| flows[**packet] == flow).collect();
            prop_assert!(of_flow.is_sorted(), "{order:?}");
        }
        let mut sorted = order;
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..burst.len()).collect::<Vec<_>>());
        // Segmented again each group is its packets, but for an identification that stood still and counts now.
        for group in &written {
            let again = segments(&group.vnet, &group.packet);
            prop_assert_eq!(again.len(), group.of.len());
            for (mut again, packet) in again.into_iter().zip(&group.of) {
                let original = &burst[*packet];
                if !v6 && again[4..6] != original[4..6] {
                    prop_assert_eq!(original[6], 0x40);
                    again[4..6].copy_from_slice(&original[4..6]);
                    again[10..12].fill(0);
                    let checksum = !ones_sum(&[&again[..20]]);
                    again[10..12].copy_from_slice(&checksum.to_be_bytes());
                }
                prop_assert_eq!(&again, original);
            }
        }
    }

    /// Valid packets, then damaged, under a header that was damaged too: refused, or cut without a panic.
    #[test]
    fn mutants_of_packets_never_panic(
        recipe in odd_recipes(),
        changes in prop::collection::vec((0..140usize, any::<u8>()), 0..5),
        header in prop::collection::vec((0..10usize, any::<u8>()), 0..3),
        len in prop::option::of(0..200usize),
        mended in any::<bool>(),
    ) {
        let (vnet, mut packet) = recipe.build();
        let mut vnet: [u8; VnetHeader::LEN] = zerocopy::transmute!(vnet);
        header.iter().for_each(|(at, value)| vnet[*at] = *value);
        for (at, value) in changes {
            if let Some(byte) = packet.get_mut(at) {
                *byte = value;
            }
        }
        packet.truncate(len.unwrap_or(packet.len()));
        if mended && packet.len() >= 20 && packet[0] >> 4 == 4 {
            let end = (usize::from(packet[0] & 0xf) * 4).min(packet.len());
            packet[10..12].fill(0);
            let checksum = !ones_sum(&[&packet[..end]]);
            packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        }
        let vnet: VnetHeader = zerocopy::transmute!(vnet);
        if let Ok(parsed) = Super::parse(&vnet, &packet) {
            let mut out = vec![0; 65_575];
            let last = parsed.segments() - 1;
            for n in [0, last / 2, last] {
                prop_assert_eq!(parsed.write(n, &mut out), Some(parsed.segment_len(n)));
            }
            prop_assert_eq!(parsed.write(last + 1, &mut out), None);
        }
        let mut burst = recipe.segments();
        burst.truncate(8);
        burst.insert(burst.len() / 2, packet);
        let all: usize = coalesce(&mut Gro::new(true), &burst).iter().map(|group| group.of.len()).sum();
        prop_assert_eq!(all, burst.len());
    }
}

/// Up to a burst of packets, and of which flow each is.
fn traffic(rng: &mut Rng, v6: bool, udp: bool) -> (Vec<Vec<u8>>, Vec<u16>) {
    let base = if udp { Recipe::udp() } else { Recipe::tcp() };
    let mut flows = [0, 1, 2, 3].map(|sport| Recipe {
        v6,
        sport,
        payload: 50,
        ..base.clone()
    });
    let mut burst = Vec::new();
    let mut of = Vec::new();
    for _ in 0..rng.usize(1..=GRO_PACKETS) {
        let flow = &mut flows[rng.usize(0..4)];
        match rng.u8(0..60) {
            0 => flow.seq += 1,
            1 => flow.ack += 1,
            2 => flow.window ^= 1,
            3 => flow.id = 0,
            4 => flow.ttl ^= 1,
            5 => flow.tos ^= 2,
            6 => flow.payload = rng.usize(0..100),
            7 => flow.dont_fragment ^= true,
            _ => {}
        }
        let flag = match rng.u8(0..30) {
            0 => F::PSH,
            1 => F::FIN,
            2 => F::CWR,
            3 => F::RST,
            _ => 0,
        };
        let packet = Recipe {
            flags: flow.flags | flag,
            ..flow.clone()
        };
        of.push(flow.sport);
        burst.push(packet.packet());
        flow.seq = flow.seq.wrapping_add(flow.payload as u32);
        flow.id = flow.id.wrapping_add(rng.u8(0..12).min(1).into());
    }
    (burst, of)
}
