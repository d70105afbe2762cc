//! Observed state, from the dataplane to everyone who may read it.
//!
//! One file under the run directory, written by one process, each worker's part by one thread. Readers map it read-only
//! and need no permission to disturb: they take no lock and leave no trace.
//!
//! - Counters of a worker and its ports are committed as a block under a sequence number (odd while it is written), so a
//!   reader gets the values of one moment or tries again: `received = forwarded + drops` holds in every snapshot.
//! - Peer counters, 65,536 of them, are single words, each whole by itself.
//! - How long sampled bursts were held is a histogram of single words, whole in the same way.
//! - Sampled frames lie in a ring, a sequence number in each slot: a reader sees a record whole or not at all.
//! - A restart of the dataplane makes a new file under the same name; readers notice by the inode.

mod clock;
mod counters;
mod drop;
mod layout;
mod life;
mod port;
mod reader;
mod residence;
mod segment;
mod trace;
mod writer;

pub use clock::monotonic_ns;
pub use counters::{PeerCounters, PortCounter, PortCounters, WorkerCounter, WorkerCounters};
pub use drop::DropReason;
pub use layout::{ABI, MAX_WORKERS};
pub use life::{Life, SILENT_AFTER_NS};
pub use port::{BoundMode, PortState, PortStatus, TAKEN};
pub use reader::{Snapshot, StatsReader, WorkerSnapshot};
pub use residence::{RESIDENCE_BUCKETS, RESIDENCE_BURSTS, Residence};
pub use segment::StatsError;
pub use trace::{
    TRACE_BURSTS, TRACE_BYTES, TRACE_SLOTS, TraceCursor, TraceMeta, TraceRecord, TraceVerdict,
};
pub use writer::{EngineStats, WorkerStats};
