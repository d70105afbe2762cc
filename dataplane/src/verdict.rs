//! What becomes of a frame.

use contract::stats::DropReason;

/// Sent somewhere, or dropped for a reason.
pub type Verdict = Result<Tx, DropReason>;

/// The frame is ready to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tx {
    /// Index of the output port.
    pub port: u8,
    /// Adjacency that the packet belongs to, for its peer's counters: where it goes (encap) or comes from (decap).
    pub peer: u16,
    /// Length of the inner packet, bytes.
    pub len: u16,
}
