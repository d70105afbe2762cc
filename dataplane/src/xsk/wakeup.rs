//! The system calls of a socket: telling the kernel of new entries, when a ring asked to be told.
//!
//! In copy mode the call is the transmission: sendto builds an skb for each frame, up to its budget (XDP_MAX_TX_SKB_BUDGET,
//! by default 32), on the caller's CPU. In zero-copy mode it only wakes the driver. What it returns in copy mode, by
//! `__xsk_generic_xmit` in <https://github.com/torvalds/linux/blob/v6.17/net/xdp/xsk.c>:
//!
//! - 0: all sent (before Linux 6.18 also: no room in the completion ring);
//! - EBUSY: the device dropped a frame, which is gone and completed, and the call ended there: the next call goes on;
//! - EAGAIN: the budget is used up, or the device, the socket's buffer or the completion ring is full;
//! - ENOBUFS: no memory for an skb.
//!
//! After an error the kernel may show an old consumer index, so calls are counted by budget and not by the ring's moves.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::xdp::XdpDesc;
use rustix::net::{RecvFlags, SendFlags};

use super::ring::Producer;

/// What became of a kick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what is left in the tx ring needs another kick in the next turn"]
pub enum Kick {
    /// No ring asked for it: no system call was made.
    NotNeeded,
    /// The kernel has taken all that was in tx, or will by itself.
    Done,
    /// The kernel takes no more just now: the device's queue, the socket's buffer or the completion ring is full. Reclaim, and
    /// kick again in the next turn.
    Full,
    /// The socket does not work: the device is gone (ENXIO) or down (ENETDOWN). The frames stay in tx.
    Failed(Errno),
}

/// Counts of the system calls and of what they said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wakeups {
    /// All calls.
    pub syscalls: u64,
    /// EAGAIN: the budget was used up, or the device or the socket's buffer was full.
    pub again: u64,
    /// EBUSY: the device dropped a frame.
    pub busy: u64,
    /// ENOBUFS: no memory for an skb.
    pub no_buffers: u64,
    /// Anything else: see [`Kick::Failed`].
    pub failed: u64,
}

/// The descriptor of a bound socket.
pub(super) struct Socket {
    pub(super) fd: OwnedFd,
    /// sendto itself sends (copy mode).
    pub(super) sends: bool,
    /// Frames that one call sends.
    pub(super) budget: u32,
    /// Each call drives the device, so there must be one in each turn.
    pub(super) busy_poll: bool,
    pub(super) wakeups: Wakeups,
}

impl Socket {
    /// Tells the kernel of entries in tx (`tx`) and of chunks in fill (`rx`).
    #[inline(never)]
    pub(super) fn wake(&mut self, ring: &Producer<XdpDesc>, tx: bool, rx: bool) -> Kick {
        if rx {
            self.wakeups.syscalls += 1;
            let received = rustix::net::recv(&self.fd, &mut [0; 0], RecvFlags::DONTWAIT);
            if let Err(Some(errno)) = received.map_err(|errno| self.count(errno)) {
                return Kick::Failed(errno);
            }
        }
        if tx { self.send(ring) } else { Kick::Done }
    }

    /// Calls sendto as often as the ring's frames need, and once more for each frame that the device dropped.
    fn send(&mut self, ring: &Producer<XdpDesc>) -> Kick {
        let mut calls = ring.outstanding().div_ceil(self.budget);
        while calls > 0 {
            self.wakeups.syscalls += 1;
            match rustix::net::send(&self.fd, &[], SendFlags::DONTWAIT) {
                Ok(_) => calls -= 1,
                // A dropped frame is out of the ring, so this ends with the ring at the latest.
                Err(Errno::BUSY) => self.wakeups.busy += 1,
                Err(errno) => {
                    calls -= 1;
                    if let Some(errno) = self.count(errno) {
                        return Kick::Failed(errno);
                    }
                }
            }
            if !self.sends || ring.outstanding() == 0 {
                return Kick::Done;
            }
        }
        Kick::Full
    }

    /// Counts an error; gives it back if it does not go away by itself.
    fn count(&mut self, errno: Errno) -> Option<Errno> {
        let (counter, lasting) = match errno {
            Errno::AGAIN | Errno::INTR => (&mut self.wakeups.again, None),
            Errno::BUSY => (&mut self.wakeups.busy, None),
            Errno::NOBUFS | Errno::NOMEM => (&mut self.wakeups.no_buffers, None),
            errno => (&mut self.wakeups.failed, Some(errno)),
        };
        *counter += 1;
        lasting
    }
}
