//! Longest-prefix match, IPv4 and IPv6 by the same steps.
//!
//! The first 16 bits of an address index the root; each node below consumes 8 more. A value is either a leaf, which is the
//! adjacency, or (top bit) the line where a node starts. A node is a run-length code of its 256 slots: a bitmap marks the
//! slots where the value changes, and the values follow, one for each run. A node with up to seven runs, which is any /16
//! with three separate /24 in it, is one cache line; more values run on into the lines after it, so a step touches one
//! line or two and loads no pointer.
//!
//! ```text
//!  word 0                          8                    9          15     16
//! | 256 bits: here a run starts   | counts, 4 x 8 bits | 7 values        | more values ...
//! ```
//!
//! `counts[i]` is the number of runs that start before word i of the bitmap, so one POPCNT ranks a slot.
//!
//! Every index is masked to its array, a power of two, and a lookup takes at most 2 steps (IPv4) or 14 (IPv6): whatever the
//! words hold, it ends and stays inside. A miss is adjacency 0.
//!
//! Related work: the root and leaf runs of DXR (Zec, Rizzo, Mikuc 2012) and the bitmaps of Poptrie (Asai, Ohara 2015).

mod builder;

pub(super) use builder::{Builder, Full, Prefix};

use super::layout::{LPM_LINES, Line, ROOT_SLOTS, Root};

const _: () = assert!(LPM_LINES.is_power_of_two() && ROOT_SLOTS.is_power_of_two());

/// Set in a value that is a node's line.
pub(super) const NODE: u32 = 1 << 31;
/// The word before a node's first value: ranks count from one.
pub(super) const VALUES: usize = 8;

/// The longest match for the bytes of an address, most significant first; N is 4 or 16.
#[inline(always)]
pub(super) fn lookup<const N: usize>(
    root: &Root,
    lines: &[Line; LPM_LINES],
    address: &[u8; N],
) -> u16 {
    let [a, b, rest @ ..] = address.as_slice() else {
        return 0;
    };
    // A u16 is always inside of the root.
    let mut value = root[usize::from(u16::from_be_bytes([*a, *b]))];
    for byte in rest {
        if value & NODE == 0 {
            break;
        }
        value = step(lines, value, *byte);
    }
    value as u16
}

/// One node: the value of a slot.
#[inline(always)]
fn step(lines: &[Line; LPM_LINES], node: u32, slot: u8) -> u32 {
    let at = node as usize & (LPM_LINES - 1);
    let words = &lines[at].0;
    let half = usize::from(slot >> 6) * 2;
    let bits = u64::from(words[half & 7]) | u64::from(words[(half + 1) & 7]) << 32;
    // Runs that start at or before the slot, in its 64 slots and before them.
    let here = (bits << (63 - (slot & 63))).count_ones();
    let before = (words[VALUES] >> ((slot >> 6) * 8)) & 0xff;
    let index = at * 16 + VALUES + (here + before) as usize;
    let words: &[u32; LPM_LINES * 16] = zerocopy::transmute_ref!(lines);
    words[index & (LPM_LINES * 16 - 1)]
}

/// A node's runs: the slot each starts at, and its value.
pub(super) fn runs(lines: &[Line; LPM_LINES], node: u32) -> impl Iterator<Item = (u8, u32)> {
    let words = &lines[node as usize & (LPM_LINES - 1)].0;
    let is_start = |slot: &u8| words[usize::from(slot / 32)] >> (slot % 32) & 1 == 1;
    (0..=255)
        .filter(is_start)
        .map(move |slot| (slot, step(lines, node, slot)))
}

#[cfg(test)]
pub(super) mod tests;
