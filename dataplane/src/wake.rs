//! An eventfd by which another thread ends a worker's sleep.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

/// Shared by the one who sleeps on it and those who wake it.
pub struct Wake(OwnedFd);

impl Wake {
    /// A new eventfd, not signalled.
    pub fn new() -> std::io::Result<Self> {
        Ok(Wake(eventfd(
            0,
            EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC,
        )?))
    }

    /// Ends the sleep, or the next one. Errors cannot matter: a full counter is a signal already.
    pub fn wake(&self) {
        let _ = write(&self.0, &1u64.to_ne_bytes());
    }

    /// Forgets signals that were seen.
    pub fn clear(&self) {
        let _ = read(&self.0, &mut [0u8; 8]);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
