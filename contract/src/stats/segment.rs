//! The mapping of a stats file, shared by writer and readers.
//!
//! # Safety
//! A mapping is viewed as `&Segment`, whose every field is an atomic word: concurrent stores by another process are
//! ordinary atomic accesses, and no bit pattern is invalid. What has to hold is that the bytes exist, so the file's size is
//! checked before it is mapped. Whoever may truncate the file (its owner, root) can still end its readers with SIGBUS.
#![expect(unsafe_code, reason = "views a mapped file as the segment's atomics")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use memmap2::{MmapOptions, MmapRaw};
use thiserror::Error;

use super::layout::{ABI, MAGIC, Segment};

/// Why a stats segment cannot be used.
#[derive(Debug, Error)]
pub enum StatsError {
    /// The file cannot be opened or mapped.
    #[error(
        "cannot open the stats segment {path}: {source}; is tweed-dataplane running, and does run_dir name its directory?"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file cannot be made.
    #[error(
        "cannot create the stats segment {path}: {source}; run_dir must be a directory on a tmpfs that we may write and that \
         has 2.5 MiB for each worker"
    )]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An engine has it.
    #[error(
        "another tweed-dataplane writes the stats segment {path}; stop it, or give this one its own run_dir"
    )]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else, or another version's.
    #[error(
        "{path} is not a stats segment of ABI {ABI} ({found}); run the same version of tweed-dataplane and of its readers"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
}

pub(super) struct Mapping(MmapRaw);

impl Mapping {
    /// Maps a file that has the segment's size.
    pub fn new(file: &File, writable: bool) -> std::io::Result<Mapping> {
        let map = if writable {
            MmapRaw::map_raw(file)?
        } else {
            MmapOptions::new().map_raw_read_only(file)?
        };
        if map.len() != size_of::<Segment>() {
            return Err(std::io::Error::other(format!(
                "has {} bytes, not {}",
                map.len(),
                size_of::<Segment>()
            )));
        }
        Ok(Mapping(map))
    }

    pub fn segment(&self) -> &Segment {
        // SAFETY: the mapping is page-aligned (as the type asks), exactly as long as the type (checked in `new`), lives as
        // long as `self`, and consists of atomics only.
        unsafe { &*self.0.as_ptr().cast::<Segment>() }
    }

    /// Refuses a file that is not ours.
    pub fn check(&self, path: &Path) -> Result<(), StatsError> {
        let header = &self.segment().header;
        let (magic, abi) = (
            header.magic.load(Ordering::Acquire),
            header.abi.load(Ordering::Relaxed),
        );
        let found = match (magic, abi) {
            (MAGIC, ABI) => return Ok(()),
            (MAGIC, abi) => format!("ABI {abi}"),
            (magic, _) => format!("magic {magic:#018x}"),
        };
        Err(StatsError::Foreign {
            path: path.into(),
            found,
        })
    }
}
