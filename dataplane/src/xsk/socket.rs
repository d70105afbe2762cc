//! The four rings of a port, and the verbs of a turn over them.
//!
//! ```text
//!  refill:   pool  -> fill        receive: rx         -> burst
//!  transmit: burst -> tx          reclaim: completion -> pool
//! ```
//!
//! Each verb moves a burst with one exchange of indices, and lends or takes back each chunk in the UMEM's owner table: a
//! descriptor from the kernel that names a chunk we did not lend it, or bytes outside of it, makes no frame, is counted, and
//! the chunk stays lent. Over plain memory the same code runs; only `kick` has nothing to do.
//!
//! # Safety
//!
//! Closing ends the other side before it takes the chunks: the socket and its ring mappings are dropped (the kernel unbinds
//! and waits for its readers before the last of them is gone), or the `KernelSide` has been.
#![expect(unsafe_code, reason = "takes the chunks of a closed socket back")]

use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::xdp::{XdpDesc, XdpDescOptions, XdpStatistics};

use super::bind::{self, Binding, Bound};
use super::ring::{Consumer, Producer};
use super::umem::Borrower;
use super::wakeup::Socket;
use super::{Burst, Frame, KernelSide, Kick, Pool, Umem, Wakeups, XskError};

/// Bytes of an Ethernet header: no frame is shorter.
const ETHERNET: usize = 14;

/// An AF_XDP socket with its rings on one queue of a device, or the same rings over plain memory.
#[must_use = "dropping it loses the chunks that it has lent: close it"]
pub struct Xsk {
    // Hot: each verb.
    umem: Umem,
    borrower: Borrower,
    port: u8,
    lent: InFlight,
    rx: Consumer<XdpDesc>,
    tx: Producer<XdpDesc>,
    fill: Producer<u64>,
    completion: Consumer<u64>,
    socket: Option<Socket>,
    // Cold: reports.
    refused: u64,
    bound: Bound,
}

/// Chunks that the other side has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// In fill or rx, or on the way between: lent to be filled.
    pub receiving: usize,
    /// In tx or completion, or on the way between: lent to be sent.
    pub transmitting: usize,
}

impl InFlight {
    /// Both together.
    pub fn total(&self) -> usize {
        self.receiving + self.transmitting
    }
}

/// The rings as opening a socket or making a pair yields them.
pub(super) struct Rings {
    pub(super) rx: Consumer<XdpDesc>,
    pub(super) tx: Producer<XdpDesc>,
    pub(super) fill: Producer<u64>,
    pub(super) completion: Consumer<u64>,
}

impl Xsk {
    /// Opens a socket on a queue of a device in the calling thread's network namespace, over `umem`. Received frames carry
    /// `binding.port`. The kernel gets no chunk before [`refill`](Self::refill), and no frame before a
    /// [`Program`](super::Program) steers it here.
    ///
    /// Waits up to 300 ms for a queue that another socket has just left.
    pub fn open(umem: &Umem, binding: &Binding) -> Result<Xsk, XskError> {
        let (rings, socket, bound) = bind::open(umem, binding)?;
        // Last, for a number is only given back by closing.
        let borrower = umem.enrol().ok_or_else(|| bind::too_many(binding))?;
        Ok(Self::over(
            umem,
            borrower,
            binding.port,
            rings,
            Some(socket),
            bound,
        ))
    }

