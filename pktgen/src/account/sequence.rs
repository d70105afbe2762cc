//! Which sequence numbers of a lane arrived, and how often, exactly.

/// The numbers of one lane seen by one worker.
#[derive(Debug, Default)]
pub struct Sequences {}

/// What a packet is to its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// First copy, in order within its flow.
    InOrder,
    /// First copy, after a later one of its flow.
    Reordered,
    /// A further copy.
    Duplicate,
}

impl Sequences {
    /// Takes note of a packet. `sequence` is the low 32 bits.
    pub fn insert(&mut self, flow: u32, sequence: u32) -> Arrival {
        let _ = (flow, sequence);
        todo!()
    }

    /// Adds what another worker saw of the same lane.
    pub fn merge(&mut self, other: &Sequences) {
        let _ = other;
        todo!()
    }

    /// First copies.
    pub fn received(&self) -> u64 {
        todo!()
    }

    /// Further copies.
    pub fn duplicates(&self) -> u64 {
        todo!()
    }

    /// Reordered first copies.
    pub fn reordered(&self) -> u64 {
        todo!()
    }

    /// One more than the highest number seen; 0 if none was.
    pub fn end(&self) -> u64 {
        todo!()
    }

    /// The lowest number seen; 0 if none was.
    pub fn first(&self) -> u64 {
        todo!()
    }
}
