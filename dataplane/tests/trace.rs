//! What a worker leaves in its trace and in its residence times. That each drop reason is recorded with the frame as it came
//! is tested where it is provoked, in `drops.rs`.

mod support;

use contract::stats::{DropReason, PortCounter, TraceRecord, TraceVerdict, WorkerCounter};
use support::dual::{Over, dual_tables, kernel6_frames, pod_side, sender};
use support::mend::mend;
use support::{POD, Rig, UNDERLAY, UPLINK, golden_tables, kernel_frames};

/// Adjacencies of the golden tables.
const UPLINK_SLOT: u16 = 1;
const NODE_2: u16 = 2;
const NODE_3: u16 = 3;

fn vxlan_frame() -> Vec<u8> {
    let mut frames = kernel_frames().into_iter();
    frames.find(|frame| frame[29] == 2).unwrap()
}

fn pod_frame() -> Vec<u8> {
    let mut frames = kernel_frames().into_iter();
    let frame = frames.find(|frame| frame[29] == 1).unwrap();
    [&[0x0a; 12], &frame[62..]].concat()
}

fn to(mut frame: Vec<u8>, third: u8) -> Vec<u8> {
    frame[32] = third;
    support::mend::mend_ip(&mut frame[14..]);
    frame
}

fn only(records: Vec<TraceRecord>) -> TraceRecord {
    let [record] = records.try_into().unwrap();
    record
}

#[test]
fn at_rest_each_forwarded_frame_is_recorded_as_it_left() {
    for (from, out, frame, peer) in [
        (UPLINK, UNDERLAY, pod_frame(), NODE_2),
        (UNDERLAY, UPLINK, vxlan_frame(), NODE_2),
        (POD, UPLINK, to(pod_frame(), 1), UPLINK_SLOT),
    ] {
        let mut rig = Rig::new(&golden_tables());
        let sent = rig.pass(from, &frame);
        let record = only(rig.trace());
        assert_eq!(record.meta.verdict, TraceVerdict::Forwarded);
        assert_eq!(
            (record.meta.port_in, record.meta.port_out),
            (Some(from), Some(out))
        );
        assert_eq!(record.meta.peer, peer);
        assert_eq!(usize::from(record.meta.len), sent[0].1.len());
        assert_eq!((out, record.bytes()), (sent[0].0, &sent[0].1[..]));
    }
}

#[test]
fn peers_are_named_whichever_family_they_speak_and_are_spoken_to_in() {
    for over in [Over::V4, Over::V6] {
        let frames: Vec<_> = kernel6_frames()
            .into_iter()
            .filter(|frame| Over::of(frame) == over)
            .collect();
        let of = |node| frames.iter().find(|frame| sender(frame) == node).unwrap();
        let peer_of = |port, frame: &[u8], verdict: fn(TraceVerdict) -> bool| {
            let mut rig = Rig::new(&dual_tables(1, over));
            rig.pass(port, frame);
            let record = &rig.trace()[0];
            assert!(verdict(record.meta.verdict), "{:?}", record.meta);
            record.meta.peer
        };
        let forwarded = |verdict| verdict == TraceVerdict::Forwarded;
        assert_eq!(peer_of(UPLINK, &pod_side(of(1)), forwarded), NODE_2);
        assert_eq!(peer_of(UNDERLAY, of(2), forwarded), NODE_2);
        let dropped = |verdict| verdict != TraceVerdict::Forwarded;
        let mut foreign = of(2).clone();
        foreign[over.addresses().end + 14] ^= 1; // VNI
        mend(&mut foreign);
        assert_eq!(peer_of(UNDERLAY, &foreign, dropped), NODE_2);
        // The last byte of the outer source.
        let addresses = over.addresses();
        foreign[addresses.start + addresses.len() / 2 - 1] = 200;
        mend(&mut foreign);
        assert_eq!(peer_of(UNDERLAY, &foreign, dropped), 0);
        let mut lost = pod_side(of(1));
        lost[45] = 3; // IPv6 inside: node 3, which is not resolved
        if lost[12] == 0x86 {
            assert_eq!(peer_of(UPLINK, &lost, dropped), NODE_3);
        }
    }
}

#[test]
fn a_loss_names_the_peer_only_when_the_tables_bear_it_out() {
    let peer_of = |port, frame: &[u8]| {
        let mut rig = Rig::new(&golden_tables());
        rig.pass(port, frame);
        rig.trace()[0].meta.peer
    };
    assert_eq!(peer_of(UPLINK, &to(pod_frame(), 3)), NODE_3, "unresolved");
    assert_eq!(peer_of(UPLINK, &to(pod_frame(), 9)), 0, "no route");
    let mut foreign = vxlan_frame();
    foreign[48] ^= 1;
    mend(&mut foreign);
    assert_eq!(
        peer_of(UNDERLAY, &foreign),
        NODE_2,
        "its VNI is wrong, its addresses are right"
    );
    foreign[29] = 200;
    mend(&mut foreign);
    assert_eq!(
        peer_of(UNDERLAY, &foreign),
        0,
        "anybody may claim to be a pod of node 2"
    );
    assert_eq!(peer_of(UNDERLAY, &foreign[..20]), 0);
    assert_eq!(peer_of(UNDERLAY, &[]), 0);
}

