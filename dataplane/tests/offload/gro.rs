//! The packets of a burst put together.

use contract::wire::TcpFlags as F;
use dataplane::offload::{GRO_PACKETS, Gro, Packet, VnetHeader};

use crate::packets::{Recipe, Written, coalesce, ones_sum, written};

/// Which packets of a burst became one.
fn groups(burst: &[Vec<u8>]) -> Vec<Vec<usize>> {
    let written = coalesce(&mut Gro::new(true), burst);
    written.into_iter().map(|group| group.of).collect()
}

/// Three packets of a flow, 100 bytes each, that continue each other.
pub fn three() -> [Recipe; 3] {
    [0, 1, 2].map(|n| Recipe {
        payload: 100,
        id: 7 + n as u16,
        seq: 1000 + 100 * n,
        ..Recipe::tcp()
    })
}

fn built(recipes: &[Recipe]) -> Vec<Vec<u8>> {
    recipes.iter().map(Recipe::packet).collect()
}

/// Mends the header checksum of a packet over IPv4.
fn mend(packet: &mut [u8]) {
    let len = usize::from(packet[0] & 0xf) * 4;
    packet[10..12].fill(0);
    let checksum = !ones_sum(&[&packet[..len]]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
}

#[test]
fn five_bytes_of_three_packets_to_the_last_byte() {
    let burst = [
        [
            0x45, 0, 0, 42, 0, 5, 0x40, 0, 64, 6, 0x26, 0xc7, 10, 0, 0, 1, 10, 0, 0, 2, //
            0, 1, 0, 2, 0, 0, 0, 9, 0, 0, 0, 7, 0x50, 0x10, 0, 3, 0x3a, 0x58, 0, 0, b'a', b'b',
        ]
        .to_vec(),
        [
            0x45, 0, 0, 42, 0, 6, 0x40, 0, 64, 6, 0x26, 0xc6, 10, 0, 0, 1, 10, 0, 0, 2, //
            0, 1, 0, 2, 0, 0, 0, 11, 0, 0, 0, 7, 0x50, 0x10, 0, 3, 0x38, 0x54, 0, 0, b'c', b'd',
        ]
        .to_vec(),
        [
            0x45, 0, 0, 41, 0, 7, 0x40, 0, 64, 6, 0x26, 0xc6, 10, 0, 0, 1, 10, 0, 0, 2, //
            0, 1, 0, 2, 0, 0, 0, 13, 0, 0, 0, 7, 0x50, 0x19, 0, 3, 0x36, 0xae, 0, 0, b'e',
        ]
        .to_vec(),
    ];
    let merged = [
        0x45, 0, 0, 45, 0, 5, 0x40, 0, 64, 6, 0x26, 0xc4, 10, 0, 0, 1, 10, 0, 0, 2, //
        0, 1, 0, 2, 0, 0, 0, 9, 0, 0, 0, 7, 0x50, 0x19, 0, 3, 0x14, 0x22, 0, 0, //
        b'a', b'b', b'c', b'd', b'e',
    ];
    let groups = coalesce(&mut Gro::new(true), &burst);
    let [Written { of, vnet, packet }] = &groups[..] else {
        panic!("{} groups", groups.len())
    };
    assert_eq!((&of[..], &packet[..]), (&[0, 1, 2][..], &merged[..]));
    let expected = VnetHeader {
        flags: VnetHeader::NEEDS_CSUM,
        gso_type: VnetHeader::GSO_TCPV4,
        hdr_len: 40.into(),
        gso_size: 2.into(),
        csum_start: 20.into(),
        csum_offset: 16.into(),
    };
    assert_eq!(*vnet, expected);
}

#[test]
fn a_packet_alone_is_written_as_it_is() {
    let packet = Recipe::tcp().packet();
    for (verified, flags) in [(true, VnetHeader::DATA_VALID), (false, 0)] {
        let bytes = &packet;
        let groups = written(&mut Gro::new(true), &[Packet { bytes, verified }]);
        assert_eq!(groups.len(), 1);
        let expected = VnetHeader {
            flags,
            ..VnetHeader::default()
        };
        assert_eq!((groups[0].vnet, &groups[0].packet), (expected, &packet));
    }
}

/// What makes a packet another.
type Change = fn(&mut Recipe);

/// What the second packet of three must not differ in.
pub fn changes() -> [(&'static str, Change); 14] {
    [
        ("timestamps", |r| r.tcp_options[7] ^= 1),
        ("no options", |r| r.tcp_options.clear()),
        ("window", |r| r.window = 501),
        ("zero window", |r| r.window = 0),
        ("ack", |r| r.ack += 1),
        ("a gap", |r| r.seq += 1),
        ("an overlap", |r| r.seq -= 1),
        ("ttl", |r| r.ttl = 62),
        ("ecn", |r| r.tos = 3),
        ("ids left out", |r| r.id += 5),
        ("df", |r| r.dont_fragment = false),
        ("ece", |r| r.flags |= F::ECE),
        ("reset", |r| r.flags |= F::RST),
        ("urgent", |r| r.flags |= F::URG),
    ]
}

/// The third does not join the first across it.
#[test]
fn a_packet_that_differs_closes_the_group() {
    for (what, change) in changes() {
        let mut recipes = three();
        change(&mut recipes[1]);
        assert_eq!(groups(&built(&recipes)), [[0], [1], [2]], "{what}");
    }
    let mut reserved = built(&three());
    reserved[1][32] |= 1;
    reserved[1][36] = reserved[1][36].wrapping_sub(1);
    assert_eq!(groups(&reserved), [[0], [1], [2]], "a reserved bit");
    assert_eq!(groups(&built(&three())), [[0, 1, 2]]);
    let mut six = three().map(|recipe| Recipe { v6: true, ..recipe });
    assert_eq!(groups(&built(&six)), [[0, 1, 2]]);
    six[1].ttl = 9;
    assert_eq!(groups(&built(&six)), [[0], [1], [2]], "hop limit");
    let mut labelled = built(&three().map(|recipe| Recipe { v6: true, ..recipe }));
    labelled[1][3] ^= 1;
    assert_eq!(groups(&labelled), [[0], [1], [2]], "flow label");
}

#[test]
fn what_all_have_in_common_does_not_matter() {
    for flags in [F::ACK, F::ACK | F::ECE] {
        let same = three().map(|recipe| Recipe {
            window: 0,
            tos: 2,
            flags,
            ..recipe
        });
        assert_eq!(groups(&built(&same)), [[0, 1, 2]]);
    }
}

#[test]
fn push_and_fin_come_last() {
    for flag in [F::PSH, F::FIN, F::PSH | F::FIN] {
        let mut recipes = three();
        recipes[1].flags |= flag;
        let written = coalesce(&mut Gro::new(true), &built(&recipes));
        assert_eq!(written[0].of, [0, 1]);
        assert_eq!(written[0].packet[33], F::ACK | flag);
        assert_eq!(written[1].of, [2]);
        recipes[1].flags &= !flag;
        recipes[0].flags |= flag;
        assert_eq!(groups(&built(&recipes)), [vec![0], vec![1, 2]]);
    }
}

#[test]
fn cwr_starts_a_group() {
    let mut recipes = three();
    recipes[0].flags |= F::CWR;
    let written = coalesce(&mut Gro::new(true), &built(&recipes));
    assert_eq!(written[0].of, [0, 1, 2]);
    assert_eq!(
        written[0].vnet.gso_type,
        VnetHeader::GSO_TCPV4 | VnetHeader::GSO_ECN
    );
    let mut recipes = three();
    recipes[1].flags |= F::CWR;
    assert_eq!(groups(&built(&recipes)), [vec![0], vec![1, 2]]);
}

#[test]
fn a_shorter_packet_ends_a_group_and_a_longer_one_starts_one() {
    let mut recipes = three();
    recipes[1].payload = 99;
    recipes[2].seq -= 1;
    assert_eq!(groups(&built(&recipes)), [vec![0, 1], vec![2]]);
    recipes[1].payload = 101;
    recipes[2].seq += 2;
    assert_eq!(groups(&built(&recipes)), [vec![0], vec![1, 2]]);
}

#[test]
fn acknowledgements_handshakes_and_resets_stay_alone() {
    for flags in [F::ACK, F::SYN, F::SYN | F::ACK, F::RST, F::ACK | F::FIN] {
        let bare = Recipe {
            flags,
            payload: 0,
            ..Recipe::tcp()
        };
        assert_eq!(groups(&built(&[bare.clone(), bare])), [[0], [1]]);
    }
    for flag in [F::SYN, F::RST, F::URG] {
        let all = three().map(|recipe| Recipe {
            flags: F::ACK | flag,
            ..recipe
        });
        assert_eq!(groups(&built(&all)), [[0], [1], [2]]);
    }
}

#[test]
fn an_acknowledgement_is_not_overtaken() {
    let mut recipes = three().to_vec();
    let ack = Recipe {
        payload: 0,
        ..recipes[1].clone()
    };
    recipes.insert(1, ack);
    assert_eq!(groups(&built(&recipes)), [vec![0], vec![1], vec![2, 3]]);
}

#[test]
fn identifications_count_on_or_stay() {
    let with = |ids: [u16; 3], dont_fragment| {
        let mut recipes = three();
        for (recipe, id) in recipes.iter_mut().zip(ids) {
            (recipe.id, recipe.dont_fragment) = (id, dont_fragment);
        }
        groups(&built(&recipes))
    };
    for dont_fragment in [true, false] {
        assert_eq!(with([0xffff, 0, 1], dont_fragment), [[0, 1, 2]]);
        assert_eq!(with([5, 6, 6], dont_fragment), [vec![0, 1], vec![2]]);
    }
    assert_eq!(with([0, 0, 0], true), [[0, 1, 2]]);
    assert_eq!(with([5, 5, 6], true), [vec![0, 1], vec![2]]);
    assert_eq!(with([0, 0, 0], false), [[0], [1], [2]]);
}

#[test]
fn a_wrong_checksum_goes_alone_and_untouched() {
    for wrong in 0..3 {
        let mut burst = built(&three());
        burst[wrong][60] ^= 1;
        let written = coalesce(&mut Gro::new(true), &burst);
        let of: Vec<_> = written.iter().map(|group| group.of.clone()).collect();
        let expected = [
            vec![vec![0], vec![1, 2]],
            vec![vec![0], vec![1], vec![2]],
            vec![vec![0, 1], vec![2]],
        ];
        assert_eq!(of, expected[wrong]);
        let alone = written.iter().find(|group| group.of == [wrong]).unwrap();
        assert_eq!(alone.packet, burst[wrong]);
        assert_eq!(alone.vnet, VnetHeader::default());
    }
}

#[test]
fn what_is_sent_again_does_not_overtake_what_was_damaged() {
    let mut burst = built(&three());
    burst.insert(1, burst[1].clone());
    burst[1][60] ^= 1;
    assert_eq!(groups(&burst), [vec![0], vec![1], vec![2, 3]]);
}

#[test]
fn a_checksum_that_was_verified_is_not_verified_again() {
    let mut burst = built(&three());
    burst.iter_mut().for_each(|packet| packet[60] ^= 1);
    let verified = |bytes| Packet {
        bytes,
        verified: true,
    };
    let burst: Vec<_> = burst.iter().map(|bytes| verified(&bytes[..])).collect();
    assert_eq!(written(&mut Gro::new(true), &burst)[0].of, [0, 1, 2]);
}

#[test]
fn no_group_is_longer_than_a_packet_may_be() {
    let recipe = Recipe {
        payload: 1398 * 60,
        ..Recipe::tcp()
    };
    let burst: Vec<_> = (0..60)
        .map(|n| Recipe {
            payload: 1398,
            id: n as u16,
            seq: 1398 * n,
            ..recipe.clone()
        })
        .collect();
    let most = (65_535 - 52) / 1398;
    let groups = groups(&built(&burst));
    let lens: Vec<_> = groups.iter().map(Vec::len).collect();
    assert_eq!(lens, [most, 60 - most]);
    // Just as long as it may be: 8 packets of 8,185 bytes and 3 bytes.
    let exact: Vec<_> = [8185, 8185, 8185, 8185, 8185, 8185, 8185, 8185, 3]
        .iter()
        .enumerate()
        .map(|(n, payload)| Recipe {
            payload: *payload,
            id: n as u16,
            seq: 8185 * n as u32,
            ..recipe.clone()
        })
        .collect();
    let written = coalesce(&mut Gro::new(true), &built(&exact));
    assert_eq!((written.len(), written[0].packet.len()), (1, 65_535));
}

#[test]
fn flows_are_gathered_side_by_side_in_the_order_of_their_first_packets() {
    let mut burst = Vec::new();
    for recipe in three() {
        for sport in [9, 5, 7] {
            let recipe = recipe.clone();
            burst.push(Recipe { sport, ..recipe });
        }
    }
    let burst = built(&burst);
    assert_eq!(groups(&burst), [[0, 3, 6], [1, 4, 7], [2, 5, 8]]);
}

#[test]
fn of_too_many_flows_the_stalest_closes() {
    let [first, second, _] = three();
    let flow = |recipe: &Recipe, n: u16| Recipe {
        sport: n,
        ..recipe.clone()
    };
    // Sixteen are open; the seventeenth closes flow 1, for flow 0 was joined since.
    let mut burst: Vec<_> = (0..16).map(|n| flow(&first, n)).collect();
    burst.push(flow(&second, 0));
    burst.push(flow(&first, 16));
    burst.extend([1, 16, 15].map(|n| flow(&second, n)));
    let groups = groups(&built(&burst));
    let of = |packet| groups.iter().find(|group| group.contains(&packet)).unwrap();
    assert_eq!(of(16), &[0, 16]);
    assert_eq!((of(1), of(18)), (&vec![1], &vec![18]));
    assert_eq!(of(19), &[17, 19]);
    assert_eq!(of(20), &[15, 20]);
}

#[test]
fn fragments_and_ip_options_stay_alone_and_are_not_overtaken() {
    for (at, value) in [(6, 0x20), (7, 1), (6, 0x80)] {
        let mut burst = built(&three());
        burst[1][at] = value;
        mend(&mut burst[1]);
        assert_eq!(groups(&burst), [[0], [1], [2]]);
    }
    let options = three().map(|recipe| Recipe {
        ip_options: vec![1, 1, 1, 0],
        ..recipe
    });
    assert_eq!(groups(&built(&options)), [[0], [1], [2]]);
    // Between the same hosts, in the midst of a flow: whose fragment it is nobody knows.
    let [first, second, _] = built(&three()).try_into().unwrap();
    let mut fragment = Recipe {
        sport: 1,
        ..three()[1].clone()
    }
    .packet();
    fragment[7] = 1;
    mend(&mut fragment);
    assert_eq!(groups(&[first, fragment, second]), [[0], [1], [2]]);
}

#[test]
fn a_ping_between_the_same_hosts_closes_nothing() {
    let [first, second, third] = built(&three()).try_into().unwrap();
    let mut ping = third.clone();
    ping[9] = 1;
    mend(&mut ping);
    assert_eq!(
        groups(&[first, ping, second, third]),
        [vec![0, 2, 3], vec![1]]
    );
}

#[test]
fn padding_and_junk_stay_alone() {
    let mut burst = built(&three());
    burst[1].push(0);
    assert_eq!(groups(&burst), [[0], [1], [2]]);
    let mut burst = built(&three());
    burst[1][10] ^= 1; // The IP header's own checksum.
    assert_eq!(groups(&burst), [[0], [1], [2]]);
    let junk = [vec![], vec![0x45], vec![0x60; 39], vec![0; 64]];
    assert_eq!(groups(&junk), [[0], [1], [2], [3]]);
}

#[test]
fn datagrams_of_one_size_are_coalesced_if_the_kernel_takes_them() {
    let datagrams = |sizes: &[usize]| -> Vec<_> {
        let recipe = |(id, payload): (usize, &usize)| Recipe {
            payload: *payload,
            id: id as u16,
            ..Recipe::udp()
        };
        sizes.iter().enumerate().map(recipe).collect::<Vec<_>>()
    };
    let burst = built(&datagrams(&[100, 100, 100, 7, 100, 101]));
    let written = coalesce(&mut Gro::new(true), &burst);
    let of: Vec<_> = written.iter().map(|group| group.of.clone()).collect();
    assert_eq!(of, [vec![0, 1, 2, 3], vec![4], vec![5]]);
    let (vnet, packet) = Recipe {
        payload: 307,
        gso_size: 100,
        id: 0,
        ..Recipe::udp()
    }
    .build();
    assert_eq!(written[0].vnet, vnet);
    assert_eq!(written[0].packet[..28], packet[..28]);
    let alone = coalesce(&mut Gro::new(false), &burst);
    assert_eq!(alone.len(), burst.len());
    // No checksum: none may be invented.
    let mut burst = built(&datagrams(&[100, 100, 100]));
    burst[1][26..28].fill(0);
    assert_eq!(groups(&burst), [[0], [1], [2]]);
    assert_eq!(groups(&built(&datagrams(&[0, 0]))), [[0], [1]]);
}

#[test]
fn a_burst_leaves_nothing_behind_and_has_an_end() {
    let burst = built(&three());
    let mut gro = Gro::new(true);
    assert_eq!(coalesce(&mut gro, &burst[..1])[0].of, [0]);
    assert_eq!(coalesce(&mut gro, &burst[1..])[0].of, [0, 1]);
    assert!(coalesce(&mut gro, &[]).is_empty());
    let many = vec![vec![0x45]; GRO_PACKETS + 1];
    assert_eq!(coalesce(&mut gro, &many).len(), GRO_PACKETS);
}
