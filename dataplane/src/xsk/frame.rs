//! A chunk of UMEM that is ours, with an Ethernet frame in it.
//!
//! ```text
//!  chunk                                                                     chunk + size
//!  |<-------- head -------->|<----------- len ----------->|<---- tailroom ---->|
//!  |  headroom              |  bytes()                    |                    |
//! ```
//!
//! Invariant: `head + len <= size`, always; each method that moves an end checks it. A frame is neither `Copy` nor `Clone`:
//! whoever has it has the chunk, and moving it is the only way to hand the chunk over.
//!
//! # Safety
//!
//! A `Frame` is the exclusive owner of its chunk's bytes. `Umem` makes one only for a chunk that its owner table says is
//! nobody's else (see `umem`), and takes it apart again when it lends the chunk to a ring. The region is mapped, zeroed and
//! never unmapped, so the bytes are initialized and outlive every frame.
#![expect(unsafe_code, reason = "makes slices of a chunk that this value owns")]

use std::fmt;
use std::ptr::NonNull;
use std::slice;

/// A token for one chunk that we own now: the bytes of a frame, with room before and behind them. 16 bytes.
///
/// A frame that is dropped is a chunk lost until its process ends: free it into its [`Pool`](super::Pool).
#[must_use = "a dropped frame is a lost chunk: free it into its pool"]
pub struct Frame {
    chunk: NonNull<u8>,
    head: u16,
    len: u16,
    size: u16,
    port: u8,
}

// Moved by the hundred in a turn: two registers, also as an `Option`.
const _: () = assert!(size_of::<Frame>() == 16 && size_of::<Option<Frame>>() == 16);

// SAFETY: the frame owns its bytes, as a `Box` would; no other thread can reach them.
unsafe impl Send for Frame {}

impl Frame {
    /// A frame over the chunk of `size` bytes at `chunk`.
    ///
    /// # Safety
    ///
    /// The `size` bytes are initialized, live as long as the process, and nobody else reads or writes them while the frame
    /// exists. `head + len <= size`.
    #[inline(always)]
    pub(super) unsafe fn new(chunk: NonNull<u8>, size: u16, head: u16, len: u16) -> Self {
        debug_assert!(u32::from(head) + u32::from(len) <= u32::from(size));
        Frame {
            chunk,
            head,
            len,
            size,
            port: 0,
        }
    }

    /// Where the chunk starts: its identity.
    #[inline(always)]
    pub(super) fn chunk(&self) -> NonNull<u8> {
        self.chunk
    }

    /// Bytes between the start of the chunk and the frame.
    #[inline(always)]
    pub fn headroom(&self) -> usize {
        usize::from(self.head)
    }

    /// Bytes of the frame.
    #[inline(always)]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether the frame has no bytes.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes between the end of the frame and that of the chunk.
    #[inline(always)]
    pub fn tailroom(&self) -> usize {
        usize::from(self.size - self.head - self.len)
    }

