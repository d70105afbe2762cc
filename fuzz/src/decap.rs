//! One frame from the wire through `decap`, alone: taken exactly when the model takes it, and then the packet inside is what
//! goes on; a frame that is refused is left as it was, for the ICMP error quotes it.
//!
//! ```text
//! input: | flags: bits 2-3 and 6 as for `turn` | frame |
//! ```

use std::cell::RefCell;

use contract::tables::OwnedFib;
use dataplane::decap;
use dataplane::xsk::{DEFAULT_HEADROOM, Pool, Umem};

use crate::encap::same_packet;
use crate::support::dual::{Over, carried, dual_tables};
use crate::support::model::{self, Packet, check_sent, completed};
use crate::support::{POD, UNDERLAY};
use crate::turn::{mend_as_told, over};

struct Bench {
    fibs: [OwnedFib; 2],
    pool: Pool,
    before: Vec<u8>,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(Bench {
        fibs: [Over::V4, Over::V6].map(|over| OwnedFib::new(&dual_tables(1, over)).expect("valid tables")),
        pool: Umem::map(4, 2048, DEFAULT_HEADROOM, contract::config::Hugepages::Off).expect("memory").1,
        before: Vec::new(),
    });
}

/// Runs one frame.
pub fn check(input: &[u8]) {
    let [flags, bytes @ ..] = input else { return };
    let over = over(*flags);
    BENCH.with_borrow_mut(|bench| {
        let Bench { fibs, pool, before } = bench;
        let mut frame = pool.alloc().expect("the chunk was freed");
        let len = bytes.len().min(frame.tailroom());
        frame.append(&bytes[..len]).expect("room");
        mend_as_told(*flags, UNDERLAY, frame.bytes_mut());
        before.clear();
        before.extend_from_slice(frame.bytes());

        let verdict = decap(&mut frame, &fibs[over as usize]);
        let expected = model::decap(before, over);
        match verdict {
            Ok(tx) => {
                let passed = expected.expect("the model refuses this frame");
                assert_eq!((tx.port, tx.len), (passed.port, passed.len));
                check_sent(tx.port, frame.bytes(), over);
                let (after, inner) = (&frame.bytes()[14..], &carried(before)[14..]);
                same_packet(after, &completed(inner), tx.port == POD);
                let tos = |packet: &[u8]| Packet::parse(packet).expect("a packet").tos;
                let (outer, old, new) = (tos(&before[14..]) & 3, tos(inner) & 3, tos(after) & 3);
                // RFC 6040 section 4.2, figure 4; CE over Not-ECT is not here, it was dropped.
                let mark = match (outer, old) {
                    (3, _) => 3,
                    (1, 2) => 1,
                    _ => old,
                };
                assert_eq!(new, mark, "ECN {outer} over {old}");
                assert_eq!(tos(after) & !3, tos(inner) & !3, "DSCP");
            }
            Err(reason) => {
                assert_eq!(expected, None, "{reason:?}, and the model takes it");
                assert_eq!(frame.bytes(), before);
            }
        }
        pool.free(frame);
    });
}
