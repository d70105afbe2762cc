//! The Internet checksum (RFC 1071), in u64: sums of words of any width are congruent modulo 2^16 - 1, so 16-bit words,
//! 32-bit words and sums already folded may be added in any mixture, and folded once at the end.

/// Adds up the bytes as big-endian words of 16 bits; an odd last byte counts as if a zero followed.
///
/// Reads words of 32 bits in the machine's own order, which is turned only once, in the end ("byte order independence",
/// RFC 1071 section 2.B): so the compiler makes it a loop over vectors.
#[inline]
pub fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut total: u64 = words
        .iter()
        .map(|word| u64::from(u32::from_ne_bytes(*word)))
        .sum();
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    total += u64::from(u32::from_ne_bytes(last));
    u64::from(u16::from_be_bytes(fold(total).to_ne_bytes()))
}

/// Folds a sum to 16 bits, with the carries added back. It is 0 only if all that was added was 0.
#[inline]
pub const fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    ((sum >> 16) + (sum & 0xffff)) as u16
}

/// The negative of a sum: what takes it away when added.
#[inline]
pub const fn negative(sum: u64) -> u64 {
    !fold(sum) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By the book: two bytes at a time, carries at once.
    fn slow(bytes: &[u8]) -> u16 {
        let word = |pair: &[u8]| u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]);
        bytes.chunks(2).fold(0, |sum, pair| {
            let (sum, carry) = word(pair).overflowing_add(sum);
            sum + u16::from(carry)
        })
    }

    proptest! {
        #[test]
        fn fast_is_slow(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(fold(sum(&bytes)), slow(&bytes));
        }

        #[test]
        fn a_negative_takes_away(a: u32, b in 1u32..) {
            let (a, b) = (u64::from(a), u64::from(b));
            prop_assert_eq!(fold(a + b + negative(a)) % 0xffff, fold(b) % 0xffff);
        }

        #[test]
        fn folding_is_modulo(sum: u64) {
            prop_assert_eq!(u64::from(fold(sum)) % 0xffff, sum % 0xffff);
            prop_assert_eq!(fold(sum) == 0, sum == 0);
        }
    }

    /// The example of RFC 1071 section 3.
    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(
            fold(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])),
            0xddf2
        );
    }
}
