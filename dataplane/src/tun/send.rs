//! Frames to the host, as few packets as they can be.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use contract::wire::{Ethernet, Ipv4};
use rustix::io::Errno;
use zerocopy::FromBytes;

use crate::offload::{Gro, Packet};
use crate::xsk::{BURST, Burst, Pool, Wakeups};

/// A queue that is written to.
pub(super) struct Sender {
    queue: Arc<OwnedFd>,
    gro: Gro,
    wakeups: Wakeups,
}

impl Sender {
    pub(super) fn new(queue: Arc<OwnedFd>, udp: bool) -> Self {
        Sender {
            queue,
            gro: Gro::new(udp),
            wakeups: Wakeups::default(),
        }
    }

    /// One write for each packet that the burst's frames make up. The kernel's whole receive path runs in it, up to the queue
    /// of the pod's device. The bytes go from the frames; nothing is copied on our side.
    pub(super) fn transmit(&mut self, burst: &mut Burst, pool: &mut Pool) -> usize {
        let mut packets = [Packet {
            bytes: &[],
            verified: false,
        }; BURST];
        for (slot, frame) in packets.iter_mut().zip(burst.iter()) {
            // What decap checked is the outer checksum, which says nothing of the payload that could not be computed from
            // the inner one (docs/decisions/0003-outer-checksum.md).
            slot.bytes = packet(frame.bytes());
        }
        let packets = packets.get(..burst.len()).unwrap_or_default();
        let mut refused = 0u64;
        for group in self.gro.gather(packets) {
            let head = group.head();
            // A burst and a header are fewer parts than writev takes (IOV_MAX, 1024).
            let mut parts = [IoSlice::new(&[]); 1 + BURST];
            let (mut count, mut members) = (1, 0u64);
            if let Some(first) = parts.first_mut() {
                *first = IoSlice::new(&head);
            }
            for (slot, part) in parts.iter_mut().skip(1).zip(group.parts()) {
                *slot = IoSlice::new(part.bytes);
                members |= 1 << part.index;
                count += 1;
            }
            self.wakeups.syscalls += 1;
            let written = rustix::io::writev(&*self.queue, parts.get(..count).unwrap_or_default());
            if let Err(errno) = written {
                refused |= members;
                count_refusal(&mut self.wakeups, errno);
            }
        }
        let before = burst.len();
        burst.keep(refused, pool);
        before - burst.len()
    }

    pub(super) fn wakeups(&self) -> Wakeups {
        self.wakeups
    }
}

/// EAGAIN: the socket's buffer is full, which by default has no end; ENOBUFS, ENOMEM: no memory; EIO: the device is down;
/// EBADFD: it is gone; EINVAL: the kernel does not like a packet. None is waited for.
fn count_refusal(wakeups: &mut Wakeups, errno: Errno) {
    match errno {
        Errno::AGAIN | Errno::INTR => wakeups.again += 1,
        Errno::NOBUFS | Errno::NOMEM => wakeups.no_buffers += 1,
        _ => wakeups.failed += 1,
    }
}

/// The IP packet in a frame, without the padding of short Ethernet frames.
fn packet(frame: &[u8]) -> &[u8] {
    let packet = frame.get(Ethernet::LEN..).unwrap_or_default();
    match Ipv4::ref_from_prefix(packet) {
        Ok((ip, _)) if ip.version_ihl >> 4 == 4 => packet
            .get(..usize::from(ip.total_len.get()))
            .unwrap_or(packet),
        _ => packet,
    }
}
