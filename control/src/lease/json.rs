//! JSON objects read as Go's `encoding/json` reads them into a struct, for that is what decides whether a flannel
//! cluster works: names match without regard to case, unknown names are ignored, `null` leaves a field as it was.
//!
//! One difference: of two spellings of one name in one object the last in alphabetical order wins, not the last written.

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// What keeps a JSON text from being the object we expect.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each variant's message says it, its fields are the message's"
)]
pub enum JsonError {
    #[error("is not a JSON object: {0}")]
    Syntax(String),
    #[error("{field} is {found}; it must be {expected}")]
    Field {
        field: &'static str,
        found: String,
        expected: &'static str,
    },
}

/// An object whose fields are found the way Go finds them.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Object(pub(super) Map<String, Value>);

impl Object {
    /// Parses a whole text. Like Go, takes `null` for an object without fields.
    pub(super) fn parse(text: &[u8]) -> Result<Self, JsonError> {
        let object: Option<Self> =
            serde_json::from_slice(text).map_err(|e| JsonError::Syntax(e.to_string()))?;
        Ok(object.unwrap_or(Self(Map::new())))
    }

    /// The field as it stands, `null` included.
    pub(super) fn raw(&self, name: &str) -> Option<&Value> {
        // Exactly as flannel writes it is by far the commonest spelling; 100,000 leases are read through here.
        if let Some(value) = self.0.get(name) {
            return Some(value);
        }
        let matches = |key: &str| key.chars().map(fold).eq(name.chars().map(fold));
        self.0
            .iter()
            .rev()
            .find(|(key, _)| matches(key))
            .map(|(_, v)| v)
    }

    /// The field, unless it is absent or `null`.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.raw(name).filter(|value| !value.is_null())
    }

    /// A field parsed by `read`, which sees anything but absent and `null`.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, JsonError> {
        self.field(name)
            .map(|value| read(value).ok_or_else(|| wrong(name, value, expected)))
            .transpose()
    }

    /// A field parsed by `read` that flannel decodes with a method of its own, which is called for `null` and fails.
    pub(super) fn read_strict<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, JsonError> {
        self.raw(name)
            .map(|value| {
                let parsed = value.as_str().and_then(read);
                parsed.ok_or_else(|| wrong(name, value, expected))
            })
            .transpose()
    }

    /// A boolean; absent: `default`.
    pub(super) fn flag(&self, name: &'static str, default: bool) -> Result<bool, JsonError> {
        let value = self.read(name, "true or false", Value::as_bool)?;
        Ok(value.unwrap_or(default))
    }

    /// A string; absent: empty.
    pub(super) fn text(&self, name: &'static str) -> Result<String, JsonError> {
        let value = self.read(name, "a string", |v| v.as_str().map(str::to_owned))?;
        Ok(value.unwrap_or_default())
    }

    /// An object within; absent: `None`.
    pub(super) fn object(&self, name: &'static str) -> Result<Option<Object>, JsonError> {
        self.read(name, "an object", |v| v.as_object().cloned().map(Object))
    }
}

/// Go folds ASCII case and the two letters beyond ASCII whose simple folding lands in it (`encoding/json/fold.go`).
fn fold(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    }
}

fn wrong(field: &'static str, found: &Value, expected: &'static str) -> JsonError {
    JsonError::Field {
        field,
        found: excerpt(&found.to_string()),
        expected,
    }
}

/// At most 80 characters of what someone else wrote: reasons go to logs and status, and junk may be megabytes.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(80) {
        None => text.to_owned(),
        Some((cut, _)) => format!("{}...", &text[..cut]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn names_match_without_regard_to_case() {
        for text in [
            r#"{"enableipv6":true}"#,
            r#"{"ENABLEIPV6":true}"#,
            r#"{"EnableIPv6":true}"#,
        ] {
            assert_eq!(object(text).flag("EnableIPv6", false), Ok(true), "{text}");
        }
        assert_eq!(object("{\"\u{212a}ey\":true}").flag("key", false), Ok(true));
        assert_eq!(object(r#"{"key2":true}"#).flag("key", false), Ok(false));
    }

    #[test]
    fn null_leaves_the_default_but_not_in_a_strict_field() {
        let object = object(r#"{"a":null}"#);
        assert_eq!(object.flag("a", true), Ok(true));
        assert!(object.read_strict("a", "an address", |_| Some(())).is_err());
        assert_eq!(
            object.read_strict("b", "an address", |_| Some(())),
            Ok(None)
        );
    }

    #[test]
    fn a_wrong_type_names_field_value_and_expectation() {
        let error = object(r#"{"a":"yes"}"#).flag("a", true).unwrap_err();
        assert_eq!(error.to_string(), r#"a is "yes"; it must be true or false"#);
    }

    #[test]
    fn only_one_object_is_an_object() {
        for text in ["", "[]", "1", "{", "{}{}", "\"x\"", "{\"a\":}"] {
            assert!(Object::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(object("null").0.is_empty());
    }

    #[test]
    fn junk_is_quoted_in_part() {
        assert_eq!(excerpt(&"é".repeat(500)).chars().count(), 83);
        assert_eq!(excerpt("short"), "short");
    }
}
