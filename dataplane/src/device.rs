//! What a port moves its frames over: one queue of it, the worker's.
//!
//! A turn works with the few verbs below and knows no device. Each is called once a burst, so choosing the device costs a
//! branch a burst and none a frame. Conservation holds for all of them alike: pool + [`in_flight`](Device::in_flight) +
//! frames in hand = chunks of the UMEM.

use std::os::fd::BorrowedFd;

use contract::stats::PortCounters;

use crate::xsk::{Burst, Frame, InFlight, Pool, Wakeups, Xsk};

/// One queue of a device, open.
pub enum Device {
    /// An AF_XDP socket, or its rings over plain memory.
    Xsk(Xsk),
}

impl From<Xsk> for Device {
    fn from(xsk: Xsk) -> Self {
        Device::Xsk(xsk)
    }
}

impl Device {
    /// Fills `out` up with frames that came in; gives their number. A device whose frames come out of the kernel's memory
    /// takes empty ones from the pool. What is lost before it is a frame is counted as received and dropped in `counters`.
    #[inline(always)]
    pub fn receive(
        &mut self,
        out: &mut Burst,
        _pool: &mut Pool,
        _counters: &mut PortCounters,
    ) -> usize {
        match self {
            Device::Xsk(xsk) => xsk.receive(out),
        }
    }

    /// Frames that [`transmit`](Self::transmit) would take now, at least.
    pub fn tx_room(&self) -> usize {
        match self {
            Device::Xsk(xsk) => xsk.tx_room(),
        }
    }

    /// Sends frames; gives their number. What was not taken stays in the burst, in order. A device that has let go of a frame
    /// when the call returns frees it into the pool.
    #[inline(always)]
    pub fn transmit(&mut self, burst: &mut Burst, _pool: &mut Pool) -> usize {
        match self {
            Device::Xsk(xsk) => xsk.transmit(burst),
        }
    }

    /// The end of a turn: a wake-up if the rings ask for one, completions to the pool, pool to the fill ring.
    #[inline(always)]
    pub fn recycle(&mut self, pool: &mut Pool) {
        match self {
            Device::Xsk(xsk) => {
                // What the kernel did not take is still in the ring, and the next turn kicks again. A device that failed is
                // for the main thread to notice.
                let _ = xsk.kick();
                xsk.reclaim(pool);
                xsk.refill(pool);
            }
        }
    }

    /// Frames that the other side has.
    pub fn in_flight(&self) -> InFlight {
        match self {
            Device::Xsk(xsk) => xsk.in_flight(),
        }
    }

    /// Whether there is work that no poll(2) on [`fd`](Self::fd) will tell of, so that the worker may only nap.
    pub fn is_pending(&self) -> bool {
        match self {
            Device::Xsk(xsk) => xsk.unsent() > 0,
        }
    }

    /// What a worker without work sleeps on; `None` over plain memory.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Device::Xsk(xsk) => xsk.fd(),
        }
    }

    /// The system calls made for the sake of frames that leave, so far.
    pub fn wakeups(&self) -> Wakeups {
        match self {
            Device::Xsk(xsk) => xsk.wakeups(),
        }
    }

    /// Closes it; gives the frames back that it had. May take milliseconds: not for a worker's turn.
    pub fn close(self) -> Vec<Frame> {
        match self {
            Device::Xsk(xsk) => xsk.close(),
        }
    }
}
