//! How a sending worker waits: for the time of its next frame, and in the end for the kernel.
//!
//! Invariant: it never waits longer than 50 ms at a time before it is asked again whether to go on, and
//! a second in all when it is over, so that Ctrl-C is noticed and every run ends.

use std::io;
use std::time::Duration;

use crate::clock::Clock;
use crate::io::Tx;

/// A gap that is worth sleeping through, and how early to wake: what a timer of this kernel may be late, generously.
const SLEEP_OVER_NS: u64 = 200_000;
const WAKE_EARLY_NS: u64 = 100_000;

/// Longest sleep.
const LONGEST_SLEEP_NS: u64 = 50_000_000;

/// How long to wait for the kernel to finish with the last frames.
const FINISH_NS: u64 = 1_000_000_000;

/// From now on a sleep of this thread lasts as long as it should, and not 50 us more (PR_SET_TIMERSLACK(2const)).
pub fn sharpen() {
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

/// Waits for some or all of the time from `now` to `next`, nanoseconds: asleep while that is safe, then spinning.
pub fn pause(now: u64, next: u64) {
    let gap = next.saturating_sub(now);
    if gap > SLEEP_OVER_NS {
        let sleep = (gap - WAKE_EARLY_NS).min(LONGEST_SLEEP_NS);
        std::thread::sleep(Duration::from_nanos(sleep));
    } else {
        std::hint::spin_loop();
    }
}

/// Waits for the kernel to finish; frames that it has not finished after a second.
///
/// # Errors
/// What the queue says.
pub fn finish<T: Tx>(tx: &mut T, clock: &mut Clock) -> io::Result<usize> {
    let patience = clock.now() + FINISH_NS;
    loop {
        let outstanding = tx.outstanding()?;
        if outstanding == 0 || clock.now() >= patience {
            return Ok(outstanding);
        }
        std::hint::spin_loop();
    }
}
