//! The bytes of a UMEM: zeroed memory that is mapped once and never unmapped.
//!
//! A dataplane lives as long as its memory, so lifetimes and dangling are no questions here, and an address is an identity.
//! In huge pages where there are any: a region of small pages is thousands of them, more than a TLB holds.
#![expect(unsafe_code, reason = "asks the kernel for memory")]

use std::ptr::NonNull;

use contract::config::Hugepages;

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
    pub(super) base: NonNull<u8>,
    pub(super) len: usize,
}

// SAFETY: two numbers; who reads and writes the bytes behind them is for the owner table of `umem` to say.
unsafe impl Send for Region {}
// SAFETY: as for Send.
unsafe impl Sync for Region {}

impl Region {
    /// Maps `len` bytes, aligned to their pages, zeroed, present from now on and for good.
    pub(super) fn map(len: usize, hugepages: Hugepages) -> Result<(Region, Pages), UmemError> {
        let (base, pages) = map(len, hugepages)?;
        Ok((Region { base, len }, pages))
    }

    /// Distance of `chunk` from the start; `None` if it is not in the region. Regions are never unmapped, so an address is
    /// an identity: no other region will ever cover it.
    #[inline(always)]
    pub(super) fn offset(&self, chunk: NonNull<u8>) -> Option<usize> {
        let offset = chunk.addr().get().wrapping_sub(self.base.addr().get());
        (offset < self.len).then_some(offset)
    }
}

#[cfg(not(miri))]
fn map(len: usize, hugepages: Hugepages) -> Result<(NonNull<u8>, Pages), UmemError> {
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
fn map(len: usize, _: Hugepages) -> Result<(NonNull<u8>, Pages), UmemError> {
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

#[cfg(all(test, not(any(loom, miri))))]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_taken_if_there_or_refused_with_the_remedy() {
        let len = 4 << 20;
        match Region::map(len, Hugepages::On) {
            Ok((_, pages)) => assert_eq!(pages, Pages::Huge),
            Err(error) => assert!(error.to_string().contains("vm.nr_hugepages=2)"), "{error}"),
        }
        let (region, pages) = Region::map(len, Hugepages::Auto).unwrap();
        assert_ne!(pages, Pages::Small, "4 MiB are worth a huge page");
        assert_eq!(region.base.addr().get() % HUGE_PAGE, 0);
        let (_, pages) = Region::map(len, Hugepages::Off).unwrap();
        assert_eq!(pages, Pages::Small);
    }
}
