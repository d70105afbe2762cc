//! Replacing a small file so that a reader, and a machine that loses power, sees the old one or the new one.
//!
//! Written beside the target, synced, renamed over it, directory synced (rename(2) is atomic; without the two syncs a
//! file system may keep the rename and lose the bytes).

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file could not be replaced; the old one, if any, is as it was.
#[derive(Debug, Error)]
#[error("cannot write {path}: {source}; the directory must be writable for tweed-control")]
pub struct ReplaceError {
    path: PathBuf,
    source: io::Error,
}

/// Makes `path` hold `contents` with permission bits `mode`; creates the directory if need be.
pub fn replace(path: &Path, contents: &[u8], mode: u32) -> Result<(), ReplaceError> {
    write(path, contents, mode).map_err(|source| ReplaceError {
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(directory)?;
    let mut name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?
        .to_owned();
    // The pid keeps two daemons on one directory from writing into each other's copy.
    name.push(format!(".new-{}", std::process::id()));
    let beside = directory.join(name);
    let result = write_beside(&beside, contents, mode).and_then(|()| fs::rename(&beside, path));
    if result.is_err() {
        let _ = fs::remove_file(&beside);
        return result;
    }
    File::open(directory)?.sync_all()
}

fn write_beside(beside: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(beside)?;
    // open(2) masked the mode with the umask.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(contents)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_mode_and_directory_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        replace(&path, b"one", 0o644).unwrap();
        replace(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o600
        );
        let names = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(names, 1, "something was left beside the file");
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        // A directory cannot be replaced by a file, whoever asks.
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        let message = replace(&path, b"x", 0o644).unwrap_err().to_string();
        assert!(
            message.contains("taken") && message.contains("writable"),
            "{message}"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
