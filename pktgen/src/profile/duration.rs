//! Lengths of time as they are typed and written: `10s`, `500ms`, `1.5h`. Whole nanoseconds inside.

use std::ops::RangeInclusive;

use super::number::{decimal, split};
use super::problem::Problem;

/// The longest: 30 days. Nanoseconds up to 104 days are whole in an `f64`.
pub const LONGEST: u64 = 30 * 24 * 3_600_000_000_000;

/// Units, largest first, in nanoseconds. Those after the first five are other words for one of them.
const UNITS: [(&str, f64); 10] = [
    ("h", 3_600e9),
    ("s", 1e9),
    ("ms", 1e6),
    ("us", 1e3),
    ("ns", 1.0),
    ("m", 60e9),
    ("min", 60e9),
    ("sec", 1e9),
    ("µs", 1e3),
    ("μs", 1e3),
];

/// Nanoseconds.
///
/// # Errors
/// No number, an unknown unit or none, or outside of `range` (nanoseconds, at most [`LONGEST`]).
pub fn parse(text: &str, range: RangeInclusive<u64>) -> Result<u64, Problem> {
    let (number, unit) = split(text);
    let unit = UNITS.iter().find(|(name, _)| *name == unit);
    let value = unit.and_then(|(_, factor)| Some(decimal(number, 0)? * factor));
    let Some(value) = value else {
        let syntax = "a number with ns, us, ms, s, m or h: 10s, 500ms";
        return Err(Problem::not(text, "a duration", syntax));
    };
    let ns = value.round() as u64;
    if !range.contains(&ns) {
        let (least, most) = (write(*range.start()), write(*range.end()));
        return Err(Problem::new(text, format!("{least} to {most}")));
    }
    Ok(ns)
}

/// The text of `ns`, in the largest of h, s, ms, us, ns that leaves a whole number.
pub fn write(ns: u64) -> String {
    let whole = |(_, factor): &&(&str, f64)| ns.is_multiple_of(*factor as u64) && ns > 0;
    let (name, factor) = UNITS[..5].iter().find(whole).unwrap_or(&UNITS[1]);
    format!("{}{name}", ns / *factor as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_can_be_typed() {
        for (text, ns, written) in [
            ("10s", 10_000_000_000, "10s"),
            ("500 MS", 500_000_000, "500ms"),
            ("2m", 120_000_000_000, "120s"),
            ("1.5h", 5_400_000_000_000, "5400s"),
            ("1.5s", 1_500_000_000, "1500ms"),
            ("7µs", 7_000, "7us"),
            ("0s", 0, "0s"),
            ("30ns", 30, "30ns"),
        ] {
            assert_eq!(parse(text, 0..=LONGEST), Ok(ns), "{text}");
            assert_eq!(write(ns), written);
        }
        assert_eq!(write(LONGEST), "720h");
    }

    #[test]
    fn what_cannot() {
        for text in [
            "", "10", "s", "ten s", "-1s", "1e9s", "1s 5ms", "1.2.3s", "1d",
        ] {
            let problem = parse(text, 0..=LONGEST).unwrap_err().to_string();
            assert!(
                problem.contains("is not a duration; a number with ns"),
                "{problem}"
            );
        }
        for text in ["0s", "0.4ns", "721h", "9999999999999999999999h"] {
            let problem = parse(text, 1..=LONGEST).unwrap_err().to_string();
            assert_eq!(problem, format!("{text}; 1ns to 720h"));
        }
    }

    proptest! {
        #[test]
        fn text_reads_back(ns in 0..=LONGEST) {
            prop_assert_eq!(parse(&write(ns), 0..=LONGEST), Ok(ns));
        }

        #[test]
        fn no_text_is_too_strange(text: String, tail in "[0-9.]{0,60} ?(n|u|m)?s?") {
            let _ = parse(&text, 0..=LONGEST);
            let _ = parse(&tail, 0..=LONGEST);
        }
    }
}
