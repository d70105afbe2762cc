//! Datagrams from the kernel into frames.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use zerocopy::IntoBytes;

use super::abi::{self, Incoming};
use super::headers::{Headers, Headers6};
use super::whole::{BEFORE, how_to_cut, is_whole};
use crate::offload::{Super, VnetHeader};
use crate::throttle::Throttle;
use crate::xsk::{Burst, Frame, Pool};

/// A socket on the tunnel port, and what it gave that is not a frame yet.
pub(super) struct Receiver {
    socket: OwnedFd,
    own: SocketAddr,
    port: u8,
    /// The longest inner packet that we deliver, bytes.
    mtu: usize,
    throttle: Throttle,
    /// Whatever the kernel may have put together: 64 KiB.
    buffer: Box<[u8]>,
    /// Of which this range is left.
    start: usize,
    end: usize,
    /// So many datagrams lie in it, or segments of one.
    datagrams: usize,
    /// It is one super-packet, to be cut like this.
    whole: Option<VnetHeader>,
    /// Under these circumstances they came.
    incoming: Option<Incoming>,
}

impl Receiver {
    /// Frames will carry `port`, and headers that name `own` as their destination. `mtu`: of the pods, bytes.
    pub(super) fn new(
        socket: OwnedFd,
        own: SocketAddr,
        port: u8,
        mtu: u16,
        throttle: Throttle,
    ) -> Self {
        Receiver {
            socket,
            own,
            port,
            mtu: mtu.into(),
            throttle,
            buffer: vec![0; 1 << 16].into(),
            start: 0,
            end: 0,
            datagrams: 0,
            whole: None,
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
            if let Some(vnet) = self.whole {
                self.cut(&vnet, out, pool);
                continue;
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
        self.take(incoming);
        true
    }

    /// Finds out how many datagrams there are in what came; a super-packet counts as the segments that it becomes.
    fn take(&mut self, mut incoming: Incoming) {
        let bytes = self.buffer.get(..incoming.len).unwrap_or_default();
        let gso_size = incoming.segment.filter(|len| is_whole(bytes, *len));
        if gso_size.is_some() {
            incoming.segment = None;
        }
        // One without a byte is a datagram, too, and lost by a reason with a name.
        (self.datagrams, self.whole) = match incoming.segment {
            Some(len) => (incoming.len.div_ceil(len).max(1), None),
            // Over IPv6 only the slow path receives, and what comes there in fragments is no super-packet.
            None if self.own.is_ipv6() => (1, None),
            None => segments(bytes, gso_size, self.mtu)
                .map_or((1, None), |(segments, vnet)| (segments, Some(vnet))),
        };
        (self.start, self.end) = (0, incoming.len);
        self.incoming = Some(incoming);
    }

    /// Puts the segments of a super-packet that are left into frames, as many as there is room for, each as the datagram
    /// that it would have come in.
    #[cold]
    fn cut(&mut self, vnet: &VnetHeader, out: &mut Burst, pool: &mut Pool) {
        let datagram = self.buffer.get(..self.end).unwrap_or_default();
        let (Some(incoming), Some((before, packet))) =
            (self.incoming, datagram.split_at_checked(BEFORE))
        else {
            return self.datagrams = 0;
        };
        let (SocketAddr::V4(from), SocketAddr::V4(own)) = (incoming.from, self.own) else {
            return self.datagrams = 0;
        };
        let Ok(whole) = Super::parse(vnet, packet) else {
            return self.datagrams = 0;
        };
        while self.datagrams > 0 && !out.is_full() {
            let Some(mut frame) = pool.alloc() else {
                return;
            };
            let n = whole.segments() - self.datagrams;
            self.datagrams -= 1;
            let len = whole.segment_len(n);
            let mut write = || {
                let headers = Headers::new(from, own, incoming.tos, BEFORE + len)?;
                frame.append(headers.as_bytes())?;
                frame.append(before)?;
                let end = frame.len();
                frame.extend(len)?;
                whole.write(n, frame.bytes_mut().get_mut(end..)?)
            };
            // It fits, for no segment is longer than our MTU; else `decap` sees that its lengths do not agree.
            let _ = write();
            frame.set_port(self.port);
            if let Err(frame) = out.push(frame) {
                pool.free(frame);
            }
        }
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

/// If it is a super-packet: how many segments it becomes, and how.
fn segments(datagram: &[u8], gso_size: Option<usize>, mtu: usize) -> Option<(usize, VnetHeader)> {
    let vnet = how_to_cut(datagram, gso_size, mtu)?;
    let whole = Super::parse(&vnet, datagram.get(BEFORE..)?).ok()?;
    Some((whole.segments(), vnet))
}
