//! Where our own daemons are: beside the running executable, or one directory up when that is a test.
//!
//! cargo puts binaries into `target/<profile>/` and tests into `target/<profile>/deps/`, so daemons of the same profile are
//! found without asking cargo.

use std::path::PathBuf;

use super::error::{LabError, Result};

/// The path of a workspace binary of the profile that runs now.
pub fn binary(name: &'static str) -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(LabError::io("find the running executable"))?;
    let mut directory = own.parent().map(PathBuf::from).unwrap_or_default();
    if directory.ends_with("deps") {
        directory.pop();
    }
    let path = directory.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(LabError::NotBuilt {
        name,
        release: directory.ends_with("release"),
        directory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_that_is_not_there_says_how_to_build_it() {
        let message = binary("tweed-nonesuch").unwrap_err().to_string();
        assert!(message.contains("cargo build --workspace"), "{message}");
        assert!(message.contains("tweed-nonesuch"), "{message}");
    }
}
