//! The Internet checksum (RFC 1071), whole, incremental and derived.
//!
//! A [`Sum`] is a ones'-complement sum of 16-bit words **in memory order**: words are added as the machine loads them and
//! the result is stored as the machine stores it, which RFC 1071 section 2(B) shows to be the same as adding in network
//! order. So nothing is byte-swapped, and a sum over 64 bytes is nine additions.

/// A ones'-complement sum, not folded. Adding is exact for anything below 2^32 words, far beyond a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// Sums bytes that start at an even offset of what the checksum covers; an odd last byte counts as if a zero followed.
    #[inline]
    pub fn of(bytes: &[u8]) -> Sum {
        // Two accumulators of 32-bit words: no carry to propagate between additions, and the compiler vectorises it.
        let (words, rest) = bytes.as_chunks::<4>();
        let mut sum: u64 = words
            .iter()
            .map(|w| u64::from(u32::from_ne_bytes(*w)))
            .sum();
        let mut tail = [0; 4];
        tail[..rest.len()].copy_from_slice(rest);
        sum += u64::from(u32::from_ne_bytes(tail));
        Sum(sum)
    }

    /// Copies `from` to `to` and sums it in the same pass, for bytes that are in the cache once are read once. What one
    /// slice has beyond the other's end is left alone.
    ///
    /// Words of 64 bits are added as two halves, so no carry is lost; four accumulators, which the compiler keeps in two
    /// vector registers.
    #[inline]
    pub fn copying(from: &[u8], to: &mut [u8]) -> Sum {
        let len = from.len().min(to.len());
        let (from, to) = (&from[..len], &mut to[..len]);
        let (from_blocks, from_rest) = from.as_chunks::<32>();
        let (to_blocks, to_rest) = to.as_chunks_mut::<32>();
        let mut lanes = [0u64; 4];
        for (from, to) in from_blocks.iter().zip(to_blocks) {
            *to = *from;
            let (words, _) = from.as_chunks::<8>();
            for (lane, word) in lanes.iter_mut().zip(words) {
                let word = u64::from_ne_bytes(*word);
                *lane += (word & 0xffff_ffff) + (word >> 32);
            }
        }
        to_rest.copy_from_slice(from_rest);
        Sum(lanes.iter().sum()).plus(Sum::of(from_rest))
    }

    /// Sums a header whose size is known when compiling, so that no loop is left.
    #[inline(always)]
    pub fn of_array<const N: usize>(bytes: &[u8; N]) -> Sum {
        Sum::of(bytes)
    }

    /// A 16-bit word given in host order.
    #[inline(always)]
    pub const fn word(value: u16) -> Sum {
        Sum(u16::from_ne_bytes(value.to_be_bytes()) as u64)
    }

    /// A word as it lies in memory: what a checksum field holds.
    #[inline(always)]
    pub const fn field(bytes: [u8; 2]) -> Sum {
        Sum(u16::from_ne_bytes(bytes) as u64)
    }

    /// The two halves of a sum, added.
    #[inline(always)]
    pub const fn plus(self, other: Sum) -> Sum {
        Sum(self.0 + other.0)
    }

    /// What takes this sum away again: `a.plus(b).plus(b.negated())` folds to `a`.
    #[inline(always)]
    pub const fn negated(self) -> Sum {
        Sum(!self.folded() as u64)
    }

    /// The sum as one word in memory order, carries added back in.
    #[inline(always)]
    const fn folded(self) -> u16 {
        let sum = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        ((sum >> 16) + (sum & 0xffff)) as u16
    }

    /// The folded sum as it lies in memory, for a field that holds a partial sum.
    #[inline(always)]
    pub const fn to_field(self) -> [u8; 2] {
        self.folded().to_ne_bytes()
    }

    /// The checksum that makes the covered bytes sum to all ones: the complement of the sum.
    #[inline(always)]
    pub const fn checksum(self) -> [u8; 2] {
        (!self.folded()).to_ne_bytes()
    }

    /// The same for UDP, where zero means "no checksum" and the other zero is sent instead (RFC 768).
    #[inline(always)]
    pub const fn udp_checksum(self) -> [u8; 2] {
        let checksum = !self.folded();
        (if checksum == 0 { 0xffff } else { checksum }).to_ne_bytes()
    }

    /// Whether the covered bytes, checksum field included, sum to all ones. A sum of no bits at all is not valid: only an
    /// all-zero header gives it.
    #[inline(always)]
    pub const fn is_valid(self) -> bool {
        self.folded() == 0xffff
    }
}

/// Updates a checksum field for one word that changes from `old` to `new` (RFC 1624, equation 3).
#[inline(always)]
pub const fn update(checksum: [u8; 2], old: [u8; 2], new: [u8; 2]) -> [u8; 2] {
    let sum = Sum::field(checksum)
        .negated()
        .plus(Sum::field(old).negated())
        .plus(Sum::field(new));
    sum.checksum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word by word in network order.
    fn plain(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn the_example_of_rfc_1071() {
        // Section 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2.
        assert_eq!(
            Sum::of(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]).to_field(),
            [0xdd, 0xf2]
        );
    }

    #[test]
    fn a_zero_udp_checksum_is_sent_as_ones() {
        assert_eq!(Sum::of(&[0xff, 0xff]).checksum(), [0, 0]);
        assert_eq!(Sum::of(&[0xff, 0xff]).udp_checksum(), [0xff, 0xff]);
        assert!(!Sum::of(&[0; 20]).is_valid());
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(bytes in proptest::collection::vec(any::<u8>(), 0..1600)) {
            prop_assert_eq!(Sum::of(&bytes).checksum(), plain(&bytes).to_be_bytes());
        }

        #[test]
        fn a_copy_is_a_copy_and_its_sum_the_sum(bytes in proptest::collection::vec(any::<u8>(), 0..1600), room in 0usize..1600) {
            let mut copy = vec![0x5a; room];
            let sum = Sum::copying(&bytes, &mut copy);
            let len = room.min(bytes.len());
            prop_assert_eq!(sum.checksum(), plain(&bytes[..len]).to_be_bytes());
            prop_assert_eq!(&copy[..len], &bytes[..len]);
            prop_assert!(copy[len..].iter().all(|byte| *byte == 0x5a));
        }

        #[test]
        fn can_be_cut_at_any_even_offset(bytes in proptest::collection::vec(any::<u8>(), 2..200), cut in 0usize..100) {
            let cut = (cut * 2).min(bytes.len() & !1);
            let parts = Sum::of(&bytes[..cut]).plus(Sum::of(&bytes[cut..]));
            prop_assert_eq!(parts.checksum(), Sum::of(&bytes).checksum());
        }

        #[test]
        fn an_update_is_a_recount(mut header in any::<[u8; 20]>(), new in any::<[u8; 2]>()) {
            header[0] = 0x45; // No IPv4 header is all zeros; the two zeros of ones' complement only meet there.
            header[10..12].fill(0);
            let checksum = Sum::of(&header).checksum();
            let old = [header[8], header[9]];
            header[8..10].copy_from_slice(&new);
            prop_assert_eq!(update(checksum, old, new), Sum::of(&header).checksum());
        }

        #[test]
        fn words_are_network_order(value in any::<u16>()) {
            prop_assert_eq!(Sum::word(value), Sum::field(value.to_be_bytes()));
        }
    }
}
