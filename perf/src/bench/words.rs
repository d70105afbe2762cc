//! Figures as people read them, the same in every table, plot and sentence of a report.
//!
//! Samples are input: whatever a float can be has a text, and a short one.

use super::model::{Axis, Better, Measure, Ratio, Summary, Wire};

/// Three digits or all whole ones: `0.0123`, `7.10`, `85.2`, `1,234,567`. What is not finite is `?`.
pub fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => "?".to_owned(),
        0.0 => "0".to_owned(),
        1e15.. | ..1e-4 => format!("{value:.2e}"),
        99.95.. => grouped(value.round()),
        9.995.. => format!("{value:.1}"),
        0.9995.. => format!("{value:.2}"),
        0.1.. => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// `6.90..7.30`.
pub fn range(summary: &Summary) -> String {
    format!("{}..{}", number(summary.low), number(summary.high))
}

/// Two decimals as long as they tell something: `1.22`, `0.97`, `1,250`.
pub fn ratio(value: f64) -> String {
    match value.abs() {
        0.0095..99.995 => format!("{value:.2}"),
        _ => number(value),
    }
}

/// `1.15..1.31`.
pub fn ratio_range(ratio_of: &Ratio) -> String {
    format!("{}..{}", ratio(ratio_of.low), ratio(ratio_of.high))
}

/// `1,234,567`.
pub fn count(value: impl Into<i128>) -> String {
    let value: i128 = value.into();
    let digits = value.unsigned_abs().to_string();
    let mut text = if value < 0 { "-" } else { "" }.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share of 1 in percent. Nothing is rounded to none or to all: one lost in a million must not read `0 %`.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value.abs() {
        _ if !value.is_finite() => "?".to_owned(),
        0.0 => "0 %".to_owned(),
        99.95..100.0 => "99.9+ %".to_owned(),
        9.95.. => format!("{value:.1} %"),
        0.0095.. => format!("{value:.2} %"),
        _ => format!("{value:.0e} %"),
    }
}

/// Seconds as `48 s`, `7 min 05 s`, `1 h 02 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

/// A point of an axis: `64 B`, `Flows: 100`.
pub fn point(axis: Option<&Axis>, x: f64) -> String {
    match axis {
        Some(Axis { title, unit, .. }) if unit.is_empty() => format!("{title}: {}", whole(x)),
        Some(Axis { unit, .. }) => format!("{} {unit}", whole(x)),
        None => whole(x),
    }
}

/// A measure at a point: `Goodput of one flow`, `Frames forwarded, 64 B`.
pub fn at(measure: &Measure, x: Option<f64>) -> String {
    match x {
        Some(x) => format!("{}, {}", measure.title, point(measure.axis.as_ref(), x)),
        None => measure.title.clone(),
    }
}

/// A position on an axis. Those are round numbers: no digits are added to them.
pub fn whole(x: f64) -> String {
    match x {
        _ if !x.is_finite() => "?".to_owned(),
        _ if x.abs() >= 1e15 || (x != 0.0 && x.abs() < 1e-4) => format!("{x:.2e}"),
        _ if x.fract() == 0.0 => count(x as i64),
        _ => format!("{x}"),
    }
}

/// Which way is better.
pub fn better(better: Better) -> &'static str {
    match better {
        Better::More => "more is better",
        Better::Less => "less is better",
    }
}

/// The underlay in two or three words.
pub fn wire(wire: Wire) -> &'static str {
    match wire {
        Wire::Plain => "plain wire",
        Wire::Gro => "wire with GRO",
        Wire::Offloads => "wire with all offloads",
    }
}

/// The underlay in a sentence.
pub fn wire_told(wire: Wire) -> &'static str {
    match wire {
        Wire::Plain => {
            "The underlay is as a cable: 1,500 bytes at most, and nothing left for the NIC to do."
        }
        Wire::Gro => "The underlay is as a cable, and the receiving NIC coalesces (GRO).",
        Wire::Offloads => {
            "Super-packets and partial checksums cross the underlay whole, as no cable lets them."
        }
    }
}

fn grouped(rounded: f64) -> String {
    count(rounded as i128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (0.1234, "0.123"),
            (0.9999, "1.00"),
            (7.1, "7.10"),
            (9.999, "10.0"),
            (85.24, "85.2"),
            (99.96, "100"),
            (1234567.4, "1,234,567"),
            (-1234.0, "-1,234"),
            (1e-9, "1.00e-9"),
            (1e18, "1.00e18"),
            (f64::NAN, "?"),
            (f64::INFINITY, "?"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_share_is_never_rounded_to_none_or_to_all() {
        for (share, text) in [
            (0.0, "0 %"),
            (1e-6, "1e-4 %"),
            (0.0123, "1.23 %"),
            (0.5, "50.0 %"),
            (0.999_999, "99.9+ %"),
            (1.0, "100.0 %"),
        ] {
            assert_eq!(percent(share), text);
        }
    }

    #[test]
    fn points_name_their_unit_or_their_axis() {
        let mut axis = Axis {
            title: "Flows".into(),
            unit: String::new(),
            log: true,
        };
        assert_eq!(point(Some(&axis), 1000.0), "Flows: 1,000");
        axis.unit = "B".into();
        assert_eq!(point(Some(&axis), 64.0), "64 B");
        assert_eq!(whole(0.5), "0.5");
    }

    #[test]
    fn durations_ratios_and_counts() {
        assert_eq!(duration(47.6), "48 s");
        assert_eq!(duration(425.0), "7 min 05 s");
        assert_eq!(duration(3725.0), "1 h 02 min");
        assert_eq!(ratio(1.2249), "1.22");
        assert_eq!(ratio(1250.0), "1,250");
        assert_eq!(count(-12_345), "-12,345");
    }
}
