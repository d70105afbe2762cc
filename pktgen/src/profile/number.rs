//! Numbers and their units. Decimal digits become binary once, with the unit's power of ten already in them, and are
//! rounded once: so `1.2Mpps` is 1,200,000 exactly, and what is written reads back as the same bits.

use std::ops::RangeInclusive;

use super::problem::Problem;

/// Digits of a number that are read; no one types more, and it bounds what hostile text can cost.
const DIGITS: usize = 40;

/// A number's digits, and the unit behind them in lower case and without spaces: `10 Gbit` is `10` and `gbit`.
pub fn split(text: &str) -> (&str, String) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit: String = unit.split_whitespace().collect();
    (number, unit.to_lowercase())
}

/// `digits` (with a point or without) times ten to the `exponent`, correctly rounded.
pub fn decimal(digits: &str, exponent: i32) -> Option<f64> {
    let known = |c: char| c.is_ascii_digit() || c == '.';
    if digits.len() > DIGITS || !digits.chars().all(known) {
        return None;
    }
    format!("{digits}e{exponent}").parse().ok()
}

/// The shortest digits that [`decimal`] reads back as `value` (positive and finite) with the same exponent.
pub fn digits(value: f64, exponent: i32) -> String {
    let scientific = format!("{value:e}");
    let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.replace('.', "");
    let point = 1 + power.parse().unwrap_or(0) - exponent;
    match usize::try_from(point) {
        Err(_) | Ok(0) => format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
        Ok(point) if point < digits.len() => {
            format!("{}.{}", &digits[..point], &digits[point..])
        }
        Ok(point) => format!("{digits:0<point$}"),
    }
}

/// A whole number, decimal or `0x...`, with `_` between digits as in TOML.
///
/// # Errors
/// None, or outside of `range`.
pub fn whole<T: TryFrom<u64>>(text: &str, range: RangeInclusive<u64>) -> Result<T, Problem> {
    let plain = text.trim().replace('_', "");
    let number = match plain.strip_prefix("0x").or(plain.strip_prefix("0X")) {
        // from_str_radix and parse take a sign, which has no place behind 0x.
        Some(hex) if !hex.starts_with('+') => u64::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None => plain.parse().ok(),
    };
    number
        .filter(|number| range.contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            Problem::new(
                text,
                format!("a whole number, {} to {}", range.start(), range.end()),
            )
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_follow_numbers() {
        for (text, number, unit) in [
            ("10Gbit", "10", "gbit"),
            (" 1.2 Mpps ", "1.2", "mpps"),
            ("10 Gbit/s -wire", "10", "gbit/s-wire"),
            ("max", "", "max"),
            ("1 000pps", "1", "000pps"),
            ("7", "7", ""),
        ] {
            assert_eq!(split(text), (number, unit.into()), "{text}");
        }
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal("1.2", 6), Some(1_200_000.0));
        assert_eq!(decimal("0.001", -2), Some(0.000_01));
        for bad in ["", ".", "1.2.3", "1e3", "-1", "inf", &"1".repeat(41)] {
            assert_eq!(decimal(bad, 0), None, "{bad}");
        }
        for (value, exponent, expected) in [
            (1.2e6, 6, "1.2"),
            (1.2e6, 3, "1200"),
            (0.5, -2, "50"),
            (0.000_01, -2, "0.001"),
            (1.0, 3, "0.001"),
            (1.0, 1, "0.1"),
        ] {
            assert_eq!(digits(value, exponent), expected);
        }
    }

    #[test]
    fn whole_numbers_have_a_range() {
        assert_eq!(whole("0xb8", 0..=255), Ok(184u8));
        assert_eq!(whole("1_000_000", 1..=1_000_000), Ok(1_000_000u32));
        for bad in [
            "256",
            "-1",
            "",
            "_",
            "0x",
            "0x+1",
            "1.0",
            "ten",
            "99999999999999999999",
        ] {
            let problem = whole::<u8>(bad, 0..=255).unwrap_err().to_string();
            assert!(problem.ends_with("; a whole number, 0 to 255"), "{problem}");
        }
    }

    proptest! {
        #[test]
        fn digits_read_back(value in 1e-9f64..1e13, exponent in -12i32..=12) {
            // Digits that decimal takes: 17 significant ones, and zeros.
            let text = digits(value, exponent);
            prop_assert_eq!(decimal(&text, exponent), Some(value), "{}", text);
        }

        #[test]
        fn no_text_is_too_strange(text: String, exponent in -12i32..=12) {
            let (number, _) = split(&text);
            let _ = decimal(number, exponent);
            let _ = whole::<u16>(&text, 1..=65_535);
        }
    }
}
