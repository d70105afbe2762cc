//! Locks that say who is alive: one byte of a file, held by an open file description.
//!
//! Why these and no heartbeat: docs/decisions/0001-reader-liveness.md. rustix has the process-wide kind only.
//!
//! # Safety
//! fcntl(2) with a descriptor that is open during the call and a `struct flock` that outlives it.
#![expect(unsafe_code, reason = "no crate here wraps F_OFD_SETLK")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// A write lock on one byte, owned by the open file (`F_OFD_SETLK`, fcntl(2), Linux 3.15): unlike a process-wide record lock
/// it is not lost when some other descriptor of the file is closed, and threads of one process exclude each other.
pub(super) fn try_lock(file: &File, byte: i64) -> io::Result<bool> {
    let lock = flock(byte);
    // SAFETY: an open descriptor, and a lock that outlives the call.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &lock) };
    match result {
        0 => Ok(true),
        _ => match io::Error::last_os_error() {
            held if matches!(held.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            other => Err(other),
        },
    }
}

/// Whether another open file has a lock on the byte.
pub(super) fn is_locked(file: &File, byte: i64) -> io::Result<bool> {
    let mut lock = flock(byte);
    // SAFETY: an open descriptor, and a lock that the kernel may write to during the call.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &mut lock) };
    match result {
        0 => Ok(lock.l_type != libc::F_UNLCK as libc::c_short),
        _ => Err(io::Error::last_os_error()),
    }
}

fn flock(byte: i64) -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte,
        l_len: 1,
        l_pid: 0, // must be, for OFD locks
    }
}
