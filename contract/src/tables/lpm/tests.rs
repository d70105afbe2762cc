//! Every trie against a linear scan.

use memmap2::MmapMut;
use proptest::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

use super::*;

struct Lpm {
    root: Box<Root>,
    /// As large as a bank's, and like it mostly never touched.
    lines: MmapMut,
    used: usize,
}

impl Lpm {
    fn new(prefixes: &[Prefix]) -> Lpm {
        let mut builder = Builder::default();
        let mut root = Box::new([0; ROOT_SLOTS]);
        builder.trie(&mut root, prefixes.to_vec()).expect("room");
        Lpm::over(root, &builder.lines)
    }

    fn over(root: Box<Root>, used: &[Line]) -> Lpm {
        let mut lines = MmapMut::map_anon(size_of::<[Line; LPM_LINES]>()).unwrap();
        lines[..used.as_bytes().len()].copy_from_slice(used.as_bytes());
        Lpm {
            root,
            lines,
            used: used.len(),
        }
    }

    fn lookup<const N: usize>(&self, address: [u8; N]) -> u16 {
        lookup(
            &self.root,
            <[Line; LPM_LINES]>::ref_from_bytes(&self.lines).unwrap(),
            &address,
        )
    }
}

/// The definition: the longest of the prefixes that cover the address, the last of those that are the same.
fn scan(prefixes: &[Prefix], bits: u128) -> u16 {
    prefixes
        .iter()
        .filter(|p| p.len == 0 || (p.bits ^ bits) >> (128 - u32::from(p.len)) == 0)
        .max_by_key(|p| p.len)
        .map_or(0, |p| p.value)
}

fn bits4(address: [u8; 4]) -> u128 {
    u128::from(u32::from_be_bytes(address)) << 96
}

/// Addresses that meet each other often: few bits vary.
fn address4() -> impl Strategy<Value = [u8; 4]> {
    prop_oneof![
        any::<[u8; 4]>(),
        (0u8..3, 0u8..3, any::<u8>(), 0u8..4).prop_map(|(a, b, c, d)| [10 + a, b, c, d * 85]),
        Just([0; 4]),
        Just([255; 4]),
    ]
}

fn address6() -> impl Strategy<Value = [u8; 16]> {
    prop_oneof![
        any::<[u8; 16]>(),
        (0u8..2, any::<[u8; 2]>(), 0usize..16, any::<u8>()).prop_map(|(a, b, at, c)| {
            let mut address = [0; 16];
            address[0] = 0xfd;
            address[1] = a;
            address[6..8].copy_from_slice(&b);
            address[at] = c;
            address
        }),
        Just([0; 16]),
        Just([255; 16]),
    ]
}

fn prefixes<const N: usize>(
    address: impl Strategy<Value = [u8; N]>,
) -> impl Strategy<Value = Vec<Prefix>> {
    let len = prop_oneof![
        0..=N as u8 * 8,
        Just(N as u8 * 8),
        Just(0),
        Just(24),
        Just(16)
    ];
    let prefix =
        (address, len, any::<u16>()).prop_map(|(a, len, value)| Prefix::new(a, len, value));
    proptest::collection::vec(prefix, 0..60)
}

/// Where values change: each prefix's first and last address and their neighbours.
fn edges(prefixes: &[Prefix]) -> impl Iterator<Item = u128> {
    prefixes.iter().flat_map(|p| {
        let last = p.bits | u128::MAX.checked_shr(p.len.into()).unwrap_or(0);
        [p.bits, p.bits.wrapping_sub(1), last, last.wrapping_add(1)]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 128 }))]

    #[test]
    #[cfg_attr(miri, ignore = "too slow, and without unsafe code")]
    fn ipv4_is_a_linear_scan(prefixes in prefixes(address4()), addresses in proptest::collection::vec(address4(), 50)) {
        let lpm = Lpm::new(&prefixes);
        for address in addresses {
            prop_assert_eq!(lpm.lookup(address), scan(&prefixes, bits4(address)));
        }
        for bits in edges(&prefixes) {
            let address = ((bits >> 96) as u32).to_be_bytes();
            prop_assert_eq!(lpm.lookup(address), scan(&prefixes, bits4(address)));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "too slow, and without unsafe code")]
    fn ipv6_is_a_linear_scan(prefixes in prefixes(address6()), addresses in proptest::collection::vec(address6(), 50)) {
        let lpm = Lpm::new(&prefixes);
        for address in addresses {
            prop_assert_eq!(lpm.lookup(address), scan(&prefixes, u128::from_be_bytes(address)));
        }
        for bits in edges(&prefixes) {
            prop_assert_eq!(lpm.lookup(bits.to_be_bytes()), scan(&prefixes, bits));
        }
    }

    /// Nodes that name each other in circles, ranks past the end: an answer, in bounded time, without a panic.
    #[test]
    fn any_words_give_an_answer(words in proptest::collection::vec(any::<[u32; 16]>(), 1..64), seed in any::<u32>(),
                                addresses in proptest::collection::vec(any::<[u8; 16]>(), 50)) {
        let mut root = Box::new([0; ROOT_SLOTS]);
        for (slot, value) in root.iter_mut().enumerate() {
            *value = (slot as u32).wrapping_mul(0x9e37_79b9) ^ seed | NODE;
        }
        let lines: Vec<Line> = words.into_iter().map(Line).collect();
        let lpm = Lpm::over(root, &lines);
        for address in addresses {
            let [a, b, c, d, ..] = address;
            lpm.lookup(address);
            lpm.lookup([a, b, c, d]);
        }
    }
}

