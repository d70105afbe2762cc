//! Sizes of frames, with FCS.

use std::fmt;

use super::number::whole;
use super::problem::Problem;
use crate::frame::FCS_LEN;
use crate::io::FRAME_ROOM;

/// Sizes of a stream's frames, in bytes with FCS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size {
    /// All alike.
    Fixed(u16),
    /// Uniform, from the seed.
    Range(std::ops::RangeInclusive<u16>),
    /// A mix: size and weight, in an order that repeats (IMIX is 64:7, 594:4, 1518:1).
    Mix(Vec<(u16, u16)>),
}

/// The largest frame, bytes with FCS.
pub const MOST: u16 = (FRAME_ROOM + FCS_LEN) as u16;

/// Weights, of sizes in a mix and of streams in a profile. An order that repeats is as long as their sum.
pub const WEIGHTS: std::ops::RangeInclusive<u64> = 1..=1_000;

/// Sizes in a mix.
const MIXED: usize = 32;

/// Sizes of the simple IMIX, which three weights stand for: 7:4:1 in the usual one.
const IMIX: [u16; 3] = [64, 594, 1518];

impl Size {
    /// Mean, bytes with FCS.
    pub fn mean(&self) -> f64 {
        match self {
            Size::Fixed(size) => f64::from(*size),
            Size::Range(range) => f64::from(*range.start()).midpoint(f64::from(*range.end())),
            Size::Mix(mix) => {
                let weights: f64 = mix.iter().map(|(_, weight)| f64::from(*weight)).sum();
                let bytes = mix
                    .iter()
                    .map(|&(size, weight)| f64::from(size) * f64::from(weight));
                bytes.sum::<f64>() / weights
            }
        }
    }

    /// The largest, bytes with FCS.
    pub fn largest(&self) -> u16 {
        match self {
            Size::Fixed(size) => *size,
            Size::Range(range) => *range.end(),
            Size::Mix(mix) => mix.iter().map(|(size, _)| *size).max().unwrap_or(0),
        }
    }

    /// Reads `64`, `64-1518`, `imix`, `7:4:1` (weights of IMIX's sizes) or `64:7,594:4` (sizes and weights), where
    /// `least` is the smallest frame that holds the headers. Only the sizes of IMIX are raised to it; one that was
    /// typed is not changed.
    ///
    /// # Errors
    /// None of these, or a size or weight outside of its range.
    pub fn parse(text: &str, least: u16) -> Result<Size, Problem> {
        let typed = text.trim();
        let size = |part: &str| whole(part, least.into()..=MOST.into());
        let weight = |part: &str| whole(part, WEIGHTS);
        let imix = |weights: [u16; 3]| {
            let raised = IMIX.map(|size| size.max(least));
            Size::Mix(raised.into_iter().zip(weights).collect())
        };
        if typed.eq_ignore_ascii_case("imix") {
            return Ok(imix([7, 4, 1]));
        }
        if !typed.starts_with(|c: char| c.is_ascii_digit()) {
            let syntax = "64, 64-1518, imix, 7:4:1 (weights of 64, 594, 1518) or 64:7,594:4 (sizes and weights)";
            return Err(Problem::not(text, "a size", syntax));
        }
        if let [a, b, c] = typed.split(':').collect::<Vec<_>>()[..]
            && !typed.contains(',')
        {
            return Ok(imix([weight(a)?, weight(b)?, weight(c)?]));
        }
        if typed.contains(':') {
            return mix(typed, size, weight);
        }
        match typed.split_once('-') {
            None => Ok(Size::Fixed(size(typed)?)),
            Some((first, last)) => {
                let (first, last) = (size(first)?, size(last)?);
                if first > last {
                    return Err(Problem::new(text, "the smaller size comes first"));
                }
                Ok(Size::Range(first..=last))
            }
        }
    }
}

