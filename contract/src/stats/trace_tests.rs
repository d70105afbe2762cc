//! The trace ring: what is written is read, in order, whole or not at all.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;

fn ring() -> Arc<TraceRing> {
    Arc::new(TraceRing {
        head: AtomicU64::new(0),
        slots: [const {
            TraceSlot {
                sequence: AtomicU64::new(0),
                tsc: AtomicU64::new(0),
                about: AtomicU64::new(0),
                data: [const { AtomicU64::new(0) }; DATA_WORDS],
            }
        }; TRACE_SLOTS],
    })
}

fn meta(n: u64) -> TraceMeta {
    TraceMeta {
        tsc: n,
        port_in: Some(n as u8 % 64),
        port_out: None,
        verdict: TraceVerdict::Dropped(DropReason::ALL[n as usize % DropReason::ALL.len()]),
        peer: n as u16,
        len: n as u16,
    }
}

fn read_all(ring: &TraceRing, cursor: &mut TraceCursor) -> (Vec<TraceRecord>, u64) {
    let mut records = Vec::new();
    let missed = ring.follow(cursor, |record| records.push(record));
    (records, missed)
}

proptest! {
    #[test]
    fn a_record_is_read_as_it_was_written(
        tsc: u64, peer: u16, port_in in proptest::option::of(0..64u8), port_out in proptest::option::of(0..64u8),
        reason in proptest::option::of(0..DropReason::ALL.len()), frame in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let ring = ring();
        // A slot that was used before: nothing of it may show.
        ring.write(0, &TraceMeta { len: 400, ..meta(0) }, &[0xa5; 400]);
        let mut cursor = ring.cursor(false);
        let verdict = reason.map_or(TraceVerdict::Forwarded, |n| TraceVerdict::Dropped(DropReason::ALL[n]));
        let written = TraceMeta { tsc, port_in, port_out, verdict, peer, len: frame.len() as u16 };
        ring.write(TRACE_SLOTS as u64, &written, &frame);
        cursor.0 = TRACE_SLOTS as u64;
        let (records, missed) = read_all(&ring, &mut cursor);
        prop_assert_eq!((records.len(), missed), (1, 0));
        prop_assert_eq!(records[0].meta, written);
        prop_assert_eq!(records[0].bytes(), &frame[..frame.len().min(TRACE_BYTES)]);
    }

    /// A queue that forgets: whoever reads too rarely gets the newest, and the number of those it did not get.
    #[test]
    fn readers_get_each_record_or_are_told_of_it(steps in proptest::collection::vec((any::<bool>(), 0..1500u64), 1..12)) {
        let ring = ring();
        let (mut cursor, mut written, mut accounted) = (ring.cursor(false), 0, 0);
        for (read, n) in steps {
            for _ in 0..n {
                ring.write(written, &meta(written), &[]);
                written += 1;
            }
            if read {
                let (records, missed) = read_all(&ring, &mut cursor);
                let numbers: Vec<u64> = records.iter().map(|record| record.number).collect();
                accounted += missed;
                prop_assert_eq!(&numbers, &(accounted..written).collect::<Vec<_>>());
                prop_assert!(records.iter().all(|record| record.meta == meta(record.number)));
                accounted = written;
            }
        }
        let backlog = read_all(&ring, &mut ring.cursor(true));
        prop_assert_eq!((backlog.0.len() as u64, backlog.1), (written.min(TRACE_SLOTS as u64), 0));
    }

    #[test]
    fn a_mangled_ring_ends_no_reader(head: u64, about: u64, sequence: u64, at: u64) {
        let ring = ring();
        ring.head.store(head, Ordering::Relaxed);
        for slot in &ring.slots {
            slot.about.store(about, Ordering::Relaxed);
            slot.sequence.store(sequence, Ordering::Relaxed);
        }
        let mut cursor = TraceCursor(at);
        let (records, _) = read_all(&ring, &mut cursor);
        prop_assert!(records.len() <= TRACE_SLOTS);
        prop_assert_eq!(cursor, TraceCursor(head));
        read_all(&ring, &mut ring.cursor(true));
    }
}

/// A writer without a pause over few slots' worth of patience: records get torn all the time, and none is shown.
#[test]
fn a_torn_record_is_never_shown() {
    let ring = ring();
    // Before there is a writer, so that every record is either shown or missed.
    let (mut cursor, mut shown, mut missed) = (ring.cursor(false), 0, 0);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (ring, stop) = (ring.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut n = 0u64;
            while !stop.load(Ordering::Relaxed) {
                let bytes: [[u8; 8]; DATA_WORDS] = [n.to_ne_bytes(); DATA_WORDS];
                let about = TraceMeta {
                    len: TRACE_BYTES as u16,
                    ..meta(n)
                };
                ring.write(n, &about, bytes.as_flattened());
                n += 1;
            }
            n
        })
    };
    while shown < 100_000 || missed == 0 {
        missed += ring.follow(&mut cursor, |record| {
            let n = record.number.to_ne_bytes();
            assert!(
                record
                    .bytes()
                    .as_chunks::<8>()
                    .0
                    .iter()
                    .all(|word| *word == n)
            );
            assert_eq!(
                (record.meta.tsc, record.meta.peer),
                (record.number, record.number as u16)
            );
            shown += 1;
        });
        // The slot being written or about to be: what a reader lapped in the middle of a record looks at.
        let oldest = ring.cursor(true).0;
        for number in oldest..oldest + 4 {
            if let Some(record) = ring.read(number) {
                assert!(
                    record
                        .bytes()
                        .as_chunks::<8>()
                        .0
                        .iter()
                        .all(|word| *word == number.to_ne_bytes())
                );
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    missed += ring.follow(&mut cursor, |_| shown += 1);
    assert_eq!(shown + missed, written);
}
