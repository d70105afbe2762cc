//! Memory for counting, in blocks of 128 KiB, and how many of them a process may have.
//!
//! What is counted comes from the network: whoever forges signatures can name any sequence and any flow. So nothing is
//! as large as the largest number named; blocks exist only where something arrived, and all lanes of a process share
//! one [`Budget`]. Invariant: a budget's `used` is the number of its blocks that live.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};

/// 64-bit words in a block. 128 KiB: large enough that a block is a rare event (one in a million packets), small enough
/// that a forged packet costs no more than that.
pub const WORDS: usize = 1 << 14;

/// How many blocks may live.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    most: usize,
}

/// The budget of all lanes: 512 MiB, 4.3 thousand million numbers (seven minutes at 10 Mpps) if none of them can be let
/// go.
pub static PROCESS: Budget = Budget::new(4096);

impl Budget {
    /// Of `most` blocks.
    pub const fn new(most: usize) -> Self {
        Budget {
            used: AtomicUsize::new(0),
            most,
        }
    }

    /// A block of zeros; `None` if all are in use.
    #[cold]
    pub fn block(&'static self) -> Option<Block> {
        // Relaxed: a count, which orders nothing.
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                (used < self.most).then_some(used + 1)
            })
            .ok()?;
        Some(Block::zeroed(self))
    }

    /// A block of zeros, however many are in use: for a lane that has none, so that others cannot stop its count. There
    /// are at most 256 lanes to a worker: 32 MiB beyond the budget.
    #[cold]
    pub fn block_beyond(&'static self) -> Block {
        self.used.fetch_add(1, Ordering::Relaxed);
        Block::zeroed(self)
    }

    /// Blocks that live.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// 128 KiB, counted.
#[derive(Debug)]
pub struct Block {
    words: Box<[u64; WORDS]>,
    budget: &'static Budget,
}

impl Block {
    fn zeroed(budget: &'static Budget) -> Self {
        Block {
            // Through Vec, for a boxed array literal would pass over the stack.
            words: vec![0; WORDS].try_into().expect("as long as it was made"),
            budget,
        }
    }
}

impl Deref for Block {
    type Target = [u64; WORDS];

    fn deref(&self) -> &Self::Target {
        &self.words
    }
}

impl DerefMut for Block {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.words
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_kept_and_given_back() {
        static TWO: Budget = Budget::new(2);
        let first = TWO.block();
        let second = TWO.block();
        assert!(first.is_some() && second.is_some() && TWO.block().is_none());
        drop(first);
        assert_eq!(TWO.used(), 1);
        assert!(
            TWO.block()
                .is_some_and(|block| block.iter().all(|word| *word == 0))
        );
    }
}
