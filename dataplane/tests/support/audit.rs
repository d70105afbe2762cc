//! A worker that anything is thrown at, and what must hold all the while: no chunk is lost, no frame goes uncounted, and
//! whatever leaves is well-formed.

use contract::stats::{PortCounter, WorkerCounter};

use super::dual::{Over, dual_tables};
use super::model::check_sent;
use super::{POD, Rig, UNDERLAY, UPLINK};

const PORTS: [u8; 3] = [UNDERLAY, UPLINK, POD];

/// A worker with the golden tables and IPv6, watched.
pub struct Audit {
    rig: Rig,
    over: Over,
    arrived: u64,
    left: u64,
}

impl Audit {
    /// All peers are over one underlay.
    pub fn new(over: Over) -> Audit {
        Audit {
            rig: Rig::new(&dual_tables(1, over)),
            over,
            arrived: 0,
            left: 0,
        }
    }

    /// Lets a frame arrive. Up to a ring of them may wait for the next [`settle`](Self::settle) at each port.
    pub fn deliver(&mut self, port: u8, frame: &[u8]) {
        self.rig.deliver(port, frame);
        self.arrived += 1;
    }

    /// Turns until nothing arrives any more; chunks are counted. What leaves stays in the rings.
    pub fn settle(&mut self) {
        self.rig.settle();
    }

    /// Takes what has left and looks at each frame.
    pub fn collect(&mut self) {
        for port in PORTS {
            let kernel = &mut self.rig.kernel[usize::from(port)];
            let over = self.over;
            self.left += kernel.collect(|frame| check_sent(port, frame, over)) as u64;
        }
    }

    /// Checks every counter against what was seen to arrive and to leave, since the beginning.
    pub fn balance(&mut self) {
        self.settle();
        self.collect();
        self.settle();
        // `counters` compares received with forwarded and dropped, port by port.
        let all = PORTS.map(|port| self.rig.counters(port));
        let sum = |counter| all.iter().map(|port| port.count(counter)).sum::<u64>();
        assert_eq!(sum(PortCounter::RxPackets), self.arrived);
        assert_eq!(sum(PortCounter::TxPackets), self.left);
        assert_eq!(
            sum(PortCounter::TxPackets),
            sum(PortCounter::Forwarded) + sum(PortCounter::Originated)
        );
        let worker = self.rig.stats().snapshot().workers[0].counters;
        let chunks =
            worker.count(WorkerCounter::FramesFree) + worker.count(WorkerCounter::FramesInRings);
        assert_eq!(chunks, worker.count(WorkerCounter::Frames));
    }

    /// Frames that left since the beginning.
    pub fn left(&self) -> u64 {
        self.left
    }
}
