//! Frames that we make and recognise.
//!
//! Sizes: `size` counts as RFC 2544 does, with the 4 bytes of frame check sequence that memory never holds; `len` is
//! what is in memory. `size = len + 4`.

pub mod body;
pub mod build;
pub mod checksum;
pub mod classify;
pub mod draw;
pub mod flow;
mod headers;
pub mod interleave;
mod mark;
mod read;
pub mod signature;
pub mod sizes;
pub mod swap;
pub mod template;

/// Bytes of a frame that are on the wire but not in memory.
pub const FCS_LEN: usize = 4;

/// Bytes of the wire's time that a frame takes besides itself: preamble, start delimiter, gap between frames.
pub const WIRE_OVERHEAD: usize = 20;
