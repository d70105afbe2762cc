//! The lab, the demo, the statistics view and the benchmarks.
#![forbid(unsafe_code)]

pub mod bench;
pub mod demo;
pub mod interrupt;
pub mod lab;
pub mod stats;
mod style;
