//! Builds frames: a template once, by etherparse; per frame the varying fields, with the checksums corrected by what changed
//! (RFC 1624).

use crate::frame::signature::Lane;
use crate::io::FRAME_ROOM;
use crate::profile::{Mac, Payload, Stream};

/// Ethernet addresses of a stream, found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Macs {
    /// Source.
    pub src: Mac,
    /// Destination.
    pub dst: Mac,
}

/// What lies behind the signature in every frame, by place in the frame.
pub fn body(payload: Payload, seed: u64) -> [u8; FRAME_ROOM] {
    let _ = (payload, seed);
    todo!()
}

/// Makes the frames of one lane, in order.
pub struct Builder {}

impl Builder {
    /// For `stream`, as worker `lane.worker()` sends it.
    pub fn new(
        stream: &Stream,
        macs: Macs,
        run: u16,
        lane: Lane,
        payload: Payload,
        seed: u64,
    ) -> Self {
        let _ = (stream, macs, run, lane, payload, seed);
        todo!()
    }

    /// Writes the head of the next frame into `frame`, which has [`FRAME_ROOM`] bytes and holds the [`body`] (and perhaps the
    /// head of an earlier frame). Returns its length, without FCS.
    pub fn write(&mut self, frame: &mut [u8], stamp: u64) -> usize {
        let _ = (frame, stamp);
        todo!()
    }

    /// Frames written.
    pub fn written(&self) -> u64 {
        todo!()
    }
}
