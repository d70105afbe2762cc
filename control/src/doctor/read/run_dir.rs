//! `node.run_dir`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use contract::config::Config;
use contract::stats::{StatsError, StatsReader};
use contract::tables::{SegmentError, TablesReader};

use super::super::facts::{Owned, RunDir};

/// linux: include/uapi/linux/magic.h
const TMPFS: i64 = 0x0102_1994;
const RAMFS: i64 = 0x8584_58f6;

pub fn read(config: &Config) -> RunDir {
    let directory = owned(&config.run_dir);
    let is_tmpfs = rustix::fs::statfs(&config.run_dir)
        .is_ok_and(|found| [TMPFS, RAMFS].contains(&found.f_type));
    let names = ["tables", "tables.lock", "stats", crate::status::FILE];
    let files = names
        .iter()
        .filter_map(|name| owned(&config.run_dir.join(name)));
    let mut unreadable = Vec::new();
    match TablesReader::open(&config.tables_path()) {
        Ok(_) | Err(SegmentError::Open { .. }) => {}
        Err(error) => unreadable.push(error.to_string()),
    }
    match StatsReader::open(&config.stats_path()) {
        Ok(_) | Err(StatsError::Open { .. }) => {}
        Err(error) => unreadable.push(error.to_string()),
    }
    RunDir {
        is_tmpfs,
        files: files.collect(),
        unreadable,
        uid: rustix::process::geteuid().as_raw(),
        directory,
    }
}

fn owned(path: &Path) -> Option<Owned> {
    let meta = std::fs::metadata(path).ok()?;
    Some(Owned {
        path: path.to_owned(),
        uid: meta.uid(),
        mode: meta.mode() & 0o7777,
    })
}
