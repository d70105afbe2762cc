//! A sending worker whose frames the kernel makes ([`crate::io::live`]): this thread lends itself to the program, another watches
//! the counts and the time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::ends::TxEnd;
use super::outcome::SendingWork;
use super::plan::Stamp;
use super::sender::{Orders, View};
use super::workers::Share;
use crate::clock::Clock;
use crate::error::Result;
use crate::io::live::{Live, LiveCounts, LivePlan, LiveView};
use crate::profile::Profile;

/// How often the counts are read.
const LOOK: Duration = Duration::from_millis(5);

/// The program of one worker, loaded.
pub struct LiveWorker {
    live: Live,
    worker: u8,
}

/// Loads it.
///
/// # Errors
/// See [`Live::load`].
pub fn load(
    profile: &Profile,
    end: &TxEnd,
    run: u16,
    worker: u8,
    share: &Share,
    stamp: Stamp,
) -> Result<LiveWorker> {
    let plan = LivePlan {
        streams: (profile.streams.iter().cloned())
            .zip(end.macs.iter().copied())
            .collect(),
        payload: profile.payload,
        run,
        worker,
        seed: profile.seed,
        pps: share.pps,
        burst: profile.burst,
        count: share.count,
        intended: stamp == Stamp::Intended,
    };
    Ok(LiveWorker {
        live: Live::load(&end.interface, &plan)?,
        worker,
    })
}

impl LiveWorker {
    /// Sends until the count, the end or the stop.
    ///
    /// # Errors
    /// See [`Live::run`].
    pub fn run(mut self, clock: &mut Clock, orders: &Orders, view: &View) -> Result<SendingWork> {
        while clock.now() < orders.start_ns {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (stop, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let counts = self.live.counts();
        let start_ns = clock.now();
        let mut watching = clock.clone();
        std::thread::scope(|scope| {
            scope.spawn(|| watch(&counts, &mut watching, orders, view, &stop, &over));
            let done = self.live.run(&stop);
            over.store(true, Ordering::Relaxed);
            done
        })?;
        let counts = counts.read()?;
        show(&counts, view);
        Ok(SendingWork::live(
            self.worker,
            &counts,
            // Not from the call to its end: the kernel takes 10 to 20 ms to begin, and as long to end.
            counts.span_ns.unwrap_or((start_ns, start_ns)),
            watching.error_ns(),
        ))
    }
}

/// Sets `stop` when it is time, shows the counts, until the program is `over`.
fn watch(
    counts: &LiveView,
    clock: &mut Clock,
    orders: &Orders,
    view: &View,
    stop: &AtomicBool,
    over: &AtomicBool,
) {
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        if let Ok(counts) = counts.read() {
            show(&counts, view);
        }
        let late = orders.end_ns.is_some_and(|end| clock.now() >= end);
        if late || orders.stop.load(Ordering::Relaxed) {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

fn show(counts: &LiveCounts, view: &View) {
    let frames = counts.streams.iter().map(|(frames, _)| frames).sum();
    let bytes = counts.streams.iter().map(|(_, bytes)| bytes).sum();
    view.frames.store(frames, Ordering::Relaxed);
    view.bytes.store(bytes, Ordering::Relaxed);
}
