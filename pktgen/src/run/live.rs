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

/// How long after its end a run at a rate may go on to send what was due, nanoseconds.
const GRACE_NS: u64 = 200_000_000;

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
        count: share.count.or_else(|| due(share)),
        intended: stamp == Stamp::Intended,
    };
    Ok(LiveWorker {
        live: Live::load(&end.interface, &plan)?,
        worker,
    })
}

/// The frames of a duration at a rate: the program's schedule starts when the kernel has got going, so its end must not be the
/// clock's, or the first milliseconds would be missing.
fn due(share: &Share) -> Option<u64> {
    let (pps, end) = (share.pps?, share.end_ns?);
    Some((end.saturating_sub(share.start_ns) as f64 * pps / 1e9).round() as u64)
}

impl LiveWorker {
    /// Sends until the count, the end or the stop.
    ///
    /// # Errors
    /// See [`Live::run`].
    pub fn run(mut self, clock: &mut Clock, orders: &Orders, view: &View) -> Result<SendingWork> {
        while clock.now() < orders.start_ns && !orders.stop.load(Ordering::Relaxed) {
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
        // At a rate the count ends it.
        let grace = orders.pps.map_or(0, |_| GRACE_NS);
        let late = orders.end_ns.is_some_and(|end| clock.now() >= end + grace);
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
