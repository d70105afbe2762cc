//! A session: ends that are open, and as many runs over them as wanted. Workers live as long as a run, pinned to their cores;
//! this thread shows what they do and puts together what they found.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::channel::bounded;

use super::attend::Main;
use super::ends::{self, RxEnd, TxEnd};
use super::outcome::{Outcome, SendingWork};
use super::plan::{RxSide, Stamp, TxSide};
use super::receiver;
use super::watch::Watch;
use super::workers::{self, Team, Views};
use crate::clock::Clock;
use crate::error::Result;
use crate::io::Missed;
use crate::profile::{Profile, Stop};
use crate::report::Second;

/// Between the start of the workers and the first frame: what a thread may need to get going.
pub(crate) const LEAD_NS: u64 = 20_000_000;

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
            let team = |stop| Team {
                scope,
                run,
                stop,
                views: &views,
                done: done_tx.clone(),
                clock: base.clone(),
            };
            if let Some(end) = rx {
                workers::receive(&team(&stop_rx), end, &seconds_tx)?;
            }
            if let Some(end) = tx {
                workers::send(&team(&stop_tx), end, profile, start_ns)?;
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
    pub timeline: Vec<Second>,
    /// What came and did not reach us.
    pub missed: Missed,
}

/// Stops everyone when dropped.
struct StopAll<'a>(&'a AtomicBool, &'a AtomicBool);

impl Drop for StopAll<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.store(true, Ordering::Relaxed);
    }
}
