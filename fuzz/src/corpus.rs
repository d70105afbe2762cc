//! The committed corpus of a target, run as an ordinary test.

use std::path::Path;

/// Gives each file of `fuzz/corpus/<target>` to `check`. The one that fails is named.
pub fn replay(target: &str, check: impl Fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", directory.display());
    for file in files {
        // Shown by the test harness when the check fails.
        println!("{}", file.display());
        check(&std::fs::read(&file).expect("a readable file"));
    }
}
