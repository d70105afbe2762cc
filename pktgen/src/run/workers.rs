//! The workers of a run: a thread for each queue, pinned to its core, started with what it has to do and heard of again when it
//! is done.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Scope;

use crossbeam::channel::Sender;
use crossbeam::utils::CachePadded;

use super::ends::{RxEnd, RxQueue, TxEnd, TxQueue};
use super::lanes::Lanes;
use super::outcome::SendingWork;
use super::session::Run;
use super::watch::Sums;
use super::{live, receiver, sender};
use crate::account::Interval;
use crate::clock::Clock;
use crate::error::{Failure, Result};
use crate::io::link;
use crate::profile::{Profile, Stop};

/// A worker's end, as it comes over the channel.
pub(super) enum Done {
    Sent(Result<SendingWork>),
    Received(Result<receiver::Work>),
}

/// What all workers of one end have in common.
pub(super) struct Team<'scope, 'env> {
    pub scope: &'scope Scope<'scope, 'env>,
    pub run: &'scope Run,
    pub stop: &'scope AtomicBool,
    pub views: &'scope Views,
    pub done: Sender<Done>,
    /// Each worker gets a copy, which corrects itself.
    pub clock: Clock,
}

/// Starts the receivers. Each second's sums go to `seconds`.
pub(super) fn receive<'scope>(
    team: &Team<'scope, '_>,
    end: &'scope mut RxEnd,
    seconds: &Sender<Interval>,
) -> Result<()> {
    let (vxlan_ports, busy) = (&end.side.vxlan_ports, end.side.busy);
    for ((queue, place), view) in end.queues.iter_mut().zip(&team.views.rx) {
        let orders = receiver::Orders {
            run: team.run.number,
            vxlan_ports,
            busy,
            stop: team.stop,
            seconds: seconds.clone(),
        };
        let (done, mut clock, name) = (
            team.done.clone(),
            team.clock.clone(),
            link::title(&end.interface),
        );
        let (core, queue_number) = (place.core, place.queue);
        spawn(team.scope, "rx", core, move || {
            let work = match queue {
                RxQueue::Xsk(rx) => receiver::receive(rx.as_mut(), &mut clock, &orders, view),
                RxQueue::Packet(rx) => receiver::receive(rx.as_mut(), &mut clock, &orders, view),
            };
            let work = work.map_err(|e| broken("receiving on", &name, queue_number, e));
            let _ = done.send(Done::Received(work));
        })?;
    }
    Ok(())
}

/// Starts the senders; the first frame leaves at `start_ns`.
pub(super) fn send<'scope>(
    team: &Team<'scope, '_>,
    end: &'scope mut TxEnd,
    profile: &'scope Profile,
    start_ns: u64,
) -> Result<()> {
    let number = team.run.number.unwrap_or(0);
    let workers = end.queues.len() as u64;
    let live = (end.queues.iter().enumerate())
        .filter(|(_, (queue, _))| matches!(queue, TxQueue::Live))
        .map(|(worker, _)| {
            let share = Share::of(team.run, profile.burst, worker as u64, workers, start_ns);
            live::load(profile, end, number, worker as u8, &share, team.run.stamp)
        })
        .collect::<Result<Vec<_>>>()?;
    let mut live = live.into_iter();
    for (worker, ((queue, place), view)) in end.queues.iter_mut().zip(&team.views.tx).enumerate() {
        let share = Share::of(team.run, profile.burst, worker as u64, workers, start_ns);
        let orders = sender::Orders {
            pps: share.pps,
            burst: profile.burst,
            count: share.count,
            start_ns: share.start_ns,
            end_ns: share.end_ns,
            stamp: team.run.stamp,
            stop: team.stop,
        };
        let (done, mut clock, name) = (
            team.done.clone(),
            team.clock.clone(),
            link::title(&end.interface),
        );
        let (core, queue_number) = (place.core, place.queue);
        if let TxQueue::Live = queue {
            let Some(program) = live.next() else { continue };
            spawn(team.scope, "tx", core, move || {
                let work = program.run(&mut clock, &orders, view);
                let _ = done.send(Done::Sent(work));
            })?;
            continue;
        }
        let mut lanes = Lanes::new(profile, &end.macs, number, worker as u8);
        spawn(team.scope, "tx", core, move || {
            let work = match queue {
                TxQueue::Xsk(tx) => {
                    sender::send(tx.as_mut(), &mut lanes, &mut clock, &orders, view)
                }
                TxQueue::Packet(tx) => {
                    sender::send(tx.as_mut(), &mut lanes, &mut clock, &orders, view)
                }
                TxQueue::Live => unreachable!("handled above"),
            };
            let work = work
                .map(|work| SendingWork::new(lanes.sent(), work))
                .map_err(|e| broken("sending on", &name, queue_number, e));
            let _ = done.send(Done::Sent(work));
        })?;
    }
    Ok(())
}

