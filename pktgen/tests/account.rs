//! Accounts against a model: whatever order frames come in, by however many queues, each is counted once, and the
//! report says what the path did.

use std::collections::HashMap;

use pktgen::account::outcome::{Ending, received, remarks};
use pktgen::account::{Account, Interval};
use pktgen::frame::classify::Seen;
use pktgen::frame::signature::{Lane, STAMP_BITS, Signature};
use pktgen::io::Missed;
use proptest::prelude::*;

const RUN: u16 = 4711;
const LEN: usize = 60;

fn frame(lane: Lane, sequence: u32, stamp: u64) -> Seen {
    Seen::Intact(Signature {
        run: RUN,
        lane,
        flow: sequence % 3,
        sequence,
        stamp: stamp & ((1 << STAMP_BITS) - 1),
    })
}

/// What arrives: mostly intact frames of a few lanes, among damaged and foreign ones.
fn arrival() -> impl Strategy<Value = Seen> {
    let lane = (0u8..3, 0u8..2).prop_map(|(stream, worker)| Lane::new(stream, worker));
    prop_oneof![
        12 => (lane.clone(), 0u32..300, 0u64..1_000_000).prop_map(|(lane, sequence, stamp)| frame(lane, sequence, stamp)),
        1 => lane.prop_map(|lane| Seen::Corrupted(Some(lane))),
        1 => Just(Seen::Corrupted(None)),
        1 => Just(Seen::Foreign),
    ]
}

proptest! {
    // A case makes the histograms of four accounts, 250 KiB a stream.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_frame_is_counted_once(arrivals in prop::collection::vec((arrival(), 0usize..3), 1..400)) {
        let mut queues: Vec<Account> = (0..3).map(|_| Account::of(Some(RUN))).collect();
        let mut copies: HashMap<(Lane, u32), u64> = HashMap::new();
        let (mut damaged, mut foreign, mut now) = (0, 0, 1_000_000);
        let mut intervals = Interval::default();
        for (seen, queue) in &arrivals {
            now += 1_000;
            match seen {
                Seen::Intact(signature) => *copies.entry((signature.lane, signature.sequence)).or_default() += 1,
                Seen::Corrupted(_) => damaged += 1,
                Seen::Foreign => foreign += 1,
            }
            queues[*queue].record(*seen, LEN, now);
            if now % 64_000 == 0 {
                intervals.merge(&queues[*queue].take_interval());
            }
        }
        for queue in &mut queues {
            intervals.merge(&queue.take_interval());
        }
        let account = Account::merged(queues);
        let sent: Vec<(Lane, u64)> =
            (0..3).flat_map(|stream| (0..2).map(move |worker| (Lane::new(stream, worker), 300))).collect();
        let found = received(&account, &Ending { sent: Some(&sent), seconds: 2.0, ..Ending::default() });

        let first = copies.len() as u64;
        let all: u64 = copies.values().sum();
        prop_assert_eq!((found.received, found.duplicates), (first, all - first));
        prop_assert_eq!((found.corrupted, found.foreign), (damaged, foreign));
        prop_assert_eq!(found.frames, arrivals.len() as u64);
        prop_assert_eq!(found.frames, found.received + found.duplicates + found.corrupted + found.foreign);
        prop_assert_eq!(found.lost, 6 * 300 - first);
        prop_assert!((found.loss - found.lost as f64 / 1800.0).abs() < 1e-12);
        prop_assert_eq!(found.bytes, arrivals.len() as u64 * 64);
        prop_assert_eq!(found.pps, all as f64 / 2.0);
        prop_assert_eq!(found.bits_wire, all as f64 * 84.0 * 8.0 / 2.0);
        // Latencies are of first copies at each queue; a copy that came by another queue is found only by merging.
        let timed: u64 = found.streams.iter().map(|s| s.latency.as_ref().map_or(0, |l| l.count) + s.future).sum();
        prop_assert!(timed >= first && timed <= all);
        prop_assert_eq!((intervals.received, intervals.bytes), (all, all * 64));
    }

    /// Without the sender's counts the loss is that below the highest seen of each lane.
    #[test]
    fn a_receiver_alone_counts_gaps(lost in prop::collection::hash_set(1u32..999, 0..200), from in 0u32..50_000_000) {
        let mut account = Account::default();
        for sequence in (0..1000).filter(|sequence| !lost.contains(sequence)) {
            account.record(frame(Lane::new(0, 0), from + sequence, 0), LEN, 1_000);
        }
        let join = received(&account, &Ending { join: true, ..Ending::default() });
        prop_assert_eq!(join.lost, lost.len() as u64);
        let alone = received(&account, &Ending::default());
        prop_assert_eq!(alone.lost, lost.len() as u64 + u64::from(from));
        prop_assert_eq!(account.run, Some(RUN));
    }
}

