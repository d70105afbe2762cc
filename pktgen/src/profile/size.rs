//! Sizes of frames, with FCS.

/// Sizes of a stream's frames, in bytes with FCS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size {
    /// All alike.
    Fixed(u16),
    /// Uniform, from the seed.
    Range(std::ops::RangeInclusive<u16>),
    /// A mix: size and weight, in an order that repeats (IMIX is 64:7, 594:4, 1518:1).
    Mix(Vec<(u16, u16)>),
}

impl Size {
    /// Mean, bytes with FCS.
    pub fn mean(&self) -> f64 {
        todo!()
    }
}
