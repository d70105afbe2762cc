//! The other half of rings in plain memory: what the kernel is to a socket.
//!
//! It takes chunks from fill, writes frames into them and names them in rx; it reads the frames named in tx and completes
//! them. Tests and benchmarks play a device with it.
//! Received frames start where the kernel would start them ([`Umem::receive_offset`]).
//!
//! # Safety
//!
//! An address read from fill or tx is a chunk lent to this side (`Umem::lend`), published with the ring's release and received
//! with its acquire. It is ours until we name it in rx or completion, once: each address read is either put there before
//! the guards submit and release, or, if a closure panics, neither happens and it is read again.
#![expect(
    unsafe_code,
    reason = "reads and writes chunks that are lent to this side"
)]

use std::slice;

use rustix::net::xdp::{XdpDesc, XdpDescOptions};

use super::Umem;
use super::ring::{Consumer, Producer};
use super::shared::Shared;
use super::socket::Rings;

/// Plays the kernel to an [`Xsk`](super::Xsk) over plain memory. May live in another thread.
pub struct KernelSide {
    umem: Umem,
    fill: Consumer<u64>,
    rx: Producer<XdpDesc>,
    tx: Consumer<XdpDesc>,
    completion: Producer<u64>,
}

impl KernelSide {
    /// Both sides of four rings.
    pub(super) fn pair(umem: &Umem, size: u32) -> (Rings, KernelSide) {
        let empty = XdpDesc {
            addr: 0,
            len: 0,
            options: XdpDescOptions::empty(),
        };
        let [fill, their_fill] = Shared::plain(size, 0, 0);
        let [completion, their_completion] = Shared::plain(size, 0, 0);
        let [rx, their_rx] = Shared::plain(size, 0, empty);
        let [tx, their_tx] = Shared::plain(size, 0, empty);
        let rings = Rings {
            rx: Consumer::new(rx),
            tx: Producer::new(tx),
            fill: Producer::new(fill),
            completion: Consumer::new(completion),
        };
        let kernel = KernelSide {
            umem: *umem,
            fill: Consumer::new(their_fill),
            rx: Producer::new(their_rx),
            tx: Consumer::new(their_tx),
            completion: Producer::new(their_completion),
        };
        (rings, kernel)
    }

    /// Delivers a frame of these bytes. False if it is longer than a chunk holds, or there is no chunk or no room in rx: then
    /// it is lost, as it would be in the kernel.
    pub fn deliver(&mut self, bytes: &[u8]) -> bool {
        self.deliver_parts(&[bytes])
    }

    /// Delivers one frame made of several pieces, in order. False as for [`deliver`](Self::deliver).
    pub fn deliver_parts(&mut self, parts: &[&[u8]]) -> bool {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        if len > self.umem.receive_room() {
            return false;
        }
        let write = |_, mut room: &mut [u8]| {
            for part in parts {
                let (to, rest) = room.split_at_mut(part.len());
                to.copy_from_slice(part);
                room = rest;
            }
            len
        };
        self.deliver_with(1, write) == 1
    }

    /// Delivers up to `count` frames, each written by `write`; returns how many. `write` gets the index of the chunk in its
    /// region and the bytes from the frame's start to the chunk's end, which still hold what was last there, and returns the
    /// frame's length. So a benchmark that keeps one packet to each chunk restores only the bytes that were changed.
    #[inline]
    pub fn deliver_with(
        &mut self,
        count: usize,
        mut write: impl FnMut(u32, &mut [u8]) -> usize,
    ) -> usize {
        let mut slots = self.rx.reserve(count);
        let mut chunks = self.fill.peek(slots.len());
        for chunk in chunks.by_ref() {
            // As the kernel does in aligned mode, any address in the chunk stands for the chunk.
            let addr =
                (chunk & !(self.umem.chunk_size() as u64 - 1)) + self.umem.receive_offset() as u64;
            let Some((index, start)) = self.umem.locate(addr) else {
                continue;
            };
            // SAFETY: the chunk is lent to us, and its bytes from the receive offset on are the receive room.
            let room =
                unsafe { slice::from_raw_parts_mut(start.as_ptr(), self.umem.receive_room()) };
            let len = write(index, room).min(room.len());
            slots.put(XdpDesc {
                addr,
                len: len as u32,
                options: XdpDescOptions::empty(),
            });
        }
        chunks.release();
        slots.submit()
    }

