//! Everything that crosses a boundary, and nothing else: the headers that nodes exchange and the memory that tweed's
//! processes share. No sockets, no threads. `control` and `dataplane` both depend on this crate and never on each other.

/// Headers between nodes.
pub mod wire;
