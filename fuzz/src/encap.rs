//! One frame from the pod side through `encap`, alone: taken, and sent where it is, exactly as the model says; a frame that
//! is refused is left as it was, for the ICMP error quotes it.
//!
//! ```text
//! input: | flags: bits 0-1 where it came in, bits 2-3 as for `turn` | headroom / 2 | frame |
//! ```

use std::cell::RefCell;

use contract::stats::DropReason;
use contract::tables::OwnedFib;
use dataplane::xsk::{DEFAULT_HEADROOM, Pool, Umem};
use dataplane::{IpIds, encap};

use crate::support::model::{self, OUTER, Packet, check_sent};
use crate::support::{POD, UNDERLAY, UPLINK, golden_tables};
use crate::turn::mend_as_told;

/// The port of what the engine itself sends.
const ORIGINATED: u8 = u8::MAX;

struct Bench {
    fib: OwnedFib,
    pool: Pool,
    ids: IpIds,
    before: Vec<u8>,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(Bench {
        fib: OwnedFib::new(&golden_tables()).expect("valid tables"),
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
    BENCH.with_borrow_mut(|bench| {
        let Bench {
            fib,
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
        let verdict = encap(&mut frame, from, fib, ids);
        let expected = model::encap(before, from);
        match verdict {
            Ok(tx) => {
                let passed = expected.expect("the model refuses this frame");
                assert_eq!((tx.port, tx.len), (passed.port, passed.len));
                check_sent(tx.port, frame.bytes());
                let packet = match tx.port {
                    UNDERLAY => &frame.bytes()[OUTER + 14..],
                    _ => &frame.bytes()[14..],
                };
                same_packet(packet, &before[14..], from == POD);
            }
            Err(DropReason::NoHeadroom) => assert!(headroom < OUTER && expected.is_some()),
            Err(reason) => {
                assert_eq!(expected, None, "{reason:?}, and the model takes it");
                assert_eq!(frame.bytes(), before);
            }
        }
        pool.free(frame);
    });
}

/// The packet that left is the one that came, but for one hop less on its TTL and the checksum that follows.
pub fn same_packet(after: &[u8], before: &[u8], routed: bool) {
    let (new, old) = (Packet::parse(after), Packet::parse(before));
    let (new, old) = (new.expect("a packet"), old.expect("a packet"));
    assert_eq!(new.ttl, old.ttl - u8::from(routed));
    assert_eq!(after[2..8], before[2..8]);
    assert_eq!(after[9], before[9]);
    assert_eq!(after[12..], before[12..usize::from(old.len)]);
}