    /// Takes all frames from tx, shows the bytes of each to `read`, and completes them; returns how many. What the completion
    /// ring has no room for stays in tx.
    #[inline]
    pub fn collect(&mut self, mut read: impl FnMut(&[u8])) -> usize {
        let mut completions = self.completion.reserve(usize::MAX);
        let mut descriptors = self.tx.peek(completions.len());
        for XdpDesc { addr, len, .. } in descriptors.by_ref() {
            if let Some((_, start)) = self.umem.locate(addr) {
                // SAFETY: the chunk is lent to us, and a frame's bytes are inside of its chunk.
                read(unsafe { slice::from_raw_parts(start.as_ptr(), len as usize) });
            }
            completions.put(addr);
        }
        descriptors.release();
        completions.submit()
    }

    /// Bytes of the longest frame that can be delivered.
    pub fn room(&self) -> usize {
        self.umem.receive_room()
    }

    /// Chunks waiting in fill: frames that could be delivered now.
    pub fn chunks(&mut self) -> usize {
        self.fill.peek(usize::MAX).len()
    }
}

impl std::fmt::Debug for KernelSide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KernelSide")
            .field("umem", &self.umem)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::xsk::{Burst, Hugepages, Umem, Xsk};

    /// A kernel that breaks the rules: the engine makes no frame of it, and says so.
    #[test]
    fn descriptors_of_what_was_not_lent_are_refused_and_counted() {
        let (umem, mut pool) = Umem::map(8, 2048, 50, Hugepages::Off).unwrap();
        let (mut xsk, mut kernel) = Xsk::memory(&umem, 4, 0);
        assert_eq!(xsk.refill(&mut pool), 4);
        let chunk = kernel.fill.peek(1).next().unwrap() & !2047;
        let ours = pool.alloc().unwrap();
        let free = umem.locate(7 * 2048).unwrap();
        let mut rx = kernel.rx.reserve(4);
        for (addr, len) in [
            (chunk + 306, 60),   // in order
            (chunk + 306, 60),   // a second time
            (8 * 2048, 60),      // outside of the region
            (chunk + 2000, 100), // beyond the chunk
        ] {
            rx.put(XdpDesc {
                addr,
                len,
                options: XdpDescOptions::empty(),
            });
        }
        rx.submit();
        let mut completion = kernel.completion.reserve(1);
        completion.put(u64::from(free.0) * 2048); // never transmitted
        completion.submit();

        let mut burst = Burst::new();
        assert_eq!(xsk.receive(&mut burst), 1);
        assert_eq!(xsk.reclaim(&mut pool), 0);
        assert_eq!(xsk.refused(), 4);
        pool.free(ours);
        burst.clear_into(&mut pool);
        assert_eq!(pool.len() + xsk.in_flight().total(), 8);
    }

    #[test]
    fn a_frame_longer_than_the_room_is_lost_and_takes_no_chunk() {
        let (umem, mut pool) = Umem::map(4, 2048, 50, Hugepages::Off).unwrap();
        let (mut xsk, mut kernel) = Xsk::memory(&umem, 4, 0);
        assert!(!kernel.deliver(&[0; 60]), "no chunk yet");
        xsk.refill(&mut pool);
        assert!(!kernel.deliver(&[0; 1743]));
        assert_eq!(kernel.chunks(), 4);
        assert!(kernel.deliver(&[7; 1742]));
        assert_eq!(kernel.chunks(), 3);
    }

    #[test]
    fn frames_redelivered_in_place_keep_what_was_not_rewritten() {
        let (umem, mut pool) = Umem::map(4, 2048, 50, Hugepages::Off).unwrap();
        let (mut xsk, mut kernel) = Xsk::memory(&umem, 4, 0);
        xsk.refill(&mut pool);
        let packet = |index: u32| [index as u8; 100];
        let mut seen = Vec::new();
        for round in 0..3 {
            let delivered = kernel.deliver_with(4, |index, room| {
                let restore = if round == 0 { 100 } else { 14 };
                room[..restore].copy_from_slice(&packet(index)[..restore]);
                100
            });
            assert_eq!(delivered, 4);
            let mut burst = Burst::new();
            assert_eq!(xsk.receive(&mut burst), 4);
            for frame in burst.iter_mut() {
                let index = frame.bytes()[99];
                assert_eq!(frame.bytes(), packet(index.into()));
                seen.push(index);
                // What encapsulation does: the first 14 bytes are overwritten.
                frame.grow_head(50).unwrap();
                frame.bytes_mut()[..64].fill(0xa5);
            }
            assert_eq!(xsk.transmit(&mut burst), 4);
            assert_eq!(kernel.collect(|bytes| assert_eq!(bytes.len(), 150)), 4);
            assert_eq!(xsk.reclaim(&mut pool), 4);
            assert_eq!(xsk.refill(&mut pool), 4);
        }
        seen.sort();
        assert_eq!(seen, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
    }
}
