//! Who did better, in a word, and only as far as the rounds allow.

use super::model::{Better, Measure, Ratio, Summary};

/// The contender that reports are about.
pub const OURS: &str = "tweed";

/// The contender that every other is put beside: what a flannel cluster runs today.
pub const BASELINE: &str = "kernel vxlan";

/// Fewer rounds than these say nothing about the next one.
pub const ENOUGH: usize = 3;

/// Less than this share of difference is none: clocks and schedulers differ by as much.
const NONE: f64 = 0.01;

/// Of one contender beside another, at one point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It did better in every round.
    Better,
    /// Better in some rounds and worse in others, or the same within 1 %.
    Even,
    /// It did worse in every round.
    Worse,
    /// Too few rounds to say.
    TooFew,
}

/// One contender beside another, at one point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beside {
    /// Above 1 it did better; `None` where one would divide by 0.
    pub ratio: Option<Ratio>,
    /// What the ratio says, or the samples where there is no ratio.
    pub verdict: Verdict,
    /// Medians of the two, each of all its own rounds.
    pub medians: (f64, f64),
}

impl Beside {
    /// `contender` beside `other` at `x`; `None` when no round has both.
    pub fn of(measure: &Measure, contender: &str, other: &str, x: Option<f64>) -> Option<Self> {
        let (one, two) = (measure.cell(contender, x)?, measure.cell(other, x)?);
        let pairs = one.samples.iter().zip(&two.samples);
        let rounds: Vec<(f64, f64)> = pairs
            .filter_map(|(one, two)| Some(((*one)?, (*two)?)))
            .collect();
        if rounds.is_empty() {
            return None;
        }
        let ratio = measure.ratio(contender, other, x);
        let verdict = match ratio {
            _ if rounds.len() < ENOUGH => Verdict::TooFew,
            // A round that divides by 0 is in no ratio, so the samples have to say it.
            Some(ratio) if rounds.iter().all(|pair| divides(measure.better, *pair)) => {
                Verdict::of(&ratio)
            }
            _ => {
                let differences = rounds.iter().map(|(one, two)| match measure.better {
                    Better::More => one - two,
                    Better::Less => two - one,
                });
                Verdict::of_differences(Summary::of(differences))
            }
        };
        Some(Beside {
            ratio,
            verdict,
            medians: (one.summary()?.median, two.summary()?.median),
        })
    }
}

fn divides(better: Better, (one, two): (f64, f64)) -> bool {
    match better {
        Better::More => two != 0.0,
        Better::Less => one != 0.0,
    }
}

impl Verdict {
    fn of(ratio: &Ratio) -> Self {
        match ratio {
            ratio if ratio.low > 1.0 && ratio.median >= 1.0 + NONE => Verdict::Better,
            ratio if ratio.high < 1.0 && ratio.median <= 1.0 - NONE => Verdict::Worse,
            _ => Verdict::Even,
        }
    }

    fn of_differences(differences: Option<Summary>) -> Self {
        match differences {
            Some(difference) if difference.low > 0.0 => Verdict::Better,
            Some(difference) if difference.high < 0.0 => Verdict::Worse,
            _ => Verdict::Even,
        }
    }

    /// A sign that tells without colour.
    pub fn sign(self) -> &'static str {
        match self {
            Verdict::Better => "▲",
            Verdict::Even => "=",
            Verdict::Worse => "▼",
            Verdict::TooFew => "?",
        }
    }

    /// In words.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Better => "better in every round",
            Verdict::Even => "no difference beyond the spread",
            Verdict::Worse => "worse in every round",
            Verdict::TooFew => "too few rounds to say",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Cell, Wire};
    use super::*;

    fn beside(better: Better, ours: &[f64], other: &[f64]) -> Option<Beside> {
        let cell = |contender: &str, samples: &[f64]| Cell {
            contender: contender.into(),
            x: None,
            samples: samples.iter().copied().map(Some).collect(),
            notes: Vec::new(),
        };
        let measure = Measure {
            id: String::new(),
            group: String::new(),
            title: String::new(),
            how: String::new(),
            unit: String::new(),
            better,
            wire: Wire::Plain,
            axis: None,
            cells: vec![cell(OURS, ours), cell(BASELINE, other)],
        };
        Beside::of(&measure, OURS, BASELINE, None)
    }

    fn verdict(better: Better, ours: &[f64], other: &[f64]) -> Option<Verdict> {
        beside(better, ours, other).map(|beside| beside.verdict)
    }

    #[test]
    fn better_is_better_in_every_round() {
        let other = [100.0, 100.0, 100.0];
        let more = |ours| verdict(Better::More, ours, &other);
        assert_eq!(more(&[120.0, 110.0, 130.0]), Some(Verdict::Better));
        assert_eq!(more(&[120.0, 99.0, 130.0]), Some(Verdict::Even));
        assert_eq!(more(&[90.0, 80.0, 70.0]), Some(Verdict::Worse));
        assert_eq!(more(&[100.5, 100.6, 100.7]), Some(Verdict::Even));
        let less = verdict(Better::Less, &[90.0, 80.0, 70.0], &other);
        assert_eq!(less, Some(Verdict::Better));
    }

    #[test]
    fn two_rounds_say_nothing_and_none_gives_nothing() {
        let two = verdict(Better::More, &[2.0, 2.0], &[1.0, 1.0]);
        assert_eq!(two, Some(Verdict::TooFew));
        assert_eq!(verdict(Better::More, &[2.0], &[]), None);
    }

    #[test]
    fn no_retransmissions_are_better_than_some_though_no_ratio_says_so() {
        let none = beside(Better::Less, &[0.0; 3], &[7.0, 8.0, 9.0]).unwrap();
        assert_eq!((none.ratio, none.verdict), (None, Verdict::Better));
        // In the one round that has a ratio ours is worse; in the two others it is better.
        let some = beside(Better::Less, &[0.0, 0.0, 9.0], &[7.0, 8.0, 3.0]).unwrap();
        assert_eq!(some.verdict, Verdict::Even);
        assert_eq!(
            verdict(Better::Less, &[0.0; 3], &[0.0; 3]),
            Some(Verdict::Even)
        );
    }
}
