//! Datagrams from the kernel into frames.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use zerocopy::IntoBytes;

use super::abi::{self, Incoming};
use super::headers::{Headers, Headers6};
use crate::throttle::Throttle;
use crate::xsk::{Burst, Frame, Pool};

/// A socket on the tunnel port, and what it gave that is not a frame yet.
pub(super) struct Receiver {
    socket: OwnedFd,
    own: SocketAddr,
    port: u8,
    throttle: Throttle,
    /// Whatever the kernel may have put together: 64 KiB.
    buffer: Box<[u8]>,
    /// Of which this range is left.
    start: usize,
    end: usize,
    /// So many datagrams lie in it.
    datagrams: usize,
    /// Under these circumstances they came.
    incoming: Option<Incoming>,
}

impl Receiver {
    /// Frames will carry `port`, and headers that name `own` as their destination.
    pub(super) fn new(socket: OwnedFd, own: SocketAddr, port: u8, throttle: Throttle) -> Self {
        Receiver {
            socket,
            own,
            port,
            throttle,
            buffer: vec![0; 1 << 16].into(),
            start: 0,
            end: 0,
            datagrams: 0,
            incoming: None,
        }
    }

    /// Fills `out` up. What the kernel gave in one piece and does not fit is the next call's.
    ///
    /// Asks until the burst is full or nothing is left: a busy socket costs no empty answer, a quiet one costs one for each
    /// time that it had something, and what `throttle` allows.
    pub(super) fn receive(&mut self, out: &mut Burst, pool: &mut Pool) -> usize {
        let before = out.len();
        while !out.is_full() && !pool.is_empty() {
            if self.datagrams == 0 && !self.ask() {
                break;
            }
            let Some(mut frame) = pool.alloc() else { break };
            match self.fill(&mut frame) {
                Some(()) => frame.set_port(self.port),
                // No datagram that the kernel can hand over is too long to have headers.
                None => {
                    pool.free(frame);
                    continue;
                }
            }
            if let Err(frame) = out.push(frame) {
                pool.free(frame);
                break;
            }
        }
        out.len() - before
    }

    /// Whether there was anything.
    fn ask(&mut self) -> bool {
        if !self.throttle.is_due() {
            return false;
        }
        // Errors other than "nothing there" are reports about what somebody sent (ICMP), and pass with the telling.
        let Ok(incoming) = abi::receive(self.socket.as_fd(), &mut self.buffer) else {
            self.throttle.empty();
            return false;
        };
        self.throttle.end();
        (self.start, self.end) = (0, incoming.len);
        // One without a byte is a datagram, too, and lost by a reason with a name.
        self.datagrams = incoming
            .segment
            .map_or(1, |len| incoming.len.div_ceil(len))
            .max(1);
        self.incoming = Some(incoming);
        true
    }

    /// Writes the next datagram under its headers. One that is longer than a chunk is cut: `decap` sees that its lengths do
    /// not agree, and counts it.
    fn fill(&mut self, frame: &mut Frame) -> Option<()> {
        self.datagrams = self.datagrams.checked_sub(1)?;
        let incoming = self.incoming.as_ref()?;
        let left = self.end - self.start;
        let len = incoming.segment.map_or(left, |len| len.min(left));
        let payload = self.buffer.get(self.start..self.start + len)?;
        self.start += len;
        match (incoming.from, self.own) {
            (SocketAddr::V4(from), SocketAddr::V4(own)) => {
                frame.append(Headers::new(from, own, incoming.tos, len)?.as_bytes())?;
            }
            (SocketAddr::V6(from), SocketAddr::V6(own)) => {
                frame.append(Headers6::new(from, own, incoming.tos, payload)?.as_bytes())?;
            }
            // A socket has one family.
            _ => return None,
        }
        frame.append(payload.get(..len.min(frame.tailroom()))?)
    }

    /// Whether datagrams wait for a frame: nothing but the next turn gets them one.
    pub(super) fn is_pending(&self) -> bool {
        self.datagrams > 0
    }

    /// poll(2) has ended: ask at once.
    pub(super) fn wake(&mut self) {
        self.throttle.end();
    }

    /// Makes the next pause very long.
    #[cfg(test)]
    pub(super) fn hold(&mut self) {
        self.throttle.hold();
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
