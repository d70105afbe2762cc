//! A session: ends that are open, and as many runs over them as wanted. Workers live as long as a run, pinned to their cores;
//! this thread shows what they do and puts together what they found.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, bounded};
use crossbeam::utils::CachePadded;

use super::ends::{self, RxEnd, RxQueue, TxEnd, TxQueue};
use super::outcome::{Outcome, SendingWork};
use super::plan::{RxSide, Stamp, TxSide};
use super::watch::{Sums, Tick, Watch};
use super::{live, receiver, sender};
use crate::account::Interval;
use crate::clock::Clock;
use crate::error::{Failure, Result};
use crate::io::Missed;
use crate::profile::{Profile, Stop};
use crate::run::lanes::Lanes;

/// Between the start of the workers and the first frame: what a thread may need to get going.
const LEAD_NS: u64 = 20_000_000;

/// How often this thread looks.
const LOOK: Duration = Duration::from_millis(5);

/// Open ends.
pub struct Session {
    /// What to send.
    pub profile: Profile,
    /// The sending end.
    pub tx: Option<TxEnd>,
    /// The receiving end.
    pub rx: Option<RxEnd>,
    clock: Clock,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its number in the signatures; for a receiver alone, `None` to find out.
    pub number: Option<u16>,
    /// Frames a second, all workers together; `None` for as fast as it goes.
    pub pps: Option<f64>,
    /// When sending ends. A receiver alone ends so too.
    pub stop: Stop,
    /// Which time packets carry.
    pub stamp: Stamp,
    /// How long to wait for the last packets, nanoseconds.
    pub settle_ns: u64,
    /// A receiver alone ends when nothing came for so long, nanoseconds, once something did.
    pub idle_ns: Option<u64>,
    /// Count loss from the first sequence seen, not from 0.
    pub join: bool,
    /// Highest acceptable loss, a fraction.
    pub loss: Option<f64>,
}

/// A worker's end, as it comes over the channel.
enum Done {
    Sent(Result<SendingWork>),
    Received(Result<receiver::Work>),
}

impl Session {
    /// Opens the ends.
    ///
    /// # Errors
    /// See [`ends::open`].
    pub fn open(profile: &Profile, tx: Option<&TxSide>, rx: Option<&RxSide>) -> Result<Self> {
        let (tx, rx) = ends::open(profile, tx, rx)?;
        Ok(Session {
            profile: profile.clone(),
            tx,
            rx,
            clock: Clock::start(),
        })
    }

