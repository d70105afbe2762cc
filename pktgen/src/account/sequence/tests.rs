//! Sequences against a model that remembers everything.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

/// What a lane is, without any cleverness, and with whole numbers where packets have 32 bits of them.
#[derive(Default)]
struct Model {
    seen: HashSet<u64>,
    highest: HashMap<u32, u64>,
    duplicates: u64,
    reordered: u64,
}

impl Model {
    fn insert(&mut self, flow: u32, number: u64) -> Arrival {
        if !self.seen.insert(number) {
            self.duplicates += 1;
            return Arrival::Duplicate;
        }
        let highest = self.highest.entry(flow).or_insert(number);
        if number < *highest {
            self.reordered += 1;
            return Arrival::Reordered;
        }
        *highest = number;
        Arrival::InOrder
    }

    fn agrees(&self, sequences: &Sequences, origin: u64) {
        assert_eq!(sequences.received(), self.seen.len() as u64);
        assert_eq!(sequences.duplicates(), self.duplicates);
        assert_eq!(sequences.reordered(), self.reordered);
        assert_eq!(sequences.strays(), 0);
        let (first, last) = (self.seen.iter().min(), self.seen.iter().max());
        assert_eq!(sequences.first(), first.map_or(0, |first| first - origin));
        assert_eq!(sequences.end(), last.map_or(0, |last| last + 1 - origin));
        let span = first.zip(last).map_or(0, |(first, last)| last + 1 - first);
        assert_eq!(sequences.missing(true), span - self.seen.len() as u64);
    }
}

/// What a path makes of `count` packets in a row: dropped, doubled, displaced. Numbers from `start` on.
fn arrivals(start: u64, count: u64, fates: &[(u8, u8)]) -> Vec<u64> {
    let mut out: Vec<(u64, u64)> = Vec::new();
    for (place, number) in (start..start + count).enumerate() {
        let (fate, delay) = fates[place % fates.len()];
        let at = place as u64 * 2;
        match fate {
            // Every number of a lane must be possible to be lost, doubled, late, and doubled late.
            0..40 => {}
            40..60 => out.extend([(at, number), (at + 1, number)]),
            60..80 => out.push((at + u64::from(delay), number)),
            80..90 => out.extend([(at, number), (at + u64::from(delay), number)]),
            _ => out.push((at, number)),
        }
    }
    out.sort_by_key(|(at, _)| *at);
    out.into_iter().map(|(_, number)| number).collect()
}

fn fates() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((0u8..200, any::<u8>()), 1..64)
}

