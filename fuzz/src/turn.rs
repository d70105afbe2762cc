//! A sequence of frames through a whole worker: see `Audit` for what must hold.
//!
//! ```text
//! input:   record, record, ...
//! record:  | flags | length, 2 bytes | as many bytes of a frame, or what is left |
//! flags:   bits 0-1 port, 3: none, only settle
//!          bit 2 mend outer and IP checksums, bit 3 mend the transport's, bit 4 settle, bit 5 leave in the rings what is sent,
//!          bit 6 of the first record: the peers are over IPv6
//! ```

use std::cell::RefCell;

use crate::support::UNDERLAY;
use crate::support::audit::Audit;
use crate::support::dual::Over;
use crate::support::mend::{mend, mend_ip, mend_transport};

/// Frames that wait at once: fewer than a fill ring has chunks.
const BURST: usize = 60;
/// Longest frame that a chunk holds.
const LONGEST: usize = 1742;

pub const MEND: u8 = 4;
pub const MEND_TRANSPORT: u8 = 8;
pub const SETTLE: u8 = 16;
pub const HOLD: u8 = 32;
pub const OVER_IPV6: u8 = 64;

thread_local! {
    // For all inputs: a UMEM is mapped for good. Nothing of one input is left when the next one starts but the counts.
    static AUDITS: RefCell<[Audit; 2]> = RefCell::new([Over::V4, Over::V6].map(Audit::new));
}

/// The underlay that flags name.
pub fn over(flags: u8) -> Over {
    match flags & OVER_IPV6 {
        0 => Over::V4,
        _ => Over::V6,
    }
}

/// Runs the sequence.
pub fn check(input: &[u8]) {
    AUDITS.with_borrow_mut(|audits| {
        let flags = input.first().copied().unwrap_or(0);
        let audit = &mut audits[over(flags) as usize];
        let (mut waiting, mut rest) = (0, input);
        let mut buffer = [0; LONGEST];
        while let [flags, high, low, after @ ..] = rest {
            let len = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
            let (bytes, next) = after.split_at(len);
            rest = next;
            let port = flags & 3;
            if port < 3 {
                let frame = &mut buffer[..len.min(LONGEST)];
                frame.copy_from_slice(&bytes[..len.min(LONGEST)]);
                mend_as_told(*flags, port, frame);
                audit.deliver(port, frame);
                waiting += 1;
            }
            if port == 3 || flags & SETTLE != 0 || waiting == BURST {
                audit.settle();
                waiting = 0;
                if flags & HOLD == 0 {
                    audit.collect();
                }
            }
        }
        audit.balance();
    });
}

/// Repairs what the flags say.
pub fn mend_as_told(flags: u8, port: u8, frame: &mut [u8]) {
    let packet = match port {
        UNDERLAY => Over::of(frame).overhead() + 14,
        _ => 14,
    };
    if flags & MEND_TRANSPORT != 0
        && let Some(packet) = frame.get_mut(packet..)
    {
        mend_ip(packet);
        mend_transport(packet);
    }
    if flags & MEND == 0 {
        return;
    }
    match frame.get_mut(14..) {
        Some(packet) if port != UNDERLAY => mend_ip(packet),
        _ if port == UNDERLAY => mend(frame),
        _ => {}
    }
}
