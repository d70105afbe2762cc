//! XDP live frames (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18): the kernel runs a program of ours over
//! pages that it recycles and sends what it returns, without an skb. The program writes the same frames as
//! [`Builder`](crate::frame::build::Builder) does.

use std::sync::atomic::AtomicBool;

use super::Interface;
use crate::error::Result;
use crate::frame::build::Macs;
use crate::profile::{Payload, Stream};

/// What one worker's program sends.
#[derive(Clone, Debug)]
pub struct LivePlan {
    /// Streams with their addresses.
    pub streams: Vec<(Stream, Macs)>,
    /// What is behind the signature.
    pub payload: Payload,
    /// Number of the run.
    pub run: u16,
    /// Index of the worker.
    pub worker: u8,
    /// Seed of everything random.
    pub seed: u64,
    /// Frames a second of this worker; `None` for as fast as it goes.
    pub pps: Option<f64>,
    /// Frames that leave together.
    pub burst: u16,
    /// Frames to send; `None` until told to stop.
    pub count: Option<u64>,
    /// Whether packets carry the intended time.
    pub intended: bool,
}

/// The program, loaded for one worker.
pub struct Live {}

/// How far it is. Frames that the program returned for sending; what the driver refused of them is told by
/// [`LiveCounts::refused`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// By stream: frames and bytes with FCS.
    pub streams: Vec<(u64, u64)>,
    /// Frames that the driver did not take.
    pub refused: u64,
}

impl Live {
    /// Loads it.
    ///
    /// # Errors
    /// The kernel is too old, the interface cannot send such frames (with the remedy), or the plan asks for what the program
    /// cannot do (with the key).
    pub fn load(interface: &Interface, plan: &LivePlan) -> Result<Self> {
        let _ = (interface, plan);
        todo!()
    }

    /// Sends on this thread until the count is reached or `stop` is set.
    pub fn run(&mut self, stop: &AtomicBool) -> Result<()> {
        let _ = stop;
        todo!()
    }

    /// A view of its counts for other threads.
    pub fn counts(&self) -> LiveView {
        todo!()
    }
}

/// Reads the counts of a running [`Live`] from another thread.
pub struct LiveView {}

impl LiveView {
    /// Counts so far.
    pub fn read(&self) -> Result<LiveCounts> {
        todo!()
    }
}
