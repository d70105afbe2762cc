//! Which sequence numbers of a lane arrived, and how often, exactly.
//!
//! Packets carry the low 32 bits; the whole number is the one nearest to the highest seen. A number far from all seen
//! so far is not believed until a second one confirms it, as RFC 3550 appendix A.1 does it for RTP: one forged packet
//! can neither invent thousands of millions of losses nor throw the count into another turn of the 32 bits. Numbers are
//! noted in [chunks](Chunk) that exist only where something arrived; when the budget is used up, this lane's oldest
//! chunk is [settled](Chunk::settle).
//!
//! Invariant: every packet is exactly one of received, duplicate, stray; `received` is the sum of all chunks' counts.

use std::collections::VecDeque;

use super::block::{Budget, PROCESS};
use super::chunk::{Chunk, Mark, NUMBERS};
use super::order::{Order, Place};

/// How far from the numbers seen so far a packet is believed without a second: 67 million, seven seconds of silence at
/// 10 Mpps.
pub const LEAP: u64 = 1 << 26;

/// Chunks that a lane keeps, full ones included: 2^38 numbers, seven hours at 10 Mpps, 4 MiB of bookkeeping. Older ones
/// are added up.
const SPAN: u64 = 1 << 18;

/// The numbers of one lane seen by one worker.
#[derive(Debug)]
pub struct Sequences {
    budget: &'static Budget,
    chunks: VecDeque<Chunk>,
    /// Which chunk the first of `chunks` is.
    base: u64,
    /// Below this chunk, what arrived has only been added up.
    floor: u64,
    /// Lowest number seen; `u64::MAX` if none was.
    first: u64,
    /// One more than the highest number seen.
    end: u64,
    /// What is below is far.
    low: u64,
    /// Flow and sequence of a packet far from all others, not believed yet.
    pending: Option<(u32, u32)>,
    order: Order,
    received: u64,
    duplicates: u64,
    reordered: u64,
    strays: u64,
    unjudged: u64,
}

/// What a packet is to its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// First copy, in order within its flow.
    InOrder,
    /// First copy, after a later one of its flow.
    Reordered,
    /// A further copy.
    Duplicate,
    /// Not counted: far from all others and alone there (it is counted when a second one comes), or so old that there
    /// is no telling whether it is a copy.
    Stray,
}

impl Default for Sequences {
    fn default() -> Self {
        Sequences::within(&PROCESS)
    }
}

impl Sequences {
    /// With blocks of `budget`.
    pub fn within(budget: &'static Budget) -> Self {
        Sequences {
            budget,
            chunks: VecDeque::new(),
            base: 0,
            floor: 0,
            first: u64::MAX,
            end: 0,
            low: 0,
            pending: None,
            order: Order::default(),
            received: 0,
            duplicates: 0,
            reordered: 0,
            strays: 0,
            unjudged: 0,
        }
    }

    /// Takes note of a packet. `sequence` is the low 32 bits.
    #[inline]
    pub fn insert(&mut self, flow: u32, sequence: u32) -> Arrival {
        let ahead = i64::from(sequence.wrapping_sub(self.end as u32).cast_signed());
        match self.end.checked_add_signed(ahead) {
            Some(number) if ahead <= LEAP as i64 && number >= self.low => self.note(flow, number),
            _ => self.leap(flow, sequence),
        }
    }

    #[inline]
    fn note(&mut self, flow: u32, number: u64) -> Arrival {
        let (index, at) = (number / NUMBERS, number % NUMBERS);
        let slot = index.wrapping_sub(self.base) as usize;
        let mark = match self.chunks.get_mut(slot) {
            Some(chunk) => chunk.insert(at, self.budget),
            None => Mark::NoRoom,
        };
        let mark = match mark {
            Mark::NoRoom => self.make_room(index, at),
            mark => mark,
        };
        match mark {
            Mark::New => {}
            Mark::Again => {
                self.duplicates += 1;
                return Arrival::Duplicate;
            }
            Mark::Unknown | Mark::NoRoom => {
                self.strays += 1;
                return Arrival::Stray;
            }
        }
        self.received += 1;
        self.end = self.end.max(number + 1);
        if number < self.first {
            self.first = number;
            self.low = number.saturating_sub(LEAP);
        }
        match self.order.judge(flow, number, self.budget) {
            Place::Latest => Arrival::InOrder,
            Place::Late => {
                self.reordered += 1;
                Arrival::Reordered
            }
            Place::Unjudged => {
                self.unjudged += 1;
                Arrival::InOrder
            }
        }
    }

    /// A number far from all others: believed when it is the second of its neighbourhood.
    #[cold]
    fn leap(&mut self, flow: u32, sequence: u32) -> Arrival {
        let Some((pending_flow, pending)) = self.pending else {
            self.pending = Some((flow, sequence));
            return Arrival::Stray;
        };
        let apart = i64::from(sequence.wrapping_sub(pending).cast_signed());
        if apart == 0 || apart.unsigned_abs() > LEAP {
            // A copy proves nothing, for a path may double what was forged.
            self.pending = Some((flow, sequence));
            self.strays += 1;
            return Arrival::Stray;
        }
        self.pending = None;
        let ahead = i64::from(pending.wrapping_sub(self.end as u32).cast_signed());
        // Nothing is before number 0: then the 32 bits have gone round unseen.
        let number = self
            .end
            .checked_add_signed(ahead)
            .unwrap_or_else(|| self.end.wrapping_add_signed(ahead).wrapping_add(1 << 32));
        self.note(pending_flow, number);
        match number.checked_add_signed(apart) {
            Some(number) => self.note(flow, number),
            None => {
                self.strays += 1;
                Arrival::Stray
            }
        }
    }