/// Starts a thread on `core`.
pub(super) fn spawn<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    role: &str,
    core: Option<usize>,
    work: impl FnOnce() + Send + 'scope,
) -> Result<()> {
    let name = match core {
        Some(core) => format!("{role}-cpu{core}"),
        None => role.to_owned(),
    };
    let work = move || {
        if let Some(id) = core {
            // Checked before the queues were opened; a CPU that went offline since is the scheduler's business.
            core_affinity::set_for_current(core_affinity::CoreId { id });
        }
        work();
    };
    std::thread::Builder::new()
        .name(name)
        .spawn_scoped(scope, work)
        .map(drop)
        .map_err(|e| Failure::environment("cannot start a worker thread", e))
}

fn broken(what: &str, interface: &str, queue: u32, error: std::io::Error) -> Failure {
    Failure::environment(format!("{what} {interface} queue {queue}"), error)
}

/// A worker's part of a run.
pub struct Share {
    /// Frames a second.
    pub pps: Option<f64>,
    /// Frames.
    pub count: Option<u64>,
    /// Start, moved so that workers take turns.
    pub start_ns: u64,
    /// End.
    pub end_ns: Option<u64>,
}

impl Share {
    /// That of worker `worker` of `workers`, who send bursts of `burst` frames in turn.
    pub(super) fn of(run: &Run, burst: u16, worker: u64, workers: u64, start_ns: u64) -> Self {
        let before = worker as f64 * f64::from(burst.max(1));
        let shift = run.pps.map_or(0, |pps| (before * 1e9 / pps) as u64);
        Share {
            pps: run.pps.map(|pps| pps / workers as f64),
            count: match run.stop {
                Stop::Count(count) => Some(count / workers + u64::from(worker < count % workers)),
                _ => None,
            },
            start_ns: start_ns.saturating_add(shift),
            end_ns: match run.stop {
                Stop::After(ns) => Some(start_ns + ns),
                _ => None,
            },
        }
    }
}

/// What the workers show while they work.
pub(super) struct Views {
    pub tx: Vec<CachePadded<sender::View>>,
    pub rx: Vec<CachePadded<receiver::View>>,
}

impl Views {
    pub fn new(tx: usize, rx: usize) -> Self {
        Views {
            tx: (0..tx).map(|_| CachePadded::default()).collect(),
            rx: (0..rx).map(|_| CachePadded::default()).collect(),
        }
    }

    pub fn sums(&self) -> Sums {
        Sums {
            sent: sum(self.tx.iter().map(|view| &view.frames)),
            sent_bytes: sum(self.tx.iter().map(|view| &view.bytes)),
            received: sum(self.rx.iter().map(|view| &view.received)),
            received_bytes: sum(self.rx.iter().map(|view| &view.bytes)),
        }
    }

    /// When the last frame of ours came, nanoseconds; 0 if none did.
    pub fn last_ns(&self) -> u64 {
        (self.rx.iter())
            .map(|view| view.last_ns.load(Ordering::Relaxed))
            .max()
            .unwrap_or(0)
    }
}

fn sum<'a>(counters: impl Iterator<Item = &'a AtomicU64>) -> u64 {
    counters
        .map(|counter| counter.load(Ordering::Relaxed))
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pace::Schedule;
    use crate::run::plan::Stamp;

    fn run(pps: f64, stop: Stop) -> Run {
        Run {
            number: Some(1),
            pps: Some(pps),
            stop,
            stamp: Stamp::Intended,
            settle_ns: 0,
            idle_ns: None,
            join: false,
            loss: None,
        }
    }

    proptest! {
        /// Workers in turn send what one would: bursts at even distances, and as many frames.
        #[test]
        fn workers_share_a_schedule(pps in 1.0f64..1e7, burst in 1u16..=100, workers in 1u64..=16, bursts in 1u64..50) {
            let start = 1 << 40;
            let run = run(pps, Stop::Never);
            let mut times = Vec::new();
            for worker in 0..workers {
                let share = Share::of(&run, burst, worker, workers, start);
                let mut schedule = Schedule::new(share.start_ns, share.pps.unwrap(), burst);
                for _ in 0..bursts * u64::from(burst) {
                    times.push(schedule.pop());
                }
            }
            times.sort_unstable();
            let mut alone = Schedule::new(start, pps, burst);
            for time in times {
                prop_assert!(time.abs_diff(alone.pop()) <= 2);
            }
        }

        #[test]
        fn no_frame_of_a_count_is_lost(count: u64, workers in 1u64..=16) {
            let run = run(1e3, Stop::Count(count));
            let shares = (0..workers).map(|worker| Share::of(&run, 1, worker, workers, 0).count.unwrap());
            prop_assert_eq!(shares.sum::<u64>(), count);
        }
    }
}