    /// Runs once. `interrupt` ends it early, with what there is by then.
    ///
    /// # Errors
    /// A queue failed, or a thread.
    pub fn run(
        &mut self,
        run: &Run,
        interrupt: &AtomicBool,
        watch: &mut dyn Watch,
    ) -> Result<Outcome> {
        let missed_before = self.missed()?;
        let number = run.number.unwrap_or(0);
        let (stop_tx, stop_rx) = (AtomicBool::new(false), AtomicBool::new(false));
        let tx_workers = self.tx.as_ref().map_or(0, |end| end.queues.len());
        let rx_workers = self.rx.as_ref().map_or(0, |end| end.queues.len());
        let views = Views::new(tx_workers, rx_workers);
        let (done_tx, done) = bounded(tx_workers + rx_workers);
        let (seconds_tx, seconds) = bounded(4 * rx_workers.max(1));
        let start_ns = self.clock.now() + LEAD_NS;
        let base = self.clock.clone();

        let mut collected = Collected::default();
        let (profile, tx, rx) = (&self.profile, &mut self.tx, &mut self.rx);
        let clock = &mut self.clock;
        std::thread::scope(|scope| -> Result<()> {
            // However this ends, the workers must too, or the scope would wait for ever.
            let _stops = StopAll(&stop_tx, &stop_rx);
            if let Some(end) = rx {
                let (vxlan_ports, busy) = (&end.side.vxlan_ports, end.side.busy);
                for ((queue, place), view) in end.queues.iter_mut().zip(&views.rx) {
                    let orders = receiver::Orders {
                        run: run.number,
                        vxlan_ports,
                        busy,
                        stop: &stop_rx,
                        seconds: seconds_tx.clone(),
                    };
                    let (done, mut clock, name) =
                        (done_tx.clone(), base.clone(), end.interface.name.clone());
                    let (core, queue_number) = (place.core, place.queue);
                    spawn(scope, "rx", core, move || {
                        let work = match queue {
                            RxQueue::Xsk(rx) => {
                                receiver::receive(rx.as_mut(), &mut clock, &orders, view)
                            }
                            RxQueue::Packet(rx) => {
                                receiver::receive(rx.as_mut(), &mut clock, &orders, view)
                            }
                        };
                        let work = work.map_err(|e| broken("receiving on", &name, queue_number, e));
                        let _ = done.send(Done::Received(work));
                    })?;
                }
            }
            if let Some(end) = tx {
                let workers = end.queues.len() as u64;
                let live = (end.queues.iter().enumerate())
                    .filter(|(_, (queue, _))| matches!(queue, TxQueue::Live))
                    .map(|(worker, _)| {
                        let share = Share::of(run, worker as u64, workers, start_ns);
                        live::load(profile, end, number, worker as u8, &share, run.stamp)
                    })
                    .collect::<Result<Vec<_>>>()?;
                let mut live = live.into_iter();
                for (worker, ((queue, place), view)) in
                    end.queues.iter_mut().zip(&views.tx).enumerate()
                {
                    let share = Share::of(run, worker as u64, workers, start_ns);
                    let orders = sender::Orders {
                        pps: share.pps,
                        burst: profile.burst,
                        count: share.count,
                        start_ns: share.start_ns,
                        end_ns: share.end_ns,
                        stamp: run.stamp,
                        stop: &stop_tx,
                    };
                    let (done, mut clock, name) =
                        (done_tx.clone(), base.clone(), end.interface.name.clone());
                    let (core, queue_number) = (place.core, place.queue);
                    if let TxQueue::Live = queue {
                        let Some(program) = live.next() else { continue };
                        spawn(scope, "tx", core, move || {
                            let work = program.run(&mut clock, &orders, view);
                            let _ = done.send(Done::Sent(work));
                        })?;
                        continue;
                    }
                    let mut lanes = Lanes::new(profile, &end.macs, number, worker as u8);
                    spawn(scope, "tx", core, move || {
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
            }
            drop(done_tx);
            let mut main = Main {
                run,
                interrupt,
                stop_tx: &stop_tx,
                stop_rx: &stop_rx,
                views: &views,
                seconds: &seconds,
                start_ns,
                collected: &mut collected,
            };
            main.attend(&done, clock, tx_workers, rx_workers, watch)
        })?;
        collected.missed = self.missed()?.since(missed_before);
        Ok(Outcome::new(&self.profile, run, collected, &mut self.clock))
    }

    fn missed(&mut self) -> Result<Missed> {
        self.rx
            .as_mut()
            .map_or(Ok(Missed::default()), RxEnd::missed)
    }
}

/// What the workers brought.
#[derive(Debug, Default)]
pub struct Collected {
    /// Of senders.
    pub sent: Vec<SendingWork>,
    /// Of receivers.
    pub received: Vec<receiver::Work>,
    /// Second by second.
    pub timeline: Vec<crate::report::Second>,
    /// What came and did not reach us.
    pub missed: Missed,
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
    fn of(run: &Run, worker: u64, workers: u64, start_ns: u64) -> Self {
        let shift = run.pps.map_or(0, |pps| (worker as f64 * 1e9 / pps) as u64);
        Share {
            pps: run.pps.map(|pps| pps / workers as f64),
            count: match run.stop {
                Stop::Count(count) => Some(count / workers + u64::from(worker < count % workers)),
                _ => None,
            },
            start_ns: start_ns + shift,
            end_ns: match run.stop {
                Stop::After(ns) => Some(start_ns + ns),
                _ => None,
            },
        }
    }
}

struct Views {
    tx: Vec<CachePadded<sender::View>>,
    rx: Vec<CachePadded<receiver::View>>,
}

impl Views {
    fn new(tx: usize, rx: usize) -> Self {
        Views {
            tx: (0..tx).map(|_| CachePadded::default()).collect(),
            rx: (0..rx).map(|_| CachePadded::default()).collect(),
        }
    }

    fn sums(&self) -> Sums {
        Sums {
            sent: sum(self.tx.iter().map(|view| &view.frames)),
            sent_bytes: sum(self.tx.iter().map(|view| &view.bytes)),
            received: sum(self.rx.iter().map(|view| &view.received)),
            received_bytes: sum(self.rx.iter().map(|view| &view.bytes)),
        }
    }

    fn last_ns(&self) -> u64 {
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

/// The main thread's part of a run.
struct Main<'a> {
    run: &'a Run,
    interrupt: &'a AtomicBool,
    stop_tx: &'a AtomicBool,
    stop_rx: &'a AtomicBool,
    views: &'a Views,
    seconds: &'a Receiver<Interval>,
    start_ns: u64,
    collected: &'a mut Collected,
}

impl Main<'_> {
    /// Shows and collects until all workers are done.
    fn attend(
        &mut self,
        done: &Receiver<Done>,
        clock: &mut Clock,
        mut senders: usize,
        mut receivers: usize,
        watch: &mut dyn Watch,
    ) -> Result<()> {
        let sends = senders > 0;
        let mut sent_all_at = None;
        let mut tick = Tick::new(self.start_ns);
        let mut failure = None;
        while senders + receivers > 0 {
            match done.recv_timeout(LOOK) {
                Ok(Done::Sent(work)) => {
                    senders -= 1;
                    self.collected.sent.extend(keep(work, &mut failure));
                }
                Ok(Done::Received(work)) => {
                    receivers -= 1;
                    self.collected.received.extend(keep(work, &mut failure));
                }
                Err(_) if done.is_empty() && self.workers_died(done) => {
                    return Err(Failure::Environment("a worker thread died".into()));
                }
                Err(_) => {}
            }
            let now = clock.now();
            if self.interrupt.load(Ordering::Relaxed) || failure.is_some() {
                self.stop_tx.store(true, Ordering::Relaxed);
            }
            if senders == 0 {
                let since = *sent_all_at.get_or_insert(now);
                if self.has_settled(sends, since, now) || failure.is_some() {
                    self.stop_rx.store(true, Ordering::Relaxed);
                }
            }
            let intervals = || self.seconds.try_iter().collect();
            if let Some(moment) = tick.take(now, self.views.sums(), intervals) {
                watch.second(&moment, self.run);
                self.collected.timeline.push(moment.second);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn workers_died(&self, done: &Receiver<Done>) -> bool {
        matches!(
            done.try_recv(),
            Err(crossbeam::channel::TryRecvError::Disconnected)
        )
    }

    /// Whether a receiver need not wait any longer. `since`: when the senders were done.
    fn has_settled(&self, sends: bool, since: u64, now: u64) -> bool {
        if self.interrupt.load(Ordering::Relaxed) && !sends {
            return true;
        }
        let last = self.views.last_ns();
        if sends {
            // Everything is there, or it is late by more than we were to wait.
            let quiet_since = last.max(since);
            return now.saturating_sub(quiet_since) >= self.run.settle_ns
                || now.saturating_sub(since) >= 10 * self.run.settle_ns.max(100_000_000);
        }
        let over = match self.run.stop {
            Stop::Never => false,
            Stop::After(ns) => now >= self.start_ns + ns,
            Stop::Count(count) => self.views.sums().received >= count,
        };
        let idle =
            (self.run.idle_ns).is_some_and(|idle| last > 0 && now.saturating_sub(last) >= idle);
        over || idle
    }
}

/// Keeps the first failure aside.
fn keep<T>(work: Result<T>, failure: &mut Option<Failure>) -> Option<T> {
    match work {
        Ok(work) => Some(work),
        Err(error) => {
            failure.get_or_insert(error);
            None
        }
    }
}

/// Stops everyone when dropped.
struct StopAll<'a>(&'a AtomicBool, &'a AtomicBool);

impl Drop for StopAll<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.store(true, Ordering::Relaxed);
    }
}

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
            // Checked when the plan was made; a CPU that went offline since is the scheduler's business.
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
