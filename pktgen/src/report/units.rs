//! Numbers as people read them: three digits and a unit, with decimal prefixes (bits and packets are not counted in
//! powers of two). Invariant: every number has a text, and a short one; what is not finite is `-`.

/// `1,234,567`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.23 Mpps`.
pub fn pps(value: f64) -> String {
    scaled(value, &["pps", "kpps", "Mpps", "Gpps", "Tpps"])
}

/// `9.87 Gbit/s`.
pub fn bits(value: f64) -> String {
    scaled(value, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"])
}

/// Nanoseconds: `870 ns`, `12.3 µs`.
pub fn ns(value: f64) -> String {
    if value.abs() >= 60e9 {
        return seconds(value / 1e9);
    }
    scaled(value, &["ns", "µs", "ms", "s"])
}

/// A whole number of bytes, by 1024: `15.6 GiB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut unit) = (value as f64, "B");
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    format!("{} {unit}", digits(value))
}

/// Seconds: `250 ms`, `12.3 s`, `2 min 05 s`, `3 h 07 min`.
pub fn seconds(value: f64) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    let whole = value.round();
    if value < 60.0 {
        return scaled(value * 1e9, &["ns", "µs", "ms", "s"]);
    }
    let whole = whole as u64;
    match whole {
        0..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// Seconds, without parts of them: `6 s`, `2 min 05 s`.
pub fn whole_seconds(value: f64) -> String {
    let whole = value.round();
    if (0.0..60.0).contains(&whole) {
        return format!("{whole} s");
    }
    seconds(whole)
}

/// A fraction as a percentage, with at most two digits of what little there is: `0 %`, `0.0012 %`, `3.4 %`. Nothing is
/// rounded to none or to all: a loss of one in a hundred million must not read `0 %`.
pub fn percent(fraction: f64) -> String {
    let value = fraction * 100.0;
    let size = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    if !value.is_finite() {
        "-".into()
    } else if size == 0.0 {
        "0 %".into()
    } else if size < 1e-7 {
        format!("{sign}<0.0000001 %")
    } else if (99.95..100.0).contains(&size) {
        format!("{sign}>99.9 %")
    } else if size >= 1e6 {
        format!("{sign}{size:.1e} %")
    } else if size >= 9.95 {
        format!("{sign}{} %", digits(size))
    } else {
        // Two digits: the first one's place is that of the logarithm.
        let places = (1 - size.log10().floor() as i32).max(1) as usize;
        let text = format!("{size:.places$}");
        format!(
            "{sign}{} %",
            text.trim_end_matches('0').trim_end_matches('.')
        )
    }
}

/// Three digits at least: `1.23`, `12.3`, `123`.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// With the first unit that leaves less than a thousand. Whole numbers of the first unit stay whole.
fn scaled(value: f64, units: &[&str]) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    let (mut value, mut at) = (value, 0);
    while value.abs() >= 999.5 && at + 1 < units.len() {
        value /= 1000.0;
        at += 1;
    }
    if value.abs() >= 1e6 {
        return format!("{value:.1e} {}", units[at]);
    }
    if at == 0 && (value.fract() == 0.0 || value.abs() >= 100.0) {
        return format!("{value:.0} {}", units[0]);
    }
    format!("{} {}", digits(value), units[at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_people_read_them() {
        for (text, expected) in [
            (count(0), "0"),
            (count(999), "999"),
            (count(1_234_567), "1,234,567"),
            (count(u64::MAX), "18,446,744,073,709,551,615"),
            (pps(1_234_567.0), "1.23 Mpps"),
            (pps(100_000.0), "100 kpps"),
            (pps(999_600.0), "1.00 Mpps"),
            (pps(7.0), "7 pps"),
            (pps(0.5), "0.50 pps"),
            (bits(9.87e9), "9.87 Gbit/s"),
            (bits(1e30), "1.0e18 Tbit/s"),
            (ns(870.0), "870 ns"),
            (ns(12_345.0), "12.3 µs"),
            (ns(59.4e9), "59.4 s"),
            (ns(125e9), "2 min 05 s"),
            (ns(f64::NAN), "-"),
            (pps(f64::INFINITY), "-"),
            (bytes(512), "512 B"),
            (bytes(16_777_216_000), "15.6 GiB"),
            (seconds(0.25), "250 ms"),
            (seconds(12.34), "12.3 s"),
            (seconds(125.2), "2 min 05 s"),
            (seconds(11_220.0), "3 h 07 min"),
            (whole_seconds(6.4), "6 s"),
            (whole_seconds(59.7), "1 min 00 s"),
            (whole_seconds(f64::NAN), "-"),
            (percent(0.0), "0 %"),
            (percent(0.000_012), "0.0012 %"),
            (percent(0.001), "0.1 %"),
            (percent(0.034), "3.4 %"),
            (percent(0.125), "12.5 %"),
            (percent(1.0), "100 %"),
            (percent(0.999_999), ">99.9 %"),
            (percent(1e-12), "<0.0000001 %"),
            (percent(-0.0021), "-0.21 %"),
            (percent(f64::NAN), "-"),
        ] {
            assert_eq!(text, expected);
        }
    }

    proptest! {
        /// Whatever the number, a cell of a table holds it.
        #[test]
        fn they_are_short(value: f64) {
            for text in [pps(value), bits(value), ns(value), seconds(value.abs()), percent(value)] {
                prop_assert!(text.chars().count() <= 28 && !text.is_empty(), "{}", text);
            }
        }

        #[test]
        fn something_is_never_nothing(lost in 1u64..1000, sent in 1_000u64..1 << 50) {
            prop_assert_ne!(percent(lost as f64 / sent as f64), "0 %");
        }
    }
}
