//! The clocks by which processes compare what they wrote.

use rustix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC in nanoseconds: heartbeats. For commits, not for packets.
pub fn monotonic_ns() -> u64 {
    now_ns(ClockId::Monotonic)
}

/// CLOCK_REALTIME in nanoseconds: when something started.
pub(super) fn realtime_ns() -> u64 {
    now_ns(ClockId::Realtime)
}

fn now_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
