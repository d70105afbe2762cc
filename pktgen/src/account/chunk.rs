//! A million consecutive sequence numbers: which of them arrived.
//!
//! A chunk costs a [`Block`] only while some of its numbers are there and others are not. Invariant: `Part` has at
//! least one number and misses at least one, and its count is the number of bits set.

use super::block::{Block, Budget, WORDS};

/// Numbers in a chunk.
pub const NUMBERS: u64 = WORDS as u64 * 64;

/// Which numbers of a chunk arrived.
#[derive(Debug, Default)]
pub enum Chunk {
    /// None.
    #[default]
    Empty,
    /// Some.
    Part {
        /// A bit for each number.
        bits: Block,
        /// Bits set.
        count: u32,
    },
    /// All.
    Full,
    /// So many, it is no longer known which: its block went to newer numbers.
    Settled(u32),
}

/// What became of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It was not there.
    New,
    /// It was there.
    Again,
    /// There is no telling: the chunk is settled.
    Unknown,
    /// There is no room to note it.
    NoRoom,
}

impl Chunk {
    /// Notes number `at` (below [`NUMBERS`]).
    #[inline]
    pub fn insert(&mut self, at: u64, budget: &'static Budget) -> Mark {
        debug_assert!(at < NUMBERS);
        match self {
            Chunk::Part { bits, count } => {
                // The mask spares a bounds check: `at` is below NUMBERS.
                let word = &mut bits[(at / 64) as usize % WORDS];
                let bit = 1 << (at % 64);
                if *word & bit != 0 {
                    return Mark::Again;
                }
                *word |= bit;
                *count += 1;
                if u64::from(*count) == NUMBERS {
                    *self = Chunk::Full;
                }
                Mark::New
            }
            Chunk::Full => Mark::Again,
            Chunk::Settled(_) => Mark::Unknown,
            Chunk::Empty => match budget.block() {
                Some(bits) => {
                    *self = Chunk::begin(bits, at);
                    Mark::New
                }
                None => Mark::NoRoom,
            },
        }
    }

    /// A chunk in which only number `at` arrived. `bits` are zeros.
    pub fn begin(mut bits: Block, at: u64) -> Self {
        bits[(at / 64) as usize % WORDS] = 1 << (at % 64);
        Chunk::Part { bits, count: 1 }
    }

    /// Numbers that arrived.
    pub fn count(&self) -> u64 {
        match self {
            Chunk::Empty => 0,
            Chunk::Part { count, .. } | Chunk::Settled(count) => u64::from(*count),
            Chunk::Full => NUMBERS,
        }
    }

    /// Gives its block back, if it has one; whether it had.
    pub fn settle(&mut self) -> bool {
        let held = matches!(self, Chunk::Part { .. });
        if held {
            *self = Chunk::Settled(self.count() as u32);
        }
        held
    }

    /// Takes in what another worker saw. The caller finds the duplicates: the counts of both before, less that of the
    /// union. Without room for the other's block, or with a settled one, the union is taken as the sum, and what is
    /// more than a chunk holds is certainly a duplicate.
    pub fn merge(&mut self, other: &Chunk, budget: &'static Budget) {
        match (&mut *self, other) {
            (_, Chunk::Empty) | (Chunk::Full, _) => {}
            (Chunk::Part { bits, count }, Chunk::Part { bits: others, .. }) => {
                let mut union = 0;
                for (word, other) in bits.iter_mut().zip(others.iter()) {
                    *word |= other;
                    union += word.count_ones();
                }
                *count = union;
                if u64::from(union) == NUMBERS {
                    *self = Chunk::Full;
                }
            }
            (_, Chunk::Full) => *self = Chunk::Full,
            (
                Chunk::Empty,
                Chunk::Part {
                    bits: others,
                    count,
                },
            ) => {
                *self = match budget.block() {
                    Some(mut bits) => {
                        bits.copy_from_slice(&others[..]);
                        Chunk::Part {
                            bits,
                            count: *count,
                        }
                    }
                    None => Chunk::Settled(*count),
                }
            }
            (_, Chunk::Settled(_)) | (Chunk::Settled(_), _) => {
                *self = Chunk::Settled((self.count() + other.count()).min(NUMBERS) as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    static ROOM: Budget = Budget::new(64);
    static NONE: Budget = Budget::new(0);

    fn of(numbers: &[u64]) -> Chunk {
        let mut chunk = Chunk::Empty;
        for at in numbers {
            chunk.insert(*at, &ROOM);
        }
        chunk
    }

    fn full() -> Chunk {
        let mut chunk = Chunk::Empty;
        for at in 0..NUMBERS {
            assert_eq!(chunk.insert(at, &ROOM), Mark::New);
        }
        chunk
    }

    proptest! {
        #[test]
        fn a_chunk_is_a_set(numbers in prop::collection::vec(0..NUMBERS, 0..200), others in prop::collection::vec(0..NUMBERS, 0..200)) {
            let mut chunk = Chunk::Empty;
            let mut set = HashSet::new();
            for at in &numbers {
                let expected = if set.insert(*at) { Mark::New } else { Mark::Again };
                prop_assert_eq!(chunk.insert(*at, &ROOM), expected);
            }
            prop_assert_eq!(chunk.count(), set.len() as u64);
            chunk.merge(&of(&others), &ROOM);
            set.extend(&others);
            prop_assert_eq!(chunk.count(), set.len() as u64);
        }
    }

    #[test]
    fn a_full_chunk_needs_no_block() {
        let mut chunk = full();
        assert!(matches!(chunk, Chunk::Full));
        assert_eq!(chunk.insert(7, &NONE), Mark::Again);
        let mut other = of(&[1]);
        other.merge(&chunk, &NONE);
        assert!(matches!(other, Chunk::Full));
    }

    #[test]
    fn two_halves_are_a_whole() {
        let mut even = Chunk::Empty;
        let mut odd = Chunk::Empty;
        for at in 0..NUMBERS {
            if at % 2 == 0 { &mut even } else { &mut odd }.insert(at, &ROOM);
        }
        even.merge(&odd, &ROOM);
        assert!(matches!(even, Chunk::Full));
    }

    #[test]
    fn without_room_the_count_stays() {
        assert_eq!(Chunk::Empty.insert(0, &NONE), Mark::NoRoom);
        let mut chunk = Chunk::Empty;
        chunk.merge(&of(&[1, 2, 3]), &NONE);
        assert!(matches!(chunk, Chunk::Settled(3)));
        assert_eq!(chunk.insert(9, &NONE), Mark::Unknown);
        chunk.merge(&of(&[1, 2]), &NONE);
        assert_eq!(chunk.count(), 5);
        chunk.merge(&full(), &NONE);
        assert_eq!(chunk.count(), NUMBERS);
    }
}