proptest! {
    #[test]
    fn it_is_the_model(count in 1u64..3_000, flows in 1u64..9, fates in fates()) {
        let (mut sequences, mut model) = (Sequences::default(), Model::default());
        for number in arrivals(0, count, &fates) {
            let flow = (number % flows) as u32;
            prop_assert_eq!(sequences.insert(flow, number as u32), model.insert(flow, number));
        }
        model.agrees(&sequences, 0);
    }

    /// The 32 bits go round in the midst of losses and disorder.
    #[test]
    fn the_wrap_is_nothing_special(before in 1_500u64..3_000, count in 3_000u64..6_000, fates in fates()) {
        let start = (1 << 32) - before;
        let (mut sequences, mut model) = (Sequences::default(), Model::default());
        // Two that are there to begin with: the first of a lane so far from 0 is not believed alone.
        prop_assert_eq!(sequences.insert(0, (start - 2) as u32), Arrival::Stray);
        model.insert(0, start - 2);
        prop_assert_eq!(sequences.insert(0, (start - 1) as u32), model.insert(0, start - 1));
        for number in arrivals(start, count, &fates) {
            prop_assert_eq!(sequences.insert(0, number as u32), model.insert(0, number));
        }
        model.agrees(&sequences, 0);
    }

    /// A flow's packets all come to one queue; then everything is exact.
    #[test]
    fn queues_by_flow_merge_exactly(count in 1u64..3_000, flows in 1u64..9, workers in 1usize..4, fates in fates()) {
        let mut model = Model::default();
        let mut queues: Vec<Sequences> = (0..workers).map(|_| Sequences::default()).collect();
        for number in arrivals(0, count, &fates) {
            let flow = (number % flows) as u32;
            model.insert(flow, number);
            queues[flow as usize % workers].insert(flow, number as u32);
        }
        let mut merged = Sequences::default();
        queues.iter().for_each(|queue| merged.merge(queue));
        model.agrees(&merged, 0);
    }

    /// Copies come to any queue: received and duplicates are exact still.
    #[test]
    fn queues_by_chance_merge_exactly(count in 1u64..3_000, fates in fates(), queues in prop::collection::vec(any::<bool>(), 1..50)) {
        let mut model = Model::default();
        let (mut one, mut other) = (Sequences::default(), Sequences::default());
        for (place, number) in arrivals(0, count, &fates).into_iter().enumerate() {
            model.insert(0, number);
            if queues[place % queues.len()] { &mut one } else { &mut other }.insert(0, number as u32);
        }
        one.merge(&other);
        prop_assert_eq!(one.received(), model.seen.len() as u64);
        prop_assert_eq!(one.duplicates(), model.duplicates);
        prop_assert_eq!(one.end(), model.seen.iter().max().map_or(0, |last| last + 1));
    }

    /// Whatever comes, each packet is counted once and memory is bounded.
    #[test]
    fn anything_is_survived(packets in prop::collection::vec((any::<u32>(), any::<u32>()), 1..400)) {
        let budget: &'static Budget = Box::leak(Box::new(Budget::new(8)));
        let mut sequences = Sequences::within(budget);
        for (flow, sequence) in &packets {
            sequences.insert(*flow, *sequence);
            prop_assert!(budget.used() <= 9);
        }
        let counted = sequences.received() + sequences.duplicates() + sequences.strays();
        prop_assert_eq!(counted, packets.len() as u64);
        let mut merged = Sequences::within(budget);
        merged.merge(&sequences);
        merged.merge(&sequences);
        prop_assert_eq!(merged.received() + merged.duplicates() + merged.strays(), 2 * counted);
    }
}

/// Five times round the 32 bits, a chunk at each millionth number, and memory only for what is not complete.
#[test]
fn long_runs() {
    let budget: &'static Budget = Box::leak(Box::new(Budget::new(40)));
    let mut sequences = Sequences::within(budget);
    let step = NUMBERS / 2;
    for number in (0..5u64 << 32).step_by(step as usize) {
        assert_eq!(
            sequences.insert(0, number as u32),
            Arrival::InOrder,
            "{number}"
        );
    }
    assert_eq!(sequences.received(), (5 << 32) / step);
    assert_eq!(sequences.end(), (5 << 32) - step + 1);
    assert!(budget.used() <= 41);
    // The last ones are still known one by one, the first are not: these are not guessed about.
    assert_eq!(
        sequences.insert(0, (0u64.wrapping_sub(step)) as u32),
        Arrival::Duplicate
    );
    assert_eq!(
        sequences.insert(0, (0u64.wrapping_sub(200 * NUMBERS)) as u32),
        Arrival::Stray
    );
}

#[test]
fn complete_chunks_are_free() {
    let budget: &'static Budget = Box::leak(Box::new(Budget::new(3)));
    let mut sequences = Sequences::within(budget);
    for number in 0..5 * NUMBERS {
        assert_eq!(sequences.insert(0, number as u32), Arrival::InOrder);
    }
    // One is the flows'.
    assert_eq!(budget.used(), 1);
    assert_eq!(
        (sequences.received(), sequences.missing(false)),
        (5 * NUMBERS, 0)
    );
}

