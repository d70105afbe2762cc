//! What the runtime is told when something cannot be done: the specification's error object and its codes.

use serde_json::json;
use thiserror::Error;

use crate::version::SpecVersion;

/// The specification's error codes (its section 5, "Error"); those from 100 are the plugin's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Code {
    /// The configuration's version is not spoken, or does not have this verb.
    IncompatibleVersion = 1,
    /// A key that may not be there; the message has the key and its value.
    UnsupportedField = 2,
    /// A container that was never added, or is gone: nothing needs cleaning up.
    UnknownContainer = 3,
    /// The environment lacks a variable or has a bad one; the message names it.
    InvalidEnvironment = 4,
    /// Reading or writing failed.
    Io = 5,
    /// Not JSON, or not a value of its kind.
    Decode = 6,
    /// Well-formed, and wrong.
    InvalidConfig = 7,
    /// Will be better soon: the node has no subnet yet.
    TryAgain = 11,
    /// The plugin cannot work: its delegate is not installed, or (STATUS) the node has no subnet.
    Unavailable = 50,
    /// The delegate failed and did not say why in the specification's form.
    DelegateFailed = 100,
}

/// An error of our own.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{msg}: {details}")]
pub struct CniError {
    /// What kind.
    pub code: Code,
    /// What is wrong and what to do, in one line.
    pub msg: String,
    /// What the system or the parser said; may be empty.
    pub details: String,
}

impl CniError {
    /// An error whose message says all.
    pub fn new(code: Code, msg: impl Into<String>) -> Self {
        CniError {
            code,
            msg: msg.into(),
            details: String::new(),
        }
    }

    /// Adds what the system or the parser said.
    pub fn because(mut self, details: impl ToString) -> Self {
        self.details = details.to_string();
        self
    }

    /// The error object, in the version that the runtime speaks.
    pub fn to_json(&self, version: SpecVersion) -> Vec<u8> {
        let object = json!({
            "cniVersion": version.as_str(),
            "code": self.code as u32,
            "msg": self.msg,
            "details": self.details,
        });
        format!("{object}\n").into_bytes()
    }
}

/// How a command fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// With an error of our own.
    Own(CniError),
    /// With the delegate's, handed on byte by byte.
    Delegate {
        /// Its error object as it printed it.
        stdout: Vec<u8>,
        /// Its exit code, not 0.
        exit_code: u8,
    },
}

impl From<CniError> for Failure {
    fn from(error: CniError) -> Self {
        Failure::Own(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Own(error) => error.fmt(f),
            Failure::Delegate { stdout, .. } => {
                f.write_str(String::from_utf8_lossy(stdout).trim_end())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_row_in_the_documentation() {
        use Code::*;
        let page = include_str!("../../docs/cni.md");
        for code in [
            IncompatibleVersion,
            UnsupportedField,
            UnknownContainer,
            InvalidEnvironment,
            Io,
            Decode,
            InvalidConfig,
            TryAgain,
            Unavailable,
            DelegateFailed,
        ] {
            let row = format!("\n| {} | ", code as u32);
            assert!(page.contains(&row), "{code:?}");
        }
    }

    #[test]
    fn the_object_is_the_specifications() {
        let error = CniError::new(Code::TryAgain, "not yet").because("no file");
        let text = String::from_utf8(error.to_json(SpecVersion::V0_4_0)).unwrap();
        assert_eq!(
            text,
            "{\"cniVersion\":\"0.4.0\",\"code\":11,\"details\":\"no file\",\"msg\":\"not yet\"}\n"
        );
    }
}
