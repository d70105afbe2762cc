//! The file: created, checked, mapped.
//!
//! # Safety
//! A process maps two ranges of the file. The front (header and handover) is viewed as atomics, for anybody may write them
//! at any time. The banks are mapped read-only, and a `&Fib` to one of them exists only while its generation is held under
//! the protocol of `publish`, during which nobody writes to it; the writer itself goes through `pwrite`, never through a
//! mapping, so that a full tmpfs is an error and no SIGBUS. Every bit pattern is a valid `Fib` (zerocopy derives it).
//!
//! The file's length is checked before it is mapped. Out of scope: whoever may write to the file (0600: our own user) and
//! truncates it, or breaks the protocol, can end its readers or show them a bank that changes.
#![expect(unsafe_code, reason = "views a mapped file")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use thiserror::Error;
use zerocopy::IntoBytes;

use super::fib::Fib;
use super::layout::{ABI, Bank, MAGIC};
use super::lock::{is_locked, try_lock};
use super::publish::{Handover, MAX_READERS};

/// Why a tables segment cannot be used.
#[derive(Debug, Error)]
#[allow(
    missing_docs,
    reason = "each variant's message says it, its fields are the message's"
)]
pub enum SegmentError {
    #[error(
        "cannot open the tables {path}: {source}; is tweed-control running, and does run_dir name its directory?"
    )]
    Open { path: PathBuf, source: io::Error },
    #[error(
        "cannot create the tables {path}: {source}; run_dir must be a directory on a tmpfs that we may write"
    )]
    Create { path: PathBuf, source: io::Error },
    #[error(
        "{path} is no tables segment of ABI {ABI} ({found}); run the same version of tweed-control and tweed-dataplane"
    )]
    Foreign { path: PathBuf, found: String },
    #[error(
        "another tweed-control writes the tables {path}; stop it, or give this one its own run_dir"
    )]
    Taken { path: PathBuf },
    #[error(
        "all {MAX_READERS} readers of the tables {path} are taken; start fewer workers or tools"
    )]
    TooManyReaders { path: PathBuf },
    #[error("cannot lock {path}: {source}; run_dir must be on a local file system, best a tmpfs")]
    Lock { path: PathBuf, source: io::Error },
}

/// Before the banks. Sized so that the banks can be mapped where pages have 64 KiB.
#[repr(C, align(4096))]
pub(super) struct Front {
    magic: AtomicU64,
    abi: AtomicU64,
    len: AtomicU64,
    /// The process that writes, for those who look.
    pub writer: AtomicU64,
    pub handover: HandoverPage,
}

/// The handover, on pages of its own: only they are written by readers.
#[repr(C, align(4096))]
pub(super) struct HandoverPage(pub Handover);

const BANKS: usize = 64 << 10;
const LEN: usize = BANKS + 2 * size_of::<Bank>();
const _: () = assert!(size_of::<Front>() <= BANKS);

/// A segment, mapped.
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    front: MmapRaw,
    banks: MmapRaw,
}

impl Segment {
    /// Opens a segment of this ABI.
    pub fn open(path: &Path) -> Result<Segment, SegmentError> {
        let opened = || -> io::Result<Result<Segment, String>> {
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            let len = file.metadata()?.len();
            // A reader touches nothing before this, so a short file is no SIGBUS. One shorter than a page is no segment at all.
            if len < size_of::<Front>() as u64 {
                return Ok(Err(format!("{len} bytes")));
            }
            let front = MmapOptions::new().len(size_of::<Front>()).map_raw(&file)?;
            if let Err(found) = view(&front).check(len) {
                return Ok(Err(found));
            }
            let banks = MmapOptions::new()
                .offset(BANKS as u64)
                .len(2 * size_of::<Bank>())
                .no_reserve_swap()
                .map_raw_read_only(&file)?;
            Ok(Ok(Segment {
                path: path.into(),
                file,
                front,
                banks,
            }))
        };
        opened()
            .map_err(|source| SegmentError::Open {
                path: path.into(),
                source,
            })?
            .map_err(|found| SegmentError::Foreign {
                path: path.into(),
                found,
            })
    }

    /// Makes a segment and puts it under this name, replacing what stood there at once (rename). Its generation is zero and
    /// holds `first`. Only the holder of [`WriterLock`] may.
    pub fn create(path: &Path, first: &[(usize, &[u8])]) -> Result<Segment, SegmentError> {
        let draft = path.with_extension("new");
        let create = || -> io::Result<()> {
            let _ = std::fs::remove_file(&draft);
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)?;
            file.set_len(LEN as u64)?;
            for (offset, part) in first {
                file.write_all_at(part, (BANKS + offset) as u64)?;
            }
            for (offset, word) in [
                (std::mem::offset_of!(Front, abi), ABI),
                (std::mem::offset_of!(Front, len), LEN as u64),
                (std::mem::offset_of!(Front, magic), MAGIC),
            ] {
                file.write_all_at(word.as_bytes(), offset as u64)?;
            }
            std::fs::rename(&draft, path)
        };
        create().map_err(|source| SegmentError::Create {
            path: path.into(),
            source,
        })?;
        Segment::open(path)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn front(&self) -> &Front {
        view(&self.front)
    }

