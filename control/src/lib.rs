//! The control plane.

#![forbid(unsafe_code)]

/// Which node owns which pod subnet, and how packets reach it.
pub mod lease;
