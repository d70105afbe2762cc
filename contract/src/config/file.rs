//! The file: named, or at its usual place, where alone it may be missing.

use std::io;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// Where `node.toml` is if nobody names another place.
pub const USUAL: &str = "/etc/tweed/node.toml";

/// The path and the text of the file that was named, or of the one at its usual place. `None`: nobody named one and there is
/// none, so that defaults hold.
pub fn read(named: Option<&Path>) -> Result<Option<(PathBuf, String)>, ConfigError> {
    find(named, Path::new(USUAL))
}

fn find(named: Option<&Path>, usual: &Path) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let path = named.unwrap_or(usual);
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => Ok(None),
        Err(source) => Err(ConfigError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_file_may_be_missing_and_a_named_one_may_not() {
        let dir = tempfile::tempdir().unwrap();
        let (usual, named) = (dir.path().join("usual"), dir.path().join("named"));
        assert!(find(None, &usual).unwrap().is_none());
        let error = find(Some(&named), &usual).unwrap_err().to_string();
        assert!(error.contains("named"), "{error}");
        // Named, it must be there, though it is the usual one.
        assert!(find(Some(&usual), &usual).is_err());
        std::fs::write(&usual, "[node]\n").unwrap();
        assert!(find(Some(&named), &usual).is_err());
        let found = find(None, &usual).unwrap().unwrap();
        assert_eq!(found, (usual.clone(), "[node]\n".to_owned()));
        // There, but not to be read: no reason to run on defaults.
        assert!(find(None, dir.path()).is_err());
    }
}
