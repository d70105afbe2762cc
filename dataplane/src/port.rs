//! One worker's queue of a port: its device while it is open, the frames staged to leave by it, and its counters, which
//! outlive the device.

use contract::stats::{PortCounter, PortCounters};
use contract::tables::PortKind;
use contract::wire::{Ethernet, Ipv4, Protocol, Tcp, TcpFlags};
use zerocopy::FromBytes;

use crate::device::Device;
use crate::xsk::{Burst, Frame, Pool, Wakeups};

/// Tag of a frame that the engine made itself: it came in by no port.
pub const ORIGINATED: u8 = u8::MAX;

/// Frames that are enough for a write: one packet of 64 KiB holds no more of a TCP flow with timestamps at an MTU of 1,450.
const GATHERED: usize = 46;
/// Bytes of a frame from which on it may be bulk.
const BULK: usize = 1_000;
/// How long bulk waits for more, TSC cycles: some 100 µs, in which a flow of 5 Gbit/s brings 45 frames. That much longer its
/// round trip becomes, and by as many walks through the host's stack is it cheaper.
const PATIENCE: u64 = 1 << 18;

/// Whether nobody waits for this frame, but for more of its kind: a full TCP segment in the middle of a stream. A segment that
/// ends something has PSH or FIN, and small ones never wait.
fn is_bulk(frame: &[u8]) -> bool {
    let headers = || {
        let (_, packet) = Ethernet::ref_from_prefix(frame).ok()?;
        let (ip, segment) = Ipv4::ref_from_prefix(packet).ok()?;
        let plain = ip.version_ihl == Ipv4::VERSION_IHL && !ip.is_fragment();
        let tcp = Tcp::ref_from_prefix(segment).ok()?.0;
        Some(plain && ip.protocol == Protocol::TCP && tcp.flags == TcpFlags::ACK)
    };
    frame.len() >= BULK && headers() == Some(true)
}

/// A port, open or not.
#[derive(Default)]
pub struct Port {
    /// Which side it is; `None` while it is not open.
    pub kind: Option<PortKind>,
    /// What it counted.
    pub counters: PortCounters,
    device: Option<Device>,
    /// What came in by one port is submitted before the next one is looked at, but for bulk that a device gathers.
    staged: Burst,
    /// Frames of `staged`, from the first on, that wait for more to leave with them.
    waiting: usize,
    /// TSC when the first one began to wait.
    since: u64,
    /// Wake-ups that `counters` knows of.
    counted: Wakeups,
}

impl Port {
    /// Takes over a device; the next [`recycle`](Self::recycle) fills its fill ring, if it has one.
    pub fn open(&mut self, device: Device, kind: PortKind) {
        debug_assert!(self.device.is_none(), "close it first: rings own frames");
        self.kind = Some(kind);
        self.device = Some(device);
    }

    /// Gives the device up. Closing it takes milliseconds, so another thread does it and sends its frames back.
    pub fn close(&mut self) -> Option<Device> {
        self.count_wakeups();
        self.counted = Wakeups::default();
        self.kind = None;
        self.device.take()
    }

    /// The device, while it is open.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// Receives up to a burst.
    #[inline(always)]
    pub fn receive(&mut self, burst: &mut Burst, pool: &mut Pool) -> usize {
        let Some(device) = &mut self.device else {
            return 0;
        };
        let received = device.receive(burst, pool, &mut self.counters);
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
        if self.device.is_none() {
            return Err(frame);
        }
        self.staged.push(frame)
    }

    /// The staged frames that the device has room for, in order.
    pub fn leaving(&self) -> impl Iterator<Item = &Frame> {
        let room = self.device.as_ref().map_or(0, Device::tx_room);
        self.staged.iter().take(room)
    }

    /// Frames that wait for more to leave with them.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether so many more frames could be staged.
    #[inline(always)]
    pub fn has_room(&self, frames: usize) -> bool {
        self.staged.room() >= frames
    }

    /// As [`submit`](Self::submit), unless all that is staged may wait for more: `now` is the TSC.
    #[inline(always)]
    #[must_use = "frames that are left are to be counted and freed"]
    pub fn submit_gathered(&mut self, pool: &mut Pool, now: u64) -> bool {
        let gathers = self.device.as_ref().is_some_and(Device::gathers);
        if gathers && self.may_wait(now) {
            return true;
        }
        self.submit(pool)
    }

    #[inline(never)]
    fn may_wait(&mut self, now: u64) -> bool {
        if self.waiting == 0 {
            self.since = now;
        }
        let fresh = self.staged.iter().skip(self.waiting);
        self.waiting = self.staged.len();
        (1..GATHERED).contains(&self.waiting)
            && now.wrapping_sub(self.since) < PATIENCE
            && fresh.into_iter().all(|frame| is_bulk(frame.bytes()))
    }

    /// Gives the staged frames to the device; `false` if it did not take all of them: see [`left`](Self::left).
    #[inline(always)]
    #[must_use = "frames that are left are to be counted and freed"]
    pub fn submit(&mut self, pool: &mut Pool) -> bool {
        self.waiting = 0;
        if let (Some(device), false) = (&mut self.device, self.staged.is_empty()) {
            let before = bytes(&mut self.staged);
            let sent = device.transmit(&mut self.staged, pool);
            self.counters.add(PortCounter::TxPackets, sent as u64);
            self.counters
                .add(PortCounter::TxBytes, before - bytes(&mut self.staged));
        }
        self.staged.is_empty()
    }

    /// Takes what [`submit`](Self::submit) left behind.
    pub fn left(&mut self) -> Burst {
        std::mem::take(&mut self.staged)
    }

    /// The end of a turn: wake-ups that the device asks for, chunks back and forth.
    #[inline(always)]
    pub fn recycle(&mut self, pool: &mut Pool) {
        if let Some(device) = &mut self.device {
            device.recycle(pool);
        }
    }

    /// The worker slept in poll(2).
    pub fn wake(&mut self) {
        if let Some(device) = &mut self.device {
            device.wake();
        }
    }

    /// Adds the system calls since the last time to the counters.
    pub fn count_wakeups(&mut self) {
        let Some(device) = &self.device else { return };
        let now = device.wakeups();
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

#[cfg(all(test, not(loom)))]
mod tests;
