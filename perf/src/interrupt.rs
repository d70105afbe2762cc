//! Ctrl-C and SIGTERM must not leave namespaces behind, though no destructor runs when a signal ends a process.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::lab::sweep::sweep_own;

/// The exit status of a program ended by SIGINT, by the shell's convention.
const INTERRUPTED: i32 = 130;

/// From now on either signal removes this process's labs and ends it.
pub fn clean_up_when_interrupted() -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            eprintln!("\ninterrupted: removing everything");
            // Twice, for the thread that builds goes on until we exit.
            sweep_own();
            sweep_own();
            std::process::exit(INTERRUPTED);
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