fn mix(
    text: &str,
    size: impl Fn(&str) -> Result<u16, Problem>,
    weight: impl Fn(&str) -> Result<u16, Problem>,
) -> Result<Size, Problem> {
    let parts: Vec<_> = text.split(',').collect();
    if parts.len() > MIXED {
        let range = format!("at most {MIXED} sizes in a mix, not {}", parts.len());
        return Err(Problem::new(text, range));
    }
    let part = |part: &str| {
        let (bytes, times) = part.split_once(':').ok_or_else(|| {
            let syntax = "SIZE:WEIGHT, as 64:7,594:4";
            Problem::not(part, "a part of a mix", syntax)
        })?;
        Ok((size(bytes)?, weight(times)?))
    };
    Ok(Size::Mix(
        parts.into_iter().map(part).collect::<Result<_, _>>()?,
    ))
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Fixed(size) => write!(f, "{size}"),
            Size::Range(range) => write!(f, "{}-{}", range.start(), range.end()),
            Size::Mix(mix) => {
                for (place, (size, weight)) in mix.iter().enumerate() {
                    let comma = if place > 0 { "," } else { "" };
                    write!(f, "{comma}{size}:{weight}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
#[expect(missing_docs, reason = "strategies of other tests")]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any size of frames that hold at least `least` bytes.
    pub fn any_size(least: u16) -> impl Strategy<Value = Size> {
        let size = least..=MOST;
        prop_oneof![
            size.clone().prop_map(Size::Fixed),
            (size.clone(), size.clone()).prop_map(|(a, b)| Size::Range(a.min(b)..=a.max(b))),
            prop::collection::vec((size, 1u16..=1_000), 1..=MIXED).prop_map(Size::Mix),
        ]
    }

    #[test]
    fn what_can_be_typed() {
        for (text, least, written) in [
            ("64", 64, "64"),
            ("64 - 1518", 64, "64-1518"),
            ("IMIX", 64, "64:7,594:4,1518:1"),
            ("imix", 146, "146:7,594:4,1518:1"),
            ("7:4:1", 84, "84:7,594:4,1518:1"),
            ("1:2:3", 64, "64:1,594:2,1518:3"),
            ("64:7,594:4", 64, "64:7,594:4"),
            ("100:1", 64, "100:1"),
            ("100:2, 200:1, 300:1", 64, "100:2,200:1,300:1"),
        ] {
            let size = Size::parse(text, least).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(size.to_string(), written);
        }
    }

    #[test]
    fn what_cannot() {
        for (text, least, expected) in [
            ("", 64, "\"\" is not a size; 64, 64-1518, imix"),
            ("small", 64, "\"small\" is not a size; "),
            ("-1", 64, "-1 is not a size; "),
            ("63", 64, "63; a whole number, 64 to 3524"),
            ("64", 84, "64; a whole number, 84 to 3524"),
            ("3525", 64, "3525; a whole number, 64 to 3524"),
            ("65536", 64, "65536; a whole number, 64 to 3524"),
            ("100-64", 64, "100-64; the smaller size comes first"),
            ("64-", 64, "\"\"; a whole number, 64 to 3524"),
            ("64:7,594:4", 84, "64; a whole number, 84 to 3524"),
            ("64:0", 64, "0; a whole number, 1 to 1000"),
            ("0:4:1", 64, "0; a whole number, 1 to 1000"),
            ("64:1001,100:1", 64, "1001; a whole number, 1 to 1000"),
            ("64:1,100", 64, "100 is not a part of a mix; SIZE:WEIGHT"),
            ("7:4:1:1", 64, "7; a whole number, 64 to 3524"),
        ] {
            let problem = Size::parse(text, least).unwrap_err().to_string();
            assert!(problem.starts_with(expected), "{text}: {problem}");
        }
        let many = vec!["64:1"; 33].join(",");
        let problem = Size::parse(&many, 64).unwrap_err().to_string();
        assert!(
            problem.ends_with("...; at most 32 sizes in a mix, not 33"),
            "{problem}"
        );
    }

    #[test]
    fn means() {
        for (text, mean) in [("64", 64.0), ("64-1518", 791.0), ("100:1,200:3", 175.0)] {
            assert_eq!(Size::parse(text, 64).unwrap().mean(), mean);
        }
        let imix = Size::parse("imix", 64).unwrap().mean();
        assert!((imix - 361.833).abs() < 0.001, "{imix}");
    }

    proptest! {
        #[test]
        fn text_reads_back(size in any_size(64)) {
            prop_assert_eq!(Size::parse(&size.to_string(), 64), Ok(size));
        }

        #[test]
        fn the_mean_is_between_the_ends(size in any_size(64)) {
            prop_assert!((64.0..=f64::from(MOST)).contains(&size.mean()));
        }

        #[test]
        fn no_text_is_too_strange(text: String, near in "[0-9:,-]{0,60}", least in 64u16..=146) {
            for text in [text, near] {
                if let Ok(size) = Size::parse(&text, least) {
                    prop_assert_eq!(Size::parse(&size.to_string(), least), Ok(size));
                }
            }
        }
    }
}
