//! What a port moves its frames over: one queue of it, the worker's.
//!
//! A turn works with the few verbs below and knows no device. Each is called once a burst, so choosing the device costs a
//! branch a burst and none a frame. Conservation holds for all of them alike: pool + [`in_flight`](Device::in_flight) +
//! frames in hand = chunks of the UMEM.

use std::os::fd::BorrowedFd;

use contract::stats::PortCounters;

use crate::tun::Tun;
use crate::udp::Udp;
use crate::xsk::{BURST, Burst, Frame, InFlight, Pool, Wakeups, Xsk};

/// One queue of a device, open.
#[expect(
    clippy::large_enum_variant,
    reason = "a port holds one, and the largest is the one that must not cost a pointer"
)]
pub enum Device {
    /// An AF_XDP socket, or its rings over plain memory.
    Xsk(Xsk),
    /// A UDP socket on the tunnel port.
    Udp(Udp),
    /// A queue of a TUN.
    Tun(Tun),
}

impl From<Tun> for Device {
    fn from(tun: Tun) -> Self {
        Device::Tun(tun)
    }
}

impl From<Udp> for Device {
    fn from(udp: Udp) -> Self {
        Device::Udp(udp)
    }
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
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) -> usize {
        match self {
            Device::Xsk(xsk) => xsk.receive(out),
            Device::Udp(udp) => udp.receive(out, pool),
            Device::Tun(tun) => tun.receive(out, pool, counters),
        }
    }

    /// Frames that [`transmit`](Self::transmit) would take now, at least.
    pub fn tx_room(&self) -> usize {
        match self {
            Device::Xsk(xsk) => xsk.tx_room(),
            // Their sockets have buffers, which say no more than yes or no.
            Device::Udp(_) | Device::Tun(_) => BURST,
        }
    }

    /// Sends frames; gives their number. What was not taken stays in the burst, in order. A device that has let go of a frame
    /// when the call returns frees it into the pool.
    #[inline(always)]
    pub fn transmit(&mut self, burst: &mut Burst, pool: &mut Pool) -> usize {
        match self {
            Device::Xsk(xsk) => xsk.transmit(burst),
            Device::Udp(udp) => udp.transmit(burst, pool),
            Device::Tun(tun) => tun.transmit(burst, pool),
        }
    }

    /// Whether frames cost less the more of them leave together, be it microseconds later.
    #[inline(always)]
    pub fn gathers(&self) -> bool {
        matches!(self, Device::Tun(_))
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
            Device::Udp(_) | Device::Tun(_) => {}
        }
    }

    /// Frames that the other side has.
    pub fn in_flight(&self) -> InFlight {
        match self {
            Device::Xsk(xsk) => xsk.in_flight(),
            Device::Udp(_) | Device::Tun(_) => InFlight::default(),
        }
    }

    /// Whether there is work that no poll(2) on [`fd`](Self::fd) will tell of, so that the worker may only nap.
    pub fn is_pending(&self) -> bool {
        match self {
            Device::Xsk(xsk) => xsk.unsent() > 0,
            Device::Udp(udp) => udp.is_pending(),
            Device::Tun(tun) => tun.is_pending(),
        }
    }

    /// What a worker without work sleeps on; `None` over plain memory.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Device::Xsk(xsk) => xsk.fd(),
            Device::Udp(udp) => Some(udp.fd()),
            Device::Tun(tun) => Some(tun.fd()),
        }
    }

    /// The worker slept in poll(2) and may look at once for what ended the sleep.
    pub fn wake(&mut self) {
        match self {
            Device::Xsk(_) => {}
            Device::Udp(udp) => udp.wake(),
            Device::Tun(tun) => tun.wake(),
        }
    }

    /// The system calls made for the sake of frames that leave, so far.
    pub fn wakeups(&self) -> Wakeups {
        match self {
            Device::Xsk(xsk) => xsk.wakeups(),
            Device::Udp(udp) => udp.wakeups(),
            Device::Tun(tun) => tun.wakeups(),
        }
    }

    /// Closes it; gives the frames back that it had. May take milliseconds: not for a worker's turn.
    pub fn close(self) -> Vec<Frame> {
        match self {
            Device::Xsk(xsk) => xsk.close(),
            Device::Udp(_) | Device::Tun(_) => Vec::new(),
        }
    }
}
