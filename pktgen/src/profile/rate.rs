//! How fast. A rate says what it counts: frames, bits of layer 2, bits of the wire, or a part of the link.
//!
//! Invariant: one that exists is positive and finite, and its text reads back as the same rate.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::number::{decimal, digits, split};
use super::problem::Problem;
use crate::error::{Failure, Result};
use crate::frame::WIRE_OVERHEAD;

/// A rate, all streams and workers together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// As fast as it goes.
    Max,
    /// Frames a second.
    Pps(f64),
    /// Bits a second of layer 2: frames with FCS.
    Layer2(f64),
    /// Bits a second of the wire: frames with FCS, preamble and gap.
    Wire(f64),
    /// A fraction (0 to 1) of the link's speed, on the wire.
    Link(f64),
}

/// Frames a second. Below, it is hours to the next frame; above, a clock of nanoseconds cannot tell them apart.
const PPS: RangeInclusive<f64> = 0.001..=1e9;

/// Bits a second.
const BITS: RangeInclusive<f64> = 1.0..=1e12;

/// Parts of a link: 0.0001 % to all of it.
const LINK: RangeInclusive<f64> = 1e-6..=1.0;

/// What may be typed.
const SYNTAX: &str = "max; 100kpps, 1.2Mpps (frames a second); 10Gbit, 10Gbit-l2 (bits a second of frames with FCS); \
                      10Gbit-wire (with preamble and gap); 50% (of the link, on the wire)";

/// Prefixes, largest first.
const PREFIXES: [(&str, i32); 5] = [("T", 12), ("G", 9), ("M", 6), ("k", 3), ("", 0)];

impl Rate {
    /// Frames a second for frames of `mean_size` bytes (with FCS) on a link of `speed` bits a second; `None` for
    /// [`Rate::Max`].
    ///
    /// # Errors
    /// A fraction of a link whose speed is not known.
    pub fn pps(self, mean_size: f64, speed: Option<f64>) -> Result<Option<f64>> {
        let wire = 8.0 * (mean_size + WIRE_OVERHEAD as f64);
        Ok(match self {
            Rate::Max => None,
            Rate::Pps(pps) => Some(pps),
            Rate::Layer2(bits) => Some(bits / (8.0 * mean_size)),
            Rate::Wire(bits) => Some(bits / wire),
            Rate::Link(fraction) => {
                let speed = speed.filter(|speed| *speed > 0.0).ok_or_else(|| {
                    Failure::Environment(format!(
                        "rate {self}: the interface does not tell its speed; give the rate as 100kpps or 1Gbit-wire"
                    ))
                })?;
                Some(fraction * speed / wire)
            }
        })
    }
}

impl FromStr for Rate {
    type Err = Problem;

    fn from_str(text: &str) -> std::result::Result<Self, Problem> {
        let (number, unit) = split(text);
        if (number, unit.as_str()) == ("", "max") {
            return Ok(Rate::Max);
        }
        let (unit, wire) = match (unit.strip_suffix("-wire"), unit.strip_suffix("-l2")) {
            (Some(unit), _) => (unit, Some(true)),
            (_, Some(unit)) => (unit, Some(false)),
            (None, None) => (unit.as_str(), None),
        };
        let prefix = PREFIXES
            .iter()
            .find(|(prefix, _)| unit.starts_with(&prefix.to_lowercase()));
        let (prefix, exponent) = prefix.copied().unwrap_or(("", 0));
        let (kind, exponent, range, most): (fn(f64) -> Rate, _, _, _) =
            match (&unit[prefix.len()..], wire) {
                ("pps", None) => (Rate::Pps, exponent, PPS, "0.001pps to 1Gpps"),
                ("bit" | "bits" | "bit/s" | "bits/s" | "bps", wire) => {
                    let kind = if wire == Some(true) {
                        Rate::Wire
                    } else {
                        Rate::Layer2
                    };
                    (kind, exponent, BITS, "1bit to 1Tbit")
                }
                ("%", None) if prefix.is_empty() => (Rate::Link, -2, LINK, "0.0001% to 100%"),
                _ => return Err(Problem::not(text, "a rate", SYNTAX)),
            };
        let value =
            decimal(number, exponent).ok_or_else(|| Problem::not(text, "a rate", SYNTAX))?;
        if !range.contains(&value) {
            return Err(Problem::new(text, most));
        }
        Ok(kind(value))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match *self {
            Rate::Max => return f.write_str("max"),
            Rate::Link(fraction) => return write!(f, "{}%", digits(fraction, -2)),
            Rate::Pps(value) => (value, "pps"),
            Rate::Layer2(value) => (value, "bit-l2"),
            Rate::Wire(value) => (value, "bit-wire"),
        };
        let fits = |exponent: i32| value >= 10f64.powi(exponent);
        let prefix = PREFIXES.iter().find(|(_, exponent)| fits(*exponent));
        let (prefix, exponent) = prefix.copied().unwrap_or(("", 0));
        write!(f, "{}{prefix}{unit}", digits(value, exponent))
    }
}

