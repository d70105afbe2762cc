//! The sending loop of a replay: asks the timetable what is due, copies it into the queue.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use hdrhistogram::Histogram;

use super::timetable::Timetable;
use crate::clock::Clock;
use crate::frame::FCS_LEN;
use crate::io::{BURST, Tx};
use crate::report::distribution::nanoseconds;
use crate::run::capture::Capture;
use crate::run::sender::View;
use crate::run::waiting::{finish, pause, sharpen};

/// What to send.
pub struct Orders<'a> {
    /// From here.
    pub capture: &'a Capture,
    /// When.
    pub times: &'a Timetable<'a>,
    /// Frames in all, over all loops; `None`: until told to stop.
    pub count: Option<u64>,
    /// Ends it.
    pub stop: &'a AtomicBool,
}

/// What was done.
#[derive(Debug)]
pub struct Work {
    /// Frames handed to the queue.
    pub frames: u64,
    /// Their bytes, without FCS.
    pub bytes: u64,
    /// Frames that the kernel had not finished with at the end.
    pub unfinished: u64,
    /// Times that the ring was full when a frame was due.
    pub ring_full: u64,
    /// First and last departure, nanoseconds.
    pub span_ns: (u64, u64),
    /// The same by the timetable: from the first to the last frame sent, nanoseconds.
    pub wanted_ns: u64,
    /// From the wanted to the actual departure, nanoseconds.
    pub lag: Histogram<u64>,
    /// Between departures, nanoseconds; 0 of frames that left together.
    pub gap: Histogram<u64>,
    /// Error of the clock, nanoseconds.
    pub clock_error_ns: u64,
}

