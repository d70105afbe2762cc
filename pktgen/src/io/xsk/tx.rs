//! The transmit half: a list of free frames, the tx ring, the completion ring.
//!
//! Invariant: `free.len() + in_flight == TX_FRAMES`. What is in flight is in the tx ring, with the device, or in the
//! completion ring, and comes back by the last of them only.
//!
//! In copy mode sendto is the transmission: it makes an skb of each frame, up to its budget, on the caller's CPU. What
//! it returns, by `__xsk_generic_xmit` in <https://github.com/torvalds/linux/blob/v6.17/net/xdp/xsk.c>: 0, the ring is
//! drained; EAGAIN, the budget is used up, or device, socket buffer or completion ring are full; EBUSY, the device
//! dropped a frame (it is completed all the same) and the call ended there; ENOBUFS, no memory for an skb.

#![expect(
    unsafe_code,
    reason = "rings and frames of xsk-rs: see the protocol in io/xsk.rs"
)]

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::SendFlags;
use xsk_rs::umem::{CompQueue, Umem};
use xsk_rs::{FrameDesc, TxQueue};

use super::{Binding, CHUNK, TX_FRAMES};
use crate::io::{BURST, FRAME_ROOM, Tx};

/// The shortest frame that is one: an Ethernet header. The kernel skips an empty one, and never completes it.
const MIN_LEN: usize = 14;

/// Transmit half of a socket, with the frames it sends from.
pub struct XskTx {
    umem: Umem,
    tx: TxQueue,
    completion: CompQueue,
    /// A copy of the socket's descriptor, for system calls.
    socket: OwnedFd,
    binding: Binding,
    /// Whether the interface has such a transmit queue: without one the kernel takes frames and sends none.
    exists: bool,
    /// Frames that are ours. A stack: the last to come back is the first to go, while it is in the cache.
    free: Vec<FrameDesc>,
    in_flight: usize,
    /// Where completions are read to; it means nothing between calls.
    burst: Box<[FrameDesc; BURST]>,
    /// What [`Tx::prepare`] wrote, and the chunks that it could not write, for they were in flight.
    body: Vec<u8>,
    stale: Vec<usize>,
}

impl XskTx {
    /// # Safety
    /// `tx` and `completion` are of one socket on `umem`, freshly bound; `free` are its first `TX_FRAMES` frames, and
    /// nobody else uses them, ever.
    pub(super) unsafe fn new(
        umem: Umem,
        (tx, completion): (TxQueue, CompQueue),
        socket: OwnedFd,
        binding: Binding,
        exists: bool,
        free: Vec<FrameDesc>,
    ) -> Self {
        XskTx {
            umem,
            tx,
            completion,
            socket,
            binding,
            exists,
            free,
            in_flight: 0,
            burst: Box::new([FrameDesc::default(); BURST]),
            body: Vec::new(),
            stale: Vec::new(),
        }
    }

    /// How it was bound: `AF_XDP zero-copy`, `AF_XDP copy`, `AF_XDP generic`.
    pub fn binding(&self) -> &'static str {
        self.binding.name()
    }

    /// Frames that can be written now, of 2048. All of them when nothing is outstanding.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Takes back what the kernel has finished with.
    #[inline]
    fn reclaim(&mut self) {
        loop {
            // SAFETY: the completion ring is of this UMEM's only socket; what it overwrites means nothing.
            let count = unsafe { self.completion.consume(&mut self.burst[..]) };
            let at = self.free.len();
            self.free.extend_from_slice(&self.burst[..count]);
            self.in_flight -= count;
            if !self.stale.is_empty() {
                self.refresh(at);
            }
            if count < BURST {
                return;
            }
        }
    }

    /// Writes the body to those of the free frames from `at` on that were in flight when it was prepared.
    #[cold]
    fn refresh(&mut self, at: usize) {
        for frame in &mut self.free[at..] {
            if let Some(index) = self
                .stale
                .iter()
                .position(|chunk| *chunk == chunk_of(frame))
            {
                self.stale.swap_remove(index);
                // SAFETY: the frame is in `free`.
                unsafe { write(&self.umem, frame, |bytes| copy(&self.body, bytes)) };
            }
        }
    }

    /// Lets the kernel send what is in the tx ring, as far as it will without waiting.
    #[inline]
    fn kick(&mut self) -> io::Result<()> {
        if !self.tx.needs_wakeup() {
            return Ok(());
        }
        let mut room = self.tx.nb_free_exact();
        // Every call but the last takes at least one frame from the ring.
        for _ in 0..TX_FRAMES {
            match rustix::net::send(&self.socket, &[], SendFlags::DONTWAIT) {
                Err(Errno::AGAIN) => {
                    let now = self.tx.nb_free_exact();
                    if now == room {
                        break;
                    }
                    // Only the budget was used up (Linux before 6.17 sends 32 frames a call).
                    room = now;
                }
                // A frame was dropped by the device, the next may not be.
                Err(Errno::BUSY) => {}
                Ok(_) | Err(Errno::NOBUFS) => break,
                Err(errno) => return Err(dead(errno)),
            }
        }
        Ok(())
    }
}

