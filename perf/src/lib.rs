//! The lab, the statistics view and the benchmarks.