    /// The rings over plain memory, `size` entries each (a power of two), and the side that plays the kernel.
    ///
    /// # Panics
    ///
    /// If `size` is no power of two, or the region has 255 sets of rings already.
    pub fn memory(umem: &Umem, size: u32, port: u8) -> (Xsk, KernelSide) {
        #[expect(
            clippy::expect_used,
            reason = "memory ports are for tests, which make few"
        )]
        let borrower = umem
            .enrol()
            .expect("a UMEM serves at most 255 sets of rings at once");
        let (rings, kernel) = KernelSide::pair(umem, size);
        (
            Self::over(umem, borrower, port, rings, None, Bound::memory()),
            kernel,
        )
    }

    fn over(
        umem: &Umem,
        borrower: Borrower,
        port: u8,
        rings: Rings,
        socket: Option<Socket>,
        bound: Bound,
    ) -> Self {
        let Rings {
            rx,
            tx,
            fill,
            completion,
        } = rings;
        Xsk {
            umem: *umem,
            borrower,
            port,
            lent: InFlight::default(),
            rx,
            tx,
            fill,
            completion,
            socket,
            refused: 0,
            bound,
        }
    }

    /// Fills `out` up with received frames; returns how many came.
    #[inline]
    pub fn receive(&mut self, out: &mut Burst) -> usize {
        let mut descriptors = self.rx.peek(out.room());
        let mut refused = 0;
        let received = out.fill_from(descriptors.by_ref().filter_map(|descriptor| {
            let frame = self
                .umem
                .take_back(descriptor.addr, descriptor.len, &self.borrower);
            refused += u64::from(frame.is_none());
            frame.map(|mut frame| {
                frame.set_port(self.port);
                frame.prefetch();
                frame
            })
        }));
        descriptors.release();
        self.refused += refused;
        self.lent.receiving -= received;
        received
    }

    /// Puts the burst's frames on tx, from the front; returns how many fitted. The others stay in the burst. The kernel looks
    /// at tx when kicked.
    ///
    /// # Panics
    ///
    /// If a frame is of another UMEM, or has no whole Ethernet header: the kernel never completes a frame of length zero.
    #[inline]
    pub fn transmit(&mut self, burst: &mut Burst) -> usize {
        let mut slots = self.tx.reserve(burst.len());
        burst.take_front(slots.len(), |frame| {
            let len = frame.len();
            assert!(
                len >= ETHERNET,
                "a frame of {len} bytes was transmitted: it has no whole Ethernet header"
            );
            let addr = self.umem.lend(frame, &self.borrower);
            slots.put(XdpDesc {
                addr,
                len: len as u32,
                options: XdpDescOptions::empty(),
            });
        });
        let sent = slots.submit();
        self.lent.transmitting += sent;
        sent
    }

    /// Frees the chunks of frames that have been sent; returns how many.
    #[inline]
    pub fn reclaim(&mut self, pool: &mut Pool) -> usize {
        let mut addresses = self.completion.peek(usize::MAX);
        let mut reclaimed = 0;
        for addr in addresses.by_ref() {
            // The address is the one we sent, anywhere in its chunk.
            match self.umem.take_back(addr, 0, &self.borrower) {
                Some(frame) => {
                    pool.free(frame);
                    reclaimed += 1;
                }
                None => self.refused += 1,
            }
        }
        addresses.release();
        self.lent.transmitting -= reclaimed;
        reclaimed
    }

    /// Lends free chunks to be filled, as many as the fill ring takes; returns how many.
    #[inline]
    pub fn refill(&mut self, pool: &mut Pool) -> usize {
        let mut slots = self.fill.reserve(pool.len());
        while slots.len() > 0
            && let Some(frame) = pool.alloc()
        {
            slots.put(self.umem.lend(frame, &self.borrower));
        }
        let filled = slots.submit();
        self.lent.receiving += filled;
        filled
    }

    /// Makes the system calls that the rings ask for, if any: sends what is in tx, and wakes a driver that ran out of chunks.
    #[inline]
    pub fn kick(&mut self) -> Kick {
        let Some(socket) = &mut self.socket else {
            return Kick::NotNeeded;
        };
        // The shared consumer index is read only if there is anything lent that could be in tx.
        let tx = self.lent.transmitting > 0 && self.tx.needs_wakeup() && self.tx.outstanding() > 0;
        let rx = socket.busy_poll || self.fill.needs_wakeup();
        if tx || rx {
            socket.wake(&self.tx, tx, rx)
        } else {
            Kick::NotNeeded
        }
    }

    /// Chunks that the other side has. Together with the pool and the frames in hand they are all of the region.
    pub fn in_flight(&self) -> InFlight {
        self.lent
    }

    /// Frames in tx that the kernel has not taken yet.
    pub fn unsent(&self) -> usize {
        self.tx.outstanding() as usize
    }

    /// Frames that [`transmit`](Self::transmit) would take now, at least.
    pub fn tx_room(&self) -> usize {
        self.tx.room() as usize
    }

    /// Descriptors from the kernel that named nothing we had lent it. Not zero means a broken driver, or broken memory.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The system calls made by [`kick`](Self::kick).
    pub fn wakeups(&self) -> Wakeups {
        self.socket
            .as_ref()
            .map_or_else(Wakeups::default, |socket| socket.wakeups)
    }

    /// Where and how it is bound.
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// The kernel's own counts: frames it dropped for want of chunks or room. `None` over plain memory.
    pub fn statistics(&self) -> Option<XdpStatistics> {
        rustix::net::sockopt::xdp_statistics(self.fd()?).ok()
    }

    /// The socket, to be polled or put into a program's map; `None` over plain memory.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(|socket| socket.fd.as_fd())
    }

    /// Closes it and gives all chunks back that it had lent. Detach or unset the socket in the program before, so that no
    /// frame is lost. Takes milliseconds (the kernel waits for its readers): not for a worker's turn.
    ///
    /// What the other side still has if it does not end stays lent for good: a `KernelSide` that still exists, or a
    /// zero-copy device that has not let go of the queue after a second.
    pub fn close(self) -> Vec<Frame> {
        let Xsk {
            umem,
            borrower,
            rx,
            tx,
            fill,
            completion,
            socket,
            bound,
            ..
        } = self;
        if !(rx.is_alone() && tx.is_alone() && fill.is_alone() && completion.is_alone()) {
            return Vec::new();
        }
        // The mappings hold the socket's file open, as its descriptor does.
        drop((rx, tx, fill, completion, socket));
        if !bind::is_released(&bound) {
            return Vec::new();
        }
        // SAFETY: all four rings were ours alone, and with a socket, the kernel has unbound it and its device left the queue.
        unsafe { umem.dismiss(borrower) }
    }
}

impl std::fmt::Debug for Xsk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Xsk")
            .field("bound", &self.bound)
            .field("lent", &self.lent)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
