//! Waiting for something to become true, with a limit that only failures reach.

use std::time::{Duration, Instant};

use super::error::{LabError, Result};

/// Between two looks. Short against what humans notice, long against what a look costs (often a process).
const STEP: Duration = Duration::from_millis(20);

/// Looks until `look` gives a value, or fails after `seconds`. The first look is at once.
pub fn wait_for<T>(what: &str, seconds: u64, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(value) = look() {
            return Ok(value);
        }
        if Instant::now() >= end {
            return Err(LabError::Timeout {
                what: what.to_owned(),
                seconds,
            });
        }
        std::thread::sleep(STEP);
    }
}

/// Looks until `look` is true, or fails after `seconds`.
pub fn wait_until(what: &str, seconds: u64, mut look: impl FnMut() -> bool) -> Result<()> {
    wait_for(what, seconds, || look().then_some(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_the_first_successful_look_is_returned() {
        let mut looks = 0;
        let value = wait_for("the third look", 60, || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(value.unwrap(), 3);
    }

    #[test]
    fn what_never_happens_is_named() {
        let message = wait_until("the end of time", 0, || false)
            .unwrap_err()
            .to_string();
        assert!(message.contains("the end of time"), "{message}");
    }
}
