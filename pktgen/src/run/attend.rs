//! The main thread's part of a run: it shows each second, tells the workers when it is over, and collects what they bring.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError};

use super::session::{Collected, Run};
use super::watch::{Tick, Watch};
use super::workers::{Done, Views};
use crate::account::Interval;
use crate::clock::Clock;
use crate::error::{Failure, Result};
use crate::profile::Stop;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(5);

/// How long to wait for copies when every packet is there.
const COPIES_NS: u64 = 50_000_000;

/// How long to wait at most for the last packets after Ctrl-C: what a network may take, whatever was asked for.
const INTERRUPTED_NS: u64 = 1_000_000_000;

/// The main thread's part of a run.
pub(super) struct Main<'a> {
    pub run: &'a Run,
    pub interrupt: &'a AtomicBool,
    pub stop_tx: &'a AtomicBool,
    pub stop_rx: &'a AtomicBool,
    pub views: &'a Views,
    pub seconds: &'a Receiver<Interval>,
    pub start_ns: u64,
    pub collected: &'a mut Collected,
}

impl Main<'_> {
    /// Shows and collects until all workers are done.
    pub fn attend(
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
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(failure.unwrap_or(Failure::Environment(
                        "a worker thread ended without a result".into(),
                    )));
                }
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

    /// Whether a receiver need not wait any longer. `since`: when the senders were done.
    fn has_settled(&self, sends: bool, since: u64, now: u64) -> bool {
        let interrupted = self.interrupt.load(Ordering::Relaxed);
        if interrupted && !sends {
            return true;
        }
        let last = self.views.last_ns();
        if sends {
            let sums = self.views.sums();
            let most = match (sums.received >= sums.sent, interrupted) {
                // Everything is there; only copies could still come.
                (true, _) => COPIES_NS,
                (false, true) => INTERRUPTED_NS,
                (false, false) => u64::MAX,
            };
            let patience = self.run.settle_ns.min(most);
            // A path that drips for ever is not waited for.
            return now.saturating_sub(last.max(since)) >= patience
                || now.saturating_sub(since) >= 10 * patience;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::plan::Stamp;

    const SECOND: u64 = 1_000_000_000;

    /// Whether a run of 10 frames, all of them sent at second 100, of which some came then, is over at `now`.
    fn has_settled(received: u64, settle_ns: u64, interrupted: bool, now: u64) -> bool {
        let (interrupt, stop) = (AtomicBool::new(interrupted), AtomicBool::new(false));
        let views = Views::new(1, 1);
        views.tx[0].frames.store(10, Ordering::Relaxed);
        views.rx[0].received.store(received, Ordering::Relaxed);
        views.rx[0].last_ns.store(100 * SECOND, Ordering::Relaxed);
        let (_, seconds) = crossbeam::channel::bounded(1);
        let run = Run {
            number: Some(1),
            pps: None,
            stop: Stop::Count(10),
            stamp: Stamp::Intended,
            settle_ns,
            idle_ns: None,
            join: false,
            loss: None,
        };
        let main = Main {
            run: &run,
            interrupt: &interrupt,
            stop_tx: &stop,
            stop_rx: &stop,
            views: &views,
            seconds: &seconds,
            start_ns: 0,
            collected: &mut Collected::default(),
        };
        main.has_settled(true, 100 * SECOND, now)
    }

    #[test]
    fn what_is_lost_is_waited_for_as_long_as_asked() {
        assert!(!has_settled(9, 60 * SECOND, false, 159 * SECOND));
        assert!(has_settled(9, 60 * SECOND, false, 160 * SECOND));
        assert!(has_settled(9, 0, false, 100 * SECOND));
    }

    #[test]
    fn nobody_waits_long_for_what_is_all_there() {
        assert!(!has_settled(10, 60 * SECOND, false, 100 * SECOND));
        assert!(has_settled(10, 60 * SECOND, false, 101 * SECOND));
    }

    #[test]
    fn ctrl_c_also_ends_the_waiting() {
        assert!(!has_settled(9, 60 * SECOND, true, 100 * SECOND));
        assert!(has_settled(9, 60 * SECOND, true, 101 * SECOND));
    }
}
