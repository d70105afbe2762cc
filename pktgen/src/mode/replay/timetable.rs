//! When each frame of a replay is wanted.
//!
//! Frame `i` counts through all loops. Times are computed from `i`, not from the frame before, so that errors do not
//! add up. Between the last frame of one loop and the first of the next lies the mean gap of the capture, for it says
//! nothing of that one.

use crate::error::Result;
use crate::frame::FCS_LEN;
use crate::io::link::Link;
use crate::run::capture::Capture;
use crate::run::plan::Timing;

/// The times.
#[derive(Clone, Copy, Debug)]
pub struct Timetable<'a> {
    capture: &'a Capture,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// So many times faster than captured.
    Captured(f64),
    /// Frames a second.
    Even(f64),
    /// As fast as it goes.
    Max,
}

impl<'a> Timetable<'a> {
    /// Of a capture, at a timing.
    ///
    /// # Errors
    /// A part of a link's speed that is not known.
    pub fn new(capture: &'a Capture, timing: Timing, link: &Link) -> Result<Self> {
        let kind = match timing {
            Timing::Captured(factor) => Kind::Captured(factor),
            Timing::Rate(rate) => {
                let mean = capture.bytes() as f64 / capture.count() as f64 + FCS_LEN as f64;
                let speed = link.speed.map(|mbit| f64::from(mbit) * 1e6);
                rate.pps(mean, speed)?.map_or(Kind::Max, Kind::Even)
            }
        };
        Ok(Timetable { capture, kind })
    }

    /// When frame `i` is wanted, nanoseconds after the first; `None`: as soon as it can.
    #[inline]
    pub fn at_ns(&self, i: u64) -> Option<u64> {
        match self.kind {
            Kind::Captured(factor) => {
                let frames = self.capture.count() as u64;
                let (_, at_ns) = self.capture.frame((i % frames) as usize);
                let looped = (i / frames).saturating_mul(self.loop_ns());
                Some((looped.saturating_add(at_ns) as f64 / factor) as u64)
            }
            Kind::Even(pps) => Some((i as f64 * 1e9 / pps) as u64),
            Kind::Max => None,
        }
    }

    /// Mean rate over a loop, frames a second; `None` if there is none.
    pub fn pps(&self) -> Option<f64> {
        match self.kind {
            Kind::Captured(factor) if self.loop_ns() > 0 => {
                Some(self.capture.count() as f64 * 1e9 / self.loop_ns() as f64 * factor)
            }
            Kind::Even(pps) => Some(pps),
            Kind::Captured(_) | Kind::Max => None,
        }
    }

    /// Length of a loop as captured.
    fn loop_ns(&self) -> u64 {
        self.capture.span_ns().saturating_add(self.capture.gap_ns())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pcap_file::pcap::{PcapPacket, PcapWriter};

    use super::*;
    use crate::profile::{Mac, Rate};

    fn link(speed: Option<u32>) -> Link {
        Link {
            index: 1,
            mac: Mac([2; 6]),
            mtu: 1500,
            driver: "test".into(),
            speed,
            rx_queues: 1,
            tx_queues: 1,
        }
    }

    /// Frames of 60 bytes at these microseconds.
    fn capture(times: &[u64]) -> Capture {
        let mut writer = PcapWriter::new(Vec::new()).unwrap();
        for us in times {
            let packet = PcapPacket::new(Duration::from_micros(*us), 60, &[9; 60]);
            writer.write_packet(&packet).unwrap();
        }
        Capture::parse(&writer.into_writer()).unwrap()
    }

    #[test]
    fn captured_gaps_are_kept_and_scaled_over_loops() {
        let capture = capture(&[100, 110, 400]);
        let at = |factor: f64| {
            let times = Timetable::new(&capture, Timing::Captured(factor), &link(None)).unwrap();
            let at: Vec<_> = (0..7).map(|i| times.at_ns(i).unwrap()).collect();
            (at, times.pps().unwrap())
        };
        // The mean gap is 150 us, so a loop has 450.
        let us = [0, 10, 300, 450, 460, 750, 900].map(|us| us * 1_000);
        assert_eq!(at(1.0), (us.to_vec(), 3.0 / 450e-6));
        assert_eq!(at(2.0).0, us.map(|ns| ns / 2));
        assert_eq!(at(0.1).0, us.map(|ns| ns * 10));
    }

    #[test]
    fn a_capture_without_gaps_has_no_rate() {
        for times in [&[5][..], &[5, 5, 5]] {
            let capture = capture(times);
            let times = Timetable::new(&capture, Timing::Captured(1.0), &link(None)).unwrap();
            assert_eq!((times.at_ns(1_000), times.pps()), (Some(0), None));
        }
    }

    #[test]
    fn rates_are_even() {
        let capture = capture(&[0, 1, 1_000]);
        let of = |rate, speed| Timetable::new(&capture, Timing::Rate(rate), &link(speed));
        let times = of(Rate::Pps(1_000.0), None).unwrap();
        assert_eq!(times.at_ns(5), Some(5_000_000));
        assert_eq!(of(Rate::Max, None).unwrap().at_ns(5), None);
        // 60 bytes and 4 of FCS and 20 on the wire are 672 bits.
        let half = of(Rate::Link(0.5), Some(1_000)).unwrap().pps().unwrap();
        assert!((half - 500e6 / 672.0).abs() < 1e-6, "{half}");
        assert!(of(Rate::Link(0.5), None).is_err());
    }
}
