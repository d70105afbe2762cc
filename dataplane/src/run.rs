//! A worker's thread: commands from the main thread, turns, and what to do when no packet comes.

use std::os::fd::AsFd;
use std::sync::Arc;

use contract::config::Idle;
use contract::tables::{PortKind, WorkerTables};
use crossbeam_channel::{Receiver, Sender};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::clock::tsc;
use crate::device::Device;
use crate::hog::Hog;
use crate::port::Port;
use crate::wake::Wake;
use crate::worker::Worker;
use crate::xsk::Frame;

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
        /// The worker's queue of it; boxed, for the other commands are a tenth of its size.
        device: Box<Device>,
    },
    /// Send what is on its way, then stop using a port and give its device up.
    Close {
        /// Its number in the tables.
        number: u8,
        /// Gets the device, if the port was open.
        device: Sender<Option<Device>>,
    },
    /// Take frames back that a closed device had.
    Free(Vec<Frame>),
    /// End; ports were closed before.
    Stop,
}

/// Longest sleep, so that the heartbeat of an idle worker goes on.
const NAP: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// The longest while frames wait in a transmit ring: their device was full, and nothing but another kick sends them.
const SHORT_NAP: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 1_000_000,
};
/// The longest while frames wait for more to leave with them.
const GATHERING_NAP: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000,
};
/// How long an idle worker that may sleep polls before it gives way between two looks, microseconds.
const SOLO_US: u64 = 3;
/// Longest time to drain a port that is to be closed: what the kernel has not sent by then it never will.
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
    let solo_cycles = tsc_hz / 1_000_000 * SOLO_US;
    let mut hog = Hog::new(tsc_hz);
    let mut idle_since = tsc();
    loop {
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Tables(tables) => worker.use_tables(tables),
                Command::Open {
                    number,
                    kind,
                    device,
                } => worker.open(number, kind, *device),
                Command::Close { number, device } => {
                    drain(&mut worker, number, tsc_hz);
                    // The main thread waits for it, unless it panicked; then nothing matters any more.
                    let _ = device.send(worker.close(number));
                }
                Command::Free(frames) => worker.free(frames),
                Command::Stop => {
                    worker.commit();
                    return worker;
                }
            }
        }
        if worker.turn() > 0 {
            idle_since = tsc();
            continue;
        }
        let now = tsc();
        let idle_for = now.wrapping_sub(idle_since);
        if idle_for < solo_cycles || idle == Idle::Spin {
            std::hint::spin_loop();
        } else if idle_for >= spin_cycles || hog.is_expected(now) {
            sleep(&mut worker, wake);
            idle_since = tsc();
        } else {
            hog.give_way();
        }
    }
}

/// Sleeps until a device has something, the main thread calls, or the nap is over.
#[cold]
fn sleep(worker: &mut Worker, wake: &Arc<Wake>) {
    worker.rest();
    {
        let devices = worker.ports().filter_map(Port::device);
        let mut fds: Vec<PollFd> = devices
            .filter_map(Device::fd)
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        fds.push(PollFd::from_borrowed_fd(wake.as_fd(), PollFlags::IN));
        // EINTR is as good a reason to look again as any.
        let pending = worker
            .ports()
            .filter_map(Port::device)
            .any(Device::is_pending);
        let nap = match (worker.waits(), pending) {
            (true, _) => &GATHERING_NAP,
            (_, true) => &SHORT_NAP,
            _ => &NAP,
        };
        let _ = poll(&mut fds, Some(nap));
    }
    wake.clear();
    worker.slept();
}

/// Turns until the kernel has sent what was submitted to port `number`. Other ports are served meanwhile.
fn drain(worker: &mut Worker, number: u8, tsc_hz: u64) {
    let (start, limit) = (tsc(), tsc_hz / 1000 * (DRAIN_NS / 1_000_000));
    while worker.in_transmission(number) > 0 && tsc().wrapping_sub(start) < limit {
        worker.turn();
    }
}

#[cfg(test)]
mod tests {
    use contract::config::Hugepages;
    use contract::stats::EngineStats;
    use crossbeam_channel::{bounded, unbounded};

    use super::*;
    use crate::answer::Answerer;
    use crate::budget::Budget;
    use crate::encap::IpIds;
    use crate::xsk::{Burst, DEFAULT_HEADROOM, Umem, Xsk};

    #[test]
    fn a_port_is_given_up_when_what_was_submitted_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let stats = EngineStats::create(&dir.path().join("stats"), 1, 1).unwrap();
        let (umem, mut pool) = Umem::map(64, 2048, DEFAULT_HEADROOM, Hugepages::Off).unwrap();
        let (mut xsk, mut kernel) = Xsk::memory(&umem, 16, 3);
        let mut frame = pool.alloc().unwrap();
        frame.grow_head(60).unwrap();
        let mut burst = Burst::new();
        assert!(burst.push(frame).is_ok());
        assert_eq!(xsk.transmit(&mut burst), 1);

        let answerer = Answerer::new(Budget::new(0, 1));
        let mut worker = Worker::new(pool, stats.worker(0), IpIds::starting_at(0), answerer);
        worker.open(3, PortKind::Underlay, xsk);
        let (commands, inbox) = unbounded();
        let (device, given_up) = bounded(1);
        commands.send(Command::Close { number: 3, device }).unwrap();
        commands.send(Command::Stop).unwrap();
        let wake = Arc::new(Wake::new().unwrap());
        // A clock rate so high that only a kernel side that never sends would end the drain.
        let thread =
            std::thread::spawn(move || run(worker, &inbox, &wake, Idle::Spin, u64::MAX / 1000));
        let mut sent = 0;
        let device = loop {
            kernel.collect(|_| sent += 1);
            if let Ok(given_up) = given_up.try_recv() {
                break given_up.unwrap();
            }
        };
        assert_eq!((sent, device.in_flight().transmitting), (1, 0));
        drop(kernel);
        let frames = device.close().len() + thread.join().unwrap().frames_accounted();
        assert_eq!(frames, 64);
    }
}
