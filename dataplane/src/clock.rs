//! The time stamp counter: what a turn reads once, because nothing else is as cheap (some 20 cycles, no system call).
//!
//! # Safety
//! RDTSC exists on every x86-64 processor and has no effect but its result; kernels that forbid it to user space
//! (prctl PR_SET_TSC) do so only when asked.
#![expect(unsafe_code, reason = "RDTSC is an intrinsic")]

use std::time::{Duration, Instant};

/// Cycles of the time stamp counter, which ticks at a constant rate on all processors that AF_XDP is of use on.
#[inline(always)]
pub fn tsc() -> u64 {
    // SAFETY: see the module.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Measures the counter's rate against the monotonic clock, for 20 ms: good to about 0.01 %.
pub fn tsc_hz() -> u64 {
    let (start, first) = (Instant::now(), tsc());
    std::thread::sleep(Duration::from_millis(20));
    let cycles = tsc().wrapping_sub(first);
    (u128::from(cycles) * 1_000_000_000 / start.elapsed().as_nanos()) as u64
}
