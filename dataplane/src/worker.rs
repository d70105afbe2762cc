//! The loop. A worker owns queue *i* of every port, its UMEM, its pool, its counters; it shares nothing with the others.
//!
//! One [`turn`](Worker::turn): take a snapshot of the tables; from each port receive a burst, give each frame a verdict,
//! stage it at its output port, submit; then recycle: one wake-up for each port whose ring asks for it, completions to
//! the pool, pool to the fill rings; quiesce.
//!
//! Five nevers in a turn: allocate, lock, log, read the clock per packet, make a system call that no ring asked for.
//! One burst in a thousand is timed, and a frame of one in 64 recorded (`sample`, `trace`).
//! Conservation: between two turns, pool + rings = chunks of the UMEM.

use contract::stats::{WorkerCounter, WorkerCounters, WorkerStats, monotonic_ns};
use contract::tables::{MAX_PORTS, PortKind, WorkerTables};

use crate::answer::Answerer;
use crate::clock::tsc;
use crate::device::Device;
use crate::encap::IpIds;
use crate::port::Port;
use crate::sample::{Look, Sampler};
use crate::trace::Losses;
use crate::turn::Turn;
use crate::xsk::{Burst, Frame, Pool};

/// Busy turns between two commits of the counters: a commit of two ports writes some twenty shared cache lines. After the
/// last packet of a run the first idle turn commits at once.
const TURNS_PER_COMMIT: u64 = 32;
/// Idle turns between two commits of a worker that never sleeps: some milliseconds, so that its heartbeat goes on.
const IDLE_TURNS_PER_COMMIT: u64 = 1 << 16;

/// A worker and all that it owns.
pub struct Worker {
    pool: Pool,
    ports: Box<[Port; MAX_PORTS]>,
    /// Numbers of the ports that are open, so that a turn does not look at the others.
    open: Vec<u8>,
    burst: Burst,
    tables: Option<WorkerTables>,
    stats: WorkerStats,
    counters: WorkerCounters,
    ids: IpIds,
    answerer: Answerer,
    sampler: Sampler,
    losses: Losses,
    last_tsc: u64,
    uncommitted: bool,
}

impl Worker {
    /// A worker without ports or tables: nothing arrives, so nothing is dropped.
    pub fn new(pool: Pool, stats: WorkerStats, ids: IpIds, answerer: Answerer) -> Self {
        let mut counters = WorkerCounters::default();
        counters.set(WorkerCounter::Frames, pool.len() as u64);
        let sampler = Sampler::new(stats.tsc_hz());
        Worker {
            pool,
            ports: Box::new(std::array::from_fn(|_| Port::default())),
            open: Vec::with_capacity(MAX_PORTS),
            burst: Burst::new(),
            tables: None,
            stats,
            counters,
            ids,
            answerer,
            sampler,
            losses: Losses::default(),
            last_tsc: tsc(),
            uncommitted: true,
        }
    }

    /// Reads these tables from the next turn on.
    pub fn use_tables(&mut self, tables: WorkerTables) {
        self.tables = Some(tables);
    }

    /// Sets one of the worker's gauges: its CPU, its queue.
    pub fn set(&mut self, gauge: WorkerCounter, value: u64) {
        self.counters.set(gauge, value);
    }

    /// Opens port `number`, which must be closed, over this device.
    pub fn open(&mut self, number: u8, kind: PortKind, device: impl Into<Device>) {
        if let Some(port) = self.ports.get_mut(usize::from(number)) {
            port.open(device.into(), kind);
            port.recycle(&mut self.pool);
            self.open.push(number);
        }
    }

    /// Stops using port `number` and gives its device up, to be closed elsewhere. Its counters stay.
    pub fn close(&mut self, number: u8) -> Option<Device> {
        self.open.retain(|open| *open != number);
        let port = self.ports.get_mut(usize::from(number))?;
        port.left().clear_into(&mut self.pool);
        let device = port.close();
        self.stats.commit_port(usize::from(number), &port.counters);
        device
    }

    /// Takes frames back that a closed device had.
    pub fn free(&mut self, frames: Vec<Frame>) {
        frames.into_iter().for_each(|frame| self.pool.free(frame));
        self.uncommitted = true;
    }

