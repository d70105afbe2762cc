//! Moments as RFC 3339 has them, in UTC, to the millisecond: `2026-03-01T12:30:00.250Z`.
//!
//! Sixty lines, no crate: a report needs one form, written and read. The calendar is that of Howard Hinnant's
//! `days_from_civil` and `civil_from_days` (the proleptic Gregorian calendar in eras of 400 years, years beginning in
//! March).

use std::time::{SystemTime, UNIX_EPOCH};

/// Days in an era of 400 years.
const ERA: i64 = 146_097;

/// The moment as text. A clock before 1970 is taken for 1970.
pub fn text(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = ((since.as_secs() / 86_400) as i64, since.as_secs() % 86_400);
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(ERA), shifted.rem_euclid(ERA));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        since.subsec_millis()
    )
}

/// Seconds since 1970 of a moment that [`text`] wrote (or without the fraction); `None` if it is not one.
pub fn seconds(text: &str) -> Option<f64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = fields(date, '-')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = fields(time, ':')?;
    let in_range = year <= 9999 && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range
        || hour > 23
        || minute > 59
        || second > 60
        || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * ERA + year * 365 + year / 4 - year / 100 + of_year - 719_468;
    let whole = days * 86_400 + hour * 3600 + minute * 60 + second;
    Some(whole as f64 + format!("0.{fraction}").parse::<f64>().ok()?)
}

fn fields(text: &str, between: char) -> Option<[i64; 3]> {
    let mut fields = [0; 3];
    let mut parts = text.split(between);
    for field in &mut fields {
        let part = parts.next()?;
        if part.len() > 4 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *field = part.parse().ok()?;
    }
    parts.next().is_none().then_some(fields)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(text(UNIX_EPOCH + Duration::from_millis(millis)), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(millis in 0u64..200_000_000_000_000) {
            let written = text(UNIX_EPOCH + Duration::from_millis(millis));
            let read = seconds(&written).unwrap();
            prop_assert!((read - millis as f64 / 1e3).abs() < 1e-4, "{} {}", written, read);
        }

        #[test]
        fn anything_else_is_refused(text in "\\PC{0,30}") {
            let _ = seconds(&text);
        }
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "Z",
            "2024-01-01",
            "2024-13-01T00:00:00Z",
            "2024-01-01T00:00Z",
            "2024-01-01T00:00:00.xZ",
            "-1-1-1T1:1:1Z",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
