//! Builds tries from prefixes.
//!
//! Each node is painted: its 256 slots start as the value that covers them all, then every prefix paints over its slots in
//! order of address and length, so that the longer ones come last. What is painted is run-length coded into a node.

use super::{NODE, VALUES};
use crate::tables::layout::{LPM_LINES, Line, ROOT_SLOTS, Root};

/// Bits of an address, its first bit on top, whatever its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::tables) struct Prefix {
    pub bits: u128,
    pub len: u8,
    pub value: u16,
}

impl Prefix {
    /// Network address and length; host bits are cleared.
    pub fn new<const N: usize>(address: [u8; N], len: u8, value: u16) -> Prefix {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(address) {
            *to = from;
        }
        let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
        Prefix {
            bits: u128::from_be_bytes(bytes) & mask,
            len,
            value,
        }
    }

    /// The slot this prefix starts at in a table that consumes `stride` bits after the first `depth`.
    fn slot(&self, depth: u8, stride: u8) -> usize {
        ((self.bits << depth) >> (128 - stride)) as usize
    }
}

/// The lines of several tries, to be.
#[derive(Default)]
pub(in crate::tables) struct Builder {
    pub lines: Vec<Line>,
}

/// There are more nodes than the segment has lines for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tables) struct Full;

impl Builder {
    /// Adds a trie. Of two routes for one prefix, the later one counts.
    pub fn trie(&mut self, root: &mut Root, mut prefixes: Vec<Prefix>) -> Result<(), Full> {
        prefixes.sort_by_key(|prefix| (prefix.bits, prefix.len));
        root.fill(0);
        self.paint(root, 0, ROOT_SLOTS.trailing_zeros() as u8, &prefixes)
    }

    /// Paints prefixes that all share their first `depth` bits over slots of `stride` bits.
    fn paint(
        &mut self,
        slots: &mut [u32],
        depth: u8,
        stride: u8,
        mut prefixes: &[Prefix],
    ) -> Result<(), Full> {
        let end = depth + stride;
        while let [first, rest @ ..] = prefixes {
            let slot = first.slot(depth, stride);
            if first.len <= end {
                let count = 1 << (end - first.len);
                slots[slot..slot + count].fill(u32::from(first.value));
                prefixes = rest;
            } else {
                // What reaches into this slot from above has been painted: it sorts before what lies within.
                let within = prefixes.partition_point(|prefix| prefix.slot(depth, stride) == slot);
                let (inside, after) = prefixes.split_at(within);
                let mut below = [slots[slot]; 256];
                self.paint(&mut below, end, 8, inside)?;
                slots[slot] = self.node(&below)?;
                prefixes = after;
            }
        }
        Ok(())
    }

    /// Encodes 256 slots, as a leaf when they are all the same.
    fn node(&mut self, slots: &[u32; 256]) -> Result<u32, Full> {
        let [first, ..] = *slots;
        if first & NODE == 0 && slots.iter().all(|slot| *slot == first) {
            return Ok(first);
        }
        let at = self.lines.len();
        let mut words = [0u32; (VALUES + 1 + 256usize).next_multiple_of(16)];
        let (mut runs, mut last) = (0, None);
        for (slot, value) in slots.iter().enumerate() {
            if slot % 64 == 0 {
                words[VALUES] |= (runs as u32) << (slot / 8);
            }
            if last != Some(value) {
                last = Some(value);
                words[slot / 32] |= 1 << (slot % 32);
                runs += 1;
                words[VALUES + runs] = *value;
            }
        }
        let used = (VALUES + 1 + runs).div_ceil(16);
        let (lines, _) = words.as_chunks();
        self.lines
            .extend(lines.iter().take(used).map(|line| Line(*line)));
        if self.lines.len() > LPM_LINES {
            return Err(Full);
        }
        Ok(NODE | at as u32)
    }
}
