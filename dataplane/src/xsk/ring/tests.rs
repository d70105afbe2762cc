//! The ring against a queue of bounded length (the oracle), and against every interleaving of two threads (loom).

use super::*;

#[cfg(not(loom))]
mod oracle {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any order of the verbs, begun anywhere below the wrap of the indices, is a FIFO of `size` entries.
        #[test]
        fn a_ring_is_a_bounded_queue(
            exponent in 0..7u32,
            before_wrap in 0..200u32,
            steps in proptest::collection::vec((any::<bool>(), 0..80usize, 0..80usize), 1..120),
        ) {
            let size = 1 << exponent;
            let [ours, theirs] = Shared::<u64>::plain(size, 0u32.wrapping_sub(before_wrap), 0);
            let (mut producer, mut consumer) = (Producer::new(ours), Consumer::new(theirs));
            let (mut model, mut value) = (VecDeque::new(), 0u64);
            for (produce, want, used) in steps {
                if produce {
                    let mut slots = producer.reserve(want);
                    prop_assert_eq!(slots.len(), want.min(size as usize - model.len()));
                    let written = used.min(slots.len());
                    for _ in 0..written {
                        value += 1;
                        slots.put(value);
                        model.push_back(value);
                    }
                    prop_assert_eq!(slots.submit(), written);
                } else {
                    let mut entries = consumer.peek(want);
                    prop_assert_eq!(entries.len(), want.min(model.len()));
                    let read: Vec<_> = entries.by_ref().take(used).collect();
                    prop_assert_eq!(entries.release(), read.len());
                    prop_assert_eq!(&read, &model.drain(..read.len()).collect::<Vec<_>>());
                }
                prop_assert_eq!(producer.outstanding() as usize, model.len());
            }
        }
    }

    #[test]
    fn what_is_not_submitted_or_released_never_was() {
        let [ours, theirs] = Shared::<u64>::plain(4, u32::MAX, 0);
        let (mut producer, mut consumer) = (Producer::new(ours), Consumer::new(theirs));
        let mut slots = producer.reserve(4);
        slots.put(7);
        drop(slots);
        assert_eq!(consumer.peek(4).len(), 0);
        let mut slots = producer.reserve(4);
        slots.put(8);
        assert_eq!(slots.submit(), 1);
        assert_eq!(consumer.peek(4).collect::<Vec<_>>(), [8]);
        let mut again = consumer.peek(4);
        assert_eq!(again.by_ref().collect::<Vec<_>>(), [8]);
        assert_eq!(again.release(), 1);
        assert_eq!(consumer.peek(4).len(), 0);
    }

    #[test]
    #[should_panic(expected = "than slots were reserved")]
    fn a_slot_that_was_not_reserved_cannot_be_written() {
        let [ours, _theirs] = Shared::<u64>::plain(2, 0, 0);
        let mut producer = Producer::new(ours);
        let mut slots = producer.reserve(1);
        slots.put(1);
        slots.put(2);
    }

    #[test]
    fn a_side_is_alone_when_the_other_is_dropped() {
        let [ours, theirs] = Shared::<u64>::plain(2, 0, 0);
        let (producer, consumer) = (Producer::new(ours), Consumer::new(theirs));
        assert!(!producer.is_alone());
        drop(consumer);
        assert!(producer.is_alone());
    }

    /// Two threads, the real atomics: Miri finds what the memory model forbids, and the values must come in order.
    #[test]
    fn two_threads_pass_every_value_in_order() {
        const VALUES: u64 = if cfg!(miri) { 200 } else { 200_000 };
        let [ours, theirs] = Shared::<u64>::plain(64, u32::MAX - 100, 0);
        let (mut producer, mut consumer) = (Producer::new(ours), Consumer::new(theirs));
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut value = 0;
                while value < VALUES {
                    let mut slots = producer.reserve(((VALUES - value) as usize).min(17));
                    while slots.len() > 0 {
                        slots.put(value);
                        value += 1;
                    }
                    if slots.submit() == 0 {
                        std::thread::yield_now();
                    }
                }
            });
            let mut expected = 0;
            while expected < VALUES {
                let mut entries = consumer.peek(13);
                for value in entries.by_ref() {
                    assert_eq!(value, expected);
                    expected += 1;
                }
                if entries.release() == 0 {
                    std::thread::yield_now();
                }
            }
        });
    }
}

#[cfg(loom)]
mod model {
    use super::*;

    /// Ring of four, more values than slots, indices that wrap: loom's cells panic if a slot is ever written and read at
    /// once, and the values must come in order.
    #[test]
    fn slots_are_never_shared() {
        const VALUES: u64 = 6;
        loom::model(|| {
            let [ours, theirs] = Shared::<u64>::plain(4, u32::MAX - 1, 0);
            let (mut producer, mut consumer) = (Producer::new(ours), Consumer::new(theirs));
            let thread = loom::thread::spawn(move || {
                let mut value = 0;
                while value < VALUES {
                    let mut slots = producer.reserve(((VALUES - value) as usize).min(3));
                    while slots.len() > 0 {
                        slots.put(value);
                        value += 1;
                    }
                    if slots.submit() == 0 {
                        loom::thread::yield_now();
                    }
                }
            });
            let mut expected = 0;
            while expected < VALUES {
                let mut entries = consumer.peek(4);
                for value in entries.by_ref() {
                    assert_eq!(value, expected);
                    expected += 1;
                }
                if entries.release() == 0 {
                    loom::thread::yield_now();
                }
            }
            thread.join().unwrap();
        });
    }
}
