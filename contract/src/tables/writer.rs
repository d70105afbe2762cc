//! The side of control: one [`Publisher`] for each node.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;

use super::Tables;
use super::compile::{Compiled, TablesError};
use super::dump::Mangled;
use super::publish::Busy;
use super::reader::WorkerTables;
use super::segment::{Segment, SegmentError, WriterLock};

/// Publishes tables; the only one to do so.
pub struct Publisher {
    segment: Arc<Segment>,
    view: WorkerTables,
    _lock: WriterLock,
}

/// What [`Publisher::open_or_create`] found. Worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// There was no segment.
    Created,
    /// An earlier control's, with readers that go on undisturbed.
    Continued {
        /// The generation they have.
        generation: u64,
    },
    /// Something else stood there, and is gone. Its readers must open the new one.
    Replaced {
        /// What was wrong with it.
        reason: String,
    },
}

/// Tables that were published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// As what.
    pub generation: u64,
    /// Bytes copied.
    pub bytes: usize,
}

/// Why tables were not published. Readers keep those that they have.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The tables are wrong.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// The file was removed, and a new one cannot be made.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// A living reader has not moved on yet. It does within a turn, unless it is stuck; publish again, with what is newest.
    #[error(
        "reader {} of the tables still uses generation {}; if this goes on, the dataplane hangs: restart it",
        .0.reader, .0.held
    )]
    Busy(Busy),
    /// The system refused.
    #[error("cannot write the tables {path}: {source}; its tmpfs must have room")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A new segment of this name, with empty tables as generation 0.
fn create(path: &Path) -> Result<Segment, SegmentError> {
    let empty = Compiled::new(&Tables::default()).expect("empty tables are valid");
    Segment::create(path, &empty.parts())
}

impl Publisher {
    /// Takes over the segment of this name, or makes one. Refuses while another process does.
    pub fn open_or_create(path: &Path) -> Result<(Publisher, Origin), SegmentError> {
        let lock = WriterLock::take(path)?;
        let (segment, origin) = match Segment::open(path) {
            Ok(segment) => {
                let generation = segment.handover().generation();
                // No writer gets here, a mangled word does. Counting on from it would overflow one day.
                if generation > u64::MAX / 2 {
                    let reason = format!("generation {generation}");
                    (create(path)?, Origin::Replaced { reason })
                } else {
                    (segment, Origin::Continued { generation })
                }
            }
            Err(SegmentError::Foreign { found, .. }) => {
                (create(path)?, Origin::Replaced { reason: found })
            }
            Err(SegmentError::Open { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                (create(path)?, Origin::Created)
            }
            Err(other) => return Err(other),
        };
        segment
            .front()
            .writer
            .store(u64::from(std::process::id()), Ordering::Relaxed);
        let segment = Arc::new(segment);
        let view = WorkerTables::claim(segment.clone())?;
        Ok((
            Publisher {
                segment,
                view,
                _lock: lock,
            },
            origin,
        ))
    }

    /// Whether somebody removed the file, or put another in its place: readers that start now would not find us.
    pub fn is_replaced(&self) -> bool {
        self.segment.is_replaced()
    }

    /// Publishes tables as the next generation, complete, or not at all. Makes a new file if ours was removed.
    pub fn publish(&mut self, tables: &Tables) -> Result<Published, PublishError> {
        if self.is_replaced() {
            self.segment = Arc::new(create(self.segment.path())?);
            self.view = WorkerTables::claim(self.segment.clone())?;
        }
        let is_alive = |reader| self.segment.is_reader_alive(reader);
        let generation = self
            .segment
            .handover()
            .next(is_alive)
            .map_err(PublishError::Busy)?;
        let mut compiled = Compiled::new(tables)?;
        compiled.head.generation = generation;
        let mut bytes = 0;
        for (offset, part) in compiled.parts() {
            bytes += part.len();
            self.segment
                .write(generation, offset, part)
                .map_err(|source| PublishError::Write {
                    path: self.segment.path().into(),
                    source,
                })?;
        }
        self.segment.handover().publish(generation);
        Ok(Published { generation, bytes })
    }

    /// The latest generation.
    pub fn generation(&self) -> u64 {
        self.segment.handover().generation()
    }

    /// What readers have now, so that a new control can keep each peer in its slot.
    pub fn tables(&mut self) -> Result<Tables, Mangled> {
        let tables = self.view.snapshot().tables();
        self.view.quiesce();
        tables
    }
}
