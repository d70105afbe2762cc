//! `tweed-perf`: the lab, the statistics view and the benchmarks.
fn main() {}
