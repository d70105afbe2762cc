//! The receive half: the fill ring, the rx ring, and the frames between them.
//!
//! Invariant: a frame is with the kernel (fill ring to rx ring) or in `ours`; after each call `ours` is empty, but for
//! the moment when the kernel has given frames back and not yet shown that their entries in the fill ring are free
//! again.

#![expect(
    unsafe_code,
    reason = "rings and frames of xsk-rs: see the protocol in io/xsk.rs"
)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::RecvFlags;
use xsk_rs::umem::{FillQueue, Umem};
use xsk_rs::{FrameDesc, RxQueue};

use super::Binding;
use super::tx::dead;
use crate::io::{BURST, Missed, Rx};

/// Receive half of a socket, with the frames it receives into.
pub struct XskRx {
    umem: Umem,
    rx: RxQueue,
    fill: FillQueue,
    /// A copy of the socket's descriptor, for system calls.
    socket: OwnedFd,
    binding: Binding,
    ours: Vec<FrameDesc>,
    /// Where the rx ring is read to; it means nothing between calls.
    burst: Box<[FrameDesc; BURST]>,
}

impl XskRx {
    /// Gives the kernel `frames` to receive into.
    ///
    /// # Safety
    /// `rx` and `fill` are of one socket on `umem`, freshly bound; `frames` are frames of it that nobody else uses,
    /// ever, at most as many as the fill ring has entries.
    pub(super) unsafe fn new(
        umem: Umem,
        (rx, fill): (RxQueue, FillQueue),
        socket: OwnedFd,
        binding: Binding,
        frames: Vec<FrameDesc>,
    ) -> Self {
        let mut half = XskRx {
            umem,
            rx,
            fill,
            socket,
            binding,
            ours: frames,
            burst: Box::new([FrameDesc::default(); BURST]),
        };
        half.refill();
        half
    }

    /// As [`XskTx::binding`](super::XskTx::binding).
    pub fn binding(&self) -> &'static str {
        self.binding.name()
    }

    /// For [`Taker::direct`](crate::io::take::Taker::direct).
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Gives the kernel what is ours.
    #[inline]
    fn refill(&mut self) {
        // SAFETY: these frames are in `ours`, and leave it with the next line.
        let given = unsafe { self.fill.produce(&self.ours) };
        self.ours.drain(..given);
    }

    /// A call that asks nothing, but goes where the driver is woken and the interface is looked at.
    fn poke(&self) -> io::Result<()> {
        match rustix::net::recv(&self.socket, &mut [0; 0], RecvFlags::DONTWAIT) {
            Ok(_) | Err(Errno::AGAIN | Errno::BUSY | Errno::NOBUFS) => Ok(()),
            Err(errno) => Err(dead(errno)),
        }
    }
}

impl Rx for XskRx {
    #[inline]
    fn receive(&mut self, mut read: impl FnMut(&[u8])) -> io::Result<usize> {
        // SAFETY: the rx ring is of this UMEM's only socket; what it overwrites means nothing.
        let count = unsafe { self.rx.consume(&mut self.burst[..]) };
        let at = self.ours.len();
        self.ours.extend_from_slice(&self.burst[..count]);
        for frame in &self.ours[at..] {
            // SAFETY: the frame is in `ours`.
            let data = unsafe { self.umem.data(frame) };
            read(data.contents());
        }
        if !self.ours.is_empty() {
            self.refill();
        }
        if self.fill.needs_wakeup() {
            self.poke()?;
        }
        Ok(count)
    }

    fn wait(&mut self, timeout_ms: u16) -> io::Result<()> {
        self.poke()?;
        match self.rx.poll(timeout_ms.into()) {
            // Ctrl-C, which the kernel may hand to any thread: a wait that was short.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            woken => woken.map(drop),
        }
    }

    /// The kernel counts a frame that it drops in one of two places (`__xsk_rcv`, `xsk_rcv_check` and `xsk_getsockopt`
    /// in <https://github.com/torvalds/linux/blob/v6.17/net/xdp/xsk.c>): `rx_dropped` when there was no chunk to copy
    /// it to, or it is longer than one; `rx_ring_full` when there was. `rx_fill_ring_empty_descs` counts the first of
    /// these again, and each look of a zero-copy driver at an empty ring, frame or not. A frame that a zero-copy device
    /// had no chunk for never came so far: only the device's own counters have it.
    fn missed(&mut self) -> io::Result<Missed> {
        let counters = self.rx.fd().xdp_statistics()?;
        Ok(Missed {
            overrun: counters.rx_dropped() + counters.rx_ring_full(),
            left: 0,
        })
    }
}
