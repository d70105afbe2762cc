//! The control plane.

#![forbid(unsafe_code)]

/// Which node owns which pod subnet, and how packets reach it.
pub mod lease;
/// Replacing a small file atomically and durably.
pub mod replace;
/// What survives a restart: the VTEP MAC and the last subnet.
pub mod state;
/// `subnet.env`, which the CNI plugin reads.
pub mod subnet_env;
