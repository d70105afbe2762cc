//! Encapsulated frames to the kernel, which makes their outer headers again.
//!
//! A socket sends from one port, but receivers spread flows over their queues by the source port, so there are some sockets,
//! each on a port of its own, and the port that encapsulation computed from the inner flow chooses among them. One flow
//! always takes one socket. They never receive: nobody answers to a source port, and what comes nevertheless finds a buffer
//! for one packet.

use std::io::IoSlice;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;

use super::abi::{self, Envelope, Outgoing};
use super::gather::{Message, Messages};
use super::headers::datagram;
use crate::xsk::{BURST, Burst, Pool, Wakeups};

/// Messages in one system call, at most: what stands on the stack for them is 2 KiB.
const AT_ONCE: usize = 16;
/// Narrow destinations that are remembered.
const NARROW: usize = 16;

/// The sockets that send.
pub(super) struct Sender {
    sockets: Vec<OwnedFd>,
    joining: Joining,
    wakeups: Wakeups,
}

impl Sender {
    /// Sends by these.
    pub(super) fn new(sockets: Vec<OwnedFd>) -> Self {
        Sender {
            sockets,
            joining: Joining {
                narrow: Vec::with_capacity(NARROW),
                ..Joining::default()
            },
            wakeups: Wakeups::default(),
        }
    }

    /// Sends frames and frees them; gives their number. What the kernel does not take just now stays in the burst, in order:
    /// the socket's buffer is full, or no route leads there.
    pub(super) fn transmit(&mut self, burst: &mut Burst, pool: &mut Pool) -> usize {
        let mut messages = Messages::new();
        let mut parts = [IoSlice::new(&[]); BURST];
        for ((index, frame), part) in burst.iter().enumerate().zip(&mut parts) {
            if let Some((flow, payload)) = datagram(frame) {
                *part = IoSlice::new(payload);
                // A frame is shorter than its chunk.
                let len = payload.len() as u16;
                let may_join = self.joining.is_allowed(flow.dst.ip(), len);
                messages.push(index as u8, flow, len, may_join);
            }
        }
        let sent = self.post(messages.as_slice(), &parts);
        let frames = sent.count_ones() as usize;
        if frames == burst.len() {
            burst.clear_into(pool);
        } else {
            burst.keep(!sent, pool);
        }
        frames
    }

    /// Sends messages over the frames whose payloads are `parts`; gives a bit for each frame that went.
    fn post(&mut self, mut messages: &[Message], parts: &[IoSlice<'_>]) -> u64 {
        let mut sent = 0;
        while let Some((first, others)) = messages.split_first() {
            let number = self.choose(first);
            let run = messages.iter().take(AT_ONCE);
            let run = run.take_while(|m| self.choose(m) == number).count();
            let (now, later) = messages.split_at(run);
            messages = match self.call(number, now, parts) {
                Ok(done) => {
                    let (done, left) = messages.split_at(done.min(run));
                    sent |= done.iter().fold(0, |bits, message| bits | message.bits());
                    left
                }
                Err(errno) if first.frames > 1 && self.joining.is_about(errno) => {
                    self.joining.refuse(first, errno);
                    let mut singly = [*first; BURST];
                    let all = singly.iter_mut().zip(first.singly());
                    let count = all.map(|(slot, message)| *slot = message).count();
                    sent |= self.post(singly.get(..count).unwrap_or_default(), parts);
                    others
                }
                // The socket's buffer is full for those behind it, too.
                Err(Errno::AGAIN) => later,
                Err(_) => others,
            };
        }
        sent
    }

    /// Index of the socket that a message leaves by.
    fn choose(&self, message: &Message) -> usize {
        usize::from(message.flow.sport) % self.sockets.len().max(1)
    }

    /// One system call.
    fn call(
        &mut self,
        number: usize,
        messages: &[Message],
        parts: &[IoSlice<'_>],
    ) -> Result<usize, Errno> {
        let Some(socket) = self.sockets.get(number) else {
            return Err(Errno::AGAIN);
        };
        let envelopes: [Envelope; AT_ONCE] = std::array::from_fn(|n| {
            let message = messages.get(n).unwrap_or(&Message::NONE);
            let segment = (message.frames > 1).then_some(message.segment);
            Envelope::new(message.flow.dst, message.flow.tos, segment)
        });
        let mut numbers = 0..;
        let mut outgoing: [Outgoing<'_>; AT_ONCE] = envelopes.each_ref().map(|envelope| {
            let message = numbers.next().and_then(|n| messages.get(n));
            let parts = message.and_then(|message| parts.get(message.range()));
            let parts = parts.unwrap_or_default();
            Outgoing::new(envelope, parts)
        });
        let outgoing = outgoing.get_mut(..messages.len()).unwrap_or_default();
        self.wakeups.syscalls += 1;
        let sent = abi::send(socket.as_fd(), outgoing);
        match sent {
            Ok(_) => {}
            Err(Errno::AGAIN) => self.wakeups.again += 1,
            Err(Errno::NOBUFS | Errno::NOMEM) => self.wakeups.no_buffers += 1,
            Err(_) => self.wakeups.failed += 1,
        }
        sent
    }

    /// The system calls so far.
    pub(super) fn wakeups(&self) -> Wakeups {
        self.wakeups
    }
}

/// Where the kernel refuses to cut a message.
///
/// It does where the datagrams would have to be fragmented (EMSGSIZE: a route with an MTU of its own), which is a matter of
/// one destination, and where the device or the path cannot (EIO: no checksums before Linux 6.11, IPsec), which concerns
/// all. The frames of the refused message go one by one, and so do those that follow; until the port is opened anew.
#[derive(Debug, Default)]
struct Joining {
    is_off: bool,
    /// Destinations, and the shortest datagram that was refused.
    narrow: Vec<(Ipv4Addr, u16)>,
    oldest: usize,
}

impl Joining {
    fn is_about(&self, errno: Errno) -> bool {
        matches!(errno, Errno::MSGSIZE | Errno::IO | Errno::INVAL)
    }