#[test]
fn one_wild_number_changes_nothing() {
    for wild in [u32::MAX, 1 << 31, (1 << 31) - 1, LEAP as u32 + 1_001] {
        let mut sequences = Sequences::default();
        for number in 0..1000 {
            sequences.insert(0, number);
        }
        assert_eq!(sequences.insert(0, wild), Arrival::Stray);
        // Doubled by the path, it is no truer.
        assert_eq!(sequences.insert(0, wild), Arrival::Stray);
        assert_eq!(sequences.insert(0, 1000), Arrival::InOrder);
        assert_eq!((sequences.end(), sequences.missing(false)), (1001, 0));
        assert_eq!((sequences.received(), sequences.strays()), (1001, 2));
    }
}

/// A wild first packet does not decide where the lane is.
#[test]
fn a_wild_first_is_outvoted() {
    let mut sequences = Sequences::default();
    sequences.insert(0, 3_000_000_000);
    for number in 0..10 {
        assert_eq!(sequences.insert(0, number), Arrival::InOrder);
    }
    assert_eq!(
        (sequences.first(), sequences.end(), sequences.strays()),
        (0, 10, 1)
    );
}

#[test]
fn a_long_outage_is_believed_and_lost() {
    let mut sequences = Sequences::default();
    for number in (0..100).chain(200_000_000..200_000_100) {
        sequences.insert(0, number);
    }
    assert_eq!((sequences.received(), sequences.strays()), (200, 0));
    assert_eq!(sequences.missing(false), 199_999_900);
}

#[test]
fn a_receiver_that_joins_counts_from_the_first_seen() {
    let mut sequences = Sequences::default();
    for number in [1_000u32, 1_001, 1_003, 999] {
        sequences.insert(0, number);
    }
    assert_eq!(
        (sequences.missing(true), sequences.missing(false)),
        (1, 1_000)
    );
}

/// Two queues of a receiver that joined began on different sides of the wrap.
#[test]
fn queues_on_both_sides_of_the_wrap() {
    for swap in [false, true] {
        let (mut old, mut new) = (Sequences::default(), Sequences::default());
        for number in (1u64 << 32) - 10..(1 << 32) + 10 {
            if number % 2 == 0 {
                old.insert(0, number as u32);
            } else if number >= 1 << 32 {
                new.insert(1, number as u32);
            }
        }
        let (mut one, other) = if swap { (new, old) } else { (old, new) };
        one.merge(&other);
        assert_eq!((one.first(), one.end()), ((1 << 32) - 10, (1 << 32) + 10));
        assert_eq!(
            (one.received(), one.missing(true), one.strays()),
            (15, 5, 0)
        );
        assert_eq!(one.insert(0, 8), Arrival::Duplicate);
        assert_eq!(one.insert(1, 9), Arrival::Duplicate);
    }
}

/// A lane of which one queue saw a single packet, far from 0: the other queue's packets make it credible.
#[test]
fn a_merge_settles_what_was_pending() {
    let (mut one, mut other) = (Sequences::default(), Sequences::default());
    one.insert(0, 100_000_000);
    other.insert(1, 100_000_001);
    assert_eq!((one.received(), one.strays()), (0, 1));
    one.merge(&other);
    assert_eq!((one.received(), one.strays(), one.missing(true)), (2, 0, 0));
}

#[test]
fn another_lane_with_all_the_memory_stops_no_count() {
    let budget: &'static Budget = Box::leak(Box::new(Budget::new(2)));
    let hog: Vec<_> = std::iter::from_fn(|| budget.block()).collect();
    let mut sequences = Sequences::within(budget);
    for number in 0..3 * NUMBERS {
        if number % 7 != 0 {
            assert_eq!(sequences.insert(0, number as u32), Arrival::InOrder);
        }
    }
    assert_eq!(sequences.missing(false), 3 * NUMBERS / 7 + 1);
    assert_eq!(sequences.unjudged(), sequences.received());
    assert_eq!(budget.used(), 3);
    drop(hog);
}
