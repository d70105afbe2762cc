//! The lab, the statistics view and the benchmarks.
#![forbid(unsafe_code)]

pub mod lab;