    #[inline(always)]
    pub fn handover(&self) -> &Handover {
        &self.front().handover.0
    }

    /// The bank of a generation.
    ///
    /// # Safety
    /// While the reference lives, the caller holds this generation under the protocol of `publish`.
    #[inline(always)]
    pub unsafe fn fib(&self, generation: u64) -> &Fib {
        let offset = bank(generation) * size_of::<Bank>();
        // SAFETY: within the mapping, which has two banks.
        let bank = unsafe { self.banks.as_ptr().add(offset) };
        // SAFETY: aligned to a page, mapped as long as `self` lives, valid for any bytes; not written, as the caller promises.
        unsafe { &*bank.cast::<Fib>() }
    }

    /// Writes into the bank of a generation that nobody holds.
    pub fn write(&self, generation: u64, offset: usize, part: &[u8]) -> io::Result<()> {
        assert!(
            offset + part.len() <= size_of::<Bank>(),
            "a part lies in its bank"
        );
        let at = BANKS + bank(generation) * size_of::<Bank>() + offset;
        self.file.write_all_at(part, at as u64)
    }

    /// Whether the name now means another file.
    pub fn is_replaced(&self) -> bool {
        match (std::fs::metadata(&self.path), self.file.metadata()) {
            (Ok(now), Ok(ours)) => (now.dev(), now.ino()) != (ours.dev(), ours.ino()),
            _ => true,
        }
    }

    /// Whether a living thread reads under this line.
    pub fn is_reader_alive(&self, reader: usize) -> bool {
        // When the kernel cannot say, nobody's memory is put at risk.
        is_locked(&self.file, reader_byte(reader)).unwrap_or(true)
    }

    /// Takes a free reader's line; it is ours until the file is closed, or the process ends in whatever way.
    pub fn claim_reader(&self) -> Result<(usize, File), SegmentError> {
        let lock = |source| SegmentError::Lock {
            path: self.path.clone(),
            source,
        };
        // A lock belongs to an open file, so each reader opens its own: through /proc, for the name may be replaced by now.
        let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(own)
            .map_err(lock)?;
        for reader in 0..MAX_READERS {
            if try_lock(&file, reader_byte(reader)).map_err(lock)? {
                return Ok((reader, file));
            }
        }
        Err(SegmentError::TooManyReaders {
            path: self.path.clone(),
        })
    }
}

impl Front {
    /// What is wrong with a file that starts like this.
    fn check(&self, len: u64) -> Result<(), String> {
        let (magic, abi) = (
            self.magic.load(Ordering::Acquire),
            self.abi.load(Ordering::Relaxed),
        );
        if magic != MAGIC {
            return Err(format!("magic {magic:#018x}"));
        }
        if abi != ABI {
            return Err(format!("ABI {abi}"));
        }
        if len != LEN as u64 || self.len.load(Ordering::Relaxed) != LEN as u64 {
            return Err(format!("{len} bytes, not {LEN}"));
        }
        Ok(())
    }
}

fn view(front: &MmapRaw) -> &Front {
    // SAFETY: aligned to a page, as long as a `Front`, mapped as long as `front` lives; atomics only.
    unsafe { &*front.as_ptr().cast::<Front>() }
}

#[inline(always)]
fn bank(generation: u64) -> usize {
    (generation & 1) as usize
}

/// The byte that stands for a reader: the first of its line.
fn reader_byte(reader: usize) -> i64 {
    (std::mem::offset_of!(Front, handover) + Handover::line_offset(reader)) as i64
}

/// Whether a control stands behind the tables at this path: in whatever PID namespace, and without disturbing it.
pub fn has_writer(path: &Path) -> io::Result<bool> {
    match File::open(path.with_extension("lock")) {
        Ok(file) => is_locked(&file, 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// There is one writer. The lock is a file of its own, since the segment may be replaced.
pub(super) struct WriterLock(#[expect(dead_code, reason = "closing it unlocks")] File);

impl WriterLock {
    pub fn take(path: &Path) -> Result<WriterLock, SegmentError> {
        let name = path.with_extension("lock");
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&name);
        let file = open.map_err(|source| SegmentError::Create {
            path: name.clone(),
            source,
        })?;
        match try_lock(&file, 0) {
            Ok(true) => Ok(WriterLock(file)),
            Ok(false) => Err(SegmentError::Taken { path: path.into() }),
            Err(source) => Err(SegmentError::Lock { path: name, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file's outline in ABI 4, as `layout` has the banks' insides. When this fails, bump `ABI` and write the new numbers.
    #[test]
    #[cfg_attr(miri, ignore = "has a smaller layout")]
    fn the_outline_is_that_of_its_abi_number() {
        use std::mem::offset_of;
        let outline = [
            offset_of!(Front, magic),
            offset_of!(Front, abi),
            offset_of!(Front, len),
            offset_of!(Front, writer),
            offset_of!(Front, handover),
            Handover::line_offset(0),
            Handover::line_offset(MAX_READERS),
            size_of::<Front>(),
            BANKS,
            LEN,
        ];
        assert_eq!(
            (ABI, outline),
            (4, [0, 8, 16, 24, 4096, 64, 4160, 12288, 65536, 1087971328])
        );
    }
}
