//! One ring: two unmasked indices over an array, one side that fills and one that empties.
//!
//! The verbs are libxdp's: the producer reserves slots, writes them and submits; the consumer peeks, reads and releases.
//! Indices count on and wrap at 2^32; a slot's place is the masked index, so full and empty need no spare slot. Each side
//! keeps a copy of the other's index and reads the shared word only when the copy says that there is too little: the word
//! lies on a line that the other side writes. What a guard has not submitted or released is as if it had never been.
//!
//! # Safety
//!
//! The release store of an index publishes the slots before it, and the acquire load by the other side receives them
//! (the barriers told in <https://github.com/torvalds/linux/blob/v6.17/net/xdp/xsk_queue.h>). So a slot is written only between
//! the consumer's release and the producer's submit, and read only between submit and release; loom runs it below.
#![expect(
    unsafe_code,
    reason = "writes and reads slots that the indices say are this side's"
)]

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::shared::Shared;

/// The kernel sets it in a ring that it empties when it waits to be told of new entries.
const NEED_WAKEUP: u32 = rustix::net::xdp::XdpRingFlags::XDP_RING_NEED_WAKEUP.bits();

/// The side that fills.
pub(super) struct Producer<T> {
    ring: Shared<T>,
    /// Our index.
    next: u32,
    /// The consumer's index as last read, plus the size: where we would run into it.
    end: u32,
}

impl<T: Copy> Producer<T> {
    pub(super) fn new(ring: Shared<T>) -> Self {
        let next = ring.producer().load(Relaxed);
        let end = ring.consumer().load(Acquire).wrapping_add(ring.size());
        Producer { ring, next, end }
    }

    /// Up to `want` slots to write.
    #[inline(always)]
    pub(super) fn reserve(&mut self, want: usize) -> Reserved<'_, T> {
        let want = u32::try_from(want).unwrap_or(u32::MAX);
        let mut free = self.end.wrapping_sub(self.next);
        if free < want {
            self.end = self
                .ring
                .consumer()
                .load(Acquire)
                .wrapping_add(self.ring.size());
            free = self.end.wrapping_sub(self.next);
        }
        let at = self.next;
        Reserved {
            at,
            end: at.wrapping_add(free.min(want).min(self.ring.size())),
            producer: self,
        }
    }

    /// Entries submitted that the other side has not taken yet.
    #[inline(always)]
    pub(super) fn outstanding(&self) -> u32 {
        self.next.wrapping_sub(self.ring.consumer().load(Acquire))
    }

    /// Entries that a reservation would get, at least: only the other side makes it more.
    pub(super) fn room(&self) -> u32 {
        self.ring.size().saturating_sub(self.outstanding())
    }

    /// Whether the kernel sleeps until it is told of new entries.
    #[inline(always)]
    pub(super) fn needs_wakeup(&self) -> bool {
        self.ring.flags().load(Relaxed) & NEED_WAKEUP != 0
    }

    pub(super) fn is_alone(&self) -> bool {
        self.ring.is_alone()
    }
}

/// Slots that are ours to write until they are submitted.
#[must_use = "slots that are not submitted were reserved for nothing"]
pub(super) struct Reserved<'a, T> {
    producer: &'a mut Producer<T>,
    at: u32,
    end: u32,
}

impl<T: Copy> Reserved<'_, T> {
    /// Slots still to be written.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.end.wrapping_sub(self.at) as usize
    }

    /// Writes the next slot. There must be one: see [`len`](Self::len).
    #[inline(always)]
    pub(super) fn put(&mut self, value: T) {
        assert_ne!(self.at, self.end, "more entries than slots were reserved");
        self.producer.ring.slot(self.at).with_mut(|slot| {
            // SAFETY: the slot is between our index and the consumer's, so the other side does not look at it.
            unsafe { slot.write(value) }
        });
        self.at = self.at.wrapping_add(1);
    }

    /// Publishes what was written; returns how many.
    #[inline(always)]
    pub(super) fn submit(self) -> usize {
        let written = self.at.wrapping_sub(self.producer.next);
        if written > 0 {
            self.producer.next = self.at;
            self.producer.ring.producer().store(self.at, Release);
        }
        written as usize
    }
}

/// The side that empties.
pub(super) struct Consumer<T> {
    ring: Shared<T>,
    /// Our index.
    next: u32,
    /// The producer's index as last read.
    end: u32,
}

impl<T: Copy> Consumer<T> {
    pub(super) fn new(ring: Shared<T>) -> Self {
        let next = ring.consumer().load(Relaxed);
        let end = ring.producer().load(Acquire);
        Consumer { ring, next, end }
    }

    /// Up to `want` entries to read.
    #[inline(always)]
    pub(super) fn peek(&mut self, want: usize) -> Peeked<'_, T> {
        let want = u32::try_from(want).unwrap_or(u32::MAX);
        let mut ready = self.end.wrapping_sub(self.next);
        if ready < want {
            self.end = self.ring.producer().load(Acquire);
            ready = self.end.wrapping_sub(self.next);
        }
        let at = self.next;
        Peeked {
            at,
            end: at.wrapping_add(ready.min(want).min(self.ring.size())),
            consumer: self,
        }
    }

    pub(super) fn is_alone(&self) -> bool {
        self.ring.is_alone()
    }
}

/// Entries that are ours to read until they are released. Iterating reads them; only what was read is released.
#[must_use = "entries that are not released come again"]
pub(super) struct Peeked<'a, T> {
    consumer: &'a mut Consumer<T>,
    at: u32,
    end: u32,
}

impl<T: Copy> Peeked<'_, T> {
    /// Entries still to be read.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.end.wrapping_sub(self.at) as usize
    }

    /// Gives the slots of what was read back to the producer; returns how many.
    #[inline(always)]
    pub(super) fn release(self) -> usize {
        let read = self.at.wrapping_sub(self.consumer.next);
        if read > 0 {
            self.consumer.next = self.at;
            self.consumer.ring.consumer().store(self.at, Release);
        }
        read as usize
    }
}

impl<T: Copy> Iterator for Peeked<'_, T> {
    type Item = T;

    #[inline(always)]
    fn next(&mut self) -> Option<T> {
        if self.at == self.end {
            return None;
        }
        let value = self.consumer.ring.slot(self.at).with(|slot| {
            // SAFETY: the slot is between our index and the producer's: it was written before that index was published, and
            // will not be written again before ours is.
            unsafe { slot.read() }
        });
        self.at = self.at.wrapping_add(1);
        Some(value)
    }
}

#[cfg(test)]
mod tests;
