//! One worker's queue of a port: its rings while it is open, the frames staged to leave by it, and its counters, which
//! outlive the rings.

use contract::stats::{PortCounter, PortCounters};
use contract::tables::PortKind;

use crate::xsk::{Burst, Frame, Pool, Wakeups, Xsk};

/// Tag of a frame that the engine made itself: it came in by no port.
pub const ORIGINATED: u8 = u8::MAX;

/// A port, open or not.
#[derive(Default)]
pub struct Port {
    /// Which side it is; `None` while it is not open.
    pub kind: Option<PortKind>,
    /// What it counted.
    pub counters: PortCounters,
    xsk: Option<Xsk>,
    /// Never more than one received burst: what came in by one port is submitted before the next one is looked at.
    staged: Burst,
    /// Wake-ups that `counters` knows of.
    counted: Wakeups,
}

impl Port {
    /// Takes over rings; the next [`recycle`](Self::recycle) fills their fill ring.
    pub fn open(&mut self, xsk: Xsk, kind: PortKind) {
        debug_assert!(self.xsk.is_none(), "close it first: rings own frames");
        self.kind = Some(kind);
        self.xsk = Some(xsk);
    }

    /// Gives the rings up. Closing them takes milliseconds, so another thread does it and sends their frames back.
    pub fn close(&mut self) -> Option<Xsk> {
        self.count_wakeups();
        self.counted = Wakeups::default();
        self.kind = None;
        self.xsk.take()
    }

    /// The rings, while it is open.
    pub fn xsk(&self) -> Option<&Xsk> {
        self.xsk.as_ref()
    }

    /// Receives up to a burst.
    #[inline(always)]
    pub fn receive(&mut self, burst: &mut Burst) -> usize {
        let Some(xsk) = &mut self.xsk else { return 0 };
        let received = xsk.receive(burst);
        self.counters.add(PortCounter::RxPackets, received as u64);
        self.counters.add(PortCounter::RxBytes, bytes(burst));
        self.counters
            .add(PortCounter::FullBursts, u64::from(burst.is_full()));
        received
    }

    /// Puts a frame among those that leave with the next [`submit`](Self::submit); a closed port or a full stage gives it
    /// back.
    #[inline(always)]
    pub fn stage(&mut self, frame: Frame) -> Result<(), Frame> {
        if self.xsk.is_none() {
            return Err(frame);
        }
        self.staged.push(frame)
    }

    /// The staged frames that the transmit ring has room for, in order.
    pub fn leaving(&self) -> impl Iterator<Item = &Frame> {
        let room = self.xsk.as_ref().map_or(0, Xsk::tx_room);
        self.staged.iter().take(room)
    }

    /// Gives the staged frames to the transmit ring. What does not fit stays behind, for the caller to count and free.
    #[inline(always)]
    pub fn submit(&mut self) -> &mut Burst {
        if let (Some(xsk), false) = (&mut self.xsk, self.staged.is_empty()) {
            let before = bytes(&mut self.staged);
            let sent = xsk.transmit(&mut self.staged);
            self.counters.add(PortCounter::TxPackets, sent as u64);
            self.counters
                .add(PortCounter::TxBytes, before - bytes(&mut self.staged));
        }
        &mut self.staged
    }

    /// A wake-up if the rings ask for one, completions to the pool, pool to the fill ring.
    #[inline(always)]
    pub fn recycle(&mut self, pool: &mut Pool) {
        let Some(xsk) = &mut self.xsk else { return };
        // What the kernel did not take is still in the ring, and the next turn kicks again. A device that failed is for the
        // main thread to notice.
        let _ = xsk.kick();
        xsk.reclaim(pool);
        xsk.refill(pool);
    }

    /// Adds the system calls since the last time to the counters.
    pub fn count_wakeups(&mut self) {
        let Some(xsk) = &self.xsk else { return };
        let now = xsk.wakeups();
        let retries = |w: &Wakeups| w.again + w.busy + w.no_buffers + w.failed;
        self.counters
            .add(PortCounter::Kicks, now.syscalls - self.counted.syscalls);
        self.counters.add(
            PortCounter::KickRetries,
            retries(&now) - retries(&self.counted),
        );
        self.counted = now;
    }
}

#[inline(always)]
fn bytes(burst: &mut Burst) -> u64 {
    burst.iter_mut().map(|frame| frame.len() as u64).sum()
}
