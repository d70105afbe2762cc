//! A sending worker: asks the schedule what is due, has it written into the queue, and keeps what came of it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hdrhistogram::Histogram;

use super::lanes::Lanes;
use super::plan::Stamp;
use super::waiting::{finish, pause, sharpen};
use crate::clock::Clock;
use crate::frame::FCS_LEN;
use crate::io::{BURST, Tx};
use crate::pace::Schedule;
use crate::report::distribution::nanoseconds;

/// How long after the end overdue frames are still sent.
const GRACE_NS: u64 = 50_000_000;

/// What a worker is to do.
#[derive(Clone, Copy, Debug)]
pub struct Orders<'a> {
    /// Frames a second; `None` for as fast as it goes.
    pub pps: Option<f64>,
    /// Frames that leave together.
    pub burst: u16,
    /// Frames to send.
    pub count: Option<u64>,
    /// When to begin, nanoseconds of the clock.
    pub start_ns: u64,
    /// When to end.
    pub end_ns: Option<u64>,
    /// Which time packets carry.
    pub stamp: Stamp,
    /// Ends it early.
    pub stop: &'a AtomicBool,
}

/// Progress, for other threads to read.
#[derive(Debug, Default)]
pub struct View {
    /// Frames handed to the kernel.
    pub frames: AtomicU64,
    /// Their bytes with FCS.
    pub bytes: AtomicU64,
}

/// What a worker did besides what its [`Lanes`] counted.
#[derive(Debug)]
pub struct Work {
    /// Frames that the kernel had not finished with at the end.
    pub unfinished: u64,
    /// Times that the ring was full when a frame was due.
    pub ring_full: u64,
    /// First (at a rate: when it was due) and last departure, nanoseconds.
    pub span_ns: (u64, u64),
    /// From the intended to the actual departure of each frame, nanoseconds.
    pub lag: Histogram<u64>,
    /// Between the departures of bursts, nanoseconds.
    pub gap: Histogram<u64>,
    /// Error of its clock, nanoseconds.
    pub clock_error_ns: u64,
}