    /// The frame, from its Ethernet header on.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: head is at most size, so the pointer stays in the chunk.
        let start = unsafe { self.chunk.add(self.headroom()) };
        // SAFETY: head + len <= size; the bytes are initialized and ours while `self` is borrowed.
        unsafe { slice::from_raw_parts(start.as_ptr(), self.len()) }
    }

    /// Asks for the cache lines of the headers. Another core or a device has just written them, and a burst of frames misses
    /// them all at once instead of one after the other (docs/decisions/0002-copy-mode-transmit.md).
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // From a start at 306 (see `umem`): Ethernet; outer IP, UDP, VXLAN, or all of a pod's headers; the inner ones.
        for line in [0, 64, 128] {
            let byte = self.chunk.as_ptr().wrapping_add(self.headroom() + line);
            // SAFETY: a hint: it reads nothing, and no address makes it fault.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(byte.cast::<i8>()) };
        }
    }

    /// The frame, to be rewritten in place.
    #[inline(always)]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: head is at most size, so the pointer stays in the chunk.
        let start = unsafe { self.chunk.add(self.headroom()) };
        // SAFETY: head + len <= size; the bytes are initialized and ours alone while `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), self.len()) }
    }

    /// Moves the start `n` bytes into the headroom; what was there becomes part of the frame. `None`, and nothing done, if
    /// the headroom is shorter.
    #[inline(always)]
    pub fn grow_head(&mut self, n: usize) -> Option<()> {
        let n = u16::try_from(n).ok()?;
        self.head = self.head.checked_sub(n)?;
        self.len += n;
        Some(())
    }

    /// Strips `n` bytes from the front. `None`, and nothing done, if the frame is shorter.
    #[inline(always)]
    pub fn shrink_head(&mut self, n: usize) -> Option<()> {
        let n = u16::try_from(n).ok()?;
        self.len = self.len.checked_sub(n)?;
        self.head += n;
        Some(())
    }

    /// Cuts the frame to its first `len` bytes; does nothing if it is no longer than that.
    #[inline(always)]
    pub fn truncate(&mut self, len: usize) {
        if len < self.len() {
            self.len = len as u16;
        }
    }

    /// Makes the frame `n` bytes longer at its end; they hold what the chunk held. `None`, and nothing done, if the tailroom
    /// is shorter.
    #[inline(always)]
    pub fn extend(&mut self, n: usize) -> Option<()> {
        if n > self.tailroom() {
            return None;
        }
        self.len += n as u16;
        Some(())
    }

    /// Copies `bytes` behind the frame's end. `None`, and nothing done, if the tailroom is shorter.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len();
        self.extend(bytes.len())?;
        self.bytes_mut().get_mut(end..)?.copy_from_slice(bytes);
        Some(())
    }

    /// Index of the port that the frame came in by: `receive` sets it. A frame from the pool says 0 until told.
    #[inline(always)]
    pub fn port(&self) -> u8 {
        self.port
    }

    /// Says which port the frame counts for.
    #[inline(always)]
    pub fn set_port(&mut self, port: u8) {
        self.port = port;
    }

    /// Makes the frame empty, starting `head` bytes into its chunk.
    #[inline(always)]
    pub(super) fn reset(&mut self, head: u16) {
        debug_assert!(head <= self.size);
        (self.head, self.len, self.port) = (head.min(self.size), 0, 0);
    }
}

impl fmt::Debug for Frame {
    /// Its place and size; the bytes would drown a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("chunk", &self.chunk)
            .field("headroom", &self.head)
            .field("len", &self.len)
            .field("port", &self.port)
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use crate::xsk::{Hugepages, Umem};

    #[test]
    fn bytes_stay_where_they_are_while_the_ends_move() {
        let (_, mut pool) = Umem::map(1, 2048, 50, Hugepages::Off).unwrap();
        let mut frame = pool.alloc().unwrap();
        frame.append(b"inner packet").unwrap();
        frame.grow_head(4).unwrap();
        frame.bytes_mut()[..4].copy_from_slice(b"OUT:");
        assert_eq!(frame.bytes(), b"OUT:inner packet");
        frame.shrink_head(10).unwrap();
        assert_eq!(frame.bytes(), b"packet");
        frame.truncate(4);
        assert_eq!(frame.bytes(), b"pack");
    }

    proptest! {
        /// Whatever is asked, the ends stay inside of the chunk, and a refusal changes nothing.
        #[test]
        fn the_ends_never_leave_the_chunk(steps in proptest::collection::vec((0..4u8, 0..70_000usize), 1..40)) {
            let (_, mut pool) = Umem::map(1, 2048, 50, Hugepages::Off).unwrap();
            let mut frame = pool.alloc().unwrap();
            for (step, n) in steps {
                let n = if n > 66_000 { n } else { n % 700 };
                let (head, len, tail) = (frame.headroom(), frame.len(), frame.tailroom());
                let (done, expected) = match step {
                    0 => (frame.grow_head(n), (n <= head).then(|| (head - n, len + n, tail))),
                    1 => (frame.shrink_head(n), (n <= len).then(|| (head + n, len - n, tail))),
                    2 => (frame.extend(n), (n <= tail).then(|| (head, len + n, tail - n))),
                    _ => {
                        frame.truncate(n);
                        (Some(()), Some((head, len.min(n), tail + len - len.min(n))))
                    }
                };
                prop_assert_eq!(done.is_some(), expected.is_some());
                prop_assert_eq!(
                    (frame.headroom(), frame.len(), frame.tailroom()),
                    expected.unwrap_or((head, len, tail))
                );
                prop_assert_eq!(frame.bytes().len(), frame.len());
                frame.bytes_mut().fill(0xa5);
            }
            pool.free(frame);
        }
    }
}
