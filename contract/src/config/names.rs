//! A key that takes one string or a list of them; an empty string is no string.

use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

/// The strings, none of them empty.
pub(super) struct Names(pub(super) Vec<String>);

impl From<&str> for Names {
    fn from(one: &str) -> Self {
        [one].into_iter().map(str::to_owned).collect()
    }
}

impl FromIterator<String> for Names {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Names(names.into_iter().filter(|name| !name.is_empty()).collect())
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

impl Serialize for Names {
    /// As it is typed most shortly.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [] => serializer.serialize_str(""),
            [one] => serializer.serialize_str(one),
            several => {
                let mut list = serializer.serialize_seq(Some(several.len()))?;
                for name in several {
                    list.serialize_element(name)?;
                }
                list.end()
            }
        }
    }
}

/// serde's untagged enums would say "did not match any variant".
struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E>(self, one: &str) -> Result<Names, E> {
        Ok(one.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
        let strings = std::iter::from_fn(|| list.next_element::<String>().transpose());
        strings.collect::<Result<Names, _>>()
    }
}
