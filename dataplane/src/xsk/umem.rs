//! The memory of a worker: one region of equal chunks, mapped once, never unmapped.
//!
//! Every socket of the worker registers this same region afresh (a UMEM per socket over the same memory, as VPP does), so a
//! frame that came in by one port leaves in place by any other. XDP_SHARED_UMEM would bind all of them to one mode.
//!
//! ```text
//!  chunk + 0                256        256 + headroom
//!  |<- XDP_PACKET_HEADROOM ->|<- headroom ->|<- received frame ...
//! ```
//!
//! With a headroom of 50, a received frame starts at 306. Encapsulated, it starts at 256: the 64 bytes of outer headers and
//! inner Ethernet are one aligned cache line, and the inner IP header starts the next. That is why the default is 50.
//!
//! # Safety
//!
//! The owner table has a byte for each chunk: [`OURS`] while a [`Frame`] for it exists (in the pool, a burst, a hand), else
//! the number of the borrower, a set of rings, whose other side has it. [`Umem::lend`] takes a frame apart and enters the
//! borrower; [`Umem::take_back`] makes a frame only if that same borrower is entered, and strikes it out. A borrower's number
//! is held by one `Xsk` alone, so no two frames for one chunk can ever exist, even if the kernel gave an address twice.
//! Table entries are relaxed atomics: the rings' own acquire and release order the chunk's bytes.
#![expect(unsafe_code, reason = "makes the frames over a region")]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use contract::config::Hugepages;

use super::region::{Pages, Region, UmemError};
use super::{Frame, Pool};

/// The kernel keeps this many bytes free before a received frame, for programs that push headers.
/// <https://github.com/torvalds/linux/blob/v6.17/include/uapi/linux/bpf.h>
pub const XDP_PACKET_HEADROOM: usize = 256;

/// The headroom that puts the rewrite of an IPv4 tunnel on one cache line: what encapsulation adds.
pub const DEFAULT_HEADROOM: u32 = 50;

/// Owner of a chunk that no ring has.
const OURS: u8 = 0;

/// The number of a set of rings in the owner table of its UMEM. One `Xsk` holds it; it returns when the `Xsk` is closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Borrower(u8);

/// A worker's region. A handle: copies name the same memory.
#[derive(Clone, Copy, Debug)]
pub struct Umem {
    region: Region,
    owners: &'static [AtomicU8],
    borrowers: &'static [AtomicBool; 256],
    chunk_shift: u32,
    headroom: u32,
    pages: Pages,
}

impl Umem {
    /// Maps `frames` chunks of `chunk_size` bytes (2048 or 4096) and gives all of them as free frames. `headroom` bytes are
    /// kept free before a received frame, beside the kernel's 256.
    pub fn map(
        frames: u32,
        chunk_size: u32,
        headroom: u32,
        hugepages: Hugepages,
    ) -> Result<(Umem, Pool), UmemError> {
        let len = frames as usize * chunk_size as usize;
        let head = XDP_PACKET_HEADROOM as u32 + headroom.min(4096);
        if !matches!(chunk_size, 2048 | 4096)
            || len == 0
            || len > u32::MAX as usize
            || head + 64 > chunk_size
        {
            return Err(UmemError::Shape {
                frames,
                chunk_size,
                headroom,
            });
        }
        let (region, pages) = Region::map(len, hugepages)?;
        let owners: Vec<_> = (0..frames).map(|_| AtomicU8::new(OURS)).collect();
        let umem = Umem {
            region,
            owners: Vec::leak(owners),
            borrowers: Box::leak(Box::new([const { AtomicBool::new(false) }; 256])),
            chunk_shift: chunk_size.trailing_zeros(),
            headroom,
            pages,
        };
        // The lowest chunk is on top of the stack.
        let chunks = (0..umem.owners.len()).rev().map(|index| {
            // SAFETY: all chunks are `OURS` in the new table, and each index comes once: these are their only frames.
            unsafe { umem.frame(index, head as u16, 0) }
        });
        Ok((umem, Pool::new(chunks.collect(), region, head as u16)))
    }

    /// Chunks in the region: what all frames, wherever they are, add up to.
    pub fn frames(&self) -> usize {
        self.owners.len()
    }

    /// Bytes of a chunk.
    #[inline(always)]
    pub fn chunk_size(&self) -> usize {
        1 << self.chunk_shift
    }

