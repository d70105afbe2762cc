//! One worker's queue of a port: its rings while it is open, the frames staged to leave by it, and its counters, which
//! outlive the rings.

use contract::stats::{PortCounter, PortCounters};
use contract::tables::PortKind;

use crate::xsk::{Burst, Frame, Pool, Xsk};

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
    unkicked: bool,
}

impl Port {
    /// Takes over rings; the next [`recycle`](Self::recycle) fills their fill ring.
    pub fn open(&mut self, xsk: Xsk, kind: PortKind) {
        debug_assert!(self.xsk.is_none(), "close it first: rings own frames");
        self.kind = Some(kind);
        self.xsk = Some(xsk);
    }

    /// Gives the rings back; every frame in them is in the pool afterwards.
    pub fn close(&mut self, pool: &mut Pool) {
        self.kind = None;
        self.unkicked = false;
        if let Some(xsk) = self.xsk.take() {
            xsk.close(pool);
        }
    }

    /// The rings, while it is open.
    pub fn xsk(&self) -> Option<&Xsk> {
        self.xsk.as_ref()
    }

    /// Receives up to a burst, each frame tagged with this port's number.
    #[inline(always)]
    pub fn receive(&mut self, number: u8, burst: &mut Burst) -> usize {
        let Some(xsk) = &mut self.xsk else { return 0 };
        let received = xsk.receive(burst);
        if received > 0 {
            let mut bytes = 0;
            for frame in burst.iter_mut() {
                frame.set_port(number);
                bytes += frame.len() as u64;
            }
            self.counters.add(PortCounter::RxPackets, received as u64);
            self.counters.add(PortCounter::RxBytes, bytes);
            self.counters.add(PortCounter::FullBursts, u64::from(burst.is_full()));
        }
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

    /// Gives the staged frames to the transmit ring. What does not fit stays behind, for the caller to count and free.
    #[inline(always)]
    pub fn submit(&mut self) -> &mut Burst {
        if let (Some(xsk), false) = (&mut self.xsk, self.staged.is_empty()) {
            let bytes = |staged: &mut Burst| staged.iter_mut().map(|frame| frame.len() as u64).sum::<u64>();
            let before = bytes(&mut self.staged);
            let sent = xsk.transmit(&mut self.staged);
            self.counters.add(PortCounter::TxPackets, sent as u64);
            self.counters.add(PortCounter::TxBytes, before - bytes(&mut self.staged));
            self.unkicked |= sent > 0;
        }
        &mut self.staged
    }

    /// A wake-up if frames were submitted and the ring asks for one, completions to the pool, pool to the fill ring.
    #[inline(always)]
    pub fn recycle(&mut self, pool: &mut Pool) {
        let Some(xsk) = &mut self.xsk else { return };
        if self.unkicked {
            self.unkicked = false;
            let kick = xsk.kick();
            self.counters.add(PortCounter::Kicks, kick.calls);
            self.counters.add(PortCounter::KickRetries, kick.retries);
        }
        xsk.reclaim(pool);
        xsk.refill(pool);
    }
}