/// Sends until the count or the stop.
///
/// # Errors
/// What the queue says, except that it is full.
pub fn send<T: Tx>(
    tx: &mut T,
    orders: &Orders<'_>,
    start_ns: u64,
    clock: &mut Clock,
    view: &View,
) -> io::Result<Work> {
    sharpen();
    let mut work = Work {
        frames: 0,
        bytes: 0,
        unfinished: 0,
        ring_full: 0,
        span_ns: (start_ns, start_ns),
        wanted_ns: 0,
        lag: nanoseconds(),
        gap: nanoseconds(),
        clock_error_ns: 0,
    };
    let wanted = |i: u64| start_ns.saturating_add(orders.times.at_ns(i).unwrap_or(0));
    let paced = orders.times.at_ns(0).is_some();
    let total = orders.count.unwrap_or(u64::MAX);
    let frames = orders.capture.count() as u64;
    while work.frames < total && !orders.stop.load(Ordering::Relaxed) {
        let now = clock.now();
        let most = (total - work.frames).min(BURST as u64);
        let due = (0..most).take_while(|i| wanted(work.frames + i) <= now);
        let want = due.count();
        if want == 0 {
            pause(now, wanted(work.frames));
            continue;
        }
        let before = work.bytes;
        let sent = tx.send(want, |buffer| {
            let i = work.frames;
            let (frame, _) = orders.capture.frame((i % frames) as usize);
            buffer[..frame.len()].copy_from_slice(frame);
            if paced {
                work.lag.saturating_record(now.saturating_sub(wanted(i)));
            }
            if i > 0 {
                work.gap
                    .saturating_record(now.saturating_sub(work.span_ns.1));
            } else {
                work.span_ns.0 = now;
            }
            work.span_ns.1 = now;
            work.frames += 1;
            work.bytes += frame.len() as u64;
            frame.len()
        })?;
        work.ring_full += u64::from(sent < want);
        let bytes = work.bytes - before + (sent * FCS_LEN) as u64;
        view.frames.fetch_add(sent as u64, Ordering::Relaxed);
        view.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
    if let Some(last) = work.frames.checked_sub(1) {
        work.wanted_ns = wanted(last) - wanted(0);
    }
    work.unfinished = finish(tx, clock)? as u64;
    if !paced {
        // The last frames left when the kernel was done with them.
        work.span_ns.1 = work.span_ns.1.max(clock.now());
    }
    work.clock_error_ns = clock.error_ns();
    Ok(work)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pcap_file::pcap::{PcapPacket, PcapWriter};

    use super::*;
    use crate::io::FRAME_ROOM;
    use crate::io::link::Link;
    use crate::profile::{Mac, Rate};
    use crate::run::plan::Timing;

    /// A queue that keeps what it gets, three at a time, and is full every other time. `stop_at` frames it sets the
    /// flag.
    #[derive(Default)]
    struct Memory<'a> {
        frames: Vec<Vec<u8>>,
        calls: usize,
        stop_at: Option<(usize, &'a AtomicBool)>,
    }

    impl Tx for Memory<'_> {
        fn prepare(&mut self, _: &[u8]) {}

        fn send(
            &mut self,
            want: usize,
            mut write: impl FnMut(&mut [u8]) -> usize,
        ) -> io::Result<usize> {
            self.calls += 1;
            let room = if self.calls.is_multiple_of(2) {
                0
            } else {
                want.min(3)
            };
            for _ in 0..room {
                let mut frame = vec![0xa5; FRAME_ROOM];
                let len = write(&mut frame);
                frame.truncate(len);
                self.frames.push(frame);
            }
            if let Some((at, stop)) = self.stop_at {
                stop.store(self.frames.len() >= at, Ordering::Relaxed);
            }
            Ok(room)
        }

        fn outstanding(&mut self) -> io::Result<usize> {
            Ok(2)
        }
    }

    /// 14 to 23 bytes, each frame of its own, a microsecond apart.
    fn frames() -> Vec<Vec<u8>> {
        (0..10u8).map(|i| vec![i; 14 + usize::from(i)]).collect()
    }

    fn capture() -> Capture {
        let mut writer = PcapWriter::new(Vec::new()).unwrap();
        for (us, frame) in frames().iter().enumerate() {
            let at = Duration::from_micros(us as u64);
            let packet = PcapPacket::new(at, frame.len() as u32, frame);
            writer.write_packet(&packet).unwrap();
        }
        Capture::parse(&writer.into_writer()).unwrap()
    }

    fn play(timing: Timing, count: Option<u64>, tx: &mut Memory<'_>, stop: &AtomicBool) -> Work {
        let capture = capture();
        let link = Link {
            index: 1,
            mac: Mac([2; 6]),
            mtu: 1500,
            driver: "test".into(),
            speed: None,
            rx_queues: 1,
            tx_queues: 1,
        };
        let times = Timetable::new(&capture, timing, &link).unwrap();
        let orders = Orders {
            capture: &capture,
            times: &times,
            count,
            stop,
        };
        let mut clock = Clock::start();
        let start = clock.now();
        send(tx, &orders, start, &mut clock, &View::default()).unwrap()
    }

    #[test]
    fn a_full_ring_neither_loses_nor_repeats_a_frame() {
        for timing in [
            Timing::Captured(0.01),
            Timing::Captured(1e6),
            Timing::Rate(Rate::Pps(100_000.0)),
            Timing::Rate(Rate::Max),
        ] {
            let (mut tx, stop) = (Memory::default(), AtomicBool::new(false));
            let work = play(timing, Some(30), &mut tx, &stop);
            assert_eq!(
                tx.frames,
                [frames(), frames(), frames()].concat(),
                "{timing:?}"
            );
            let bytes: usize = 3 * frames().iter().map(Vec::len).sum::<usize>();
            assert_eq!((work.frames, work.bytes), (30, bytes as u64));
            assert_eq!((work.unfinished, work.gap.len()), (2, 29));
            assert!(work.ring_full > 0);
        }
    }

    #[test]
    fn without_a_count_it_goes_on_until_told() {
        let stop = AtomicBool::new(false);
        let mut tx = Memory {
            stop_at: Some((1_234, &stop)),
            ..Memory::default()
        };
        let work = play(Timing::Rate(Rate::Max), None, &mut tx, &stop);
        assert!(work.frames >= 1_234);
        assert_eq!(tx.frames.len() as u64, work.frames);
        assert_eq!(tx.frames[1_230..1_234], frames()[..4]);
    }

    #[test]
    fn the_timetable_is_what_the_lag_is_against() {
        let (mut tx, stop) = (Memory::default(), AtomicBool::new(false));
        // 10 frames, 100 us apart.
        let work = play(Timing::Captured(0.01), Some(20), &mut tx, &stop);
        assert_eq!(work.wanted_ns, 1_900_000);
        assert_eq!(work.lag.len(), 20);
        assert!(work.span_ns.1 - work.span_ns.0 + work.lag.max() >= work.wanted_ns);
    }
}
