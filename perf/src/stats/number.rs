//! Numbers as people read them: at most five characters wide, three digits that count.

/// `9999`, `12.3k`, `1.23M`: exact below 10,000, then three significant digits, cut and not rounded, so that a counter
/// never shows as more than it is.
pub fn short(n: u64) -> String {
    if n < 10_000 {
        return n.to_string();
    }
    let mut unit = 1u64;
    let mut suffix = "";
    for next in ["k", "M", "G", "T", "P", "E"] {
        if n / unit < 1000 {
            break;
        }
        unit = unit.saturating_mul(1000);
        suffix = next;
    }
    let whole = n / unit;
    let thousandths = n % unit / (unit / 1000);
    match whole {
        100.. => format!("{whole}{suffix}"),
        10..100 => format!("{whole}.{}{suffix}", thousandths / 100),
        _ => format!("{whole}.{:02}{suffix}", thousandths / 10),
    }
}

/// A rate per second; less than 10 keeps a decimal, for it may be slow without being nothing.
pub fn rate(per_second: f64) -> String {
    if per_second > 0.0 && per_second < 10.0 {
        return format!("{per_second:.1}");
    }
    short(per_second.round() as u64)
}

/// A share of one as percent.
pub fn percent(fraction: f64) -> String {
    format!("{:.1} %", fraction * 100.0)
}

/// A time span in its two largest units: `3 d 4 h`, `5 min 12 s`, `7 s`.
pub fn span(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (s / 86_400, s / 3_600 % 24, s / 60 % 60);
    match (days, hours, minutes) {
        (1.., ..) => format!("{days} d {hours} h"),
        (0, 1.., _) => format!("{hours} h {minutes} min"),
        (0, 0, 1..) => format!("{minutes} min {} s", s % 60),
        _ => format!("{s} s"),
    }
}

/// With separators, for sums that must be compared by eye: `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_read_as_written() {
        let cases = [
            (0, "0"),
            (9_999, "9999"),
            (10_000, "10.0k"),
            (12_399, "12.3k"),
            (999_999, "999k"),
            (1_000_000, "1.00M"),
            (1_239_999_999, "1.23G"),
            (u64::MAX, "18.4E"),
        ];
        for (n, text) in cases {
            assert_eq!(short(n), text);
        }
        assert_eq!(rate(0.0), "0");
        assert_eq!(rate(0.51), "0.5");
        assert_eq!(rate(12_345.6), "12.3k");
        assert_eq!(percent(0.1234), "12.3 %");
        assert_eq!(span(7.9), "7 s");
        assert_eq!(span(312.0), "5 min 12 s");
        assert_eq!(span(100_000.0), "1 d 3 h");
        assert_eq!(grouped(1), "1");
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    proptest! {
        #[test]
        fn a_short_number_is_short_and_never_too_large(n: u64) {
            let text = short(n);
            prop_assert!(text.len() <= 5, "{text}");
            let digits = text.trim_end_matches(char::is_alphabetic);
            let exponent = "kMGTPE".find(text.chars().last().unwrap()).map_or(0, |at| at + 1);
            let value = digits.parse::<f64>().unwrap() * 1000f64.powi(exponent as i32);
            prop_assert!(value <= n as f64 * 1.000_001 && value >= n as f64 * 0.99, "{n} as {text}");
        }
    }
}
