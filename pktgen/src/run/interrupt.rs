//! Ctrl-C ends a run cleanly: workers see a flag and stop, and the report is made of what they did.
//!
//! A second Ctrl-C ends the process at once, as without us (exit code 130): whatever the clean end hangs on, a user
//! gets out. The flag and the second chance are signal-hook's, which stays within what a signal handler may do
//! (signal-safety(7)). Its test is in tests/replay_file.rs, on a process of its own: signals are the whole process's.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// True once SIGINT or SIGTERM has come. One flag for the whole process: signals are the process's. Threads may set it
/// themselves, to end a run for another reason.
pub fn stop_flag() -> Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the first finds the flag still down when the first signal comes. Neither can fail:
            // these two signals may be caught.
            let second =
                flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&flag));
            let first = flag::register(signal, Arc::clone(&flag));
            debug_assert!(second.is_ok() && first.is_ok());
        }
        flag
    })
    .clone()
}
