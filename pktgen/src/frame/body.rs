//! What lies behind the signature. A byte depends only on its place in the frame, so one copy serves every header in
//! front, and its part of any checksum is known beforehand.

use super::checksum::{fold, sum};
use super::draw::{Draw, Purpose};
use crate::io::FRAME_ROOM;
use crate::profile::Payload;

/// What lies behind the signature in every frame, by place in the frame. `seed` is the profile's: all frames of a run
/// share one body, whichever lane they belong to.
pub fn body(payload: Payload, seed: u64) -> [u8; FRAME_ROOM] {
    let mut body = [0; FRAME_ROOM];
    match payload {
        Payload::Zeros => {}
        Payload::Increment => {
            for (place, byte) in body.iter_mut().enumerate() {
                *byte = place as u8;
            }
        }
        Payload::Byte(byte) => body.fill(byte),
        Payload::Random => {
            let mut draw = Draw::new(seed, Purpose::Payload);
            for bytes in body.chunks_mut(8) {
                bytes.copy_from_slice(&draw.next().to_be_bytes()[..bytes.len()]);
            }
        }
    }
    body
}

/// The folded sum of `body[start..len]` for each `len` up to the end, by `len`; 0 up to `start`, which is even. 7 kB,
/// of which a stream touches only the places of its sizes.
pub fn sums(body: &[u8; FRAME_ROOM], start: usize) -> Box<[u16]> {
    let mut sums = vec![0; FRAME_ROOM + 1];
    let mut words = 0;
    for (place, byte) in body.iter().enumerate().skip(start) {
        // An odd last byte counts as if a zero followed (RFC 1071).
        if place % 2 == start % 2 {
            sums[place + 1] = fold(words + (u64::from(*byte) << 8));
        } else {
            words += sum(&body[place - 1..=place]);
            sums[place + 1] = fold(words);
        }
    }
    sums.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_bytes() {
        let body = body(Payload::Random, 3);
        for start in [60, 142] {
            let sums = sums(&body, start);
            for len in start..=FRAME_ROOM {
                assert_eq!(sums[len], fold(sum(&body[start..len])), "{start}..{len}");
            }
            assert!(sums[..=start].iter().all(|&sum| sum == 0));
        }
    }

    #[test]
    fn patterns() {
        assert_eq!(body(Payload::Zeros, 1)[100], 0);
        assert_eq!(body(Payload::Byte(0xa5), 1)[100], 0xa5);
        assert_eq!(body(Payload::Increment, 1)[255..258], [255, 0, 1]);
        assert_ne!(body(Payload::Random, 1), body(Payload::Random, 2));
        assert_eq!(body(Payload::Random, 1), body(Payload::Random, 1));
    }
}
