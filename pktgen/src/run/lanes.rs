//! The frames of one worker: a lane for each stream of the profile, interleaved by weight.

use crate::frame::FCS_LEN;
use crate::frame::build::{Builder, Macs};
use crate::frame::signature::Lane;
use crate::profile::Profile;

/// What one worker sends.
pub struct Lanes {
    lanes: Vec<Sending>,
    /// Indices of `lanes`, in the order that repeats.
    order: Vec<u8>,
    next: usize,
}

struct Sending {
    lane: Lane,
    builder: Builder,
    bytes: u64,
}

/// What became of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentLane {
    /// Which.
    pub lane: Lane,
    /// Frames, numbered from 0.
    pub frames: u64,
    /// Their bytes with FCS.
    pub bytes: u64,
}

impl Lanes {
    /// The lanes of `worker` in run `run`; `macs` has the addresses of each stream.
    pub fn new(profile: &Profile, macs: &[Macs], run: u16, worker: u8) -> Self {
        let sending = |(index, (stream, macs)): (usize, (&_, &Macs))| {
            let lane = Lane::new(index as u8, worker);
            Sending {
                lane,
                // One seed for all: they share a body. What differs between lanes, the builder draws by lane.
                builder: Builder::new(stream, *macs, run, lane, profile.payload, profile.seed),
                bytes: 0,
            }
        };
        let weights: Vec<u16> = profile.streams.iter().map(|stream| stream.weight).collect();
        Lanes {
            lanes: (profile.streams.iter().zip(macs))
                .enumerate()
                .map(sending)
                .collect(),
            order: interleave(&weights),
            next: 0,
        }
    }

    /// Writes the next frame, as [`Builder::write`].
    #[inline]
    pub fn write(&mut self, frame: &mut [u8], stamp: u64) -> usize {
        let sending = &mut self.lanes[usize::from(self.order[self.next])];
        self.next += 1;
        if self.next == self.order.len() {
            self.next = 0;
        }
        let len = sending.builder.write(frame, stamp);
        sending.bytes += (len + FCS_LEN) as u64;
        len
    }

    /// What was written so far.
    pub fn sent(&self) -> Vec<SentLane> {
        let sent = |sending: &Sending| SentLane {
            lane: sending.lane,
            frames: sending.builder.written(),
            bytes: sending.bytes,
        };
        self.lanes.iter().map(sent).collect()
    }
}

/// An order in which index `i` comes `weights[i]` times (divided by their greatest common divisor), spread as evenly as can be:
/// each turn everyone gains its weight, and the richest goes and pays the whole (smooth weighted round robin, as nginx does).
pub fn interleave(weights: &[u16]) -> Vec<u8> {
    let divisor = weights.iter().fold(0, |a, &b| gcd(a, b)).max(1);
    let weights: Vec<i64> = weights.iter().map(|&w| i64::from(w / divisor)).collect();
    let whole: i64 = weights.iter().sum();
    let mut credit = vec![0; weights.len()];
    let mut turn = || {
        for (credit, weight) in credit.iter_mut().zip(&weights) {
            *credit += weight;
        }
        // The first of equals.
        let richest = (0..credit.len()).rev().max_by_key(|&i| credit[i])?;
        credit[richest] -= whole;
        Some(richest as u8)
    };
    (0..whole).map_while(|_| turn()).collect()
}

fn gcd(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_has_its_share_at_any_time(weights in prop::collection::vec(1u16..=50, 1..=16)) {
            let order = interleave(&weights);
            let whole: usize = order.len();
            let sum: u32 = weights.iter().map(|&w| u32::from(w)).sum();
            let mut seen = vec![0usize; weights.len()];
            for (turn, &index) in order.iter().enumerate() {
                seen[usize::from(index)] += 1;
                for (i, &weight) in weights.iter().enumerate() {
                    let fair = (turn + 1) as f64 * f64::from(weight) / f64::from(sum);
                    prop_assert!((seen[i] as f64 - fair).abs() < weights.len() as f64);
                }
            }
            for (i, &weight) in weights.iter().enumerate() {
                prop_assert_eq!(seen[i] * sum as usize, usize::from(weight) * whole);
            }
        }
    }

    /// Every lane of every worker writes into the one body that a worker's buffers were prepared with.
    #[test]
    fn lanes_share_a_random_body() {
        use crate::frame::build::body;
        use crate::frame::classify::{Seen, classify};
        let mut profile = tests_support::profile();
        profile.payload = crate::profile::Payload::Random;
        profile.streams[0].size = crate::profile::Size::Range(64..=500);
        profile.streams.push(profile.streams[0].clone());
        for worker in 0..2 {
            let mut lanes = tests_support::of(&profile, worker);
            let mut frame = body(profile.payload, profile.seed);
            for i in 0..100 {
                let len = lanes.write(&mut frame, 0);
                let seen = classify(&frame[..len], Some(7), &[]);
                assert!(
                    matches!(seen, Seen::Intact(_)),
                    "worker {worker}, frame {i}: {seen:?}"
                );
            }
        }
    }

    #[test]
    fn a_mix_is_spread() {
        assert_eq!(interleave(&[2, 1]), [0, 1, 0]);
        assert_eq!(interleave(&[10]), [0]);
        assert_eq!(interleave(&[7, 4, 1]).len(), 12);
    }
}

/// For the tests of what uses lanes.
#[cfg(test)]
pub mod tests_support {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::profile::*;

    /// A profile of one UDP flow in smallest frames.
    pub fn profile() -> Profile {
        let address = |last| Ipv4Addr::new(10, 0, 0, last)..=Ipv4Addr::new(10, 0, 0, last);
        Profile {
            streams: vec![Stream {
                name: "one".into(),
                weight: 1,
                src_mac: None,
                dst_mac: None,
                ip: Ip::V4 {
                    src: address(1),
                    dst: address(2),
                },
                ttl: 64,
                tos: 0,
                transport: Transport::Udp {
                    sport: 1024..=1024,
                    dport: 9..=9,
                },
                flows: Flows {
                    count: 1,
                    order: Order::RoundRobin,
                },
                size: Size::Fixed(64),
                vxlan: None,
            }],
            payload: Payload::Increment,
            rate: Rate::Max,
            burst: 1,
            stop: Stop::Never,
            seed: 1,
        }
    }

    /// Its lanes.
    pub fn one_stream() -> Lanes {
        of(&profile(), 0)
    }

    /// The lanes of a profile in run 7.
    pub fn of(profile: &Profile, worker: u8) -> Lanes {
        let macs = Macs {
            src: Mac([2, 0, 0, 0, 0, 1]),
            dst: Mac([2, 0, 0, 0, 0, 2]),
        };
        Lanes::new(profile, &vec![macs; profile.streams.len()], 7, worker)
    }
}
