//! Time that the machine sleeps through: a lease in etcd goes on ageing, and the monotonic clock, by which all deadlines here
//! are kept, stands still (clock_gettime(2): CLOCK_BOOTTIME counts it, CLOCK_MONOTONIC does not).

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The clocks are read one after the other; what they differ by then is no sleep.
const LEAST: Duration = Duration::from_millis(100);

/// How far the monotonic clock is behind.
#[derive(Debug)]
pub(super) struct Sleep {
    lag: Duration,
}

impl Sleep {
    /// From now on.
    pub(super) fn new() -> Self {
        Sleep { lag: lag() }
    }

    /// How long the machine slept since the last call; mostly zero.
    pub(super) fn slept(&mut self) -> Duration {
        self.grown_to(lag())
    }

    fn grown_to(&mut self, lag: Duration) -> Duration {
        let slept = lag.saturating_sub(self.lag);
        if slept < LEAST {
            return Duration::ZERO;
        }
        self.lag = lag;
        slept
    }
}

fn lag() -> Duration {
    let read = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    read(ClockId::Boottime).saturating_sub(read(ClockId::Monotonic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sleep_counts_and_once() {
        let mut sleep = Sleep::new();
        assert_eq!(sleep.slept(), Duration::ZERO);
        let before = sleep.lag;
        let ms = Duration::from_millis;
        assert_eq!(sleep.grown_to(before + ms(99)), Duration::ZERO);
        assert_eq!(sleep.grown_to(before + ms(60_000)), ms(60_000));
        assert_eq!(sleep.grown_to(before + ms(60_001)), Duration::ZERO);
        assert_eq!(sleep.grown_to(before), Duration::ZERO);
        assert_eq!(sleep.grown_to(before + ms(61_000)), ms(1_000));
    }
}
