//! What happens to one burst: verdicts, staging, submission, and the frame of each loss.
//!
//! Accounting, for each port: received = forwarded + drops. A frame is counted as forwarded when it is staged; the few
//! that find the transmit ring full are taken back.

use contract::stats::{DropReason, PortCounter, WorkerStats};
use contract::tables::{Fib, MAX_PORTS, PortKind};

use crate::answer::Answerer;
use crate::decap::decap;
use crate::encap::{IpIds, encap};
use crate::icmp;
use crate::port::{ORIGINATED, Port};
use crate::sample::Sampler;
use crate::trace::Losses;
use crate::verdict::Tx;
use crate::xsk::{Burst, Frame, Pool};

/// The parts of a worker that a turn works with, under one snapshot of the tables.
pub struct Turn<'a> {
    pub pool: &'a mut Pool,
    pub ports: &'a mut [Port; MAX_PORTS],
    pub fib: &'a Fib,
    pub stats: &'a mut WorkerStats,
    pub ids: &'a mut IpIds,
    pub answerer: &'a mut Answerer,
    pub sampler: &'a mut Sampler,
    pub losses: &'a mut Losses,
    /// TSC at the start of the turn.
    pub now: u64,
}

impl Turn<'_> {
    /// Receives a burst from port `from`; gives the number of frames.
    #[inline(always)]
    pub fn receive(&mut self, from: u8, burst: &mut Burst) -> usize {
        let port = self.ports.get_mut(usize::from(from));
        port.map_or(0, |port| port.receive(burst, self.pool))
    }

    /// Gives each frame of a burst that came in by port `from` its verdict.
    #[inline(always)]
    pub fn judge(&mut self, from: u8, burst: &mut Burst) {
        let port = self.ports.get(usize::from(from));
        let underlay = port.is_some_and(|port| port.kind == Some(PortKind::Underlay));
        for mut frame in burst.drain() {
            let verdict = if underlay {
                decap(&mut frame, self.fib)
            } else {
                encap(&mut frame, from, self.fib, self.ids)
            };
            match verdict {
                Ok(tx) => {
                    self.count_peer(underlay, tx);
                    self.forward(from, tx.port, frame);
                }
                Err(reason) => self.lose(from, None, underlay, frame, reason),
            }
        }
    }

    /// Gives the staged frames of every open port to its device.
    #[inline(always)]
    pub fn submit(&mut self, open: &[u8]) {
        for number in open {
            let Some(port) = self.ports.get_mut(usize::from(*number)) else {
                continue;
            };
            if !port.submit_gathered(self.pool, self.now) {
                self.take_back(*number);
            }
        }
    }

    /// Makes room at every port for so many frames: what waits there leaves.
    #[inline(always)]
    pub fn make_room(&mut self, open: &[u8], frames: usize) {
        for number in open {
            let Some(port) = self.ports.get_mut(usize::from(*number)) else {
                continue;
            };
            if !port.has_room(frames) && !port.submit(self.pool) {
                self.take_back(*number);
            }
        }
    }

    #[inline(always)]
    fn count_peer(&mut self, underlay: bool, tx: Tx) {
        if underlay {
            self.stats.peer_rx(tx.peer, u64::from(tx.len));
        } else {
            self.stats.peer_tx(tx.peer, u64::from(tx.len));
        }
    }

    #[inline(always)]
    fn forward(&mut self, from: u8, to: u8, frame: Frame) {
        let staged = match self.ports.get_mut(usize::from(to)) {
            Some(port) => port.stage(frame),
            None => Err(frame),
        };
        match staged {
            Ok(()) => self.count(from, PortCounter::Forwarded),
            Err(frame) => self.lose(from, Some(to), false, frame, DropReason::PortDown),
        }
    }

    #[inline(always)]
    fn count(&mut self, number: u8, counter: PortCounter) {
        if let Some(port) = self.ports.get_mut(usize::from(number)) {
            port.counters.add(counter, 1);
        }
    }

    /// Counts a loss, records it, and frees the frame or answers with it. `to`: where it was to leave by, when that was decided.
    ///
    /// Not inlined: the loop over a burst would hold it twice.
    #[inline(never)]
    fn lose(&mut self, from: u8, to: Option<u8>, underlay: bool, frame: Frame, reason: DropReason) {
        self.trace_loss(from, to, &frame, reason);
        if let Some(port) = self.ports.get_mut(usize::from(from)) {
            port.counters.drop(reason);
        }
        if icmp::is_owed(reason) {
            self.answer(from, underlay, frame, reason);
        } else {
            self.pool.free(frame);
        }
    }

    /// Turns a lost packet into the ICMP error for its sender, who is reached through the port that it came in by.
    #[cold]
    #[inline(never)]
    fn answer(&mut self, from: u8, underlay: bool, mut frame: Frame, reason: DropReason) {
        if !self
            .answerer
            .answer(&mut frame, from, underlay, reason, self.fib, self.ids)
        {
            self.count(from, PortCounter::IcmpSuppressed);
            return self.pool.free(frame);
        }
        let to = match underlay {
            true => encap(&mut frame, ORIGINATED, self.fib, self.ids).map(|tx| tx.port),
            false => Ok(from),
        };
        frame.set_port(ORIGINATED);
        let port = to.ok().and_then(|to| self.ports.get_mut(usize::from(to)));
        let Some(port) = port else {
            return self.pool.free(frame);
        };
        match port.stage(frame) {
            Ok(()) => port.counters.add(PortCounter::Originated, 1),
            Err(frame) => self.pool.free(frame),
        }
    }

    /// Port `number` did not take all that was staged: what it left is lost.
    #[cold]
    #[inline(never)]
    fn take_back(&mut self, number: u8) {
        let Some(port) = self.ports.get_mut(usize::from(number)) else {
            return;
        };
        for frame in port.left().drain() {
            if frame.port() == ORIGINATED {
                self.uncount(number, PortCounter::Originated);
            } else {
                self.trace_loss(frame.port(), Some(number), &frame, DropReason::TxFull);
                self.uncount(frame.port(), PortCounter::Forwarded);
                if let Some(source) = self.ports.get_mut(usize::from(frame.port())) {
                    source.counters.drop(DropReason::TxFull);
                }
            }
            self.pool.free(frame);
        }
    }

    fn uncount(&mut self, number: u8, counter: PortCounter) {
        if let Some(port) = self.ports.get_mut(usize::from(number)) {
            port.counters.take_back(counter);
        }
    }
}
