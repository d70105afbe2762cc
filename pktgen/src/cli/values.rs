//! Values of flags that are no part of a profile. Each is read by a function that clap calls: its errors name the flag
//! and the value, these add the range.

use super::arguments::Loops;
use crate::io::Interface;
use crate::profile::Problem;
use crate::profile::duration::{self, LONGEST};
use crate::profile::number::{decimal, split, whole};
use crate::run::plan::Timing;

/// Longest name of an interface: IFNAMSIZ less the terminating zero.
const NAME: usize = 15;

/// Shortest trial: below, the first and last packets are most of it.
const TRIAL: u64 = 10_000_000;

/// `IFACE` or `IFACE@NETNS`.
pub fn interface(text: &str) -> Result<Interface, Problem> {
    let (name, space) = match text.split_once('@') {
        Some((name, space)) => (name, Some(netns(space)?)),
        None => (text, None),
    };
    let fits = (1..=NAME).contains(&name.len()) && name != "." && name != "..";
    if !fits || name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
    {
        let range =
            format!("1 to {NAME} bytes, as `ip link` shows them, and @NETNS if it is elsewhere");
        return Err(Problem::not(text, "an interface", range));
    }
    Ok(Interface {
        name: name.into(),
        netns: space,
    })
}

/// A name under /run/netns.
pub fn netns(text: &str) -> Result<String, Problem> {
    if matches!(text, "" | "." | "..") || text.contains(|c: char| c == '/' || c.is_control()) {
        let range = "a name that `ip netns list` shows, no path";
        return Err(Problem::not(text, "a network namespace", range));
    }
    Ok(text.into())
}

/// A duration, nanoseconds; not zero.
pub fn above_zero(text: &str) -> Result<u64, Problem> {
    duration::parse(text, 1..=LONGEST)
}

/// A duration, nanoseconds; zero is fine.
pub fn up_to(text: &str) -> Result<u64, Problem> {
    duration::parse(text, 0..=LONGEST)
}

/// A duration long enough for a trial, nanoseconds.
pub fn trial(text: &str) -> Result<u64, Problem> {
    duration::parse(text, TRIAL..=LONGEST)
}

/// A percentage, as a fraction of 1. Only nothing needs no sign: whether 0.1 is meant as 10 % is anyone's guess.
pub fn fraction(text: &str) -> Result<f64, Problem> {
    let (number, unit) = split(text);
    let value = decimal(number, -2).filter(|value| unit == "%" || unit.is_empty() && *value == 0.0);
    let range = "0% to 100%, with the % sign: 0.001%";
    match value {
        None => Err(Problem::not(text, "a percentage", range)),
        Some(value) if value > 1.0 => Err(Problem::new(text, range)),
        Some(value) => Ok(value),
    }
}

/// How close a search ends, as a fraction of 1. Closer than one in ten thousand, no trial can tell.
pub fn resolution(text: &str) -> Result<f64, Problem> {
    let value = fraction(text)?;
    if !(0.000_1..=0.5).contains(&value) {
        return Err(Problem::new(text, "0.01% to 50%"));
    }
    Ok(value)
}

/// A run's number.
pub fn run_number(text: &str) -> Result<u16, Problem> {
    whole(text, 0..=65_535)
}

/// `captured`, or a factor: `10x`.
pub fn timing(text: &str) -> Result<Timing, Problem> {
    let syntax = "captured, or a factor from 0.001x to 1000000x: 10x, 0.5x";
    let (number, unit) = split(text);
    match (number, unit.as_str()) {
        ("", "captured") => Ok(Timing::Captured(1.0)),
        (number, "x") => decimal(number, 0)
            .filter(|factor| (0.001..=1e6).contains(factor))
            .map(Timing::Captured)
            .ok_or_else(|| Problem::new(text, syntax)),
        _ => Err(Problem::not(text, "a timing", syntax)),
    }
}

/// A number, or `forever`.
pub fn loops(text: &str) -> Result<Loops, Problem> {
    if text.eq_ignore_ascii_case("forever") {
        return Ok(Loops(None));
    }
    let number = whole(text, 1..=u32::MAX.into());
    number
        .map(|number| Loops(Some(number)))
        .map_err(|_| Problem::new(text, format!("1 to {}, or forever", u32::MAX)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn interfaces_have_names() {
        let at = |name: &str, netns: Option<&str>| Interface {
            name: name.into(),
            netns: netns.map(Into::into),
        };
        assert_eq!(interface("eth0"), Ok(at("eth0", None)));
        assert_eq!(interface("eth0@pod-1"), Ok(at("eth0", Some("pod-1"))));
        for text in [
            "",
            "@pod",
            "eth0@",
            "eth0@../x",
            "a/b",
            "sixteen-letters-",
            "..",
            "eth 0",
            "eth0@..",
        ] {
            assert!(interface(text).is_err(), "{text}");
        }
    }

    #[test]
    fn percentages_need_their_sign() {
        for (text, value) in [
            ("0.001%", 0.000_01),
            ("0", 0.0),
            ("100 %", 1.0),
            ("0%", 0.0),
        ] {
            assert_eq!(fraction(text), Ok(value), "{text}");
        }
        for text in ["0.1", "101%", "-1%", "%", "", "1%%"] {
            let problem = fraction(text).unwrap_err().to_string();
            assert!(
                problem.ends_with("0% to 100%, with the % sign: 0.001%"),
                "{problem}"
            );
        }
        assert_eq!(resolution("0.5%"), Ok(0.005));
        assert_eq!(
            resolution("0%").unwrap_err().to_string(),
            "0%; 0.01% to 50%"
        );
    }

    #[test]
    fn timings_and_loops() {
        assert_eq!(timing("Captured"), Ok(Timing::Captured(1.0)));
        assert_eq!(timing("0.5x"), Ok(Timing::Captured(0.5)));
        for text in ["0x", "x", "2", "fast", "9999999999x"] {
            assert!(
                timing(text)
                    .unwrap_err()
                    .to_string()
                    .contains("0.001x to 1000000x")
            );
        }
        assert_eq!(loops("forever"), Ok(Loops(None)));
        assert_eq!(loops("3"), Ok(Loops(Some(3))));
        assert_eq!(
            loops("0").unwrap_err().to_string(),
            "0; 1 to 4294967295, or forever"
        );
        assert_eq!(trial("5ms").unwrap_err().to_string(), "5ms; 10ms to 720h");
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text: String) {
            let _ = (interface(&text), netns(&text), above_zero(&text), fraction(&text), resolution(&text));
            let _ = (run_number(&text), timing(&text), loops(&text));
        }
    }
}
