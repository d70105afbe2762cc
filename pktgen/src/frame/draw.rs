//! Random numbers for the order of flows, for sizes and for payloads: SplitMix64 (Steele, Lea, Flood 2014, figure 16).
//!
//! Not fastrand, because the BPF program of [`crate::io::live`] draws the same numbers, and BPF has no multiplication
//! that yields 128 bits. Here it is an addition, two multiplications of 64 bits and a few shifts; every value comes
//! once in 2^64.
//!
//! ```text
//! state += 0x9e3779b97f4a7c15
//! z = (state ^ state >> 30) * 0xbf58476d1ce4e5b9;  z = (z ^ z >> 27) * 0x94d049bb133111eb;  next = z ^ z >> 31
//! below(n) = ((next >> 32) * n) >> 32
//! ```

use super::signature::Lane;

/// What a sequence of numbers is for: each has its own, so that one does not shift the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Order of flows, of one lane.
    Flow(Lane),
    /// Sizes of frames, of one lane.
    Size(Lane),
    /// Payload: of a whole run, for its frames share one body.
    Payload,
}

/// A sequence of random numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw {
    /// All there is of it, for a program that goes on with it elsewhere.
    pub state: u64,
}

impl Draw {
    /// The sequence of a seed for a purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let number = match purpose {
            Purpose::Flow(lane) => 0x100 | u64::from(lane.0),
            Purpose::Size(lane) => 0x200 | u64::from(lane.0),
            Purpose::Payload => 0x300,
        };
        // Twice through the mill: seeds next to each other, and purposes, must not give the same numbers one step
        // apart.
        let mut draw = Draw { state: seed };
        draw.state = draw.next() ^ number;
        draw.state = draw.next();
        draw
    }

    /// The next one.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "it never ends: no Option")]
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// The next one, from 0 to `n - 1` (0 if `n` is 0). By multiplication and shift (Lemire 2019) without rejection:
    /// the likeliest value of a million is one part in 4,000 likelier than the least likely.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        (((self.next() >> 32) * u64::from(n)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First numbers for seed 1234567, as published with the reference implementation.
    #[test]
    fn it_is_splitmix64() {
        let mut draw = Draw { state: 1_234_567 };
        let numbers = [(); 3].map(|()| draw.next());
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn below_is_uniform() {
        let mut draw = Draw::new(1, Purpose::Payload);
        let mut seen = [0u32; 10];
        for _ in 0..100_000 {
            seen[draw.below(10) as usize] += 1;
        }
        // Ten thousand each; the standard deviation is 95.
        assert!(seen.iter().all(|n| (9_500..10_500).contains(n)), "{seen:?}");
        assert_eq!((draw.below(1), draw.below(0)), (0, 0));
    }

    #[test]
    fn each_purpose_and_lane_has_its_own() {
        let lane = Lane::new(0, 1);
        let purposes = [
            Purpose::Flow(lane),
            Purpose::Size(lane),
            Purpose::Payload,
            Purpose::Flow(Lane(0)),
        ];
        let first: std::collections::HashSet<u64> = (0..4u64)
            .flat_map(|seed| purposes.map(|purpose| Draw::new(seed, purpose).next()))
            .collect();
        assert_eq!(first.len(), 16);
    }
}
