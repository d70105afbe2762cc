//! A worker with nothing to do: its part of the stats still says that it lives and which tables it has.

mod support;

use contract::stats::WorkerCounter;
use contract::tables::Publisher;
use support::{Rig, golden_tables};

fn count(rig: &Rig, counter: WorkerCounter) -> u64 {
    rig.stats().snapshot().workers[0].counters.count(counter)
}

/// A worker that has told all there is to tell, with newer tables than those it told of.
fn quiet_rig() -> (Rig, u64) {
    let mut rig = Rig::new(&golden_tables());
    rig.settle();
    let told = count(&rig, WorkerCounter::Generation);
    let (mut publisher, _) = Publisher::open_or_create(&rig.tables_path()).unwrap();
    let published = publisher.publish(&golden_tables()).unwrap();
    assert!(published.generation > told);
    (rig, published.generation)
}

#[test]
fn a_worker_that_sleeps_beats_and_tells_of_new_tables() {
    let (mut rig, generation) = quiet_rig();
    let beat = count(&rig, WorkerCounter::HeartbeatNs);
    rig.worker.rest();
    rig.worker.slept();
    rig.worker.turn();
    assert!(count(&rig, WorkerCounter::HeartbeatNs) > beat);
    assert_eq!(count(&rig, WorkerCounter::Generation), generation);
    assert_eq!(count(&rig, WorkerCounter::Sleeps), 1);
}

#[test]
fn a_worker_that_spins_beats_and_tells_of_new_tables() {
    let (mut rig, generation) = quiet_rig();
    let beat = count(&rig, WorkerCounter::HeartbeatNs);
    for _ in 0..1 << 16 {
        rig.worker.turn();
    }
    assert!(count(&rig, WorkerCounter::HeartbeatNs) > beat);
    assert_eq!(count(&rig, WorkerCounter::Generation), generation);
}