#[test]
fn what_is_lost_on_the_way_out_is_recorded_as_it_would_have_left() {
    let mut rig = Rig::new(&golden_tables());
    let left = rig.pass(UPLINK, &pod_frame()).remove(0).1;
    rig.close(UNDERLAY);
    rig.pass(UPLINK, &pod_frame());
    let record = rig.trace().pop().unwrap();
    assert_eq!(
        record.meta.verdict,
        TraceVerdict::Dropped(DropReason::PortDown)
    );
    assert_eq!(
        (record.meta.port_in, record.meta.port_out),
        (Some(UPLINK), Some(UNDERLAY))
    );
    assert_eq!(
        (record.meta.peer, record.bytes().len()),
        (NODE_2, left.len())
    );
    assert_eq!(record.bytes()[50..], left[50..]);
}

#[test]
fn a_frame_that_found_no_room_is_never_told_to_have_left() {
    let mut rig = Rig::with_rings(&golden_tables(), 1024, 64);
    for _ in 0..20 {
        for _ in 0..50 {
            rig.deliver(UPLINK, &pod_frame());
        }
        rig.settle();
    }
    // 64 left, in two bursts; every burst found the worker at rest.
    let forwarded = rig
        .trace()
        .into_iter()
        .filter(|record| record.meta.verdict == TraceVerdict::Forwarded);
    assert_eq!(forwarded.count(), 2);
    let lost = rig
        .trace()
        .into_iter()
        .find(|r| r.meta.verdict != TraceVerdict::Forwarded)
        .unwrap();
    assert_eq!(lost.meta.verdict, TraceVerdict::Dropped(DropReason::TxFull));
    assert_eq!(
        (lost.meta.port_in, lost.meta.port_out),
        (Some(UPLINK), Some(UNDERLAY))
    );
}

#[test]
fn an_error_that_the_engine_made_came_in_by_no_port() {
    let mut rig = Rig::new(&golden_tables());
    let answer = rig.pass(UPLINK, &to(pod_frame(), 9)).remove(0).1;
    let [lost, error] = rig.trace().try_into().unwrap();
    assert_eq!(
        lost.meta.verdict,
        TraceVerdict::Dropped(DropReason::NoRoute)
    );
    assert_eq!(error.meta.verdict, TraceVerdict::Forwarded);
    assert_eq!(
        (error.meta.port_in, error.meta.port_out),
        (None, Some(UPLINK))
    );
    assert_eq!((error.meta.peer, error.bytes()), (0, &answer[..]));
}

/// Every loss is either recorded or counted as not recorded; and a rare reason is seen in the flood of another.
#[test]
fn a_flood_is_cut_and_counted_and_hides_nothing() {
    let mut rig = Rig::with_rings(&golden_tables(), 1024, 256);
    let mut foreign = vxlan_frame();
    foreign[48] ^= 1;
    mend(&mut foreign);
    let mut stranger = vxlan_frame();
    stranger[29] = 200;
    mend(&mut stranger);
    for _ in 0..200 {
        rig.deliver(UNDERLAY, &foreign);
    }
    rig.deliver(UNDERLAY, &stranger);
    rig.settle();
    let count = |reason| {
        let records = rig.trace().into_iter();
        records
            .filter(|r| r.meta.verdict == TraceVerdict::Dropped(reason))
            .count() as u64
    };
    assert_eq!(count(DropReason::OuterSource), 1);
    let recorded = count(DropReason::Vni);
    assert!(recorded > 0);
    let skipped = rig.stats().snapshot().workers[0]
        .counters
        .count(WorkerCounter::TraceSkipped);
    assert_eq!(recorded + skipped, 200);
}

/// Hundreds of frames in each burst's ring and no idle turn between: only the sample is recorded, and some are timed.
#[test]
fn at_peak_a_sample_is_recorded_and_a_sample_is_timed() {
    let mut rig = Rig::with_rings(&golden_tables(), 4096, 64);
    let frame = pod_frame();
    let mut bursts = 0;
    rig.deliver(UPLINK, &frame);
    while bursts < 65_536 {
        assert_eq!(rig.worker.turn(), 1);
        bursts += 1;
        rig.kernel[usize::from(UNDERLAY)].collect(|_| ());
        rig.deliver(UPLINK, &frame);
    }
    rig.settle();
    let first = rig.trace()[0].number;
    let recorded = first + rig.trace().len() as u64;
    assert!(
        (900..1150).contains(&recorded),
        "{recorded} of {bursts} bursts are one in 64"
    );
    let snapshot = rig.stats().snapshot();
    let timed = snapshot.residence();
    assert!(
        (40..90).contains(&timed.count()),
        "{} of {bursts} are one in 1,024",
        timed.count()
    );
    assert!(timed.quantile_ns(0.0).unwrap() > 0.0);
    assert_eq!(
        snapshot
            .port(usize::from(UPLINK))
            .count(PortCounter::Forwarded),
        bursts + 1
    );
}

#[test]
fn times_of_records_lie_between_commits() {
    let mut rig = Rig::new(&golden_tables());
    let anchor = |rig: &Rig| {
        rig.stats().snapshot().workers[0]
            .counters
            .count(WorkerCounter::HeartbeatTsc)
    };
    rig.settle();
    let before = anchor(&rig);
    rig.worker.turn();
    rig.pass(UPLINK, &pod_frame());
    let record = only(rig.trace());
    assert!(before <= record.meta.tsc && record.meta.tsc <= anchor(&rig));
}
