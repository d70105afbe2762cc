//! Frames for the trace ring: each loss, within a budget, and one frame of a sampled burst.
//!
//! Nothing here is on the way of a frame that is forwarded: a sampled one is picked from those that are staged, just before
//! they are submitted, and its peer is looked up again. docs/counters.md says what it costs.

use contract::stats::{DropReason, TraceMeta, TraceVerdict};
use contract::tables::{Fib, PortKind};
use contract::wire::{EtherType, Ethernet, Ipv4, Ipv6, Vxlan};
use zerocopy::FromBytes;

use crate::port::ORIGINATED;
use crate::turn::Turn;
use crate::xsk::Frame;

/// Losses of one reason that are recorded between two commits of the counters, that is in 32 busy turns, or up to 4,096
/// frames; by reason, so that a flood of one does not hide the others. A record costs some 100 cycles there.
const LOSSES: u8 = 4;

/// What may still be recorded until the next commit.
pub struct Losses {
    left: [u8; DropReason::ALL.len()],
    /// Losses over the budget, since the start.
    pub skipped: u64,
}

impl Default for Losses {
    fn default() -> Self {
        Losses {
            left: [LOSSES; DropReason::ALL.len()],
            skipped: 0,
        }
    }
}

impl Losses {
    /// The counters were committed: a new budget.
    pub fn refill(&mut self) {
        self.left = [LOSSES; DropReason::ALL.len()];
    }

    #[inline(always)]
    fn take(&mut self, reason: DropReason) -> bool {
        match self.left.get_mut(reason as usize) {
            Some(left @ 1..) => *left -= 1,
            _ => {
                self.skipped += 1;
                return false;
            }
        }
        true
    }
}

impl Turn<'_> {
    /// Records a frame that is lost, if the budget allows. `to`: where it was to leave by, if it got as far as that; then it
    /// is recorded as it would have left, else as it came.
    #[inline(always)]
    pub fn trace_loss(&mut self, from: u8, to: Option<u8>, frame: &Frame, reason: DropReason) {
        if self.losses.take(reason) {
            self.record(from, to, frame.bytes(), TraceVerdict::Dropped(reason));
        }
    }

    /// Records one of the frames that are staged at the `open` ports and fit into their transmit rings.
    #[cold]
    #[inline(never)]
    pub fn trace_staged(&mut self, open: &[u8]) {
        let leaving = |turn: &Self, to: &u8| {
            let port = turn.ports.get(usize::from(*to));
            port.map_or(0, |port| port.leaving().count())
        };
        let all = open.iter().map(|to| leaving(self, to)).sum();
        let mut nth = self.sampler.below(all);
        for to in open {
            let here = leaving(self, to);
            if nth < here {
                let port = self.ports.get(usize::from(*to));
                let Some(frame) = port.and_then(|port| port.leaving().nth(nth)) else {
                    return;
                };
                let meta = self.meta(
                    frame.port(),
                    Some(*to),
                    frame.bytes(),
                    TraceVerdict::Forwarded,
                );
                return self.stats.trace(&meta, frame.bytes());
            }
            nth -= here;
        }
    }

    #[cold]
    #[inline(never)]
    fn record(&mut self, from: u8, to: Option<u8>, frame: &[u8], verdict: TraceVerdict) {
        let meta = self.meta(from, to, frame, verdict);
        self.stats.trace(&meta, frame);
    }

    fn meta(&self, from: u8, to: Option<u8>, frame: &[u8], verdict: TraceVerdict) -> TraceMeta {
        let peer = match to {
            Some(to) => self.peer_of_leaving(from, to, frame),
            None => self.peer_of_arrived(from, frame),
        };
        TraceMeta {
            tsc: self.now,
            port_in: (from != ORIGINATED).then_some(from),
            port_out: to,
            verdict,
            peer: peer.unwrap_or(0),
            len: frame.len() as u16,
        }
    }

    /// The adjacency that `encap` or `decap` found for a frame they rewrote.
    fn peer_of_leaving(&self, from: u8, to: u8, frame: &[u8]) -> Option<u16> {
        // By the tables: the port itself may be closed, and the frame lost for that.
        if self.fib.port(to).kind == Some(PortKind::Underlay) {
            return destination(self.fib, carried(self.fib, frame)?);
        }
        match from {
            ORIGINATED => None,
            from if self.is_underlay(from) => source(self.fib, frame),
            _ => destination(self.fib, frame),
        }
    }

    /// The adjacency that a frame belongs to as it came, if the tables bear it out: what claims to be from a peer must come
    /// from that peer's address.
    fn peer_of_arrived(&self, from: u8, frame: &[u8]) -> Option<u16> {
        if !self.is_underlay(from) {
            return destination(self.fib, frame);
        }
        let peer = source(self.fib, carried(self.fib, frame)?)?;
        let is_peer = match packet(frame)? {
            Packet::V4(outer) => self.fib.meta(peer).is_peer4(outer.src),
            Packet::V6(outer) => self.fib.is_peer6(peer, outer.src),
        };
        is_peer.then_some(peer)
    }

    fn is_underlay(&self, port: u8) -> bool {
        let port = self.ports.get(usize::from(port));
        port.is_some_and(|port| port.kind == Some(PortKind::Underlay))
    }
}

/// The IP header behind an Ethernet header.
enum Packet<'a> {
    V4(&'a Ipv4),
    V6(&'a Ipv6),
}

fn packet(frame: &[u8]) -> Option<Packet<'_>> {
    let (ethernet, rest) = Ethernet::ref_from_prefix(frame).ok()?;
    match ethernet.ethertype {
        version if version == EtherType::IPV6 => {
            Some(Packet::V6(Ipv6::ref_from_prefix(rest).ok()?.0))
        }
        _ => Some(Packet::V4(Ipv4::ref_from_prefix(rest).ok()?.0)),
    }
}

/// The frame that a tunnel's packet carries, as far as it is one: a tunnel's packet is from or to our tunnel address, and all
/// else is a bare packet.
fn carried<'a>(fib: &Fib, frame: &'a [u8]) -> Option<&'a [u8]> {
    let node = fib.node();
    match packet(frame)? {
        Packet::V4(ip) if [ip.src, ip.dst].contains(&node.vtep_ip4) => {
            frame.get(node.tunnel().overhead()..)
        }
        Packet::V4(_) => Some(frame),
        Packet::V6(_) => frame.get(Vxlan::OVERHEAD_IPV6..),
    }
}

/// The adjacency that a frame's packet comes from.
fn source(fib: &Fib, frame: &[u8]) -> Option<u16> {
    Some(match packet(frame)? {
        Packet::V4(ip) => fib.lookup4(ip.src),
        Packet::V6(ip) => fib.lookup6(ip.src),
    })
}

/// The adjacency that it goes to.
fn destination(fib: &Fib, frame: &[u8]) -> Option<u16> {
    Some(match packet(frame)? {
        Packet::V4(ip) => fib.lookup4(ip.dst),
        Packet::V6(ip) => fib.lookup6(ip.dst),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_reason_leaves_room_for_another() {
        let mut losses = Losses::default();
        let taken = (0..1000)
            .filter(|_| losses.take(DropReason::NoRoute))
            .count();
        assert_eq!(
            (taken, losses.skipped),
            (usize::from(LOSSES), 1000 - u64::from(LOSSES))
        );
        assert!(losses.take(DropReason::Vni));
        losses.refill();
        assert!(losses.take(DropReason::NoRoute));
    }
}
