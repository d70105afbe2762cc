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
#![expect(unsafe_code, reason = "maps the region and makes the frames over it")]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use contract::config::Hugepages;

use super::{Frame, Pool};

/// The kernel keeps this many bytes free before a received frame, for programs that push headers.
/// <https://github.com/torvalds/linux/blob/v6.17/include/uapi/linux/bpf.h#L6477>
pub const XDP_PACKET_HEADROOM: usize = 256;

/// The headroom that puts the rewrite of an IPv4 tunnel on one cache line: what encapsulation adds.
pub const DEFAULT_HEADROOM: u32 = 50;

/// Owner of a chunk that no ring has.
const OURS: u8 = 0;

/// Bytes of a huge page; the region is a multiple of it where huge pages are wanted.
const HUGE_PAGE: usize = 2 << 20;

/// What the region lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// Reserved huge pages (`MAP_HUGETLB`).
    Huge,
    /// Ordinary memory that the kernel was asked to back with huge pages (`MADV_HUGEPAGE`); it may or may not.
    Transparent,
    /// Ordinary pages.
    Small,
}

/// Why a region cannot be mapped.
#[derive(Debug, thiserror::Error)]
pub enum UmemError {
    /// No reserved huge pages, and the configuration insists.
    #[error(
        "cannot map {len} bytes of UMEM in huge pages: {source}; reserve {pages} of them \
         (sysctl vm.nr_hugepages={pages}) or set dataplane.hugepages = \"auto\"",
        pages = len.div_ceil(HUGE_PAGE)
    )]
    Hugepages {
        /// Bytes asked for.
        len: usize,
        /// What mmap said.
        source: std::io::Error,
    },
    /// The system does not give that much.
    #[error("cannot map {len} bytes of UMEM: {source}; lower dataplane.frames")]
    Memory {
        /// Bytes asked for.
        len: usize,
        /// What mmap said.
        source: std::io::Error,
    },
    /// The kernel would refuse the region.
    #[error(
        "a UMEM of {frames} chunks of {chunk_size} bytes with {headroom} of headroom is not possible: chunks are 2048 or \
         4096 bytes, at least one and less than 2^32 bytes in all, and 256 bytes and the headroom must leave room for a frame"
    )]
    Shape {
        /// Chunks asked for.
        frames: u32,
        /// Bytes of each.
        chunk_size: u32,
        /// Bytes kept free before a frame.
        headroom: u32,
    },
}

/// The bytes of a region: where, and how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region {
    base: NonNull<u8>,
    len: usize,
}

impl Region {
    /// Distance of `chunk` from the start; `None` if it is not in the region. Regions are never unmapped, so an address is
    /// an identity: no other region will ever cover it.
    #[inline(always)]
    pub(super) fn offset(&self, chunk: NonNull<u8>) -> Option<usize> {
        let offset = chunk.addr().get().wrapping_sub(self.base.addr().get());
        (offset < self.len).then_some(offset)
    }
}

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

// SAFETY: the handle itself reads and writes no chunk; the tables are atomics.
unsafe impl Send for Umem {}
// SAFETY: as for Send.
unsafe impl Sync for Umem {}
// SAFETY: a region is two numbers here; nothing is read or written through it but by the rules of the owner table.
unsafe impl Send for Region {}

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
        let (base, pages) = map_region(len, hugepages)?;
        let region = Region { base, len };
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

/// Zeroed memory, aligned to its pages, present from now on and for good.
#[cfg(not(miri))]
fn map_region(len: usize, hugepages: Hugepages) -> Result<(NonNull<u8>, Pages), UmemError> {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

    let anonymous = |len: usize, flags: MapFlags| {
        // SAFETY: the kernel chooses a place where nothing is mapped.
        let place = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | flags,
            )
        };
        place
            .map(|place| place.cast::<u8>())
            .map_err(std::io::Error::from)
    };

    let whole = len.next_multiple_of(HUGE_PAGE);
    if hugepages != Hugepages::Off {
        match anonymous(whole, MapFlags::HUGETLB | MapFlags::POPULATE) {
            Ok(place) => {
                let place = NonNull::new(place).ok_or_else(|| out_of_place(len))?;
                return Ok((place, Pages::Huge));
            }
            Err(source) if hugepages == Hugepages::On => {
                return Err(UmemError::Hugepages { len, source });
            }
            Err(_) => {}
        }
    }
    let transparent = hugepages != Hugepages::Off && len >= HUGE_PAGE;
    // A transparent huge page needs a place that is aligned to one; the surplus is address space, never touched.
    let spare = if transparent { HUGE_PAGE } else { 0 };
    let place = anonymous(len + spare, MapFlags::empty())
        .map_err(|source| UmemError::Memory { len, source })?;
    let aligned = if transparent {
        place.wrapping_add(place.align_offset(HUGE_PAGE))
    } else {
        place
    };
    let pages = match transparent {
        // SAFETY: the advice changes how this private mapping is backed, not what it holds.
        true if unsafe { madvise(aligned.cast(), len, Advice::LinuxHugepage) }.is_ok() => {
            Pages::Transparent
        }
        _ => Pages::Small,
    };
    // Pages that are faulted in now are not faulted in by the first packets. Kernels before 5.14 do not know the advice;
    // they fault on demand, or when a socket registers the region.
    // SAFETY: writing nothing new to our own private mapping.
    let _ = unsafe { madvise(aligned.cast(), len, Advice::LinuxPopulateWrite) };
    let base = NonNull::new(aligned).ok_or_else(|| out_of_place(len))?;
    Ok((base, pages))
}

/// mmap never gives address zero to a program that did not ask for it.
#[cfg(not(miri))]
fn out_of_place(len: usize) -> UmemError {
    UmemError::Memory {
        len,
        source: std::io::ErrorKind::AddrNotAvailable.into(),
    }
}

/// Miri knows no madvise; a zeroed allocation stands for the mapping.
#[cfg(miri)]
fn map_region(len: usize, _: Hugepages) -> Result<(NonNull<u8>, Pages), UmemError> {
    let layout = std::alloc::Layout::from_size_align(len, 4096);
    let layout = layout.map_err(|e| UmemError::Memory {
        len,
        source: std::io::Error::other(e),
    })?;
    // SAFETY: the layout's size is not zero: `Umem::map` has looked.
    let place = unsafe { std::alloc::alloc_zeroed(layout) };
    let base = NonNull::new(place);
    let base = base.ok_or(UmemError::Memory {
        len,
        source: std::io::ErrorKind::OutOfMemory.into(),
    })?;
    Ok((base, Pages::Small))
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

    #[test]
    #[cfg(not(miri))]
    fn huge_pages_are_taken_if_there_or_refused_with_the_remedy() {
        match Umem::map(2048, 2048, 50, Hugepages::On) {
            Ok((umem, _)) => assert_eq!(umem.pages(), Pages::Huge),
            Err(error) => assert!(error.to_string().contains("vm.nr_hugepages=2)"), "{error}"),
        }
        let (umem, _) = Umem::map(2048, 2048, 50, Hugepages::Auto).unwrap();
        assert_ne!(umem.pages(), Pages::Small, "4 MiB are worth a huge page");
        let (umem, _) = Umem::map(2048, 2048, 50, Hugepages::Off).unwrap();
        assert_eq!(umem.pages(), Pages::Small);
    }
}