#[test]
fn the_first_intact_frame_chooses_the_run() {
    let mut account = Account::default();
    let other = Seen::Intact(Signature {
        run: 9,
        lane: Lane::new(0, 0),
        flow: 0,
        sequence: 0,
        stamp: 0,
    });
    account.record(Seen::Foreign, LEN, 0);
    account.record(Seen::Corrupted(Some(Lane::new(0, 0))), LEN, 0);
    account.record(frame(Lane::new(0, 0), 0, 0), LEN, 0);
    account.record(other, LEN, 0);
    let found = received(&account, &Ending::default());
    assert_eq!(
        (account.run, found.received, found.foreign, found.corrupted),
        (Some(RUN), 1, 2, 1)
    );
    assert_eq!(remarks(&account, &Ending::default()).len(), 1);
}

/// Two queues that met different runs first: the run is the one of which more came, whichever is asked.
#[test]
fn queues_that_locked_on_to_different_runs() {
    let queue = |run: u16, frames: u32| {
        let mut account = Account::default();
        for sequence in 0..frames {
            let signature = Signature {
                run,
                lane: Lane::new(0, 0),
                flow: 0,
                sequence,
                stamp: 0,
            };
            account.record(Seen::Intact(signature), LEN, 10);
        }
        account.record(Seen::Corrupted(None), LEN, 10);
        account.record(Seen::Foreign, LEN, 10);
        account
    };
    for order in [[(1, 5), (2, 50)], [(2, 50), (1, 5)]] {
        let account = Account::merged(order.map(|(run, frames)| queue(run, frames)));
        let found = received(&account, &Ending::default());
        assert_eq!((account.run, found.received), (Some(2), 50));
        // Five of the other run and the damaged one beside them; one foreign at each queue.
        assert_eq!((found.foreign, found.corrupted, found.frames), (8, 1, 59));
    }
}

#[test]
fn copies_have_no_latency_and_the_future_none_either() {
    let mut account = Account::default();
    let lane = Lane::new(2, 1);
    account.record(frame(lane, 0, 1_000), LEN, 5_000);
    account.record(frame(lane, 0, 1_000), LEN, 9_000_000);
    account.record(frame(lane, 1, 8_000), LEN, 7_000);
    let ending = Ending {
        names: &["a".into(), "b".into()],
        ..Ending::default()
    };
    let found = received(&account, &ending);
    let stream = &found.streams[2];
    let latency = stream.latency.as_ref().unwrap();
    assert_eq!((latency.count, latency.min, stream.future), (1, 4_000, 1));
    assert_eq!(stream.name, "stream 2");
    assert!(
        remarks(&account, &ending)
            .iter()
            .any(|remark| remark.contains("do not share a clock"))
    );
}

/// A stream of which nothing came is lost as a whole, not forgotten.
#[test]
fn silence_is_loss() {
    let sent = [(Lane::new(0, 0), 10), (Lane::new(1, 0), 20)];
    let names = ["a".to_owned(), "b".to_owned()];
    let mut account = Account::default();
    for sequence in 0..10 {
        account.record(frame(Lane::new(0, 0), sequence, 0), LEN, 10);
    }
    let ending = Ending {
        sent: Some(&sent),
        names: &names,
        bound: Some(0.5),
        ..Ending::default()
    };
    let found = received(&account, &ending);
    assert_eq!(
        (
            found.streams[1].name.as_str(),
            found.streams[1].lost,
            found.lost
        ),
        ("b", 20, 20)
    );
    assert_eq!(found.passed(), Some(false));
    // And of nothing at all, rates are zero, not infinite.
    let nothing = received(&Account::default(), &ending);
    assert_eq!((nothing.lost, nothing.loss, nothing.pps), (30, 1.0, 0.0));
}

#[test]
fn an_overrun_is_told() {
    let ending = Ending {
        missed: Missed {
            overrun: 3,
            left: 4,
        },
        ..Ending::default()
    };
    let account = Account::default();
    let found = received(&account, &ending);
    assert_eq!((found.overrun, found.left), (3, 4));
    assert!(
        remarks(&account, &ending)[0]
            .starts_with("3 frames were lost between the kernel and the receiver")
    );
}

#[test]
fn an_interval_is_what_came_since_the_last() {
    let mut account = Account::default();
    let lane = Lane::new(0, 0);
    account.record(frame(lane, 0, 0), LEN, 10_000);
    account.record(frame(lane, 3, 0), LEN, 20_000);
    let first = account.take_interval();
    assert_eq!(
        (
            first.received,
            first.bytes,
            first.faults,
            first.missing(false)
        ),
        (2, 128, 0, 2)
    );
    assert_eq!(first.quantiles().unwrap().max / 1_000, 20);
    account.record(frame(lane, 0, 0), LEN, 20_000);
    account.record(Seen::Corrupted(None), LEN, 20_000);
    let second = account.take_interval();
    assert_eq!(
        (second.received, second.faults, second.quantiles()),
        (1, 2, None)
    );
    assert_eq!(second.second(2.0).p50, None);
    assert_eq!(account.take_interval().received, 0);
}