    fn is_allowed(&self, dst: &Ipv4Addr, len: u16) -> bool {
        let refused = |(ip, shortest): &(Ipv4Addr, u16)| ip == dst && len >= *shortest;
        !self.is_off && !self.narrow.iter().any(refused)
    }

    #[cold]
    fn refuse(&mut self, message: &Message, errno: Errno) {
        let (dst, len) = (*message.flow.dst.ip(), message.segment);
        if errno != Errno::MSGSIZE {
            self.is_off = true;
        } else if let Some((_, shortest)) = self.narrow.iter_mut().find(|(ip, _)| *ip == dst) {
            *shortest = len.min(*shortest);
        } else if self.narrow.len() < NARROW {
            // Its memory is allocated with the port: see `Sender::new`.
            self.narrow.push((dst, len));
        } else if let Some(slot) = self.narrow.get_mut(self.oldest) {
            *slot = (dst, len);
            self.oldest = (self.oldest + 1) % NARROW;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::udp::gather::Flow;

    fn message(host: u8, segment: u16) -> Message {
        let dst = std::net::SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, host), 8472);
        let (sport, tos) = (40_000, 0);
        let mut message = Message::NONE;
        (message.flow, message.segment) = (Flow { dst, sport, tos }, segment);
        message
    }

    #[test]
    fn a_narrow_destination_is_remembered_and_the_oldest_forgotten() {
        let mut joining = Joining::default();
        let is_allowed = |joining: &Joining, host, len| {
            joining.is_allowed(message(host, len).flow.dst.ip(), len)
        };
        joining.refuse(&message(1, 1400), Errno::MSGSIZE);
        joining.refuse(&message(1, 1300), Errno::MSGSIZE);
        joining.refuse(&message(1, 1350), Errno::MSGSIZE);
        assert!(is_allowed(&joining, 1, 1299) && !is_allowed(&joining, 1, 1300));
        assert!(is_allowed(&joining, 2, 1400));
        (2..=NARROW as u8 + 1)
            .for_each(|host| joining.refuse(&message(host, 1400), Errno::MSGSIZE));
        assert!(is_allowed(&joining, 1, 1400), "the oldest made room");
        assert!((2..=NARROW as u8 + 1).all(|host| !is_allowed(&joining, host, 1400)));
        joining.refuse(&message(1, 1400), Errno::IO);
        assert!(!is_allowed(&joining, 99, 100), "a device that cannot");
    }
}
