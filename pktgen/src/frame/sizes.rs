//! Lengths of a lane's frames, one after the other. What memory holds: sizes without their FCS.

use super::FCS_LEN;
use super::draw::{Draw, Purpose};
use super::interleave::interleave;
use super::signature::Lane;
use crate::profile::Size;

/// Lengths, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// All alike.
    Fixed(u16),
    /// Uniform: `least + draw.below(span)`.
    Range {
        /// The smallest.
        least: u16,
        /// How many different ones.
        span: u32,
        /// Where from.
        draw: Draw,
    },
    /// An order that repeats: each size as often as its weight, and spread as evenly as can be, so that a run of any
    /// length has the rate in bits that was asked for.
    Mix {
        /// Lengths, in order; at least one.
        order: Vec<u16>,
        /// Index of the next.
        next: usize,
    },
}

impl Sizes {
    /// The lengths of `size` on `lane`.
    pub fn new(size: &Size, seed: u64, lane: Lane) -> Self {
        let len = |size: u16| size.saturating_sub(FCS_LEN as u16);
        match size {
            Size::Fixed(size) => Sizes::Fixed(len(*size)),
            Size::Range(range) => Sizes::Range {
                least: len(*range.start()),
                span: u32::from(range.end().saturating_sub(*range.start())) + 1,
                draw: Draw::new(seed, Purpose::Size(lane)),
            },
            Size::Mix(mix) => {
                let weights: Vec<u16> = mix.iter().map(|(_, weight)| *weight).collect();
                let order = interleave(&weights);
                Sizes::Mix {
                    order: (order.iter().map(|&i| len(mix[usize::from(i)].0))).collect(),
                    next: 0,
                }
            }
        }
    }

    /// The next length.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "it never ends: no Option")]
    pub fn next(&mut self) -> usize {
        match self {
            Sizes::Fixed(len) => (*len).into(),
            Sizes::Range { least, span, draw } => usize::from(*least) + draw.below(*span) as usize,
            Sizes::Mix { order, next } => {
                let len = order[*next];
                *next = if *next + 1 < order.len() {
                    *next + 1
                } else {
                    0
                };
                len.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(size: &Size, count: usize) -> Vec<usize> {
        let mut sizes = Sizes::new(size, 1, Lane(0));
        (0..count).map(|_| sizes.next()).collect()
    }

    #[test]
    fn lengths_lack_the_fcs() {
        assert_eq!(first(&Size::Fixed(64), 2), [60, 60]);
    }

    #[test]
    fn a_range_has_both_ends_and_nothing_beyond() {
        let lens = first(&Size::Range(100..=103), 1_000);
        for len in 96..=99 {
            let times = lens.iter().filter(|&&l| l == len).count();
            // 250 each; the standard deviation is 14.
            assert!((180..320).contains(&times), "{len}: {times} times");
        }
        assert!(lens.iter().all(|len| (96..=99).contains(len)));
        assert_eq!(first(&Size::Range(64..=64), 3), [60; 3]);
    }

    #[test]
    fn imix_is_spread_and_repeats() {
        let lens = first(&Size::Mix(vec![(64, 7), (594, 4), (1518, 1)]), 24);
        assert_eq!(lens[..12], lens[12..]);
        let times = |len| lens[..12].iter().filter(|&&l| l == len).count();
        assert_eq!((times(60), times(590), times(1514)), (7, 4, 1));
        // No three of the big ones in a row, no four small ones.
        assert!(lens.windows(3).all(|three| three.contains(&60)));
        assert!(lens.windows(4).all(|four| four.iter().any(|&l| l != 60)));
    }
}
