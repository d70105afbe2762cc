//! Who gets how many lines. Pure arithmetic.
//!
//! Invariant: what is given out is never more than there is, and nobody gets more than it wants.

/// Lines of a panel that shows something: its rule, its headings, a row.
const LEAST: u16 = 3;

/// Gives `lines` to panels that want `wants` each. Each has its rule; then, as far as there are lines, each can show
/// one row, the chosen panel first; then the chosen one gets up to half of what is left, and the others share alike.
pub fn allocate<const N: usize>(
    lines: u16,
    wants: [u16; N],
    chosen: usize,
    alone: bool,
) -> [u16; N] {
    let mut given = [0; N];
    let mut left = lines;
    let mut give = |given: &mut [u16; N], panel: usize, up_to: u16| {
        let more = up_to.min(wants[panel]).saturating_sub(given[panel]);
        let step = more.min(left);
        given[panel] += step;
        left -= step;
        left
    };
    let others = (0..N).filter(|panel| *panel != chosen);
    let order: Vec<usize> = std::iter::once(chosen).chain(others).collect();
    for panel in &order {
        give(&mut given, *panel, 1);
    }
    if alone {
        give(&mut given, chosen, u16::MAX);
        return given;
    }
    for panel in &order {
        // A rule and headings without a row are worse than a rule alone.
        let missing = LEAST.min(wants[*panel]).saturating_sub(given[*panel]);
        if give(&mut given, *panel, 0) >= missing {
            give(&mut given, *panel, LEAST);
        }
    }
    let half = give(&mut given, chosen, 0) / 2;
    let target = given[chosen].saturating_add(half);
    give(&mut given, chosen, target);
    loop {
        let before = given;
        for panel in &order {
            if given[*panel] >= LEAST.min(wants[*panel]) {
                let target = given[*panel].saturating_add(1);
                give(&mut given, *panel, target);
            }
        }
        if given == before {
            return given;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_chosen_panel_has_the_most_and_nobody_nothing() {
        assert_eq!(allocate(40, [4, 5, 3, 6], 0, false), [4, 5, 3, 6]);
        assert_eq!(allocate(14, [4, 5, 3, 60], 3, false), [3, 3, 3, 5]);
        assert_eq!(allocate(20, [9, 9, 9, 60], 3, false), [4, 4, 4, 8]);
        assert_eq!(allocate(14, [10, 5, 3, 60], 0, false), [5, 3, 3, 3]);
        // No room for one row each: those that come later keep their rule alone.
        assert_eq!(allocate(8, [4, 5, 3, 6], 2, false), [3, 1, 3, 1]);
        assert_eq!(allocate(3, [4, 5, 3, 6], 3, false), [1, 1, 0, 1]);
        assert_eq!(allocate(20, [4, 5, 3, 60], 3, true), [1, 1, 1, 17]);
    }

    proptest! {
        #[test]
        fn nothing_is_given_that_is_not_there(lines: u16, wants: [u16; 4], chosen in 0..4usize, alone: bool) {
            // Small ones are met more often.
            let (lines, wants) = (lines % 200, wants.map(|n| n % 300));
            let given = allocate(lines, wants, chosen, alone);
            prop_assert!(given.iter().map(|n| u32::from(*n)).sum::<u32>() <= u32::from(lines));
            prop_assert!(given.iter().zip(&wants).all(|(given, wants)| given <= wants));
            if !alone && wants.iter().map(|n| u32::from(*n)).sum::<u32>() <= u32::from(lines) {
                prop_assert_eq!(given, wants);
            }
        }
    }
}
