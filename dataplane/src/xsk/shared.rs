//! Where a ring lies: three words and an array that two sides see.
//!
//! ```text
//!  producer: u32 | consumer: u32 | flags: u32 | slots: [T; size], size a power of two
//! ```
//!
//! Kernel memory (each word at the offset that XDP_MMAP_OFFSETS tells) or plain memory; [`ring`](super::ring) cannot tell.
//!
//! # Safety
//!
//! The pointers stay valid as long as `memory` lives, which is as long as this value. The words are only read and written
//! as atomics. A slot belongs to the producer from the consumer's release to its own, and to the consumer in between; the
//! masked index is always inside of the array, whatever the words say.
#![expect(unsafe_code, reason = "reaches into memory shared with the kernel")]

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{Ordering::Acquire, fence};

use rustix::net::xdp::XdpRingOffset;

use super::sync::{AtomicU32, UnsafeCell};

/// One ring's memory, as one of its two sides holds it.
pub(super) struct Shared<T> {
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    flags: NonNull<AtomicU32>,
    slots: NonNull<UnsafeCell<T>>,
    mask: u32,
    memory: Memory<T>,
}

// SAFETY: the words are atomics, and a slot is touched only by the side that owns it just then.
unsafe impl<T: Send> Send for Shared<T> {}

enum Memory<T> {
    Plain(Arc<Plain<T>>),
    Mapped(#[expect(dead_code, reason = "held to be unmapped")] Mapping),
}

impl<T: Copy> Shared<T> {
    /// A ring of `size` slots over plain memory, both sides of it. Indices begin at `start`: 0, but in tests of their wrap.
    /// Slots hold `empty` until they are first written.
    pub(super) fn plain(size: u32, start: u32, empty: T) -> [Self; 2] {
        assert!(
            size.is_power_of_two(),
            "a ring of {size} slots: indices are masked, so it must be a power of two"
        );
        let plain = Arc::new(Plain {
            producer: Line(AtomicU32::new(start)),
            consumer: Line(AtomicU32::new(start)),
            flags: Line(AtomicU32::new(0)),
            slots: (0..size).map(|_| UnsafeCell::new(empty)).collect(),
        });
        [Self::over(plain.clone()), Self::over(plain)]
    }

    fn over(plain: Arc<Plain<T>>) -> Self {
        Shared {
            producer: NonNull::from(&plain.producer.0),
            consumer: NonNull::from(&plain.consumer.0),
            flags: NonNull::from(&plain.flags.0),
            slots: NonNull::from(plain.slots.as_ref()).cast(),
            mask: plain.slots.len() as u32 - 1,
            memory: Memory::Plain(plain),
        }
    }
}

impl<T> Shared<T> {
    /// The ring of `size` slots that `socket` offers at `place` of its file.
    pub(super) fn mapped(
        socket: BorrowedFd<'_>,
        place: u64,
        offset: &XdpRingOffset,
        size: u32,
    ) -> io::Result<Self> {
        // Kernels before 5.4 have no flags, and no need-wakeup either.
        let flags = offset.flags.ok_or(io::ErrorKind::Unsupported)?;
        let len = offset.desc as usize + size as usize * size_of::<T>();
        let mapping = Mapping::of(socket, place, len)?;
        let word = |at: u64| {
            assert!(
                at as usize + size_of::<u32>() <= len,
                "the kernel places a ring's word outside of the ring"
            );
            // SAFETY: inside of the mapping, as just compared.
            unsafe { mapping.start.add(at as usize) }
        };
        Ok(Shared {
            producer: word(offset.producer).cast(),
            consumer: word(offset.consumer).cast(),
            flags: word(flags).cast(),
            slots: word(offset.desc).cast(),
            mask: size - 1,
            memory: Memory::Mapped(mapping),
        })
    }

    /// Number of slots.
    #[inline(always)]
    pub(super) fn size(&self) -> u32 {
        self.mask + 1
    }

    /// Index of the next slot to be filled.
    #[inline(always)]
    pub(super) fn producer(&self) -> &AtomicU32 {
        // SAFETY: valid while `memory` lives; shared only as an atomic.
        unsafe { self.producer.as_ref() }
    }

    /// Index of the next slot to be emptied.
    #[inline(always)]
    pub(super) fn consumer(&self) -> &AtomicU32 {
        // SAFETY: valid while `memory` lives; shared only as an atomic.
        unsafe { self.consumer.as_ref() }
    }

    /// XDP_RING_NEED_WAKEUP, in rings that the kernel empties.
    #[inline(always)]
    pub(super) fn flags(&self) -> &AtomicU32 {
        // SAFETY: valid while `memory` lives; shared only as an atomic.
        unsafe { self.flags.as_ref() }
    }

    /// The slot of an unmasked index. Masking is why sizes are powers of two.
    #[inline(always)]
    pub(super) fn slot(&self, index: u32) -> &UnsafeCell<T> {
        // SAFETY: a masked index is inside of the array.
        let slot = unsafe { self.slots.add((index & self.mask) as usize) };
        // SAFETY: valid while `memory` lives; the cell allows that the other side writes.
        unsafe { slot.as_ref() }
    }

    /// Whether the other side of a plain ring is gone. Kernel memory has no other handle: its other side goes with the socket.
    pub(super) fn is_alone(&self) -> bool {
        let alone = match &self.memory {
            Memory::Plain(plain) => Arc::strong_count(plain) == 1,
            Memory::Mapped(_) => true,
        };
        // Pairs with the release by which the other handle counted itself out: what it did came before.
        fence(Acquire);
        alone
    }
}

/// Plain memory in the kernel's manner: the words of the two sides on lines of their own.
struct Plain<T> {
    producer: Line<AtomicU32>,
    consumer: Line<AtomicU32>,
    flags: Line<AtomicU32>,
    slots: Box<[UnsafeCell<T>]>,
}

#[repr(align(64))]
struct Line<T>(T);

/// Memory of a file, unmapped when dropped.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn of(file: BorrowedFd<'_>, offset: u64, len: usize) -> io::Result<Self> {
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        let (protection, flags) = (
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::SHARED | MapFlags::POPULATE,
        );
        // SAFETY: the kernel chooses a place where nothing is mapped.
        let start = unsafe { mmap(std::ptr::null_mut(), len, protection, flags, file, offset) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Mapping { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: ours, and the pointers into it go with the ring that held it. Nothing is left to do if it fails.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
