//! Lengths of time as they are typed: plain seconds, or with the units that tweed-pktgen takes: `2`, `0.5`, `1s`, `250ms`, `10m`.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Units in seconds.
const UNITS: [(&str, f64); 8] = [
    ("", 1.0),
    ("h", 3600.0),
    ("m", 60.0),
    ("min", 60.0),
    ("s", 1.0),
    ("sec", 1.0),
    ("ms", 1e-3),
    ("us", 1e-6),
];

/// Reads it.
///
/// # Errors
/// No number, an unknown unit, or outside of `range` (seconds): in words for the command line.
pub fn parse(text: &str, range: RangeInclusive<f64>) -> Result<Duration, String> {
    let (least, most) = (range.start(), range.end());
    let wanted = || format!("{least} to {most} seconds, as 2, 1.5s, 500ms or 10m");
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    // What f64 reads beside, like 1e3, inf or -0, is no length of time that anybody types.
    let digits = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let unit = text[number.len()..].trim();
    let unit = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let seconds = unit.and_then(|(_, factor)| Some(number.parse::<f64>().ok()? * factor));
    match seconds.filter(|seconds| digits && range.contains(seconds)) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| wanted()),
        None => Err(wanted()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_seconds_and_units() {
        for (text, ms) in [
            ("2", 2_000),
            ("0.5", 500),
            (".5", 500),
            ("1s", 1_000),
            ("1.5 sec", 1_500),
            ("250ms", 250),
            ("250 MS", 250),
            ("250000us", 250),
            ("1m", 60_000),
            ("2min", 120_000),
            ("0.1h", 360_000),
        ] {
            assert_eq!(
                parse(text, 0.1..=600.0),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_none_is_refused_with_what_is_possible() {
        for text in [
            "", "s", "ten", "-1", "1e2", "inf", "NaN", "1d", "1s 5ms", "1.2.3", "99ms", "601",
            "11m",
        ] {
            let told = parse(text, 0.1..=600.0).unwrap_err();
            assert_eq!(
                told, "0.1 to 600 seconds, as 2, 1.5s, 500ms or 10m",
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text: String, tail in "[0-9.]{0,40} ?(m|u)?s?") {
            let _ = parse(&text, 0.0..=1e9);
            let _ = parse(&tail, 0.0..=1e9);
        }
    }
}
