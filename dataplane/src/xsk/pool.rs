//! A worker's free frames: a stack.
//!
//! The last frame freed is the next one taken, for its bytes are still in the cache. The stack's memory is allocated once,
//! for all chunks of the region, so neither verb allocates.

use super::Frame;
use super::region::Region;

/// Free frames of one [`Umem`](super::Umem).
#[derive(Debug)]
pub struct Pool {
    frames: Vec<Frame>,
    region: Region,
    head: u16,
}

impl Pool {
    pub(super) fn new(frames: Vec<Frame>, region: Region, head: u16) -> Self {
        Pool {
            frames,
            region,
            head,
        }
    }

    /// Free frames.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there is none.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// A frame of length zero. It starts where a received one would, so what is built in it can be encapsulated like one.
    #[inline(always)]
    pub fn alloc(&mut self) -> Option<Frame> {
        let mut frame = self.frames.pop()?;
        frame.reset(self.head);
        Some(frame)
    }

    /// Takes a frame back.
    ///
    /// # Panics
    ///
    /// If the frame is of another UMEM: it would end in a ring that cannot address it.
    #[inline(always)]
    pub fn free(&mut self, frame: Frame) {
        assert!(
            self.region.offset(frame.chunk()).is_some(),
            "a frame of one UMEM was freed into the pool of another"
        );
        self.frames.push(frame);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::xsk::{Hugepages, Umem};

    #[test]
    fn every_chunk_once_then_none_and_the_last_freed_first() {
        let (umem, mut pool) = Umem::map(8, 2048, 50, Hugepages::Off).unwrap();
        let mut frames: Vec<_> = std::iter::from_fn(|| pool.alloc()).collect();
        assert_eq!((frames.len(), pool.len()), (8, 0));
        frames.sort_by_key(|frame| frame.chunk());
        frames.dedup_by_key(|frame| frame.chunk());
        assert_eq!(frames.len(), 8, "no chunk twice");
        assert_eq!(frames[0].headroom(), umem.receive_offset());
        let last = frames[3].chunk();
        frames.swap(3, 7);
        frames.drain(..).for_each(|frame| pool.free(frame));
        assert_eq!(pool.alloc().unwrap().chunk(), last);
    }

    #[test]
    #[should_panic(expected = "pool of another")]
    fn a_frame_of_another_umem_is_refused() {
        let (_, mut ours) = Umem::map(4, 2048, 50, Hugepages::Off).unwrap();
        let (_, mut theirs) = Umem::map(4, 2048, 50, Hugepages::Off).unwrap();
        ours.free(theirs.alloc().unwrap());
    }
}
