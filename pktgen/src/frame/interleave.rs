//! An order that repeats, in which each of several has its weight's share: of the streams of a profile, of the sizes of a mix.
//!
//! Invariant: at no place in the order has anyone had more, or less, than its share by as many places as there are members.

/// An order in which index `i` comes `weights[i]` times (divided by their greatest common divisor), spread as evenly as can be:
/// each turn everyone gains its weight, and the richest goes and pays the whole (smooth weighted round robin, as nginx does).
pub fn interleave(weights: &[u16]) -> Vec<u8> {
    let divisor = weights.iter().fold(0, |a, &b| gcd(a, b)).max(1);
    let weights: Vec<i64> = weights.iter().map(|&w| i64::from(w / divisor)).collect();
    let whole: i64 = weights.iter().sum();
    let mut credit = vec![0; weights.len()];
    let mut turn = || {
        for (credit, weight) in credit.iter_mut().zip(&weights) {
            *credit += weight;
        }
        // The first of equals.
        let richest = (0..credit.len()).rev().max_by_key(|&i| credit[i])?;
        credit[richest] -= whole;
        Some(richest as u8)
    };
    (0..whole).map_while(|_| turn()).collect()
}

fn gcd(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_has_its_share_at_any_time(weights in prop::collection::vec(1u16..=50, 1..=16)) {
            let order = interleave(&weights);
            let whole: usize = order.len();
            let sum: u32 = weights.iter().map(|&w| u32::from(w)).sum();
            let mut seen = vec![0usize; weights.len()];
            for (turn, &index) in order.iter().enumerate() {
                seen[usize::from(index)] += 1;
                for (i, &weight) in weights.iter().enumerate() {
                    let fair = (turn + 1) as f64 * f64::from(weight) / f64::from(sum);
                    prop_assert!((seen[i] as f64 - fair).abs() < weights.len() as f64);
                }
            }
            for (i, &weight) in weights.iter().enumerate() {
                prop_assert_eq!(seen[i] * sum as usize, usize::from(weight) * whole);
            }
        }
    }

    #[test]
    fn a_mix_is_spread() {
        assert_eq!(interleave(&[2, 1]), [0, 1, 0]);
        assert_eq!(interleave(&[10]), [0]);
        assert_eq!(interleave(&[7, 4, 1]).len(), 12);
    }
}
