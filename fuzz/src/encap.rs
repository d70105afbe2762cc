//! One frame from the pod side through `encap`, alone: taken, and sent where it is, exactly as the model says; a frame that
//! is refused is left as it was, for the ICMP error quotes it.
//!
//! ```text
//! input: | flags: bits 0-1 where it came in, bits 2-3 and 6 as for `turn` | headroom / 2 | frame |
//! ```

use std::cell::RefCell;

use contract::stats::DropReason;
use contract::tables::OwnedFib;
use dataplane::xsk::{DEFAULT_HEADROOM, Pool, Umem};
use dataplane::{IpIds, encap};

use crate::support::dual::{Over, dual_tables};
use crate::support::model::{self, Packet, check_sent};
use crate::support::{POD, UNDERLAY, UPLINK};
use crate::turn::{mend_as_told, over};

/// The port of what the engine itself sends.
const ORIGINATED: u8 = u8::MAX;

struct Bench {
    fibs: [OwnedFib; 2],
    pool: Pool,
    ids: IpIds,
    before: Vec<u8>,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(Bench {
        fibs: [Over::V4, Over::V6].map(|over| OwnedFib::new(&dual_tables(1, over)).expect("valid tables")),
        pool: Umem::map(4, 2048, DEFAULT_HEADROOM, contract::config::Hugepages::Off).expect("memory").1,
        ids: IpIds::starting_at(u16::MAX - 1),
        before: Vec::new(),
    });
}

/// Runs one frame.
pub fn check(input: &[u8]) {
    let [flags, headroom, bytes @ ..] = input else {
        return;
    };
    let from = [UPLINK, POD, ORIGINATED, UPLINK][usize::from(flags & 3)];
    let over = over(*flags);
    BENCH.with_borrow_mut(|bench| {
        let Bench {
            fibs,
            pool,
            ids,
            before,
        } = bench;
        let mut frame = pool.alloc().expect("the chunk was freed");
        let room = frame.headroom().saturating_sub(usize::from(*headroom) * 2);
        frame.grow_head(room).expect("room");
        frame.truncate(0);
        let len = bytes.len().min(frame.tailroom());
        frame.append(&bytes[..len]).expect("room");
        mend_as_told(*flags, from, frame.bytes_mut());
        before.clear();
        before.extend_from_slice(frame.bytes());

        let headroom = frame.headroom();
        let verdict = encap(&mut frame, from, &fibs[over as usize], ids);
        let expected = model::encap(before, from, over);
        match verdict {
            Ok(tx) => {
                let passed = expected.expect("the model refuses this frame");
                assert_eq!((tx.port, tx.len), (passed.port, passed.len));
                check_sent(tx.port, frame.bytes(), over);
                let packet = match tx.port {
                    UNDERLAY => &frame.bytes()[over.overhead() + 14..],
                    _ => &frame.bytes()[14..],
                };
                same_packet(packet, &before[14..], from == POD);
            }
            Err(DropReason::NoHeadroom) => {
                assert!(headroom < over.overhead() && expected.is_some())
            }
            Err(reason) => {
                assert_eq!(expected, None, "{reason:?}, and the model takes it");
                assert_eq!(frame.bytes(), before);
            }
        }
        pool.free(frame);
    });
}

/// The packet that left is the one that came, but for one hop less, the checksum that follows from it, and the congestion
/// bits, of which this says nothing.
pub fn same_packet(after: &[u8], before: &[u8], routed: bool) {
    let (new, old) = (Packet::parse(after), Packet::parse(before));
    let (new, old) = (new.expect("a packet"), old.expect("a packet"));
    assert_eq!(new.ttl, old.ttl - u8::from(routed));
    let len = usize::from(old.len);
    assert_eq!(after.len(), len);
    let hops = match after[0] >> 4 {
        4 => {
            assert_eq!(after[0], before[0]);
            assert_eq!(after[9], before[9]);
            8..12
        }
        _ => {
            assert_eq!(after[0], before[0]);
            assert_eq!(after[1] & 15, before[1] & 15, "the flow label");
            7..8
        }
    };
    assert_eq!(after[2..hops.start], before[2..hops.start]);
    assert_eq!(after[hops.end..], before[hops.end..len]);
}