    /// Bytes kept free before a received frame, beside the kernel's 256.
    pub fn headroom(&self) -> u32 {
        self.headroom
    }

    /// Where in its chunk a received frame starts.
    #[inline(always)]
    pub fn receive_offset(&self) -> usize {
        XDP_PACKET_HEADROOM + self.headroom as usize
    }

    /// Bytes of the longest frame that can be received.
    #[inline(always)]
    pub fn receive_room(&self) -> usize {
        self.chunk_size() - self.receive_offset()
    }

    /// What the region lies in.
    pub fn pages(&self) -> Pages {
        self.pages
    }

    /// Start and length, for XDP_UMEM_REG.
    pub(super) fn span(&self) -> (NonNull<u8>, usize) {
        (self.region.base, self.region.len)
    }

    /// A number in the owner table; `None` if 255 sets of rings have the region already.
    pub(super) fn enrol(&self) -> Option<Borrower> {
        let free = |taken: &AtomicBool| {
            taken
                .compare_exchange(false, true, Relaxed, Relaxed)
                .is_ok()
        };
        let number = self.borrowers.iter().skip(1).position(free)? + 1;
        Some(Borrower(number as u8))
    }

    /// All chunks that `borrower` still has, as frames; its number is free again.
    ///
    /// # Safety
    ///
    /// The borrower's other side is gone: it will read and write no chunk any more.
    pub(super) unsafe fn dismiss(&self, borrower: Borrower) -> Vec<Frame> {
        let mut frames = Vec::new();
        for (index, owner) in self.owners.iter().enumerate() {
            if owner.load(Relaxed) == borrower.0 {
                owner.store(OURS, Relaxed);
                // SAFETY: the entry named the borrower until now, so there was no frame; its other side is gone.
                frames.push(unsafe { self.frame(index, self.receive_offset() as u16, 0) });
            }
        }
        if let Some(taken) = self.borrowers.get(usize::from(borrower.0)) {
            taken.store(false, Relaxed);
        }
        frames
    }

    /// Hands the frame's chunk to the borrower: returns where the frame starts, as a ring entry says it.
    ///
    /// # Panics
    ///
    /// If the frame is of another UMEM.
    #[inline(always)]
    pub(super) fn lend(&self, frame: Frame, borrower: &Borrower) -> u64 {
        let Some(offset) = self.region.offset(frame.chunk()) else {
            foreign()
        };
        let Some(owner) = self.owners.get(offset >> self.chunk_shift) else {
            foreign()
        };
        owner.store(borrower.0, Relaxed);
        (offset + frame.headroom()) as u64
    }

    /// Takes the chunk that `addr` points into back from the borrower, as a frame of the `len` bytes there. `None` if the
    /// borrower does not have it, or the bytes are not inside of one chunk.
    #[inline(always)]
    pub(super) fn take_back(&self, addr: u64, len: u32, borrower: &Borrower) -> Option<Frame> {
        let index = (addr >> self.chunk_shift) as usize;
        let head = addr as usize & (self.chunk_size() - 1);
        let owner = self.owners.get(index)?;
        if owner.load(Relaxed) != borrower.0 || head + len as usize > self.chunk_size() {
            return None;
        }
        owner.store(OURS, Relaxed);
        // SAFETY: the entry named this borrower until now, so there was no frame, and its other side gave the chunk back.
        // The index is in the table, and head + len was compared with the chunk.
        Some(unsafe { self.frame(index, head as u16, len as u16) })
    }

    /// The frame of a chunk.
    ///
    /// # Safety
    ///
    /// `index` is in the owner table and its entry has just become `OURS`. `head + len` is at most the chunk size.
    #[inline(always)]
    unsafe fn frame(&self, index: usize, head: u16, len: u16) -> Frame {
        // SAFETY: an index in the table is that of a chunk in the region.
        let chunk = unsafe { self.region.base.add(index << self.chunk_shift) };
        // SAFETY: the region is zeroed when mapped and never unmapped; that nobody else has the chunk is the caller's word.
        unsafe { Frame::new(chunk, self.chunk_size() as u16, head, len) }
    }