#[cfg(test)]
#[expect(missing_docs, reason = "strategies of other tests")]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any rate.
    pub fn any_rate() -> impl Strategy<Value = Rate> {
        prop_oneof![
            Just(Rate::Max),
            PPS.prop_map(Rate::Pps),
            (1u32..=1_000_000_000).prop_map(|pps| Rate::Pps(pps.into())),
            BITS.prop_map(Rate::Layer2),
            BITS.prop_map(Rate::Wire),
            LINK.prop_map(Rate::Link),
        ]
    }

    #[test]
    fn what_can_be_typed() {
        for (text, rate, written) in [
            ("max", Rate::Max, "max"),
            (" MAX ", Rate::Max, "max"),
            ("1.2Mpps", Rate::Pps(1.2e6), "1.2Mpps"),
            ("100 KPPS", Rate::Pps(1e5), "100kpps"),
            ("500pps", Rate::Pps(500.0), "500pps"),
            ("0.5pps", Rate::Pps(0.5), "0.5pps"),
            ("1gpps", Rate::Pps(1e9), "1Gpps"),
            ("10Gbit", Rate::Layer2(1e10), "10Gbit-l2"),
            ("10 gbit/s-L2", Rate::Layer2(1e10), "10Gbit-l2"),
            ("9.5Mbps", Rate::Layer2(9.5e6), "9.5Mbit-l2"),
            ("10Gbit/s -wire", Rate::Wire(1e10), "10Gbit-wire"),
            ("1Tbit-wire", Rate::Wire(1e12), "1Tbit-wire"),
            ("50%", Rate::Link(0.5), "50%"),
            ("0.7 %", Rate::Link(0.007), "0.7%"),
        ] {
            assert_eq!(text.parse(), Ok(rate), "{text}");
            assert_eq!(rate.to_string(), written);
        }
    }

    #[test]
    fn what_cannot() {
        for (text, range) in [
            ("0pps", "0.001pps to 1Gpps"),
            ("1.01Gpps", "0.001pps to 1Gpps"),
            ("0bit", "1bit to 1Tbit"),
            ("2Tbit-wire", "1bit to 1Tbit"),
            ("101%", "0.0001% to 100%"),
            ("0%", "0.0001% to 100%"),
        ] {
            let problem = text.parse::<Rate>().unwrap_err().to_string();
            assert_eq!(problem, format!("{text}; {range}"));
        }
        for text in [
            "",
            "quick",
            "1000",
            "1e3pps",
            "-5pps",
            "1.2.3pps",
            "infpps",
            "1Mpps-wire",
            "5k%",
            "1 0pps",
            "max-wire",
            "pps",
            "ſbit",
            "5ſpps",
        ] {
            let problem = text.parse::<Rate>().unwrap_err().to_string();
            assert!(problem.contains("is not a rate; max; 100kpps"), "{problem}");
        }
    }

    #[test]
    fn frames_a_second() {
        let pps = |rate: Rate| rate.pps(64.0, Some(10e9)).unwrap();
        assert_eq!(pps(Rate::Max), None);
        assert_eq!(pps(Rate::Pps(7.0)), Some(7.0));
        assert_eq!(pps(Rate::Layer2(512e3)), Some(1e3));
        // 14.88 million smallest frames fill ten gigabit.
        assert_eq!(pps(Rate::Wire(10e9)).unwrap().round(), 14_880_952.0);
        assert_eq!(pps(Rate::Link(0.5)).unwrap().round(), 7_440_476.0);
        let failure = Rate::Link(0.5).pps(64.0, None).unwrap_err();
        assert!(matches!(failure, Failure::Environment(_)), "{failure}");
        assert!(failure.to_string().starts_with("rate 50%: "), "{failure}");
    }

    proptest! {
        #[test]
        fn text_reads_back(rate in any_rate()) {
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC*", unit in "[kKmMgGtT]?(pps|bit|%)(-wire)?", number in "[0-9.]{0,50}") {
            let _ = text.parse::<Rate>();
            if let Ok(rate) = format!("{number}{unit}").parse::<Rate>() {
                prop_assert_eq!(rate.to_string().parse(), Ok(rate));
            }
        }
    }
}
