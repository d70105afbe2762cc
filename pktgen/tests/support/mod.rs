//! What the namespace tests share: topologies, a path that does known damage, and one way to run the program.
//!
//! Invariant: nothing of a test outlives it, also when it panics. Namespaces and processes are values of [`perf::lab`] that
//! remove themselves, files lie in a directory that does.
#![allow(dead_code, reason = "each test binary uses a part")]

pub mod capture;
pub mod middlebox;
pub mod path;
pub mod run;
pub mod wire;