    /// One pass over all ports; gives the number of frames received.
    #[inline]
    pub fn turn(&mut self) -> usize {
        let mut received = 0;
        if let Some(tables) = &mut self.tables {
            let fib = tables.snapshot();
            self.counters
                .set(WorkerCounter::Generation, fib.generation());
            let mut turn = Turn {
                pool: &mut self.pool,
                ports: &mut self.ports,
                fib,
                stats: &mut self.stats,
                ids: &mut self.ids,
                answerer: &mut self.answerer,
                sampler: &mut self.sampler,
                losses: &mut self.losses,
                now: self.last_tsc,
            };
            for from in &self.open {
                let frames = turn.receive(*from, &mut self.burst);
                if frames == 0 {
                    continue;
                }
                received += frames;
                let look = turn.sampler.look(self.last_tsc);
                let taken = if look == Look::Time { tsc() } else { 0 };
                turn.make_room(&self.open, frames);
                turn.judge(*from, &mut self.burst);
                if look == Look::Record {
                    turn.trace_staged(&self.open);
                }
                turn.submit(&self.open);
                if look == Look::Time {
                    turn.stats.residence(tsc().wrapping_sub(taken));
                }
            }
            // What waited long enough.
            turn.submit(&self.open);
        }
        for number in &self.open {
            if let Some(port) = self.ports.get_mut(usize::from(*number)) {
                port.recycle(&mut self.pool);
            }
        }
        self.account(received);
        received
    }

    /// Time and commits.
    #[inline(always)]
    fn account(&mut self, received: usize) {
        let now = tsc();
        let cycles = now.wrapping_sub(self.last_tsc);
        self.last_tsc = now;
        self.sampler.rested(received == 0);
        self.counters.add(WorkerCounter::Turns, 1);
        if received > 0 {
            self.counters.add(WorkerCounter::BusyTurns, 1);
            self.counters.add(WorkerCounter::BusyCycles, cycles);
            self.uncommitted = true;
            if self
                .counters
                .count(WorkerCounter::BusyTurns)
                .is_multiple_of(TURNS_PER_COMMIT)
            {
                self.commit();
            }
        } else {
            self.counters.add(WorkerCounter::IdleCycles, cycles);
            let turns = self.counters.count(WorkerCounter::Turns);
            if self.uncommitted || turns.is_multiple_of(IDLE_TURNS_PER_COMMIT) {
                self.uncommitted = false;
                self.commit();
            }
        }
    }

    /// Publishes all counters.
    #[inline(never)]
    pub fn commit(&mut self) {
        let in_rings = self.frames_accounted() - self.pool.len();
        self.counters
            .set(WorkerCounter::HeartbeatNs, monotonic_ns());
        self.counters.set(WorkerCounter::HeartbeatTsc, tsc());
        self.counters
            .set(WorkerCounter::TraceSkipped, self.losses.skipped);
        self.losses.refill();
        self.counters
            .set(WorkerCounter::FramesFree, self.pool.len() as u64);
        self.counters
            .set(WorkerCounter::FramesInRings, in_rings as u64);
        for number in &self.open {
            if let Some(port) = self.ports.get_mut(usize::from(*number)) {
                port.count_wakeups();
                self.stats.commit_port(usize::from(*number), &port.counters);
            }
        }
        self.stats.commit(&self.counters);
    }

    /// Before a sleep: lets go of the tables, so that control can publish meanwhile.
    pub fn rest(&mut self) {
        if let Some(tables) = &mut self.tables {
            tables.quiesce();
        }
    }

    /// After a sleep: time passed in poll(2), neither busy nor idle. The next idle turn says so, and which tables it found.
    pub fn slept(&mut self) {
        self.uncommitted = true;
        for number in &self.open {
            if let Some(port) = self.ports.get_mut(usize::from(*number)) {
                port.wake();
            }
        }
        let now = tsc();
        self.counters.add(WorkerCounter::Sleeps, 1);
        self.counters
            .add(WorkerCounter::SleepCycles, now.wrapping_sub(self.last_tsc));
        self.last_tsc = now;
    }

    /// Ports that are open.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.open
            .iter()
            .filter_map(|number| self.ports.get(usize::from(*number)))
    }

    /// Whether frames wait for more to leave with them, which they do for microseconds only: no time to sleep.
    pub fn waits(&self) -> bool {
        self.ports().any(|port| port.waiting() > 0)
    }

    /// Frames that were submitted to port `number` and not completed yet.
    pub fn in_transmission(&self, number: u8) -> usize {
        let port = self.ports.get(usize::from(number));
        port.map_or(0, |port| {
            let device = port.device();
            port.waiting() + device.map_or(0, |device| device.in_flight().transmitting)
        })
    }

    /// Chunks that are where they belong: in the pool or in the rings. Equal to the UMEM's count between two turns.
    pub fn frames_accounted(&self) -> usize {
        self.pool.len()
            + self
                .ports()
                .map(|port| {
                    let device = port.device();
                    port.waiting() + device.map_or(0, |device| device.in_flight().total())
                })
                .sum::<usize>()
    }
}
