//! The 18 bytes by which a packet is ours: the first of its transport payload.
//!
//! ```text
//!  0      2      4    5         8            12              17      18
//! +------+------+----+---------+------------+---------------+-------+
//! | magic| run  |lane| flow    | sequence   | stamp, ns     | check |
//! +------+------+----+---------+------------+---------------+-------+
//! ```
//!
//! All big-endian. 18 bytes are what a UDP packet over IPv4 has left in the smallest Ethernet frame (64 bytes with FCS), so
//! that no size is without sequence and time stamp. `check` is the XOR of the others: a second witness besides the transport
//! checksum, for a receiver that has to tell "ours, damaged" from "someone else's".
//!
//! There is a second mark outside the payload, so that no single damaged byte can hide a packet: [`MARK`] is the IPv4
//! identification (free to choose in atomic datagrams, RFC 6864 section 4.1) and the low 16 bits of the IPv6 flow label.

/// First two bytes of the signature: "tw".
pub const MAGIC: u16 = 0x7477;

/// IPv4 identification, and low 16 bits of the IPv6 flow label, of everything we send.
pub const MARK: u16 = 0x7477;

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 18;

/// Time stamps are the low 40 bits of nanoseconds: they are unique for 18 minutes.
pub const STAMP_BITS: u32 = 40;

/// Flows that a lane can number.
pub const MAX_FLOWS: u32 = 1 << 24;

/// A sequence space: one stream as one worker sends it. Upper four bits the stream, lower four the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(pub u8);

impl Lane {
    /// Streams of a profile, and workers of a run, at most.
    pub const MAX: usize = 16;

    /// The lane of `worker` (0 to 15) for stream `stream` (0 to 15).
    pub const fn new(stream: u8, worker: u8) -> Self {
        Lane((stream & 15) << 4 | worker & 15)
    }

    /// Index of its stream in the profile.
    pub const fn stream(self) -> usize {
        (self.0 >> 4) as usize
    }

    /// Index of the worker that sends it.
    pub const fn worker(self) -> usize {
        (self.0 & 15) as usize
    }
}

/// What a packet says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Number of the run, random; tells late packets of an earlier run from ours.
    pub run: u16,
    /// Whose sequence it is.
    pub lane: Lane,
    /// Index of the flow in its stream, below [`MAX_FLOWS`]. Order is judged within a flow (RFC 4737: a reordered packet is
    /// one with a smaller sequence than one that came before it), for between flows no network promises any.
    pub flow: u32,
    /// Low 32 bits of the sequence in the lane, from 0, over all its flows.
    pub sequence: u32,
    /// Departure: low 40 bits of CLOCK_MONOTONIC, nanoseconds ([`crate::clock`]).
    pub stamp: u64,
}

impl Signature {
    /// Its bytes.
    #[inline]
    pub fn to_bytes(self) -> [u8; SIGNATURE_LEN] {
        let mut bytes = [0; SIGNATURE_LEN];
        bytes[0..2].copy_from_slice(&MAGIC.to_be_bytes());
        bytes[2..4].copy_from_slice(&self.run.to_be_bytes());
        bytes[4] = self.lane.0;
        bytes[5..8].copy_from_slice(&self.flow.to_be_bytes()[1..]);
        bytes[8..12].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[12..17].copy_from_slice(&self.stamp.to_be_bytes()[3..]);
        bytes[17] = fold(&bytes[..17]);
        bytes
    }

    /// Reads one; `None` if the magic or the check is not there.
    #[inline]
    pub fn from_bytes(bytes: &[u8; SIGNATURE_LEN]) -> Option<Self> {
        let [
            m0,
            m1,
            r0,
            r1,
            lane,
            f0,
            f1,
            f2,
            s0,
            s1,
            s2,
            s3,
            t0,
            t1,
            t2,
            t3,
            t4,
            check,
        ] = *bytes;
        if u16::from_be_bytes([m0, m1]) != MAGIC || fold(&bytes[..17]) != check {
            return None;
        }
        Some(Signature {
            run: u16::from_be_bytes([r0, r1]),
            lane: Lane(lane),
            flow: u32::from_be_bytes([0, f0, f1, f2]),
            sequence: u32::from_be_bytes([s0, s1, s2, s3]),
            stamp: u64::from_be_bytes([0, 0, 0, t0, t1, t2, t3, t4]),
        })
    }
}

fn fold(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// Nanoseconds from `stamp` (40 bits) to `now` (whole), for a packet less than nine minutes old. `None` when it lies in the
/// future: the clocks of sender and receiver differ, so there is no one-way latency to be had.
#[inline]
pub fn age_ns(stamp: u64, now: u64) -> Option<u64> {
    let age = now.wrapping_sub(stamp) & ((1 << STAMP_BITS) - 1);
    (age < 1 << (STAMP_BITS - 1)).then_some(age)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(run: u16, lane: u8, flow in 0..MAX_FLOWS, sequence: u32, stamp in 0u64..1 << STAMP_BITS) {
            let signature = Signature { run, lane: Lane(lane), flow, sequence, stamp };
            prop_assert_eq!(Signature::from_bytes(&signature.to_bytes()), Some(signature));
        }

        #[test]
        fn one_changed_byte_is_seen(run: u16, at in 0..SIGNATURE_LEN, change in 1u8..) {
            let signature = Signature { run, lane: Lane::new(3, 2), flow: 77, sequence: 5, stamp: 9 };
            let mut bytes = signature.to_bytes();
            bytes[at] ^= change;
            prop_assert_eq!(Signature::from_bytes(&bytes), None);
        }

        #[test]
        fn age_survives_the_wrap(now in 1u64 << 41.., age in 0u64..1 << 39) {
            let stamp = (now - age) & ((1 << STAMP_BITS) - 1);
            prop_assert_eq!(age_ns(stamp, now), Some(age));
        }
    }

    #[test]
    fn the_future_has_no_age() {
        assert_eq!(age_ns(1_001, 1_000), None);
    }
}
