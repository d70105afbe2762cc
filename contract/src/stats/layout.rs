//! The segment's bytes.
//!
//! ```text
//! Segment
//!   header     magic, ABI, length, pid, start, heartbeat, TSC rate, workers      (one writer: the main thread)
//!   ports      64 x SeqBlock: PortStatus                                         (main thread)
//!   workers    32 x { SeqBlock: WorkerCounters                                   (that worker)
//!                     64 x SeqBlock: PortCounters
//!                     65,536 x 4 words: PeerCounters
//!                     592 words: residence times                                residence.rs
//!                     1,024 x 256 bytes: sampled frames }                       trace.rs
//! ```
//!
//! Every field is an atomic word, so a shared reference to the whole is sound whatever another process stores, and every
//! bit pattern is a value. The file is sparse: workers that there are not cost no memory.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use super::counters::{PortCounter, WorkerCounter};
use super::drop::DROP_SLOTS;
use super::port::PORT_STATUS_WORDS;
use super::residence::CycleHistogram;
use super::trace::TraceRing;
use crate::tables::{MAX_ADJACENCIES, MAX_PORTS};

/// Version of this layout. A reader that meets another refuses. Changing any size, offset or counter order bumps it.
pub const ABI: u64 = 5;
/// Workers that the segment has room for.
pub const MAX_WORKERS: usize = 32;
/// First word of the file: "tweedsta" in ASCII.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"tweedsta");

/// Words of a port's counters: its counts, then its drops.
pub(super) const PORT_WORDS: usize = PortCounter::SLOTS + DROP_SLOTS;

#[repr(C, align(4096))]
pub(super) struct Segment {
    pub header: Header,
    pub ports: [SeqBlock<PORT_STATUS_WORDS>; MAX_PORTS],
    pub workers: [WorkerBlock; MAX_WORKERS],
}

#[repr(C, align(4096))]
pub(super) struct Header {
    pub magic: AtomicU64,
    pub abi: AtomicU64,
    pub len: AtomicU64,
    pub pid: AtomicU64,
    /// CLOCK_REALTIME of the engine's start, nanoseconds.
    pub started_ns: AtomicU64,
    /// CLOCK_MONOTONIC of the main thread's last beat, nanoseconds.
    pub heartbeat_ns: AtomicU64,
    /// TSC cycles per second, to read the cycle counters by.
    pub tsc_hz: AtomicU64,
    pub workers: AtomicU64,
}

#[repr(C, align(4096))]
pub(super) struct WorkerBlock {
    pub counters: SeqBlock<{ WorkerCounter::SLOTS }>,
    pub ports: [SeqBlock<PORT_WORDS>; MAX_PORTS],
    pub peers: [[AtomicU64; 4]; MAX_ADJACENCIES],
    pub residence: CycleHistogram,
    pub trace: TraceRing,
}

/// Bytes that an engine of so many workers writes.
pub(super) const fn used(workers: usize) -> usize {
    std::mem::offset_of!(Segment, workers) + workers * size_of::<WorkerBlock>()
}

/// Words that change together: a sequence lock with one writer.
#[repr(C, align(64))]
pub(super) struct SeqBlock<const N: usize> {
    sequence: AtomicU64,
    words: [AtomicU64; N],
}

/// How often a reader tries at once. A commit takes well under a microsecond.
const ATTEMPTS: usize = 10_000;
/// How often it naps then, and tries again, before it calls a block unreadable: a writer may have lost its CPU inside a commit,
/// for as long as others there have their turns. Only one that died leaves the sequence odd for good.
const NAPS: usize = 20;
/// How long a nap is: a tick of the scheduler or two.
const NAP: Duration = Duration::from_millis(5);

impl<const N: usize> SeqBlock<N> {
    /// Stores all words as one value. Only ever one thread calls this for a block.
    #[inline]
    pub fn commit<'a>(&self, words: impl Iterator<Item = &'a u64>) {
        let sequence = self.sequence.load(Ordering::Relaxed) | 1;
        self.sequence.store(sequence, Ordering::Relaxed);
        // The odd number before any word, the words before the even number.
        fence(Ordering::Release);
        for (shared, word) in self.words.iter().zip(words) {
            shared.store(*word, Ordering::Relaxed);
        }
        self.sequence
            .store(sequence.wrapping_add(1), Ordering::Release);
    }

    /// Words of one moment, or `None` when the writer died inside a commit.
    pub fn read(&self) -> Option<[u64; N]> {
        let nap = |_| {
            std::thread::sleep(NAP);
            self.try_read()
        };
        self.try_read().or_else(|| (0..NAPS).find_map(nap))
    }

    fn try_read(&self) -> Option<[u64; N]> {
        let mut words = [0; N];
        for _ in 0..ATTEMPTS {
            let before = self.sequence.load(Ordering::Acquire);
            for (word, shared) in words.iter_mut().zip(&self.words) {
                *word = shared.load(Ordering::Relaxed);
            }
            fence(Ordering::Acquire);
            if before & 1 == 0 && self.sequence.load(Ordering::Relaxed) == before {
                return Some(words);
            }
            std::hint::spin_loop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    /// Sizes and offsets of ABI 5. When this fails, the layout changed: bump `ABI`, then write the new numbers here.
    #[test]
    fn the_layout_is_that_of_its_abi_number() {
        let layout = [
            offset_of!(Segment, ports),
            offset_of!(Segment, workers),
            size_of::<SeqBlock<PORT_STATUS_WORDS>>(),
            offset_of!(WorkerBlock, ports),
            offset_of!(WorkerBlock, peers),
            offset_of!(WorkerBlock, residence),
            offset_of!(WorkerBlock, trace),
            size_of::<WorkerBlock>(),
            offset_of!(Header, workers),
            PortCounter::ALL.len(),
            WorkerCounter::ALL.len(),
            super::super::DropReason::ALL.len(),
        ];
        assert_eq!(
            (ABI, layout),
            (
                5,
                [
                    4096, 28672, 384, 256, 37120, 2134272, 2139136, 2404352, 56, 10, 16, 28
                ]
            )
        );
    }

    #[test]
    fn a_reader_never_sees_half_a_commit() {
        let block = Arc::new(SeqBlock::<32> {
            sequence: AtomicU64::new(0),
            words: [const { AtomicU64::new(0) }; 32],
        });
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (block, stop) = (block.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut n = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    block.commit([n; 32].iter());
                    // An engine works between commits; one that only commits would starve its readers.
                    (0..200).for_each(|_| std::hint::spin_loop());
                }
                n
            })
        };
        let mut last = 0;
        for _ in 0..100_000 {
            let words = block.read().expect("a live writer finishes its commits");
            assert!(words.iter().all(|w| *w == words[0]), "{words:?}");
            assert!(words[0] >= last);
            last = words[0];
        }
        stop.store(true, Ordering::Relaxed);
        let committed = writer.join().unwrap();
        assert_eq!(block.read().unwrap(), [committed; 32]);
    }

    #[test]
    fn a_writer_that_died_inside_a_commit_is_noticed_and_its_successor_recovers() {
        let block = SeqBlock::<2> {
            sequence: AtomicU64::new(7),
            words: [const { AtomicU64::new(0) }; 2],
        };
        assert_eq!(block.read(), None);
        block.commit([1, 2].iter());
        assert_eq!(block.read(), Some([1, 2]));
    }
}
