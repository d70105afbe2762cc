//! Counting what arrives: every frame of a receiver is exactly one of received, duplicate, corrupted, foreign; of the
//! received some are reordered; what is missing is lost.
//!
//! One [`Account`] per receiving worker, without locks; at the end (and for the live line) they are merged. Merging is exact:
//! a duplicate that arrived on another queue is found then.

pub mod latency;
pub mod sequence;

use crate::frame::signature::Lane;
use latency::Latency;
use sequence::Sequences;

/// What one worker received.
#[derive(Debug, Default)]
pub struct Account {
    /// By stream, as far as streams were seen.
    pub streams: Vec<StreamAccount>,
    /// Damaged, and not even the lane could be read with certainty.
    pub corrupted: u64,
    /// Not ours, or of another run.
    pub foreign: u64,
    /// Frames received in all, and their bytes with FCS.
    pub frames: u64,
    /// Bytes with FCS.
    pub bytes: u64,
    /// The run locked on: that of the first intact packet, or the one given.
    pub run: Option<u16>,
}

/// What one worker received of one stream.
#[derive(Debug, Default)]
pub struct StreamAccount {
    /// One per sending worker.
    pub lanes: Vec<(Lane, Sequences)>,
    /// Damaged.
    pub corrupted: u64,
    /// Bytes with FCS of the intact ones, duplicates included.
    pub bytes: u64,
    /// Time on the way, of every first copy.
    pub latency: Latency,
}
