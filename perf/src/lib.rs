//! The lab, the demo, the statistics view, the dashboard, the trace and the benchmarks.
#![forbid(unsafe_code)]

pub mod bench;
pub mod demo;
mod duration;
pub mod interrupt;
pub mod lab;
pub mod serve;
pub mod stats;
mod style;
pub mod top;
pub mod trace;
