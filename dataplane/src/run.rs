//! A worker's thread: commands from the main thread, turns, and what to do when no packet comes.

use std::os::fd::AsFd;
use std::sync::Arc;

use contract::config::Idle;
use contract::tables::{PortKind, WorkerTables};
use crossbeam_channel::{Receiver, Sender};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::clock::tsc;
use crate::port::Port;
use crate::wake::Wake;
use crate::worker::Worker;
use crate::xsk::{Frame, Xsk};

/// What the main thread tells a worker.
pub enum Command {
    /// Read these tables from now on.
    Tables(WorkerTables),
    /// Open a port.
    Open {
        /// Its number in the tables.
        number: u8,
        /// Which side it is.
        kind: PortKind,
        /// Its rings, bound to the worker's queue; boxed, for the other commands are a tenth of their size.
        xsk: Box<Xsk>,
    },
    /// Stop using a port and give its rings up.
    Close {
        /// Its number in the tables.
        number: u8,
        /// Gets the rings, if the port was open.
        rings: Sender<Option<Xsk>>,
    },
    /// Take frames back that closed rings had.
    Free(Vec<Frame>),
    /// Finish what is in flight and end.
    Stop,
}

/// Longest sleep, so that the heartbeat of an idle worker goes on.
const NAP: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// Longest time to drain at a stop: what the kernel has not sent by then it never will.
const DRAIN_NS: u64 = 200_000_000;

/// Runs a worker until it is told to stop; gives it back for the last accounting.
pub fn run(
    mut worker: Worker,
    commands: &Receiver<Command>,
    wake: &Arc<Wake>,
    idle: Idle,
    tsc_hz: u64,
) -> Worker {
    let spin_cycles = match idle {
        Idle::Spin => u64::MAX,
        Idle::Adaptive { spin_us } => tsc_hz / 1_000_000 * u64::from(spin_us),
    };
    let mut idle_since = tsc();
    loop {
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Tables(tables) => worker.use_tables(tables),
                Command::Open { number, kind, xsk } => worker.open(number, kind, *xsk),
                Command::Close { number, rings } => {
                    // The main thread waits for them, unless it panicked; then nothing matters any more.
                    let _ = rings.send(worker.close(number));
                }
                Command::Free(frames) => worker.free(frames),
                Command::Stop => {
                    drain(&mut worker, tsc_hz);
                    return worker;
                }
            }
        }
        if worker.turn() > 0 {
            idle_since = tsc();
        } else if tsc().wrapping_sub(idle_since) >= spin_cycles {
            sleep(&mut worker, wake);
            idle_since = tsc();
        } else {
            std::hint::spin_loop();
        }
    }
}

/// Sleeps until a socket has something, the main thread calls, or the nap is over.
#[cold]
fn sleep(worker: &mut Worker, wake: &Arc<Wake>) {
    worker.rest();
    {
        let sockets = worker.ports().filter_map(Port::xsk).filter_map(Xsk::fd);
        let mut fds: Vec<PollFd> = sockets
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        fds.push(PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN));
        // EINTR is as good a reason to look again as any.
        let _ = poll(&mut fds, Some(&NAP));
    }
    wake.clear();
    worker.slept();
}

/// Turns until the kernel has sent what was submitted.
fn drain(worker: &mut Worker, tsc_hz: u64) {
    let start = tsc();
    while worker.in_transmission() > 0
        && tsc().wrapping_sub(start) < tsc_hz / 1_000_000_000 * DRAIN_NS
    {
        worker.turn();
    }
    worker.commit();
}
