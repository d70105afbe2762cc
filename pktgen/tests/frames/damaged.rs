//! One damaged byte: never intact, and always known as ours, but for the bytes that no checksum covers.

use pktgen::frame::checksum::{fold, sum};
use pktgen::frame::classify::{Seen, classify};
use pktgen::profile::Size;
use proptest::prelude::*;
use proptest::sample::select;

use crate::kinds::{Kind, LANE, PORTS, RUN, Tunnel, frames, kinds};

/// What must be seen when byte `at` of `whole` was changed to `changed[at]`.
fn expected(kind: Kind, whole: &[u8], changed: &[u8], at: usize) -> Expected {
    let unsummed = kind.tunnel == Tunnel::Unsummed;
    let inner = kind.outer();
    let ip = at.wrapping_sub(inner + 14);
    match at {
        // Outer source port, VXLAN header, inner Ethernet addresses.
        34 | 35 if unsummed => Expected::Intact,
        // The I flag is looked at.
        42 if unsummed && changed[42] & 8 != 0 => Expected::Intact,
        43..62 if unsummed => Expected::Intact,
        // Zero was no checksum; the right one is.
        40 | 41 if unsummed && changed[40..42] == right_sum(whole).to_be_bytes() => {
            Expected::Intact
        }
        // Traffic class (but not the version), flow label, hop limit.
        _ if kind.v6 && kind.tunnel != Tunnel::Summed => match ip {
            0 if changed[at] >> 4 == 6 => Expected::Intact,
            1..=3 | 7 => Expected::Intact,
            _ => Expected::Corrupted,
        },
        _ => Expected::Corrupted,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Intact,
    Corrupted,
}

/// The outer UDP checksum that a tunnel without one could have.
fn right_sum(frame: &[u8]) -> u16 {
    let udp = &frame[34..];
    !fold(sum(&frame[26..34]) + 17 + udp.len() as u64 + sum(udp))
}

fn check(kind: Kind, whole: &[u8], frame: &mut [u8], at: usize, change: u8) {
    frame[at] ^= change;
    let seen = classify(frame, Some(RUN), &PORTS);
    let expected = expected(kind, whole, frame, at);
    frame[at] ^= change;
    let right = match expected {
        Expected::Intact => matches!(seen, Seen::Intact(_)),
        Expected::Corrupted => matches!(seen, Seen::Corrupted(_)),
    };
    assert!(right, "{kind:?}, byte {at} ^ {change:#x}: {seen:?}");
    // The lane is known unless the signature is what was damaged, and never wrong.
    if let Seen::Corrupted(lane) = seen {
        let signature = signature_at(kind);
        let damaged = (signature..signature + 18).contains(&at);
        assert_eq!(lane, (!damaged).then_some(LANE), "{kind:?}, byte {at}");
    }
}

fn signature_at(kind: Kind) -> usize {
    let transport = if kind.protocol == "tcp" { 20 } else { 8 };
    kind.outer() + 14 + if kind.v6 { 40 } else { 20 } + transport
}

/// The smallest frame of each kind: every byte behind the Ethernet header, every other value; of one with an odd body,
/// some.
#[test]
fn every_byte_of_the_smallest_frames() {
    for kind in kinds() {
        let mut stream = kind.stream();
        let Size::Fixed(least) = stream.size else {
            unreachable!()
        };
        for (more, step) in [(0, 1), (11, 13)] {
            stream.size = Size::Fixed(least + more);
            let whole = frames(&stream, 1).remove(0);
            let mut frame = whole.clone();
            for at in 14..whole.len() {
                for change in (1..=255).step_by(step) {
                    check(kind, &whole, &mut frame, at, change);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn any_byte_of_any_frame(
        kind in select(kinds()),
        more in 0u16..1_500,
        number in 0usize..40,
        at: prop::sample::Index,
        change in 1u8..,
    ) {
        let mut stream = kind.stream();
        let Size::Fixed(least) = stream.size else { unreachable!() };
        stream.size = Size::Fixed(least + more);
        let whole = frames(&stream, number + 1).remove(number);
        check(kind, &whole, &mut whole.clone(), 14 + at.index(whole.len() - 14), change);
    }

    /// Cut short, by a device with a small buffer: what has a mark left is known.
    #[test]
    fn a_frame_cut_short(kind in select(kinds()), more in 0u16..100, keep: prop::sample::Index) {
        let mut stream = kind.stream();
        let Size::Fixed(least) = stream.size else { unreachable!() };
        stream.size = Size::Fixed(least + more);
        let whole = frames(&stream, 1).remove(0);
        let keep = keep.index(whole.len());
        let seen = classify(&whole[..keep], Some(RUN), &PORTS);
        let marked = match kind {
            Kind { tunnel: Tunnel::Plain, v6: true, .. } => 18,
            _ => 20,
        };
        if keep >= marked {
            prop_assert!(matches!(seen, Seen::Corrupted(_)), "{kind:?} {keep}: {seen:?}");
        } else {
            prop_assert_eq!(seen, Seen::Foreign);
        }
    }
}

/// The list of what is not covered, as the documentation of `classify` has it: 6 bytes of an IPv6 header (half of the
/// first), 22 of a tunnel's (and one bit less of its flags).
#[test]
fn what_is_not_covered() {
    for kind in kinds() {
        let whole = frames(&kind.stream(), 1).remove(0);
        let uncovered = (14..whole.len())
            .filter(|&at| {
                let mut frame = whole.clone();
                frame[at] ^= 1;
                matches!(classify(&frame, Some(RUN), &PORTS), Seen::Intact(_))
            })
            .count();
        let ipv6 = if kind.v6 { 5 } else { 0 };
        let expected = match kind.tunnel {
            Tunnel::Plain => ipv6,
            Tunnel::Unsummed => ipv6 + 2 + 8 + 12,
            Tunnel::Summed => 0,
        };
        assert_eq!(uncovered, expected, "{kind:?}");
    }
}

/// In a tunnel that a device of the path has made, only the inner header has our mark.
#[test]
fn a_tunnel_of_others_without_a_signature() {
    for kind in kinds() {
        if kind.tunnel != Tunnel::Unsummed {
            continue;
        }
        let mut frame = frames(&kind.stream(), 1).remove(0);
        frame[18..20].fill(0);
        frame[24..26].fill(0);
        let check = !fold(sum(&frame[14..34]));
        frame[24..26].copy_from_slice(&check.to_be_bytes());
        let seen = |frame: &[u8]| classify(frame, Some(RUN), &PORTS);
        assert!(matches!(seen(&frame), Seen::Intact(_)), "{kind:?}");
        frame[signature_at(kind)] ^= 1;
        assert_eq!(seen(&frame), Seen::Corrupted(None), "{kind:?}");
    }
}
