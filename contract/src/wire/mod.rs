//! Headers between nodes.
