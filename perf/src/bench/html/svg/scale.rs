//! From values to places in a drawing.
//!
//! Whatever values come, the places are finite and within the ends.

/// Values from `low` to `high`, drawn from `from` to `to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    /// Equal differences are equal distances. Values that are not finite do not count.
    pub fn linear(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = ends(
            values
                .into_iter()
                .filter(|value| value.abs() < f64::MAX / 4.0),
        );
        Scale {
            low,
            high,
            from,
            to,
            log: false,
        }
    }

    /// Equal factors are equal distances; linear when that cannot be, for a value is not above 0.
    pub fn logarithmic(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        match values.iter().all(|value| *value > 0.0) {
            true => Scale {
                log: true,
                ..Scale::linear(values, from, to)
            },
            false => Scale::linear(values, from, to),
        }
    }

    /// Widened to round values at both ends, so that the ticks reach them.
    pub fn rounded(mut self) -> Self {
        if self.log {
            let (low, high) = (below(self.low), above(self.high));
            if low.is_normal() && high.is_normal() {
                (self.low, self.high) = (low, high);
            }
            return self;
        }
        let step = self.step();
        let (low, high) = (
            (self.low / step).floor() * step,
            (self.high / step).ceil() * step,
        );
        if low.is_finite() && high.is_finite() {
            (self.low, self.high) = (low, high);
        }
        self
    }

    /// Whether equal factors are equal distances.
    pub fn is_log(&self) -> bool {
        self.log
    }

    /// Where a value is.
    pub fn at(&self, value: f64) -> f64 {
        let of = |value: f64| if self.log { value.ln() } else { value };
        let share = (of(value) - of(self.low)) / (of(self.high) - of(self.low));
        match share.is_nan() {
            // One value only: in the middle.
            true => (self.from + self.to) / 2.0,
            false => self.from + share.clamp(0.0, 1.0) * (self.to - self.from),
        }
    }

    /// Round values between the ends: four to nine, or the powers of ten.
    pub fn ticks(&self) -> Vec<f64> {
        match self.log {
            true => self.powers(),
            false => {
                let step = self.step();
                let first = (self.low / step).ceil();
                let ticks = (0..=10).map(|tick| (first + f64::from(tick)) * step);
                ticks
                    .filter(|tick| *tick <= self.high + step * 1e-9)
                    .collect()
            }
        }
    }

    fn powers(&self) -> Vec<f64> {
        let (first, last) = (self.low.log10().ceil(), self.high.log10().floor());
        let apart = ((last - first) / 8.0).floor() + 1.0;
        let few = last - first < 3.0;
        let mut ticks = Vec::new();
        let mut power = first - 1.0;
        while power <= last && ticks.len() < 40 {
            let factors: &[f64] = if few { &[1.0, 2.0, 5.0] } else { &[1.0] };
            ticks.extend(factors.iter().map(|factor| factor * 10f64.powf(power)));
            power += apart;
        }
        let inside = |tick: &f64| *tick >= self.low * 0.999_999 && *tick <= self.high * 1.000_001;
        ticks.retain(inside);
        ticks
    }

    /// Between ticks: 1, 2 or 5 times a power of ten.
    fn step(&self) -> f64 {
        let rough = (self.high - self.low) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = match rough / power {
            ..1.5 => power,
            ..3.5 => power * 2.0,
            ..7.5 => power * 5.0,
            _ => power * 10.0,
        };
        if step.is_normal() { step } else { 1.0 }
    }
}

/// The next of 1, 2 and 5 times a power of ten, at or below a value.
fn below(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let factors = [5.0, 2.0, 1.0].map(|factor| factor * power);
    let found = factors.into_iter().find(|round| *round <= value);
    found.unwrap_or(power)
}

/// The same, at or above it.
fn above(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let factors = [1.0, 2.0, 5.0].map(|factor| factor * power);
    let found = factors.into_iter().find(|round| *round >= value);
    found.unwrap_or(power * 10.0)
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let ends = values.fold(None, |ends: Option<(f64, f64)>, value| match ends {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    });
    ends.unwrap_or((0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_ends() {
        let scale = Scale::linear([0.0, 7.3], 0.0, 100.0).rounded();
        assert_eq!(scale.ticks(), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(
            (scale.at(0.0), scale.at(4.0), scale.at(8.0)),
            (0.0, 50.0, 100.0)
        );
    }

    #[test]
    fn factors_are_distances_where_that_can_be() {
        let scale = Scale::logarithmic([1.0, 10.0, 100.0], 0.0, 100.0);
        assert!((scale.at(10.0) - 50.0).abs() < 1e-9);
        assert_eq!(scale.ticks(), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        let rounded = Scale::logarithmic([13.0, 1700.0], 0.0, 1.0).rounded();
        assert_eq!((rounded.low, rounded.high), (10.0, 2000.0));
        assert!(!Scale::logarithmic([0.0, 10.0], 0.0, 1.0).is_log());
    }

    #[test]
    fn one_value_is_in_the_middle() {
        assert_eq!(Scale::linear([5.0], 0.0, 100.0).at(5.0), 50.0);
    }

    proptest! {
        #[test]
        fn places_are_within_the_ends(values: Vec<f64>, log: bool, probe: f64) {
            let scale = match log {
                true => Scale::logarithmic(values.iter().copied(), 10.0, 90.0),
                false => Scale::linear(values.iter().copied(), 10.0, 90.0),
            };
            for scale in [scale, scale.rounded()] {
                for value in values.iter().chain([&probe]).chain(&scale.ticks()) {
                    prop_assert!((10.0..=90.0).contains(&scale.at(*value)));
                }
                prop_assert!(scale.ticks().len() < 50);
            }
        }
    }
}
