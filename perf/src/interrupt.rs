//! Ctrl-C and SIGTERM must not leave namespaces behind, though no destructor runs when a signal ends a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::lab::sweep::sweep_own;

/// The exit status of a program ended by SIGINT, by the shell's convention.
pub const INTERRUPTED: u8 = 130;

/// From now on either signal removes this process's labs and ends it.
pub fn clean_up_when_interrupted() -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            remove_and_exit();
        }
    });
    Ok(())
}

/// Waits for the signal that ends the process.
pub fn park() -> ! {
    loop {
        std::thread::park();
    }
}

/// From now on the first signal raises the flag that is returned, for who can end with what there is; a second one removes this
/// process's labs and ends it.
pub fn stop_when_interrupted() -> std::io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            eprintln!("\ninterrupted: ending with what there is; once more to end at once");
            raised.store(true, Ordering::Relaxed);
        }
        if signals.next().is_some() {
            remove_and_exit();
        }
    });
    Ok(flag)
}

fn remove_and_exit() -> ! {
    eprintln!("\ninterrupted: removing everything");
    // Twice, for the thread that builds goes on until we exit.
    sweep_own();
    sweep_own();
    std::process::exit(INTERRUPTED.into())
}
