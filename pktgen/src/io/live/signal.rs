//! How the kernel's loop is ended from outside: by a signal to the thread that runs it.
//!
//! BPF_PROG_TEST_RUN looks for signals after each batch and returns EINTR; the program itself cannot end it. Shorter
//! runs in a row would not need a signal, but each begins by waiting for an RCU grace period, 10 to 20 ms in
//! which nothing is sent. SIGURG is ignored by default and has no other use here; its handler only makes it interrupt.
//! A signal that comes between two system calls interrupts nothing, so it is sent again until the runner is out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::signal::Signal;
use rustix::process::getpid;
use rustix::thread::{sched_getaffinity, sched_setaffinity};

use crate::error::{Failure, Result};

/// How often the watching thread looks: a stop takes effect within this and a batch.
const LOOK: Duration = Duration::from_millis(5);

/// Runs `run` on this thread; while it runs, signals this thread whenever `stop` says so.
///
/// # Errors
/// No signal handler can be set.
pub fn interrupted_by<T>(stop: impl Fn() -> bool + Sync, run: impl FnOnce() -> T) -> Result<T> {
    install()?;
    let runner = pthread_self();
    let over = AtomicBool::new(false);
    Ok(std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            leave_core();
            while !over.load(Ordering::Relaxed) {
                std::thread::park_timeout(LOOK);
                if stop() {
                    // The runner waits for this thread before it ends, so there is someone to signal.
                    let _ = pthread_kill(runner, Signal::SIGURG);
                }
            }
        });
        // Also when `run` panics: the scope waits for the watch.
        let _over = Over(&over, watch.thread().clone());
        run()
    }))
}

struct Over<'a>(&'a AtomicBool, std::thread::Thread);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.unpark();
    }
}

/// The watch was born on the runner's core, where it would wait for its turn; it goes where the process's first thread
/// may be. If that fails, a stop is late by a time slice.
fn leave_core() {
    if let Ok(cores) = sched_getaffinity(Some(getpid())) {
        let _ = sched_setaffinity(None, &cores);
    }
}

/// Sets the handler, once in a process.
fn install() -> Result<()> {
    static INSTALLED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    let install = || {
        let seen = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGURG, seen)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    (INSTALLED.get_or_init(install).clone()).map_err(|cause| {
        Failure::environment("cannot handle SIGURG, which ends XDP live frames", cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sleep is not restarted after a signal, as little as the kernel's loop.
    #[test]
    fn a_system_call_is_interrupted() {
        use rustix::event::{PollFd, PollFlags, poll};
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        let stop = AtomicBool::new(true);
        let result = interrupted_by(
            || stop.load(Ordering::Relaxed),
            || poll(&mut [PollFd::new(&reader, PollFlags::IN)], None),
        );
        assert_eq!(result.unwrap(), Err(rustix::io::Errno::INTR));
    }

    #[test]
    fn the_result_comes_back_when_nobody_stops() {
        assert_eq!(interrupted_by(|| false, || 5).unwrap(), 5);
    }
}
