//! Recognises a received frame: intact, damaged, or someone else's.
//!
//! Intact is what strict reading (`read.rs`) finds without fault. A whole packet that is not ours is foreign, even if
//! it quotes one of ours (an ICMP error does) or has our mark by chance (one in 65,536). Only what strict reading could
//! not make sense of is searched for witnesses that it was ours:
//!
//! 1. a signature with a right check byte, anywhere: of this run, then it is damaged, and its lane known; of another
//!    run, then it is foreign;
//! 2. the magic with the number of this run behind it, anywhere;
//! 3. our mark in an IP header.
//!
//! A signature that is damaged leaves the mark, a damaged mark leaves the signature: no single byte hides a packet.
//!
//! What no checksum covers can be damaged and the packet is still intact: the outer Ethernet addresses; of IPv6 the
//! traffic class, flow label and hop limit; of a tunnel without outer UDP checksum the outer source port, in the VXLAN
//! header all but the I flag, and the inner Ethernet addresses. And the two bytes of such a zero checksum may be
//! damaged into the right one.

#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use super::mark::Marks;
use super::read::{Reading, read};
use super::signature::{Lane, MAGIC, SIGNATURE_LEN, Signature};

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Ours, every checksum right.
    Intact(Signature),
    /// Ours, damaged: a checksum is wrong, or headers and lengths disagree. The lane if the signature could still be
    /// read.
    Corrupted(Option<Lane>),
    /// Not ours, or of another run.
    Foreign,
}

/// Looks at a frame. `run` restricts to one run; `vxlan_ports` are UDP ports behind which to look once for an inner
/// frame.
#[inline]
pub fn classify(frame: &[u8], run: Option<u16>, vxlan_ports: &[u16]) -> Seen {
    match read(frame, vxlan_ports) {
        Reading::Signed(signature) if is_of(run, signature.run) => Seen::Intact(signature),
        Reading::Signed(_) | Reading::Sound => Seen::Foreign,
        Reading::Broken => search(frame, run, vxlan_ports),
    }
}

fn is_of(run: Option<u16>, other: u16) -> bool {
    run.is_none_or(|run| run == other)
}

/// Looks for witnesses in a frame that cannot be read. A mark is the same word as the magic, and once in 256 times what
/// follows it has a right check byte, so the places of marks are left out; and the search goes from behind, where the
/// signature is, for the place of a mark is not known when the Ethernet type is damaged.
#[cold]
fn search(frame: &[u8], run: Option<u16>, vxlan_ports: &[u16]) -> Seen {
    let (mut named, mut foreign) = (false, false);
    let (marks, magic) = (Marks::find(frame, vxlan_ports), MAGIC.to_be_bytes());
    for at in memchr::memrchr_iter(magic[0], frame) {
        let found = frame.get(at..).unwrap_or_default();
        if !found.starts_with(&magic) || marks.at(at) {
            continue;
        }
        let signature = found
            .first_chunk::<SIGNATURE_LEN>()
            .and_then(Signature::from_bytes);
        match signature {
            Some(signature) if is_of(run, signature.run) => {
                return Seen::Corrupted(Some(signature.lane));
            }
            Some(_) => foreign = true,
            None => {
                let number = found.get(2..4).and_then(|bytes| bytes.try_into().ok());
                named |= run.is_some() && number.map(u16::from_be_bytes) == run;
            }
        }
    }
    // A whole signature of another run speaks louder than a mark, which that run's packets have too.
    if named || marks.any() && !foreign {
        Seen::Corrupted(None)
    } else {
        Seen::Foreign
    }
}
