//! The trace rings of whichever engine owns the run directory, followed across its restarts.
//!
//! A reader of shared memory and no more. It looks at the rings often, and at what changes slowly (names, clocks, whether the
//! engine lives) now and then. The old file of an engine that died stays mapped until a new one takes its name, so nothing
//! that it recorded is lost.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use contract::stats::{Snapshot, StatsError, StatsReader, TraceCursor, WorkerCounter};

use super::clock::{TscClock, WallClock};
use super::frame::Frame;
use super::names::Names;
use crate::stats::{ControlStatus, Life};

/// Time between two looks at what changes slowly.
pub(super) const SURVEY: Duration = Duration::from_millis(500);

/// What is found.
#[derive(Debug)]
pub enum Event {
    /// A frame.
    Frame(Box<Frame>),
    /// The engine has stopped beating; nanoseconds since 1970 of its last beat.
    Down {
        /// When it was last heard of.
        since_ns: u64,
        /// Whether its process is there.
        life: Life,
    },
    /// An engine runs that did not when it was last looked at, or another one.
    Up {
        /// Its process.
        pid: u32,
        /// When the one before was last heard of.
        down_since_ns: u64,
    },
}

/// Frames that nobody saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Recorded, and overwritten before they were read.
    pub overwritten: u64,
    /// Dropped frames that the engine did not record: more of one reason than its budget.
    pub skipped: u64,
}

/// The rings.
pub struct Source {
    run_dir: PathBuf,
    engine: Engine,
    life: Life,
    surveyed: Option<Instant>,
    missed: Missed,
}

/// One engine's segment.
struct Engine {
    reader: StatsReader,
    cursors: Vec<TraceCursor>,
    clocks: Vec<TscClock>,
    wall: WallClock,
    names: Names,
    last: Snapshot,
    /// Drops that were not recorded when we began to look.
    skipped_before: u64,
}

impl Source {
    /// Opens the segment; `oldest`: begins with what the rings hold already.
    pub fn open(run_dir: &Path, oldest: bool) -> Result<Self, StatsError> {
        let engine = Engine::open(run_dir, oldest)?;
        Ok(Source {
            run_dir: run_dir.into(),
            // Whatever it is will be told by the first look.
            life: Life::Running,
            surveyed: None,
            missed: Missed::default(),
            engine,
        })
    }

    /// What happened since the last call, in order.
    pub fn poll(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let due = self.surveyed.is_none_or(|last| last.elapsed() >= SURVEY);
        let replaced = self.engine.reader.is_replaced();
        if due || replaced {
            self.engine.survey(&self.run_dir);
            self.surveyed = Some(Instant::now());
        }
        self.missed.overwritten += self.engine.frames(&self.run_dir, &mut events);
        if replaced && let Ok(new) = Engine::open(&self.run_dir, true) {
            let old = std::mem::replace(&mut self.engine, new);
            self.missed.skipped += old.skipped();
            self.life = Life::Running;
            events.push(Event::Up {
                pid: self.engine.last.pid,
                down_since_ns: old.wall.last_beat(&old.last),
            });
            self.missed.overwritten += self.engine.frames(&self.run_dir, &mut events);
        }
        self.tell_life(&mut events);
        events
    }

    /// Whether the engine runs, as far as is known.
    pub fn is_running(&self) -> bool {
        self.life == Life::Running
    }

    /// Frames that nobody saw so far.
    pub fn missed(&self) -> Missed {
        Missed {
            skipped: self.missed.skipped + self.engine.skipped(),
            ..self.missed
        }
    }

    /// Names of ports and peers.
    pub fn names(&self) -> &Names {
        &self.engine.names
    }

    fn tell_life(&mut self, events: &mut Vec<Event>) {
        let life = Life::of(&self.engine.last);
        let since_ns = self.engine.wall.last_beat(&self.engine.last);
        let pid = self.engine.last.pid;
        match (self.life == Life::Running, life == Life::Running) {
            (true, false) => events.push(Event::Down { since_ns, life }),
            // It was stopped, and goes on.
            (false, true) => events.push(Event::Up {
                pid,
                down_since_ns: since_ns,
            }),
            _ => {}
        }
        self.life = life;
    }
}

impl Engine {
    fn open(run_dir: &Path, oldest: bool) -> Result<Self, StatsError> {
        let reader = StatsReader::open(&run_dir.join("stats"))?;
        let last = reader.snapshot();
        let clock =
            |worker: &contract::stats::WorkerSnapshot| TscClock::new(&worker.counters, last.tsc_hz);
        let mut engine = Engine {
            cursors: reader.trace_cursors(oldest),
            clocks: last.workers.iter().map(clock).collect(),
            wall: WallClock::now(),
            names: Names::new(&last, ControlStatus::read(run_dir).as_ref()),
            skipped_before: 0,
            reader,
            last,
        };
        if !oldest {
            engine.skipped_before = engine.skipped();
        }
        Ok(engine)
    }

    /// Looks at what changes slowly.
    fn survey(&mut self, run_dir: &Path) {
        self.last = self.reader.snapshot();
        self.wall = WallClock::now();
        self.names = Names::new(&self.last, ControlStatus::read(run_dir).as_ref());
        for worker in &self.last.workers {
            match self.clocks.get_mut(worker.index) {
                Some(clock) => clock.update(&worker.counters),
                None => self
                    .clocks
                    .push(TscClock::new(&worker.counters, self.last.tsc_hz)),
            }
        }
    }

    /// Takes what the rings hold, all workers together in order of time; gives how many were overwritten.
    fn frames(&mut self, run_dir: &Path, events: &mut Vec<Event>) -> u64 {
        let (mut records, mut missed) = (Vec::new(), 0);
        for (worker, cursor) in self.cursors.iter_mut().enumerate() {
            let each = |record| records.push((worker, record));
            missed += self.reader.trace(worker, cursor, each);
        }
        // A port that was opened after the last look: how a frame is read depends on its side.
        let is_unknown = |port: Option<u8>| port.is_some_and(|port| !self.names.has_port(port));
        if records
            .iter()
            .any(|(_, record)| is_unknown(record.meta.port_in) || is_unknown(record.meta.port_out))
        {
            self.survey(run_dir);
        }
        let mut frames: Vec<Frame> = records
            .into_iter()
            .filter_map(|(worker, record)| {
                let monotonic_ns = self.clocks.get(worker)?.monotonic_ns(record.meta.tsc);
                let unix_ns = self.wall.unix_ns(monotonic_ns);
                Some(Frame::new(record, worker, unix_ns, &self.names))
            })
            .collect();
        // Stable: within a worker, its own order.
        frames.sort_by_key(|frame| frame.unix_ns);
        events.extend(
            frames
                .into_iter()
                .map(|frame| Event::Frame(Box::new(frame))),
        );
        missed
    }

    /// Drops that were not recorded, since we began to look.
    fn skipped(&self) -> u64 {
        let count = |counters: &contract::stats::WorkerCounters| {
            counters.count(WorkerCounter::TraceSkipped)
        };
        let all = self
            .last
            .workers
            .iter()
            .map(|worker| count(&worker.counters));
        all.fold(0, u64::wrapping_add)
            .wrapping_sub(self.skipped_before)
    }
}
