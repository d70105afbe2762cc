//! Up to [`BURST`] frames that are handled together.
//!
//! An array on the stack of the worker: nothing is allocated, and a frame is moved, never copied. Slots below `len` hold a
//! frame, those above none; `Option<Frame>` costs nothing, for a chunk's address is never zero.

use super::{Frame, Pool};

/// Frames in a burst. Long enough to spread the cost of an index exchange and of a look at the tables, short enough that
/// the headers touched stay in the first-level cache.
pub const BURST: usize = 64;

/// At most [`BURST`] frames, in order.
#[derive(Debug)]
#[must_use = "frames left in a dropped burst are lost chunks"]
pub struct Burst {
    frames: [Option<Frame>; BURST],
    len: usize,
}

impl Burst {
    /// No frames.
    pub const fn new() -> Self {
        Burst {
            frames: [const { None }; BURST],
            len: 0,
        }
    }

    /// Frames in it.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether no more fits.
    #[inline(always)]
    pub fn is_full(&self) -> bool {
        self.len == BURST
    }

    /// Frames that still fit.
    #[inline(always)]
    pub fn room(&self) -> usize {
        BURST - self.len
    }

    /// Puts a frame behind the last; gives it back if the burst is full.
    #[inline(always)]
    pub fn push(&mut self, frame: Frame) -> Result<(), Frame> {
        match self.frames.get_mut(self.len) {
            Some(slot) => {
                *slot = Some(frame);
                self.len += 1;
                Ok(())
            }
            None => Err(frame),
        }
    }

    /// Takes the last frame.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<Frame> {
        self.len = self.len.checked_sub(1)?;
        self.frames.get_mut(self.len)?.take()
    }

    /// The frames, first to last.
    #[inline(always)]
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Frame> {
        self.frames.iter_mut().take(self.len).flatten()
    }

    /// The frames, first to last, to be looked at.
    pub fn iter(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().take(self.len).flatten()
    }

    /// Takes all frames out, first to last. What the caller does not take from the iterator is a lost chunk.
    #[inline(always)]
    pub fn drain(&mut self) -> impl Iterator<Item = Frame> {
        let len = std::mem::take(&mut self.len);
        self.frames.iter_mut().take(len).filter_map(Option::take)
    }

    /// Frees what is left into the pool; returns how many there were.
    pub fn clear_into(&mut self, pool: &mut Pool) -> usize {
        let frames = self.len;
        self.drain().for_each(|frame| pool.free(frame));
        frames
    }

    /// Frees the frames that have no bit in `left`: the first has the lowest. The others stay, in order.
    pub(crate) fn keep(&mut self, left: u64, pool: &mut Pool) {
        let mut all = std::mem::take(self);
        for (index, frame) in all.drain().enumerate() {
            if left >> index & 1 == 0 {
                pool.free(frame);
            } else if let Err(frame) = self.push(frame) {
                // It held them all a moment ago.
                pool.free(frame);
            }
        }
    }

    /// Fills up from `frames`, taking no more than fit; returns how many it took.
    #[inline(always)]
    pub(super) fn fill_from(&mut self, frames: impl Iterator<Item = Frame>) -> usize {
        let before = self.len;
        // The slots come first: a zip that ran out of them after taking a frame would lose it.
        for (slot, frame) in self.frames.iter_mut().skip(before).zip(frames) {
            *slot = Some(frame);
            self.len += 1;
        }
        self.len - before
    }

    /// Takes the first `n` out; those behind them move to the front once they are all taken.
    #[inline(always)]
    pub(super) fn take_front(&mut self, n: usize, mut each: impl FnMut(Frame)) {
        let n = n.min(self.len);
        self.frames
            .iter_mut()
            .take(n)
            .filter_map(Option::take)
            .for_each(&mut each);
        if n < self.len {
            // The rare case: the ring was full. Empty slots go behind the frames.
            self.frames.rotate_left(n);
        }
        self.len -= n;
    }
}

impl Default for Burst {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::xsk::{Hugepages, Umem};

    proptest! {
        /// A burst is a queue of 64 with two open ends. Frames are told apart by their port tag.
        #[test]
        fn a_burst_is_a_bounded_deque(steps in proptest::collection::vec((0..5u8, 0..80usize), 1..60)) {
            let (_, mut pool) = Umem::map(160, 2048, 50, Hugepages::Off).unwrap();
            let (mut burst, mut model, mut tag) = (Burst::new(), VecDeque::new(), 0u8);
            let mut fresh = |pool: &mut Pool| {
                let mut frame = pool.alloc().unwrap();
                tag = tag.wrapping_add(1);
                frame.set_port(tag);
                (frame, tag)
            };
            for (step, n) in steps {
                match step {
                    0 => {
                        let (frame, tag) = fresh(&mut pool);
                        match burst.push(frame) {
                            Ok(()) => model.push_back(tag),
                            Err(frame) => {
                                prop_assert_eq!(model.len(), BURST);
                                pool.free(frame);
                            }
                        }
                    }
                    1 => match burst.pop() {
                        Some(frame) => {
                            prop_assert_eq!(Some(frame.port()), model.pop_back());
                            pool.free(frame);
                        }
                        None => prop_assert!(model.is_empty()),
                    },
                    2 => {
                        let frames: Vec<_> = (0..n).map(|_| fresh(&mut pool)).collect();
                        let tags: Vec<_> = frames.iter().map(|(_, tag)| *tag).collect();
                        let mut frames = frames.into_iter().map(|(frame, _)| frame);
                        let taken = burst.fill_from(frames.by_ref());
                        prop_assert_eq!(taken, n.min(BURST - model.len()));
                        model.extend(&tags[..taken]);
                        prop_assert_eq!(frames.len(), n - taken);
                        frames.for_each(|frame| pool.free(frame));
                    }
                    3 => {
                        let mut out = Vec::new();
                        burst.take_front(n, |frame| {
                            out.push(frame.port());
                            pool.free(frame);
                        });
                        let expected: Vec<_> = model.drain(..n.min(model.len())).collect();
                        prop_assert_eq!(out, expected);
                    }
                    _ => {
                        prop_assert_eq!(burst.clear_into(&mut pool), model.len());
                        model.clear();
                    }
                }
                prop_assert_eq!(burst.len(), model.len());
                prop_assert_eq!(burst.iter_mut().map(|frame| frame.port()).collect::<Vec<_>>(), Vec::from(model.clone()));
                prop_assert_eq!(pool.len() + burst.len(), 160);
            }
        }
    }
}
