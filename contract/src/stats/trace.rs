//! The last frames of a worker that were worth a look: a ring in its part of the segment.
//!
//! ```text
//!  ring   head | slot 0 | slot 1 | ... | slot 1023
//!  slot   sequence | TSC | port in, port out, verdict, 0, length (16), peer (16) | first 232 bytes of the frame
//! ```
//!
//! It lies in the stats segment and not in a file of its own, so that one name, one ABI number and one inode say whose it is:
//! a reader never pairs the counters of one engine with the frames of another.
//!
//! Invariant: record *n* lies in slot *n* mod 1024, whose sequence is 2n + 1 while it is written and 2n + 2 when it is whole.
//! The writer waits for nobody; a reader that finds another number than the one it came for was lapped and says so. The
//! protocol is the sequence lock of `layout`, with the record's number in it; all words are atomics.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::drop::DropReason;

/// Records of a ring: 256 KiB for a worker, and 20 ms of the most that an engine records.
pub const TRACE_SLOTS: usize = 1024;
/// Bytes of a frame that are kept: outer headers, inner ones with options, and a little more.
pub const TRACE_BYTES: usize = 8 * DATA_WORDS;
const DATA_WORDS: usize = 29;
/// Of how many bursts one has a frame recorded, in the mean, while an engine has no rest.
pub const TRACE_BURSTS: u32 = 64;
/// No port: of a frame that the engine made, or that did not leave.
const NO_PORT: u8 = u8::MAX;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceVerdict {
    /// It was given to a transmit ring.
    Forwarded,
    /// It was lost.
    Dropped(DropReason),
}

/// What is said about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceMeta {
    /// TSC at the start of the turn that it was in: the worker reads no clock per frame.
    pub tsc: u64,
    /// Port that it came in by; `None`: the engine made it, an ICMP error.
    pub port_in: Option<u8>,
    /// Port that it left by, or was to leave by.
    pub port_out: Option<u8>,
    /// What became of it.
    pub verdict: TraceVerdict,
    /// Adjacency of the peer that it goes to or comes from, 0: none is known. Of a dropped frame only if the tables say so.
    pub peer: u16,
    /// Bytes of the whole frame.
    pub len: u16,
}

/// A record as it was found in a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// Its place in the worker's sequence.
    pub number: u64,
    /// What is said about the frame.
    pub meta: TraceMeta,
    bytes: [u8; TRACE_BYTES],
}

impl TraceRecord {
    /// The frame's first bytes, from its Ethernet header on: as it left, or as it came when it was dropped.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.meta.len).min(TRACE_BYTES)]
    }
}

/// Where a reader stands in a worker's ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceCursor(u64);

#[repr(C, align(64))]
pub(super) struct TraceRing {
    /// Records written.
    head: AtomicU64,
    slots: [TraceSlot; TRACE_SLOTS],
}

#[repr(C, align(256))]
struct TraceSlot {
    sequence: AtomicU64,
    tsc: AtomicU64,
    about: AtomicU64,
    data: [AtomicU64; DATA_WORDS],
}

impl TraceRing {
    /// Writes record `number`, the one after the last. Only ever one thread calls this for a ring.
    pub fn write(&self, number: u64, meta: &TraceMeta, bytes: &[u8]) {
        let slot = &self.slots[number as usize % TRACE_SLOTS];
        let whole = number.wrapping_mul(2).wrapping_add(2);
        slot.sequence
            .store(whole.wrapping_sub(1), Ordering::Relaxed);
        // The odd number before any word, the words before the even number.
        fence(Ordering::Release);
        slot.tsc.store(meta.tsc, Ordering::Relaxed);
        slot.about.store(meta.pack(), Ordering::Relaxed);
        let (words, rest) = bytes.as_chunks::<8>();
        let mut shared = slot.data.iter();
        for (word, shared) in words.iter().zip(shared.by_ref()) {
            shared.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
        if let Some(shared) = shared.next() {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            shared.store(u64::from_ne_bytes(last), Ordering::Relaxed);
        }
        slot.sequence.store(whole, Ordering::Release);
        self.head.store(number.wrapping_add(1), Ordering::Release);
    }

    /// Before the next record that will be written, or before the oldest that is still there.
    pub fn cursor(&self, oldest: bool) -> TraceCursor {
        let head = self.head.load(Ordering::Acquire);
        TraceCursor(match oldest {
            true => head.saturating_sub(TRACE_SLOTS as u64),
            false => head,
        })
    }

    /// Hands over what was written since the last time, in order; gives the number of records that were overwritten first.
    pub fn follow(&self, cursor: &mut TraceCursor, mut each: impl FnMut(TraceRecord)) -> u64 {
        let head = self.head.load(Ordering::Acquire);
        let (next, written) = (cursor.0, head.wrapping_sub(cursor.0));
        cursor.0 = head;
        // A head that went back was written by no engine: go on from there.
        if written > u64::MAX / 2 {
            return 0;
        }
        let gone = written.saturating_sub(TRACE_SLOTS as u64);
        let mut missed = gone;
        for number in (next.wrapping_add(gone)..).take((written - gone) as usize) {
            match self.read(number) {
                Some(record) => each(record),
                None => missed += 1,
            }
        }
        missed
    }

    /// The record, if it is still whole.
    fn read(&self, number: u64) -> Option<TraceRecord> {
        let slot = &self.slots[number as usize % TRACE_SLOTS];
        let whole = number.wrapping_mul(2).wrapping_add(2);
        if slot.sequence.load(Ordering::Acquire) != whole {
            return None;
        }
        let tsc = slot.tsc.load(Ordering::Relaxed);
        let about = slot.about.load(Ordering::Relaxed);
        let mut bytes = [0; TRACE_BYTES];
        for (to, shared) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(&slot.data) {
            *to = shared.load(Ordering::Relaxed).to_ne_bytes();
        }
        fence(Ordering::Acquire);
        if slot.sequence.load(Ordering::Relaxed) != whole {
            return None;
        }
        // A verdict that no engine writes: mangled, and as good as lost.
        let meta = TraceMeta::unpack(tsc, about)?;
        Some(TraceRecord {
            number,
            meta,
            bytes,
        })
    }
}

impl TraceMeta {
    fn pack(&self) -> u64 {
        let verdict = match self.verdict {
            TraceVerdict::Forwarded => 0,
            TraceVerdict::Dropped(reason) => 1 + reason as u8,
        };
        let [len, peer] = [self.len, self.peer].map(u16::to_le_bytes);
        u64::from_le_bytes([
            self.port_in.unwrap_or(NO_PORT),
            self.port_out.unwrap_or(NO_PORT),
            verdict,
            0,
            len[0],
            len[1],
            peer[0],
            peer[1],
        ])
    }

    fn unpack(tsc: u64, about: u64) -> Option<Self> {
        let [port_in, port_out, verdict, _, len @ .., peer0, peer1] = about.to_le_bytes();
        let port = |port| (port != NO_PORT).then_some(port);
        Some(TraceMeta {
            tsc,
            port_in: port(port_in),
            port_out: port(port_out),
            verdict: match verdict.checked_sub(1) {
                None => TraceVerdict::Forwarded,
                Some(reason) => TraceVerdict::Dropped(*DropReason::ALL.get(usize::from(reason))?),
            },
            peer: u16::from_le_bytes([peer0, peer1]),
            len: u16::from_le_bytes(len),
        })
    }
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
