//! How many ICMP errors a worker may still send: a token bucket over the time stamp counter (RFC 1812 section 4.3.2.8).

/// Tokens flow in at a constant rate, and a tenth of a second's worth may pile up.
#[derive(Clone, Debug)]
pub struct Budget {
    cycles_per_token: u64,
    most: u64,
    tokens: u64,
    /// When the last whole token flowed in.
    last: u64,
}

impl Budget {
    /// `per_second` tokens on a counter of `hz`; 0: none, ever.
    pub fn new(per_second: u32, hz: u64) -> Self {
        let most = (u64::from(per_second) / 10).max(u64::from(per_second > 0));
        let cycles_per_token = hz
            .checked_div(u64::from(per_second))
            .map_or(u64::MAX, |cycles| cycles.max(1));
        Budget {
            cycles_per_token,
            most,
            tokens: most,
            last: 0,
        }
    }

    /// Takes a token, if there is one at counter value `now`.
    pub fn take(&mut self, now: u64) -> bool {
        let fresh = now.saturating_sub(self.last) / self.cycles_per_token;
        if fresh > 0 {
            self.tokens = self.tokens.saturating_add(fresh).min(self.most);
            // The rest of the division stays owed, so that the rate is met exactly over time.
            self.last += fresh * self.cycles_per_token;
        }
        let granted = self.tokens > 0;
        self.tokens -= u64::from(granted);
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_met_and_bursts_are_a_tenth_of_a_second() {
        let mut budget = Budget::new(1000, 1_000_000);
        let burst = (0..500).filter(|_| budget.take(5)).count();
        assert_eq!(burst, 100);
        let second = (0..1_000_000)
            .step_by(100)
            .filter(|now| budget.take(10 + now))
            .count();
        assert!(
            (998..=1001).contains(&second),
            "{second} in a second at 1000 per second"
        );
    }

    #[test]
    fn none_is_none_and_one_is_one() {
        let mut none = Budget::new(0, 1_000_000);
        assert!((0..1000).all(|now| !none.take(now * 1_000_000)));
        let mut one = Budget::new(1, 1_000_000);
        assert_eq!(
            (0..30)
                .filter(|tenth| one.take(1_000_000 + tenth * 100_000))
                .count(),
            3
        );
    }
}
