//! Ranges of addresses and ports as they are typed: one, `A-B`, or (addresses) a CIDR block, all of it, first and last
//! included.
//!
//! Invariant: first <= last; both of one family; IPv6 ranges differ in the low 32 bits only, which is what flows vary.

use std::fmt::{Display, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::number::whole;
use super::problem::Problem;

/// Addresses of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// IPv4.
    V4(RangeInclusive<Ipv4Addr>),
    /// IPv6.
    V6(RangeInclusive<Ipv6Addr>),
}

const SYNTAX: &str =
    "one address, A-B, or a CIDR block: 10.0.0.2, 10.0.0.2-10.0.0.9, 10.0.0.0/24, fd00::1";

/// Reads a range of addresses.
///
/// # Errors
/// No addresses, of two families, in the wrong order, an IPv6 range beyond the low 32 bits, a block with bits behind
/// its length.
pub fn addresses(text: &str) -> Result<Addresses, Problem> {
    let address = |part: &str| -> Result<IpAddr, Problem> {
        let parsed = part.trim().parse();
        parsed.map_err(|_| Problem::not(text, "a range of addresses", SYNTAX))
    };
    let (first, last) = if text.contains('/') {
        let block: IpNet = (text.trim().parse())
            .map_err(|_| Problem::not(text, "a range of addresses", SYNTAX))?;
        if block.addr() != block.network() {
            let (of, len) = (block.network(), block.prefix_len());
            let range = format!("bits behind the first {len} are zero in a block: {of}/{len}");
            return Err(Problem::new(text, range));
        }
        (block.network(), block.broadcast())
    } else if let Some((first, last)) = text.split_once('-') {
        (address(first)?, address(last)?)
    } else {
        let one = address(text)?;
        (one, one)
    };
    if first > last && first.is_ipv4() == last.is_ipv4() {
        return Err(Problem::new(text, "the lower address comes first"));
    }
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Ok(Addresses::V4(first..=last)),
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            if first.to_bits() >> 32 != last.to_bits() >> 32 {
                let range =
                    "an IPv6 range has the upper 96 bits in common, a block is a /96 or smaller";
                return Err(Problem::new(text, range));
            }
            Ok(Addresses::V6(first..=last))
        }
        _ => Err(Problem::new(text, "both ends are IPv4, or both are IPv6")),
    }
}

/// Reads a range of ports or identifiers.
///
/// # Errors
/// No numbers of 16 bits, or in the wrong order.
pub fn numbers(text: &str) -> Result<RangeInclusive<u16>, Problem> {
    let number = |part: &str| whole::<u16>(part, 0..=65_535);
    let Some((first, last)) = text.split_once('-') else {
        let one = number(text)?;
        return Ok(one..=one);
    };
    let range = number(first)?..=number(last)?;
    if range.is_empty() {
        return Err(Problem::new(text, "the lower number comes first"));
    }
    Ok(range)
}

/// The text of a range: one value, or `A-B`.
pub fn write<T: Display + PartialEq>(range: &RangeInclusive<T>) -> String {
    let mut text = range.start().to_string();
    if range.start() != range.end() {
        // Writing into a String cannot fail.
        let _ = write!(text, "-{}", range.end());
    }
    text
}

#[cfg(test)]
#[expect(missing_docs, reason = "strategies of other tests")]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any range of IPv4 addresses.
    pub fn any_v4() -> impl Strategy<Value = RangeInclusive<Ipv4Addr>> {
        let span = prop_oneof![Just(0u32), 0u32..300, any::<u32>()];
        (any::<u32>(), span).prop_map(|(first, more)| {
            let last = first.saturating_add(more);
            Ipv4Addr::from_bits(first)..=Ipv4Addr::from_bits(last)
        })
    }

    /// Any range of IPv6 addresses.
    pub fn any_v6() -> impl Strategy<Value = RangeInclusive<Ipv6Addr>> {
        (any::<u128>(), any_v4()).prop_map(|(upper, low)| {
            let at =
                |low: &Ipv4Addr| Ipv6Addr::from_bits(upper >> 32 << 32 | u128::from(low.to_bits()));
            at(low.start())..=at(low.end())
        })
    }

    #[test]
    fn what_can_be_typed() {
        for (text, written) in [
            ("10.0.0.2", "10.0.0.2"),
            (" 10.0.0.2 - 10.0.1.9 ", "10.0.0.2-10.0.1.9"),
            ("10.0.0.0/30", "10.0.0.0-10.0.0.3"),
            ("0.0.0.0/0", "0.0.0.0-255.255.255.255"),
            ("10.0.0.7/32", "10.0.0.7"),
            ("fd00::1-fd00::4", "fd00::1-fd00::4"),
            ("2001:db8::/96", "2001:db8::-2001:db8::ffff:ffff"),
            ("::1", "::1"),
        ] {
            let got = match addresses(text).unwrap_or_else(|e| panic!("{e}")) {
                Addresses::V4(range) => write(&range),
                Addresses::V6(range) => write(&range),
            };
            assert_eq!(got, written);
        }
        assert_eq!(numbers("80"), Ok(80..=80));
        assert_eq!(numbers("1024 - 65535"), Ok(1024..=65_535));
    }

    #[test]
    fn what_cannot() {
        for (text, expected) in [
            ("", "\"\" is not a range of addresses; one address, A-B"),
            ("example.org", "\"example.org\" is not a range of addresses"),
            ("10.0.0", "10.0.0 is not a range of addresses"),
            ("10.0.0.0/33", "10.0.0.0/33 is not a range of addresses"),
            ("10.0.0.1-", "10.0.0.1- is not a range of addresses"),
            (
                "10.0.0.5/24",
                "10.0.0.5/24; bits behind the first 24 are zero in a block: 10.0.0.0/24",
            ),
            (
                "10.0.0.2-10.0.0.1",
                "10.0.0.2-10.0.0.1; the lower address comes first",
            ),
            ("10.0.0.2-fd00::1", "10.0.0.2-fd00::1; both ends are IPv4"),
            (
                "fd00::1-10.0.0.2",
                "\"fd00::1-10.0.0.2\"; both ends are IPv4",
            ),
            (
                "fd00::/64",
                "\"fd00::/64\"; an IPv6 range has the upper 96 bits in common",
            ),
            ("fd00::1-fd01::1", "\"fd00::1-fd01::1\"; an IPv6 range has"),
        ] {
            let problem = addresses(text).unwrap_err().to_string();
            assert!(problem.starts_with(expected), "{text}: {problem}");
        }
        for (text, expected) in [
            ("65536", "65536; a whole number, 0 to 65535"),
            ("9-8", "9-8; the lower number comes first"),
            ("1-2-3", "2-3; a whole number, 0 to 65535"),
            ("http", "\"http\"; a whole number, 0 to 65535"),
        ] {
            assert_eq!(numbers(text).unwrap_err().to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn text_reads_back(v4 in any_v4(), v6 in any_v6(), a: u16, b: u16) {
            prop_assert_eq!(addresses(&write(&v4)), Ok(Addresses::V4(v4)));
            prop_assert_eq!(addresses(&write(&v6)), Ok(Addresses::V6(v6)));
            let ports = a.min(b)..=a.max(b);
            prop_assert_eq!(numbers(&write(&ports)), Ok(ports));
        }

        #[test]
        fn no_text_is_too_strange(text: String, near in "[0-9a-f.:/-]{0,60}") {
            for text in [text, near] {
                let _ = addresses(&text);
                let _ = numbers(&text);
            }
        }
    }
}