impl Tx for XskTx {
    fn prepare(&mut self, body: &[u8]) {
        self.reclaim();
        self.body = body.to_vec();
        let mut away = [true; TX_FRAMES as usize];
        for frame in &mut self.free {
            // SAFETY: the frame is in `free`.
            unsafe { write(&self.umem, frame, |bytes| copy(body, bytes)) };
            away[chunk_of(frame)] = false;
        }
        self.stale = (0..away.len()).filter(|chunk| away[*chunk]).collect();
    }

    #[inline]
    fn send(
        &mut self,
        want: usize,
        mut write_frame: impl FnMut(&mut [u8]) -> usize,
    ) -> io::Result<usize> {
        if !self.exists {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the interface has no such transmit queue",
            ));
        }
        self.reclaim();
        let want = want.min(self.free.len());
        let count = want.min(self.tx.nb_free(want as u32) as usize);
        let at = self.free.len() - count;
        for frame in &mut self.free[at..] {
            // SAFETY: the frame is in `free`.
            let len = unsafe { write(&self.umem, frame, &mut write_frame) };
            if !(MIN_LEN..=FRAME_ROOM).contains(&len) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("a frame of {len} bytes; {MIN_LEN} to {FRAME_ROOM} can be sent"),
                ));
            }
        }
        // SAFETY: these frames are in `free`, and leave it with the next line.
        let sent = unsafe { self.tx.produce(&self.free[at..]) };
        self.free.drain(at..at + sent);
        self.in_flight += sent;
        self.kick()?;
        Ok(sent)
    }

    fn outstanding(&mut self) -> io::Result<usize> {
        self.reclaim();
        if self.in_flight > 0 && self.tx.nb_free_exact() < TX_FRAMES {
            self.kick()?;
            self.reclaim();
        }
        Ok(self.in_flight)
    }
}

/// Has `fill` write into a frame, and makes its length what that returns.
///
/// # Safety
/// The frame is one of `umem` and ours.
#[inline]
unsafe fn write(
    umem: &Umem,
    frame: &mut FrameDesc,
    fill: impl FnOnce(&mut [u8]) -> usize,
) -> usize {
    // SAFETY: the caller's.
    let mut data = unsafe { umem.data_mut(frame) };
    data.cursor().set_pos(FRAME_ROOM);
    let len = fill(data.contents_mut());
    data.cursor().set_pos(len);
    len
}

/// Copies as much of `body` as fits.
fn copy(body: &[u8], bytes: &mut [u8]) -> usize {
    let len = body.len().min(bytes.len());
    bytes[..len].copy_from_slice(&body[..len]);
    len
}

fn chunk_of(frame: &FrameDesc) -> usize {
    frame.addr() / CHUNK as usize
}

/// An error that no retry heals.
#[cold]
pub(super) fn dead(errno: Errno) -> io::Error {
    let why = match errno {
        Errno::NETDOWN => "the interface is down; ip link set it up",
        Errno::NXIO => "the interface is gone",
        _ => return errno.into(),
    };
    io::Error::new(io::Error::from(errno).kind(), format!("{why} ({errno})"))
}
