//! Packets of the host into frames.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use contract::stats::{DropReason, PortCounter, PortCounters};
use contract::wire::{EtherType, Ethernet, Mac};
use rustix::io::Errno;
use zerocopy::network_endian::U16;
use zerocopy::{FromBytes, IntoBytes};

use crate::offload::{Refused, Super, VnetHeader};
use crate::throttle::Throttle;
use crate::xsk::{Burst, Frame, Pool};

/// The virtio header and the longest IP packet.
const BUFFER: usize = VnetHeader::LEN + 65_535;

/// A queue, and what was read from it that is not a frame yet.
pub(super) struct Receiver {
    queue: Arc<OwnedFd>,
    port: u8,
    throttle: Throttle,
    buffer: Box<[u8]>,
    /// Bytes of it that the last read filled; 0: all that was read is in frames.
    len: usize,
    /// The segment that is next.
    next: usize,
}

impl Receiver {
    pub(super) fn new(queue: Arc<OwnedFd>, port: u8) -> Self {
        Receiver {
            queue,
            port,
            throttle: Throttle::short(),
            buffer: vec![0; BUFFER].into(),
            len: 0,
            next: 0,
        }
    }

    /// Fills `out` up, as far as the pool has frames.
    ///
    /// A packet for each read, until one says that there is nothing: small packets cost two system calls when they come
    /// alone, and one each in a flood; a packet of 64 KiB fills two thirds of a burst. After "nothing" the next call comes
    /// when `throttle` says so.
    pub(super) fn receive(
        &mut self,
        out: &mut Burst,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) -> usize {
        let before = out.len();
        while !out.is_full() && !pool.is_empty() && (self.is_pending() || self.read()) {
            if let Err(reason) = self.cut(out, pool) {
                // Counted as a frame that came and was dropped, so that received = forwarded + dropped.
                counters.add(PortCounter::RxPackets, 1);
                let bytes = self.len.saturating_sub(VnetHeader::LEN) + Ethernet::LEN;
                counters.add(PortCounter::RxBytes, bytes as u64);
                counters.drop(reason);
                self.len = 0;
            }
        }
        out.len() - before
    }

    /// Whether there was a packet.
    fn read(&mut self) -> bool {
        if !self.throttle.is_due() {
            return false;
        }
        match rustix::io::read(&*self.queue, &mut *self.buffer) {
            Ok(len) if len > 0 => {
                (self.len, self.next) = (len, 0);
                self.throttle.end();
                true
            }
            Err(Errno::INTR) => false,
            // EAGAIN: nothing there. Anything else: the device is gone, which the main thread finds out.
            _ => {
                self.throttle.empty();
                false
            }
        }
    }

    /// Puts the segments that are left into frames, as many as there is room for. Parsing anew in each call costs less than
    /// one segment, and there are 45 of them in a packet of 64 KiB.
    fn cut(&mut self, out: &mut Burst, pool: &mut Pool) -> Result<(), DropReason> {
        let read = self.buffer.get(..self.len).unwrap_or_default();
        let (vnet, packet) =
            VnetHeader::ref_from_prefix(read).map_err(|_| DropReason::Truncated)?;
        let whole = Super::parse(vnet, packet).map_err(reason)?;
        let ethertype = match packet.first().map(|byte| byte >> 4) {
            Some(6) => EtherType::IPV6,
            _ => EtherType::IPV4,
        };
        while self.next < whole.segments() {
            if out.is_full() {
                return Ok(());
            }
            let Some(mut frame) = pool.alloc() else {
                return Ok(());
            };
            // One that is longer than a chunk: the device's MTU was raised after it was opened.
            if write(&whole, self.next, ethertype, &mut frame).is_none() {
                pool.free(frame);
                return Err(DropReason::Offload);
            }
            frame.set_port(self.port);
            if let Err(frame) = out.push(frame) {
                pool.free(frame);
                return Ok(());
            }
            self.next += 1;
        }
        self.len = 0;
        Ok(())
    }

    pub(super) fn is_pending(&self) -> bool {
        self.len > 0
    }

    pub(super) fn wake(&mut self) {
        self.throttle.end();
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }

    /// Makes the next pause very long.
    #[cfg(test)]
    pub(super) fn hold(&mut self) {
        self.throttle.hold();
    }
}

/// One segment behind an Ethernet header whose addresses nobody looks at.
#[inline]
fn write(whole: &Super<'_>, segment: usize, ethertype: U16, frame: &mut Frame) -> Option<()> {
    frame.extend(Ethernet::LEN + whole.segment_len(segment))?;
    let (header, packet) = frame.bytes_mut().split_at_mut_checked(Ethernet::LEN)?;
    let ethernet = Ethernet {
        dst: Mac::default(),
        src: Mac::default(),
        ethertype,
    };
    header.copy_from_slice(ethernet.as_bytes());
    whole.write(segment, packet)?;
    Some(())
}

/// The name of a refusal among the ways to lose a packet.
fn reason(refused: Refused) -> DropReason {
    match refused {
        Refused::Truncated => DropReason::Truncated,
        Refused::IpHeader => DropReason::IpHeader,
        Refused::IpChecksum => DropReason::IpChecksum,
        Refused::Offload => DropReason::Offload,
    }
}
