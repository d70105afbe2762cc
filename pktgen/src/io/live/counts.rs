//! The program's counts, read from its memory while it runs, and what the device dropped meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use super::device::Device;
use super::program::State;
use crate::error::{Failure, Result};
use crate::frame::FCS_LEN;
use crate::frame::signature::Lane;

/// Words of `struct lane` in bpf/live.h.
const LANE_WORDS: usize = 4;

/// Words of `struct state`.
pub const STATE_WORDS: usize = Lane::MAX * LANE_WORDS + 11;

/// How far it is. Frames that the program returned for sending, in full batches; what the device refused of them is
/// told by [`LiveCounts::refused`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// By stream: frames and bytes with FCS.
    pub streams: Vec<(u64, u64)>,
    /// Frames that the device did not take: the growth of its `tx_dropped`. The device counts for everyone who sends by
    /// it, so worker 0 tells for all workers of a run, and the others tell 0; a sum over the workers is right.
    pub refused: u64,
    /// Departures of the first and the last frame, nanoseconds of CLOCK_MONOTONIC; `None` before the first.
    pub span_ns: Option<(u64, u64)>,
}

/// Reads the counts of a running [`Live`](super::Live) from another thread.
#[derive(Clone)]
pub struct LiveView(Arc<Inner>);

struct Inner {
    interface: String,
    state: State,
    streams: usize,
    /// The device and what it had dropped before, for the worker that tells.
    device: Option<Mutex<(Device, u64)>>,
}

impl LiveView {
    /// Of the memory `state`. `device` if its drops are to be told.
    pub(super) fn new(
        interface: &str,
        state: State,
        streams: usize,
        device: Option<Device>,
    ) -> Result<Self> {
        let dropped = |device: Device| match device.tx_dropped() {
            Ok(before) => Ok(Mutex::new((device, before))),
            Err(error) => Err(unreadable(interface, error)),
        };
        Ok(LiveView(Arc::new(Inner {
            interface: interface.to_owned(),
            state,
            streams,
            device: device.map(dropped).transpose()?,
        })))
    }

    /// Counts so far.
    ///
    /// # Errors
    /// The interface went away.
    pub fn read(&self) -> Result<LiveCounts> {
        let state = self.state()?;
        let (lanes, _) = state.as_chunks::<LANE_WORDS>();
        let counts =
            |[frames, bytes, ..]: &[u64; LANE_WORDS]| (*frames, bytes + frames * FCS_LEN as u64);
        let refused = match &self.0.device {
            None => 0,
            Some(device) => {
                let device = device.lock().unwrap_or_else(PoisonError::into_inner);
                let now = (device.0.tx_dropped())
                    .map_err(|error| unreadable(&self.0.interface, error))?;
                now.saturating_sub(device.1)
            }
        };
        Ok(LiveCounts {
            streams: lanes.iter().take(self.0.streams).map(counts).collect(),
            refused,
            span_ns: span(&state),
        })
    }

    /// Frames of all streams, and frames that the program could not make, of which there must be none.
    pub(super) fn frames(&self) -> Result<(u64, u64)> {
        let state = self.state()?;
        let behind = Lane::MAX * LANE_WORDS;
        Ok((state[behind], state[behind + 1]))
    }

    fn state(&self) -> Result<[u64; STATE_WORDS]> {
        (self.0.state.get(&0, 0)).map_err(|error| {
            Failure::environment("cannot read the counts of XDP live frames", error)
        })
    }
}

fn span(state: &[u64; STATE_WORDS]) -> Option<(u64, u64)> {
    let [.., first, last] = *state;
    (first > 0).then_some((first, last))
}

fn unreadable(interface: &str, error: std::io::Error) -> Failure {
    Failure::environment(
        format!("{interface}: cannot read its counter of dropped frames"),
        error,
    )
}