    /// Notes a number in a chunk that is not there yet, or has no block.
    #[cold]
    fn make_room(&mut self, index: u64, at: u64) -> Mark {
        let budget = self.budget;
        let Some(chunk) = self.reach(index) else {
            return Mark::Unknown;
        };
        let mut mark = chunk.insert(at, budget);
        if mark == Mark::NoRoom {
            let settled = self.chunks.iter_mut().any(Chunk::settle);
            let block = budget.block().filter(|_| settled);
            let block = block.unwrap_or_else(|| budget.block_beyond());
            if let Some(chunk) = self.reach(index) {
                *chunk = Chunk::begin(block, at);
                mark = Mark::New;
            }
        }
        mark
    }

    /// The chunk, made if need be. `None` if it has been added up already.
    fn reach(&mut self, index: u64) -> Option<&mut Chunk> {
        if self.chunks.is_empty() {
            self.base = index;
        }
        if index < self.base {
            let end = self.base + self.chunks.len() as u64;
            if index < self.floor || end - index > SPAN {
                return None;
            }
            for _ in index..self.base {
                self.chunks.push_front(Chunk::Empty);
            }
            self.base = index;
        }
        while index - self.base >= SPAN {
            // Counted already; only that there is no telling copies apart any more has to be known.
            self.chunks.pop_front();
            self.base += 1;
            self.floor = self.base;
        }
        let slot = (index - self.base) as usize;
        if slot >= self.chunks.len() {
            self.chunks.resize_with(slot + 1, Chunk::default);
        }
        self.chunks.get_mut(slot)
    }

    /// Adds what another worker saw of the same lane. Received and duplicates are exact, as far as both still know
    /// which numbers they saw; reordered is the sum, which is exact where each flow came to one worker, as a NIC's
    /// queues have it.
    pub fn merge(&mut self, other: &Sequences) {
        // Each worker has seen the 32 bits go round by itself. Two that seem to be more than half a turn apart have
        // begun on different sides of the wrap.
        const TURN: u64 = 1 << 32;
        let turns = |below: u64, above: u64| (above.saturating_sub(below) + TURN / 2) / TURN * TURN;
        let mut by = 0;
        if self.end != 0 && other.end != 0 {
            by = turns(other.end, self.first);
            self.shift(turns(self.end, other.first));
        }
        let mut both = 0;
        for (index, theirs) in (other.base + by / NUMBERS..).zip(&other.chunks) {
            if matches!(theirs, Chunk::Empty) {
                continue;
            }
            let budget = self.budget;
            if let Some(ours) = self.reach(index) {
                let sum = ours.count() + theirs.count();
                ours.merge(theirs, budget);
                both += sum - ours.count();
            }
        }
        self.floor = self.floor.max(other.floor + by / NUMBERS);
        self.received += other.received - both;
        self.duplicates += other.duplicates + both;
        self.reordered += other.reordered;
        self.strays += other.strays;
        self.unjudged += other.unjudged;
        if other.end != 0 {
            self.first = self.first.min(other.first + by);
            self.low = self.first.saturating_sub(LEAP);
            self.end = self.end.max(other.end + by);
        }
        self.order.merge(&other.order, by, self.budget);
        // What was far from all that one worker saw may be near to what the other saw.
        for (flow, sequence) in [self.pending.take(), other.pending].into_iter().flatten() {
            self.insert(flow, sequence);
        }
    }

    /// All numbers are meant `by` higher, a multiple of 2^32.
    fn shift(&mut self, by: u64) {
        if by != 0 {
            self.base += by / NUMBERS;
            self.floor += by / NUMBERS;
            self.first += by;
            self.low = self.first.saturating_sub(LEAP);
            self.end += by;
            self.order.shift(by);
        }
    }

    /// First copies.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Further copies.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Reordered first copies.
    pub fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Packets that no count includes; see [`Arrival::Stray`].
    pub fn strays(&self) -> u64 {
        self.strays + u64::from(self.pending.is_some())
    }

    /// First copies that count as in order, for there was no room to remember their flow.
    pub fn unjudged(&self) -> u64 {
        self.unjudged
    }

    /// One more than the highest number seen; 0 if none was.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The lowest number seen; 0 if none was.
    pub fn first(&self) -> u64 {
        if self.end == 0 { 0 } else { self.first }
    }

    /// Numbers below the highest seen that were not: from 0 on, or, for a receiver that came later than the sender
    /// (`join`), from the lowest number seen. What was lost behind the highest can be known only from the sender.
    pub fn missing(&self, join: bool) -> u64 {
        let from = if join { self.first() } else { 0 };
        (self.end - from).saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests;
