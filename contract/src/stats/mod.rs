//! Observed state, from the dataplane to everyone.

/// Workers that the stats segment has room for.
pub const MAX_WORKERS: usize = 32;
