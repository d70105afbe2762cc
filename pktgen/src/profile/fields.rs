//! Small values: Ethernet addresses, patterns, and words from a list.

use std::fmt;
use std::str::FromStr;

use super::number::whole;
use super::problem::Problem;
use super::{Order, Payload};

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether it names a group: broadcast or multicast (IEEE 802, the first bit on the wire).
    pub fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl FromStr for Mac {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let problem = || {
            let syntax = "six bytes in hexadecimal, as 02:00:00:00:00:0b";
            Problem::not(text, "an Ethernet address", syntax)
        };
        let mut bytes = [0; 6];
        let mut parts = text.trim().split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().ok_or_else(problem)?;
            // from_str_radix takes a sign.
            if part.len() > 2 || !part.chars().all(|c| c.is_ascii_hexdigit()) {
                return Err(problem());
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| problem())?;
        }
        match parts.next() {
            None => Ok(Mac(bytes)),
            Some(_) => Err(problem()),
        }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The value that a word stands for; case does not matter.
///
/// # Errors
/// A word that is not in the list.
pub fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Problem> {
    let typed = text.trim();
    let found = words
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(typed));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Problem::new(text, format!("one of {}", known.join(", ")))
    })
}

impl FromStr for Order {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        word(
            text,
            &[
                ("round-robin", Order::RoundRobin),
                ("random", Order::Random),
            ],
        )
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Order::RoundRobin => "round-robin",
            Order::Random => "random",
        })
    }
}

impl FromStr for Payload {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.trim().starts_with("0x") {
            return Ok(Payload::Byte(whole(text, 0..=0xff)?));
        }
        let words = [
            ("zeros", Payload::Zeros),
            ("increment", Payload::Increment),
            ("random", Payload::Random),
        ];
        word(text, &words).map_err(|_| {
            let known = "one of zeros, increment, random, or a byte, 0x00 to 0xff";
            Problem::new(text, known)
        })
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payload::Zeros => f.write_str("zeros"),
            Payload::Increment => f.write_str("increment"),
            Payload::Byte(byte) => write!(f, "{byte:#04x}"),
            Payload::Random => f.write_str("random"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ethernet_addresses() {
        let mac = Mac([2, 0, 0xab, 0, 0, 0x0b]);
        for text in ["02:00:ab:00:00:0b", "2-0-AB-0-0-b", " 02:00:ab:00:00:0b "] {
            assert_eq!(text.parse(), Ok(mac), "{text}");
        }
        assert!(!mac.is_group() && Mac([0xff; 6]).is_group() && Mac([1, 0, 0, 0, 0, 0]).is_group());
        for text in [
            "",
            "02:00:00:00:00",
            "02:00:00:00:00:00:00",
            "02:00:00:00:00:100",
            "+2:00:00:00:00:00",
        ] {
            let problem = text.parse::<Mac>().unwrap_err().to_string();
            assert!(problem.contains("six bytes in hexadecimal"), "{problem}");
        }
    }

    #[test]
    fn patterns_and_orders() {
        assert_eq!("Zeros".parse(), Ok(Payload::Zeros));
        assert_eq!("0xa5".parse(), Ok(Payload::Byte(0xa5)));
        assert!(
            "0x1ff"
                .parse::<Payload>()
                .unwrap_err()
                .to_string()
                .contains("0 to 255")
        );
        assert!(
            "ones"
                .parse::<Payload>()
                .unwrap_err()
                .to_string()
                .contains("0x00 to 0xff")
        );
        assert_eq!("Round-Robin".parse(), Ok(Order::RoundRobin));
        let problem = "shuffled".parse::<Order>().unwrap_err().to_string();
        assert_eq!(problem, "\"shuffled\"; one of round-robin, random");
    }

    proptest! {
        #[test]
        fn text_reads_back(bytes: [u8; 6], byte: u8) {
            prop_assert_eq!(Mac(bytes).to_string().parse(), Ok(Mac(bytes)));
            for payload in [Payload::Byte(byte), Payload::Zeros, Payload::Increment, Payload::Random] {
                prop_assert_eq!(payload.to_string().parse(), Ok(payload));
            }
        }

        #[test]
        fn no_text_is_too_strange(text: String, near in "[0-9a-fxX:+-]{0,20}") {
            for text in [text, near] {
                let _ = text.parse::<Mac>();
                let _ = text.parse::<Payload>();
            }
        }
    }
}
