//! A receiving worker: reads frames as they come, recognises and counts them.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam::channel::Sender;

use super::waiting::sharpen;
use crate::account::{Account, Interval};
use crate::clock::Clock;
use crate::frame::FCS_LEN;
use crate::frame::classify::{Seen, classify};
use crate::io::Rx;

/// How long it looks before it sleeps. Longer than a wake-up takes, so that a steady load is not made of wake-ups.
const LOOK_NS: u64 = 100_000;

/// How long it sleeps at most, so that Ctrl-C and the second are noticed.
const SLEEP_MS: u16 = 10;

/// How long it goes on reading after it was told to stop, if frames go on coming.
const DRAIN_NS: u64 = 100_000_000;

/// How often the main thread hears.
const INTERVAL_NS: u64 = 1_000_000_000;

/// What a worker is to do.
#[derive(Clone, Debug)]
pub struct Orders<'a> {
    /// The run to count; `None`: that of the first intact packet.
    pub run: Option<u16>,
    /// UDP ports behind which to look for VXLAN.
    pub vxlan_ports: &'a [u16],
    /// Never sleep.
    pub busy: bool,
    /// Ends it, once nothing more is waiting.
    pub stop: &'a AtomicBool,
    /// Where each second's sums go. When nobody takes them they are dropped.
    pub seconds: Sender<Interval>,
}

/// Progress, for other threads to read.
#[derive(Debug, Default)]
pub struct View {
    /// First copies.
    pub received: AtomicU64,
    /// Bytes with FCS of all that is ours.
    pub bytes: AtomicU64,
    /// Time of the last frame of ours, nanoseconds; 0 if none came.
    pub last_ns: AtomicU64,
}

/// What a worker has at the end.
#[derive(Debug)]
pub struct Work {
    /// What came.
    pub account: Account,
    /// Arrival of the first and the last frame of ours, nanoseconds.
    pub span_ns: Option<(u64, u64)>,
    /// Times that it slept: the latency of what woke it includes the wake-up.
    pub sleeps: u64,
    /// Error of its clock, nanoseconds.
    pub clock_error_ns: u64,
}

/// Receives until the stop.
///
/// # Errors
/// What the queue says.
pub fn receive<R: Rx>(
    rx: &mut R,
    clock: &mut Clock,
    orders: &Orders,
    view: &View,
) -> io::Result<Work> {
    sharpen();
    let mut account = Account::of(orders.run);
    let (mut span_ns, mut sleeps) = (None, 0);
    let mut now = clock.now();
    let (mut busy_at, mut interval_at) = (now, now + INTERVAL_NS);
    let mut drained_by = None;
    loop {
        let mut bytes = 0;
        let frames = rx.receive(|frame| {
            now = clock.now();
            let seen = classify(frame, account.run, orders.vxlan_ports);
            if seen != Seen::Foreign {
                bytes += (frame.len() + FCS_LEN) as u64;
            }
            account.record(seen, frame.len(), now);
        })?;
        if orders.stop.load(Ordering::Relaxed) {
            // What waits is still counted, but strangers may go on for ever.
            let by = *drained_by.get_or_insert_with(|| clock.now() + DRAIN_NS);
            if frames == 0 || now >= by {
                break;
            }
        }
        if frames > 0 {
            busy_at = now;
            if bytes > 0 {
                span_ns = Some((span_ns.map_or(now, |(first, _)| first), now));
                view.last_ns.store(now, Ordering::Relaxed);
                view.received.store(account.received(), Ordering::Relaxed);
                view.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
        } else {
            now = clock.now();
            if !orders.busy && now - busy_at > LOOK_NS {
                rx.wait(SLEEP_MS)?;
                sleeps += 1;
            } else {
                std::hint::spin_loop();
            }
        }
        if now >= interval_at {
            interval_at = now + INTERVAL_NS;
            let _ = orders.seconds.try_send(account.take_interval());
        }
    }
    Ok(Work {
        account,
        span_ns,
        sleeps,
        clock_error_ns: clock.error_ns(),
    })
}