/// Sends until the count, the end or the stop.
///
/// # Errors
/// What the queue says, except that it is full.
pub fn send<T: Tx>(
    tx: &mut T,
    lanes: &mut Lanes,
    clock: &mut Clock,
    orders: &Orders,
    view: &View,
) -> io::Result<Work> {
    sharpen();
    let mut pacer = Pacer::new(orders);
    let mut left = orders.count.unwrap_or(u64::MAX);
    let mut work = Work {
        unfinished: 0,
        ring_full: 0,
        span_ns: (orders.start_ns, orders.start_ns),
        lag: nanoseconds(),
        gap: nanoseconds(),
        clock_error_ns: 0,
    };
    let mut departed: Option<u64> = None;
    while left > 0 && !orders.stop.load(Ordering::Relaxed) {
        let now = clock.now();
        let last = orders.end_ns.unwrap_or(u64::MAX);
        let due = pacer.due(now.min(last.saturating_sub(1)));
        // What was due before the end is still sent, so that a duration is a count; but not by a sender that cannot keep up.
        if now >= last && (due == 0 || !pacer.is_paced() || now - last > GRACE_NS) {
            break;
        }
        let want = due.min(left).min(BURST as u64) as usize;
        if want == 0 {
            pause(now, pacer.next_ns().min(last));
            continue;
        }
        let mut bytes = 0;
        let sent = tx.send(want, |frame| {
            let (wanted, opens_burst) = pacer.pop(now);
            if pacer.is_paced() {
                work.lag.saturating_record(now.saturating_sub(wanted));
            }
            if opens_burst {
                if let Some(before) = departed {
                    work.gap.saturating_record(now - before);
                }
                departed = Some(now);
            }
            let stamp = match orders.stamp {
                Stamp::Intended if pacer.is_paced() => wanted,
                _ => clock.now(),
            };
            let len = lanes.write(frame, stamp);
            bytes += (len + FCS_LEN) as u64;
            len
        })?;
        work.ring_full += u64::from(sent < want);
        left -= sent as u64;
        if sent > 0 {
            // At a rate the time runs from when the first frame was due: a late start is caught up, and no higher rate.
            if !pacer.is_paced() && view.frames.load(Ordering::Relaxed) == 0 {
                work.span_ns.0 = now;
            }
            work.span_ns.1 = now;
            view.frames.fetch_add(sent as u64, Ordering::Relaxed);
            view.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }
    work.unfinished = finish(tx, clock)? as u64;
    if !pacer.is_paced() {
        // The last frames left when the kernel was done with them.
        work.span_ns.1 = work.span_ns.1.max(clock.now());
    }
    work.clock_error_ns = clock.error_ns();
    Ok(work)
}

/// A schedule, or none.
enum Pacer {
    Paced(Schedule, u64, u64),
    Free { start_ns: u64 },
}

impl Pacer {
    fn new(orders: &Orders) -> Self {
        match orders.pps {
            Some(pps) => Pacer::Paced(
                Schedule::new(orders.start_ns, pps, orders.burst),
                u64::from(orders.burst.max(1)),
                0,
            ),
            None => Pacer::Free {
                start_ns: orders.start_ns,
            },
        }
    }

    fn is_paced(&self) -> bool {
        matches!(self, Pacer::Paced(..))
    }

    fn due(&self, now: u64) -> u64 {
        match self {
            Pacer::Paced(schedule, ..) => schedule.due(now),
            Pacer::Free { start_ns } if now < *start_ns => 0,
            Pacer::Free { .. } => u64::MAX,
        }
    }

    fn next_ns(&self) -> u64 {
        match self {
            Pacer::Paced(schedule, ..) => schedule.next_ns(),
            Pacer::Free { start_ns } => *start_ns,
        }
    }

    /// When the next frame was wanted, and whether it opens a burst.
    fn pop(&mut self, now: u64) -> (u64, bool) {
        match self {
            Pacer::Paced(schedule, burst, place) => {
                let opens = *place == 0;
                *place = (*place + 1) % *burst;
                (schedule.pop(), opens)
            }
            Pacer::Free { .. } => (now, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue that keeps what it gets, of a room that may be small.
    #[derive(Default)]
    struct Memory {
        frames: Vec<Vec<u8>>,
        room: Option<usize>,
        calls: usize,
    }

    impl Tx for Memory {
        fn prepare(&mut self, _: &[u8]) {}

        fn send(
            &mut self,
            want: usize,
            mut write: impl FnMut(&mut [u8]) -> usize,
        ) -> io::Result<usize> {
            self.calls += 1;
            // Every other time it is full.
            let room = match self.room {
                Some(_) if self.calls.is_multiple_of(2) => 0,
                Some(room) => room.min(want),
                None => want,
            };
            for _ in 0..room {
                let mut frame = vec![0; crate::io::FRAME_ROOM];
                let len = write(&mut frame);
                frame.truncate(len);
                self.frames.push(frame);
            }
            Ok(room)
        }

        fn outstanding(&mut self) -> io::Result<usize> {
            Ok(0)
        }
    }

    fn orders<'a>(stop: &'a AtomicBool, clock: &mut Clock) -> Orders<'a> {
        Orders {
            pps: None,
            burst: 1,
            count: Some(1_000),
            start_ns: clock.now(),
            end_ns: None,
            stamp: Stamp::Intended,
            stop,
        }
    }

    #[test]
    fn a_full_ring_loses_no_number() {
        let (stop, mut clock) = (AtomicBool::new(false), Clock::start());
        let mut tx = Memory {
            room: Some(7),
            ..Memory::default()
        };
        let mut lanes = super::super::lanes::tests_support::one_stream();
        let orders = orders(&stop, &mut clock);
        let view = View::default();
        let work = send(&mut tx, &mut lanes, &mut clock, &orders, &view).unwrap();
        assert_eq!(tx.frames.len(), 1_000);
        assert!(work.ring_full > 0);
        assert_eq!(lanes.sent()[0].frames, 1_000);
        assert_eq!(view.frames.load(Ordering::Relaxed), 1_000);
    }

    #[test]
    fn stamps_are_the_schedules() {
        use crate::frame::classify::{Seen, classify};
        let (stop, mut clock) = (AtomicBool::new(false), Clock::start());
        let mut tx = Memory::default();
        let mut lanes = super::super::lanes::tests_support::one_stream();
        let orders = Orders {
            pps: Some(100_000.0),
            count: Some(300),
            ..orders(&stop, &mut clock)
        };
        let work = send(&mut tx, &mut lanes, &mut clock, &orders, &View::default()).unwrap();
        for (i, frame) in tx.frames.iter().enumerate() {
            let Seen::Intact(signature) = classify(frame, None, &[]) else {
                panic!("frame {i} is not intact");
            };
            let wanted = orders.start_ns + i as u64 * 10_000;
            assert_eq!(signature.stamp, wanted & ((1 << 40) - 1));
        }
        assert_eq!(work.lag.len(), 300);
        assert_eq!(work.gap.len(), 299);
    }

    #[test]
    fn a_duration_is_a_count() {
        let (stop, mut clock) = (AtomicBool::new(false), Clock::start());
        let mut tx = Memory::default();
        let mut lanes = super::super::lanes::tests_support::one_stream();
        let orders = orders(&stop, &mut clock);
        let orders = Orders {
            pps: Some(5_000.0),
            count: None,
            end_ns: Some(orders.start_ns + 100_000_000),
            ..orders
        };
        send(&mut tx, &mut lanes, &mut clock, &orders, &View::default()).unwrap();
        assert_eq!(tx.frames.len(), 500);
    }

    #[test]
    fn it_stops_when_told() {
        let (stop, mut clock) = (AtomicBool::new(true), Clock::start());
        let mut lanes = super::super::lanes::tests_support::one_stream();
        let orders = orders(&stop, &mut clock);
        let mut tx = Memory::default();
        send(&mut tx, &mut lanes, &mut clock, &orders, &View::default()).unwrap();
        assert!(tx.frames.is_empty());
    }
}
