//! Headers between nodes.
//!
//! Each header is a `#[repr(C)]` view over bytes in network order, without alignment: `ref_from_prefix` checks the length
//! once and field access cannot panic afterwards. What a field may hold is checked by whoever decides on it (`encap`,
//! `decap`), for here every bit pattern is a header.

mod ethernet;

pub use ethernet::{EtherType, Ethernet, Mac};
