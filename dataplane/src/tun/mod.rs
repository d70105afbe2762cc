//! A queue of a TUN device: the host's stack behind read(2) and write(2), in packets of up to 64 KiB.
//!
//! Attaching XDP to a veth takes its segmentation offload away, and a TCP flow then walks the kernel's stack once for every
//! 1,450 bytes. A TUN with virtio headers gives a packet of 64 KiB in one read, which is cut into frames here, and takes the
//! frames of a burst back as few large packets (`offload`). The price is a system call for each of them, where AF_XDP has
//! one for a whole ring, and a copy on either side: docs/decisions/0010-tun-overlay.md.
//!
//! ```text
//!            read                     Super                          Gro                   writev
//!   kernel ───────► buffer, 64 KiB ─────────► frames ─► worker ─► frames ───► header, payloads ──────► kernel
//!                                    Ethernet header added          Ethernet header left away
//! ```
//!
//! A TUN has no Ethernet; frames have a header all the same, so that encap and decap know one form only. Between two calls
//! no frame is here: pool + rings stay all chunks.
//!
//! The kernel spreads flows over the queues by their hash, and remembers by which one a flow's packets came from us
//! (`tun_automq_select_queue`): both directions of a flow are one worker's.

mod error;
mod receive;
mod send;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use contract::stats::PortCounters;
use contract::tun::{self, Offloads};

pub use error::TunError;
use receive::Receiver;
use send::Sender;

use crate::xsk::{Burst, Pool, Wakeups};

/// A queue of a TUN, as a port of one worker.
pub struct Tun {
    receiver: Receiver,
    sender: Sender,
}

impl Tun {
    /// Attaches so many queues to a device of the calling thread's network namespace; frames will carry `port`. The device
    /// must be there, and nobody attached: [`Device::find`](crate::xsk::Device::find) tells.
    pub fn open(interface: &str, queues: usize, port: u8) -> Result<Vec<Tun>, TunError> {
        let failed = TunError::of(interface);
        let mut attached = Vec::with_capacity(queues);
        for _ in 0..queues {
            attached.push(tun::attach(interface).map_err(&failed)?);
        }
        let offloads = match attached.first() {
            Some(queue) => tun::offload(queue, Offloads::TcpAndUdp).map_err(&failed)?,
            None => Offloads::None,
        };
        let tun = |file| Tun::over(OwnedFd::from(file), port, offloads == Offloads::TcpAndUdp);
        Ok(attached.into_iter().map(tun).collect())
    }

    /// Over anything that keeps packets apart, does not block, and has a virtio header before each packet. `udp`: the other
    /// side takes datagrams of one flow in one packet.
    pub fn over(queue: OwnedFd, port: u8, udp: bool) -> Tun {
        let queue = Arc::new(queue);
        Tun {
            receiver: Receiver::new(queue.clone(), port),
            sender: Sender::new(queue, udp),
        }
    }

    /// Fills `out` up with packets of the host; gives their number. What does not fit of a large packet is the next call's.
    pub(crate) fn receive(
        &mut self,
        out: &mut Burst,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) -> usize {
        self.receiver.receive(out, pool, counters)
    }

    /// Hands frames to the host's stack and frees them; gives their number. What the kernel does not take stays in the burst.
    pub(crate) fn transmit(&mut self, burst: &mut Burst, pool: &mut Pool) -> usize {
        self.sender.transmit(burst, pool)
    }

    /// Whether a part of a large packet waits for frames.
    pub(crate) fn is_pending(&self) -> bool {
        self.receiver.is_pending()
    }

    /// poll(2) has ended: ask at once.
    pub(crate) fn wake(&mut self) {
        self.receiver.wake();
    }

    /// Writes so far, and what became of them.
    pub(crate) fn wakeups(&self) -> Wakeups {
        self.sender.wakeups()
    }

    /// The queue, to be polled.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.receiver.fd()
    }
}

#[cfg(all(test, not(loom)))]
pub(crate) mod tests;