    /// The other side's view of a ring entry: the index of the chunk, and a pointer to the byte at `addr`. `None` if it is
    /// not in the region. Whoever follows the pointer must have been lent the chunk.
    #[inline(always)]
    pub(super) fn locate(&self, addr: u64) -> Option<(u32, NonNull<u8>)> {
        let offset = usize::try_from(addr)
            .ok()
            .filter(|offset| *offset < self.region.len)?;
        // SAFETY: the offset was just compared with the region's length.
        let byte = unsafe { self.region.base.add(offset) };
        Some(((offset >> self.chunk_shift) as u32, byte))
    }
}

#[cold]
#[inline(never)]
#[expect(
    clippy::panic,
    reason = "two UMEMs were mixed up: no packet can do that, only code"
)]
fn foreign() -> ! {
    panic!("a frame of one UMEM was put on a ring of another");
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_received_frame_encapsulated_starts_on_a_cache_line() {
        let (umem, mut pool) = Umem::map(2, 2048, DEFAULT_HEADROOM, Hugepages::Off).unwrap();
        assert_eq!(umem.receive_offset(), 306);
        let mut frame = pool.alloc().unwrap();
        frame.extend(60).unwrap();
        frame.grow_head(50).unwrap();
        assert_eq!(frame.bytes().as_ptr().addr() % 64, 0);
    }

    #[test]
    fn what_was_not_lent_cannot_be_taken_back() {
        let (umem, mut pool) = Umem::map(4, 2048, 50, Hugepages::Off).unwrap();
        let (one, two) = (umem.enrol().unwrap(), umem.enrol().unwrap());
        let addr = umem.lend(pool.alloc().unwrap(), &one);
        assert_eq!(addr, 306);
        assert!(umem.take_back(addr, 60, &two).is_none(), "another borrower");
        assert!(
            umem.take_back(addr + 2048, 60, &one).is_none(),
            "a chunk that is ours"
        );
        assert!(
            umem.take_back(4 * 2048, 60, &one).is_none(),
            "outside of the region"
        );
        assert!(umem.take_back(u64::MAX, 60, &one).is_none(), "far outside");
        assert!(
            umem.take_back(2000, 49, &one).is_none(),
            "runs into the next chunk"
        );
        assert!(
            umem.take_back(2000, u32::MAX, &one).is_none(),
            "a length that wraps"
        );
        let frame = umem.take_back(2000, 48, &one).unwrap();
        assert_eq!((frame.headroom(), frame.len()), (2000, 48));
        assert!(umem.take_back(2000, 48, &one).is_none(), "twice");
        pool.free(frame);
    }

    #[test]
    fn a_dismissed_borrower_has_no_chunk_and_its_number_serves_again() {
        let (umem, mut pool) = Umem::map(4, 2048, 50, Hugepages::Off).unwrap();
        let one = umem.enrol().unwrap();
        umem.lend(pool.alloc().unwrap(), &one);
        umem.lend(pool.alloc().unwrap(), &one);
        let number = one.0;
        // SAFETY: there is no other side.
        let frames = unsafe { umem.dismiss(one) };
        assert_eq!(frames.len(), 2);
        frames.into_iter().for_each(|frame| pool.free(frame));
        assert_eq!(pool.len(), 4);
        assert_eq!(umem.enrol().unwrap().0, number);
    }

    #[test]
    fn borrowers_are_numbered_until_there_are_255() {
        let (umem, _) = Umem::map(1, 2048, 50, Hugepages::Off).unwrap();
        let all: Vec<_> = std::iter::from_fn(|| umem.enrol()).collect();
        assert_eq!(all.len(), 255);
        assert!(all.iter().all(|borrower| borrower.0 != OURS));
    }

    #[test]
    #[should_panic(expected = "on a ring of another")]
    fn a_frame_of_another_umem_cannot_be_lent() {
        let (umem, _) = Umem::map(4, 2048, 50, Hugepages::Off).unwrap();
        let (_, mut theirs) = Umem::map(4, 2048, 50, Hugepages::Off).unwrap();
        umem.lend(theirs.alloc().unwrap(), &umem.enrol().unwrap());
    }

    #[test]
    fn shapes_the_kernel_would_refuse_are_refused_here() {
        for (frames, chunk_size, headroom) in [
            (0, 2048, 50),
            (8, 1024, 50),
            (8, 3000, 50),
            (8, 2048, 1800),
            (8, 2048, u32::MAX),
            (u32::MAX, 4096, 50),
        ] {
            let error = Umem::map(frames, chunk_size, headroom, Hugepages::Off).unwrap_err();
            assert!(matches!(error, UmemError::Shape { .. }), "{error}");
        }
    }
}
