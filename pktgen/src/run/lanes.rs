//! The frames of one worker: a lane for each stream of the profile, interleaved by weight.

use crate::frame::FCS_LEN;
use crate::frame::build::{Builder, Macs};
use crate::frame::interleave::interleave;
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

#[cfg(test)]
mod tests {
    use super::*;

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
