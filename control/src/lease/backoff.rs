//! Delays between attempts: doubling from a least to a most, each cut at random by up to half so that nodes which failed
//! together do not come back together.

use std::time::Duration;

/// The next delays.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    least: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(least: Duration, most: Duration) -> Self {
        Backoff {
            least,
            most,
            next: least,
        }
    }

    /// How long to wait now; the next wait is twice as long.
    pub(super) fn delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = (2 * self.next).min(self.most);
        delay.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    /// An attempt succeeded.
    pub(super) fn reset(&mut self) {
        self.next = self.least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_the_most_and_start_again() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(500));
        for most in [100, 200, 400, 500, 500] {
            let delay = backoff.delay();
            assert!(
                (ms(most / 2)..=ms(most)).contains(&delay),
                "{delay:?} against {most} ms"
            );
        }
        backoff.reset();
        assert!(backoff.delay() <= ms(100));
    }
}