#[test]
fn three_separate_subnets_of_a_sixteen_are_one_line() {
    let prefix = |third, value| Prefix::new([10, 1, third, 0], 24, value);
    let lpm = Lpm::new(&[prefix(3, 1), prefix(100, 2), prefix(200, 3)]);
    assert_eq!(lpm.used, 1);
    assert_eq!(
        [3, 4, 100, 200].map(|third| lpm.lookup([10, 1, third, 7])),
        [1, 0, 2, 3]
    );
    assert_eq!(
        Lpm::new(&[prefix(3, 1), prefix(100, 2), prefix(200, 3), prefix(250, 4)]).used,
        2
    );
}

#[test]
fn a_node_of_256_runs_is_whole() {
    let prefixes: Vec<_> = (0..=255)
        .map(|third| Prefix::new([10, 1, third, 0], 24, 1000 + u16::from(third)))
        .collect();
    let lpm = Lpm::new(&prefixes);
    assert_eq!(lpm.used, 17);
    for third in 0..=255 {
        assert_eq!(lpm.lookup([10, 1, third, 200]), 1000 + u16::from(third));
    }
}

#[test]
fn a_prefix_inside_of_an_equal_one_needs_no_node() {
    let lpm = Lpm::new(&[
        Prefix::new([10, 0, 0, 0], 8, 5),
        Prefix::new([10, 1, 2, 0], 24, 5),
    ]);
    assert_eq!((lpm.used, lpm.lookup([10, 1, 2, 3])), (0, 5));
}

/// Numbers that look random and are the same in every run (Steele, Lea, Flood 2014).
pub fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A scan of a million routes for each address takes too long, so here it is one map for each length.
#[test]
#[cfg_attr(miri, ignore = "too slow, and without unsafe code")]
fn a_million_routes_of_all_lengths() {
    let mut state = 1;
    let prefixes: Vec<_> = (0..1_000_000)
        .map(|_| {
            let random = splitmix(&mut state);
            Prefix::new(
                ((random >> 32) as u32).to_be_bytes(),
                8 + (random % 25) as u8,
                random as u16 | 1,
            )
        })
        .collect();
    let by_prefix: std::collections::HashMap<_, _> = prefixes
        .iter()
        .map(|p| ((p.bits, p.len), p.value))
        .collect();
    let lpm = Lpm::new(&prefixes);
    for _ in 0..1_000_000 {
        let address = (splitmix(&mut state) as u32).to_be_bytes();
        let expected = (0..=32)
            .rev()
            .find_map(|len| by_prefix.get(&(Prefix::new(address, len, 0).bits, len)))
            .copied()
            .unwrap_or(0);
        assert_eq!(lpm.lookup(address), expected, "{address:?}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "too slow, and without unsafe code")]
fn a_hundred_thousand_random_subnets_and_a_million_ordered_ones_are_small() {
    let mut state = 2;
    let random: Vec<_> = (0..100_000)
        .map(|n| {
            Prefix::new(
                (splitmix(&mut state) as u32).to_be_bytes(),
                24,
                1 + (n % 65_535) as u16,
            )
        })
        .collect();
    assert!(Lpm::new(&random).used * 64 < 4 << 20);
    let ordered: Vec<_> = (0..1_000_000u32)
        .map(|n| Prefix::new((n << 8).to_be_bytes(), 24, 1 + (n % 65_535) as u16))
        .collect();
    assert!(Lpm::new(&ordered).used * 64 < 5 << 20);
}
