//! Versions of the CNI specification.

use std::fmt;

/// A version that this plugin speaks, oldest first.
///
/// 0.1 and 0.2 have another result type and are refused. Results are the delegate's, so a version costs nothing here but its
/// verbs: CHECK came with 0.4.0, GC and STATUS with 1.1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpecVersion {
    /// Results with interfaces, chains of plugins.
    V0_3_0,
    /// 0.3.0 with its typing errors corrected.
    V0_3_1,
    /// CHECK, and `prevResult` on DEL.
    V0_4_0,
    /// Lists only.
    V1_0_0,
    /// GC and STATUS.
    V1_1_0,
}

impl SpecVersion {
    /// All of them.
    pub const ALL: [SpecVersion; 5] = [
        SpecVersion::V0_3_0,
        SpecVersion::V0_3_1,
        SpecVersion::V0_4_0,
        SpecVersion::V1_0_0,
        SpecVersion::V1_1_0,
    ];

    /// The newest, in which errors are told while the runtime's own is unknown.
    pub const NEWEST: SpecVersion = SpecVersion::V1_1_0;

    /// As it is written in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            SpecVersion::V0_3_0 => "0.3.0",
            SpecVersion::V0_3_1 => "0.3.1",
            SpecVersion::V0_4_0 => "0.4.0",
            SpecVersion::V1_0_0 => "1.0.0",
            SpecVersion::V1_1_0 => "1.1.0",
        }
    }

    /// The version written so, if it is spoken.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == text)
    }
}

impl fmt::Display for SpecVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_versions_that_are_spoken() {
        for version in SpecVersion::ALL {
            assert_eq!(SpecVersion::parse(version.as_str()), Some(version));
        }
        for text in ["", "0.1.0", "0.2.0", "1.0", "1.1.0 ", "1.2.0", "v1.0.0"] {
            assert_eq!(SpecVersion::parse(text), None, "{text:?}");
        }
        assert!(SpecVersion::ALL.is_sorted());
    }
}
