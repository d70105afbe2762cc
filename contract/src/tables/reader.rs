//! The side of the dataplane, and of whoever else looks at the tables.
//!
//! A process opens the segment once ([`TablesReader`]); each of its threads that reads has a line of its own in it
//! ([`WorkerTables`]). What is read lives between a snapshot and the next one, or `quiesce`: the borrow checker sees to it.
//!
//! # Safety
//! A `&Fib` borrows its `WorkerTables` mutably, whose line in the segment says that the generation is held; the line only
//! changes when the next snapshot or `quiesce` ends that borrow. So nobody writes to the bank while the reference lives.
#![expect(unsafe_code, reason = "forms the reference to a held bank")]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::fib::Fib;
use super::publish::IDLE;
use super::segment::{Segment, SegmentError};

/// The segment in this process, with a view for its main thread.
pub struct TablesReader {
    segment: Arc<Segment>,
    view: WorkerTables,
}

impl TablesReader {
    /// Opens the tables; refuses another version's. There are none until control has started for the first time.
    pub fn open(path: &Path) -> Result<TablesReader, SegmentError> {
        let segment = Arc::new(Segment::open(path)?);
        let view = WorkerTables::claim(segment.clone())?;
        Ok(TablesReader { segment, view })
    }

    /// Tables for one worker, to be handed to its thread.
    pub fn worker(&self) -> Result<WorkerTables, SegmentError> {
        WorkerTables::claim(self.segment.clone())
    }

    /// The latest generation, to see whether there is something new. Zero: nothing was published yet.
    pub fn generation(&self) -> u64 {
        self.segment.handover().generation()
    }

    /// Looks at the latest tables. Holds them no longer than `look` takes.
    pub fn read<T>(&mut self, look: impl FnOnce(&Fib) -> T) -> T {
        let result = look(self.view.snapshot());
        self.view.quiesce();
        result
    }

    /// Whether the name now means another file, because control found this one unusable: open it again.
    pub fn is_replaced(&self) -> bool {
        self.segment.is_replaced()
    }
}

/// One thread's hold on the tables.
///
/// A thread that takes a snapshot each turn never keeps control from publishing for longer than a turn. Before it sleeps it
/// must [`quiesce`](Self::quiesce).
pub struct WorkerTables {
    segment: Arc<Segment>,
    reader: usize,
    held: u64,
    /// Says that we live.
    _lock: File,
}

impl WorkerTables {
    pub(super) fn claim(segment: Arc<Segment>) -> Result<WorkerTables, SegmentError> {
        let (reader, lock) = segment.claim_reader()?;
        // Whoever had the line before may have died with something in hand.
        segment.handover().leave(reader);
        Ok(WorkerTables {
            segment,
            reader,
            held: IDLE,
            _lock: lock,
        })
    }

    /// The latest tables, to be used for a turn: one load, unless they changed.
    #[inline(always)]
    pub fn snapshot(&mut self) -> &Fib {
        let handover = self.segment.handover();
        self.held = match self.held {
            IDLE => handover.enter(self.reader),
            held => handover.advance(self.reader, held),
        };
        // SAFETY: our line says that this generation is held, until the next call ends the borrow.
        unsafe { self.segment.fib(self.held) }
    }

    /// Lets go of the tables, so that control can publish while this thread sleeps.
    #[inline]
    pub fn quiesce(&mut self) {
        if self.held != IDLE {
            self.segment.handover().leave(self.reader);
            self.held = IDLE;
        }
    }
}

impl Drop for WorkerTables {
    fn drop(&mut self) {
        self.quiesce();
    }
}
