//! AF_XDP sockets and the program that feeds them, on veth pairs in namespaces of their own: what is sent arrives,
//! every frame is somewhere, nothing stays behind, and what cannot be done is said with its remedy.

#[path = "xsk/packets.rs"]
mod packets;
mod support;

use std::time::{Duration, Instant};

use packets::{arp, echo, foreign, ours, table};
use pktgen::io::take::Taker;
use pktgen::io::xsk::{self, XskRx, XskTx};
use pktgen::io::{Interface, Missed, Mode, Rx, Take, Tx};
use support::wire::Wire;

/// Frames of a half, as io/xsk.rs has them.
const TX_FRAMES: usize = 2048;
const RX_FRAMES: usize = 4096;

fn interface(ns: &perf::lab::Namespace, name: &str) -> Interface {
    Interface {
        name: name.into(),
        netns: Some(ns.name().into()),
    }
}

/// A sender on `a0`, a receiver with its program on `b0`.
struct Ends {
    tx: XskTx,
    rx: XskRx,
    taker: Taker,
    wire: Wire,
}

impl Ends {
    fn new(mode: Mode, take: Take) -> Self {
        let wire = Wire::new();
        let tx = xsk::open(&interface(&wire.a, "a0"), 0, mode, false);
        let at = interface(&wire.b, "b0");
        let mut taker = Taker::attach(&at, mode, take, &[8472, 4789]).unwrap();
        let (_, rx) = xsk::open(&at, 0, mode, true).unwrap();
        taker.direct(0, rx.socket()).unwrap();
        Ends {
            tx: tx.unwrap().0,
            rx,
            taker,
            wire,
        }
    }

    /// Hands over `count` frames, as bursts; what the veth pair dropped of them.
    fn send(&mut self, count: usize, mut frame: impl FnMut(usize) -> Vec<u8>) -> u64 {
        let before = self.dropped();
        let mut next = 0;
        while next < count {
            let want = (count - next).min(64);
            let sent = self.tx.send(want, |room| {
                let frame = frame(next);
                next += 1;
                room[..frame.len()].copy_from_slice(&frame);
                frame.len()
            });
            assert_eq!(sent.unwrap(), want, "the ring is drained by every call");
            self.finish();
        }
        self.dropped() - before
    }

    /// Until the kernel has finished with all.
    fn finish(&mut self) {
        let patience = Instant::now() + Duration::from_secs(10);
        while self.tx.outstanding().unwrap() > 0 {
            assert!(Instant::now() < patience, "frames are still in flight");
        }
    }

    /// Takes the addresses away, so that the kernel answers nothing of what is left to it.
    fn mute(&self) {
        self.wire.a.ip("addr flush dev a0").unwrap();
        self.wire.b.ip("addr flush dev b0").unwrap();
    }

    /// So many frames, and what else is there.
    fn receive(&mut self, count: usize) -> Vec<Vec<u8>> {
        receive(&mut self.rx, count)
    }

    /// Frames that went into `a0` and did not come out of `b0`, by the counters of both.
    fn dropped(&self) -> u64 {
        let file = "cat /sys/class/net/a0/statistics/tx_dropped";
        self.wire.a.run(file).unwrap().trim().parse().unwrap()
    }
}

/// So many frames, or those that come within ten seconds; then what else is there.
fn receive(rx: &mut XskRx, count: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let patience = Instant::now() + Duration::from_secs(10);
    while frames.len() < count && Instant::now() < patience {
        if rx.receive(|frame| frames.push(frame.to_vec())).unwrap() == 0 {
            rx.wait(10).unwrap();
        }
    }
    while rx.receive(|frame| frames.push(frame.to_vec())).unwrap() > 0 {}
    frames
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_is_sent_arrives_byte_for_byte() {
    let mut ends = Ends::new(Mode::Auto, Take::Ours);
    assert_eq!(ends.tx.binding(), "AF_XDP copy");
    assert_eq!(ends.rx.binding(), "AF_XDP copy");
    let sent: Vec<_> = (0..1_000).map(|i| ours(i as u32, 60 + i % 1_455)).collect();
    assert_eq!(ends.send(sent.len(), |i| sent[i].clone()), 0);
    let received = ends.receive(sent.len());
    assert_eq!(received.len(), sent.len());
    for (i, (is, was)) in received.iter().zip(&sent).enumerate() {
        assert_eq!(is, was, "frame {i}");
    }
    assert_eq!(ends.rx.missed().unwrap(), Missed::default());
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_hundred_thousand_frames_leave_none_behind() {
    let mut ends = Ends::new(Mode::Copy, Take::Ours);
    let (mut received, mut dropped) = (0, 0);
    for round in 0..50 {
        let lost = ends.send(2_000, |i| ours(round * 2_000 + i as u32, 60));
        received += ends.receive(2_000 - lost as usize).len() as u64;
        dropped += lost;
    }
    assert_eq!(received + dropped, 100_000);
    assert_eq!(ends.rx.missed().unwrap().overrun, 0);
    assert_eq!(ends.tx.free(), TX_FRAMES);
    // The receive half's are all with the kernel if it can fill them all at once.
    ends.send(RX_FRAMES + 500, |i| ours(i as u32, 60));
    assert_eq!(ends.receive(RX_FRAMES).len(), RX_FRAMES);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_a_slow_reader_misses_is_counted_once() {
    for mode in [Mode::Copy, Mode::Generic] {
        let mut ends = Ends::new(mode, Take::Ours);
        let dropped = ends.send(20_000, |i| ours(i as u32, 60));
        let overrun = ends.rx.missed().unwrap().overrun;
        let received = ends.receive(RX_FRAMES).len();
        assert_eq!(received, RX_FRAMES, "{mode:?}");
        assert_eq!(received as u64 + overrun + dropped, 20_000, "{mode:?}");
        assert_eq!(ends.taker.left().unwrap(), 0, "{mode:?}");
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn halves_live_on_two_threads() {
    let Ends {
        mut tx,
        mut rx,
        taker,
        wire,
    } = Ends::new(Mode::Auto, Take::Ours);
    let (mut sent, mut received) = (0, Vec::new());
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            while sent < 10_000 {
                let count = tx.send(16, |room| {
                    let frame = ours(sent, 60);
                    sent += 1;
                    room[..frame.len()].copy_from_slice(&frame);
                    frame.len()
                });
                count.unwrap();
                // The queue behind the veth pair holds 256.
                while tx.outstanding().unwrap() > 128 {}
            }
        });
        while !sender.is_finished() {
            rx.receive(|frame| received.push(frame.to_vec())).unwrap();
        }
    });
    let rest = sent as usize - received.len();
    received.extend(receive(&mut rx, rest));
    assert_eq!(received.len() as u32, sent);
    assert!((0..sent).all(|i| received[i as usize] == ours(i, 60)));
    drop((taker, wire));
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn frames_are_prepared_even_those_in_flight() {
    let mut ends = Ends::new(Mode::Copy, Take::Ours);
    ends.tx.prepare(&[0xaa; 2_000]);
    // With the interface down, frames stay in the ring.
    ends.wire.a.ip("link set a0 down").unwrap();
    let error = ends.tx.send(40, |room| {
        assert_eq!((room[0], room[1_999]), (0xaa, 0xaa));
        60
    });
    assert!(error.unwrap_err().to_string().contains("down"));
    assert_eq!(ends.tx.free(), TX_FRAMES - 40);
    ends.tx.prepare(&[0x55; 2_000]);
    ends.wire.a.ip("link set a0 up").unwrap();
    ends.finish();
    assert_eq!(ends.tx.free(), TX_FRAMES);
    let mut looked = 0;
    let sent = ends.tx.send(TX_FRAMES, |room| {
        assert_eq!(room.len(), pktgen::io::FRAME_ROOM);
        assert!(room[..2_000].iter().all(|byte| *byte == 0x55));
        looked += 1;
        60
    });
    assert_eq!(sent.unwrap(), TX_FRAMES);
    assert_eq!(looked, TX_FRAMES);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_length_that_no_frame_has_is_refused() {
    let mut ends = Ends::new(Mode::Copy, Take::Ours);
    for len in [0, 13, pktgen::io::FRAME_ROOM + 1, usize::MAX] {
        let error = ends.tx.send(1, |_| len).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
    assert_eq!(ends.tx.free(), TX_FRAMES);
    assert_eq!(ends.tx.outstanding().unwrap(), 0);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_queue_has_one_socket() {
    let wire = Wire::with_queues(2);
    let at = interface(&wire.a, "a0");
    let mut first = xsk::open(&at, 1, Mode::Auto, true).unwrap();
    let text = refused(xsk::open(&at, 1, Mode::Auto, true));
    let pid = format!("(pid {})", std::process::id());
    for part in ["queue 1 of interface a0@", "another AF_XDP socket", &pid] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let other = xsk::open(&at, 0, Mode::Auto, true);
    other.unwrap();
    // The kernel lets go of a queue some time after its socket is closed; that is waited for.
    for _ in 0..5 {
        drop(first);
        first = xsk::open(&at, 1, Mode::Auto, true).unwrap();
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_cannot_be_opened_is_said_with_a_remedy() {
    let wire = Wire::with_queues(2);
    let at = interface(&wire.a, "a0");
    let text = refused(xsk::open(&at, 2, Mode::Auto, true));
    assert!(text.contains("no receive queue 2"), "{text}");
    assert!(text.contains("2, 0 to 1"), "{text}");
    let text = refused(xsk::open(&at, 2, Mode::Auto, false));
    assert!(text.contains("no transmit queue 2"), "{text}");
    let text = refused(xsk::open(&at, 0, Mode::ZeroCopy, true));
    assert!(text.contains("--mode copy"), "{text}");
    let text = refused(xsk::open(&interface(&wire.a, "a9"), 0, Mode::Auto, true));
    assert!(text.contains("a9"), "{text}");
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn an_interface_that_goes_away_is_an_error_not_silence() {
    let mut ends = Ends::new(Mode::Copy, Take::Ours);
    ends.wire.a.ip("link del a0").unwrap();
    for error in [
        ends.tx.send(1, |_| 60).unwrap_err(),
        ends.rx.wait(10).unwrap_err(),
    ] {
        assert!(error.to_string().contains("gone"), "{error}");
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn each_kind_of_packet_is_taken_or_left() {
    for take in [Take::Ours, Take::All] {
        for mode in [Mode::Copy, Mode::Generic] {
            let mut ends = Ends::new(mode, take);
            ends.mute();
            for packet in table() {
                let before = ends.taker.left().unwrap();
                assert_eq!(ends.send(1, |_| packet.frame.clone()), 0);
                let wanted = match take {
                    Take::Ours => packet.is_ours,
                    Take::All => !packet.is_discovery,
                };
                let left = || ends.taker.left().unwrap() - before;
                let mut received = Vec::new();
                perf::lab::wait_until(packet.name, 10, || {
                    received.extend(receive(&mut ends.rx, 0));
                    received.len() as u64 + left() > 0
                })
                .unwrap();
                let what = format!("{take:?} {mode:?}: {}", packet.name);
                assert_eq!(received.len(), usize::from(wanted), "{what}");
                assert_eq!(left(), u64::from(!wanted), "{what}");
                if let Some(frame) = received.first() {
                    assert_eq!(frame, &packet.frame, "{what}");
                }
            }
        }
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_kernel_goes_on_beside_us() {
    let mut ends = Ends::new(Mode::Auto, Take::Ours);
    // ARP and echo in both directions, through the program.
    let answer = ends.wire.a.run("ping -c 2 -i 0.2 -W 5 10.9.0.2").unwrap();
    assert!(answer.contains(" 0% packet loss"), "{answer}");
    assert!(ends.taker.left().unwrap() >= 3);
    assert!(ends.receive(0).is_empty());
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_queue_without_a_socket_leaves_all_to_the_kernel() {
    let wire = Wire::new();
    let at = interface(&wire.b, "b0");
    let taker = Taker::attach(&at, Mode::Auto, Take::All, &[]).unwrap();
    let answer = wire.a.run("ping -c 1 -W 5 10.9.0.2").unwrap();
    assert!(answer.contains(" 0% packet loss"), "{answer}");
    assert!(taker.left().unwrap() >= 2);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn the_program_is_gone_with_its_value_and_has_no_rival() {
    let wire = Wire::new();
    let at = interface(&wire.b, "b0");
    let shown = || wire.b.run("ip -d link show b0").unwrap();
    for (mode, kind) in [
        (Mode::Auto, "prog/xdp"),
        (Mode::Generic, "xdpgeneric"),
        (Mode::Copy, "prog/xdp"),
    ] {
        let taker = Taker::attach(&at, mode, Take::Ours, &[]).unwrap();
        assert_eq!(taker.is_generic(), mode == Mode::Generic);
        assert!(shown().contains(kind), "{mode:?}: {}", shown());
        let text = refused(Taker::attach(&at, Mode::Auto, Take::Ours, &[]));
        assert!(text.contains("interface b0@"), "{text}");
        assert!(text.contains("has an XDP program already (id "), "{text}");
        drop(taker);
        assert!(!shown().contains("xdp"), "{mode:?}: {}", shown());
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn generic_mode_works_where_the_driver_has_no_xdp() {
    let wire = Wire::new();
    let script = "link add br0 address 02:00:00:00:00:bb type bridge\nlink set b0 master br0\nlink set br0 up";
    wire.b.ip(script).unwrap();
    let bridge = interface(&wire.b, "br0");
    let text = refused(Taker::attach(&bridge, Mode::Copy, Take::Ours, &[]));
    assert!(text.contains("--mode generic"), "{text}");
    let taker = Taker::attach(&bridge, Mode::Auto, Take::Ours, &[]).unwrap();
    assert!(taker.is_generic());
    drop(taker);

    let mut taker = Taker::attach(&bridge, Mode::Generic, Take::Ours, &[]).unwrap();
    let (mut back, mut rx) = xsk::open(&bridge, 0, Mode::Generic, true).unwrap();
    taker.direct(0, rx.socket()).unwrap();
    assert_eq!(rx.binding(), "AF_XDP generic");
    let (mut tx, _) = xsk::open(&interface(&wire.a, "a0"), 0, Mode::Auto, false).unwrap();
    let sent: Vec<_> = (0..100)
        .map(|i| {
            let mut frame = ours(i, 100);
            frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 0xbb]);
            frame
        })
        .collect();
    let mut next = sent.iter();
    let count = tx.send(sent.len(), |room| {
        let frame = next.next().unwrap();
        room[..frame.len()].copy_from_slice(frame);
        frame.len()
    });
    assert_eq!(count.unwrap(), sent.len());
    assert_eq!(receive(&mut rx, sent.len()), sent);
    // The same socket sends.
    assert_eq!(back.send(64, |_| 60).unwrap(), 64);
    assert_eq!(back.outstanding().unwrap(), 0);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn waiting_ends_by_itself_and_by_a_frame() {
    let mut ends = Ends::new(Mode::Auto, Take::Ours);
    ends.rx.wait(1).unwrap();
    assert_eq!(ends.rx.receive(|_| {}).unwrap(), 0);
    // Bursts are of 64 at most; nothing is lost between them.
    ends.send(100, |i| ours(i as u32, 60));
    ends.rx.wait(10_000).unwrap();
    assert_eq!(ends.rx.receive(|_| {}).unwrap(), 64);
    assert_eq!(ends.rx.receive(|_| {}).unwrap(), 36);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn foreign_frames_are_left_and_counted_among_ours() {
    let mut ends = Ends::new(Mode::Auto, Take::Ours);
    ends.mute();
    let dropped = ends.send(1_000, |i| match i % 4 {
        0 => ours(i as u32, 200),
        1 => foreign(200),
        2 => arp(),
        _ => echo(200),
    });
    assert_eq!(dropped, 0);
    assert_eq!(ends.receive(250).len(), 250);
    assert_eq!(ends.taker.left().unwrap(), 750);
    assert_eq!(ends.rx.missed().unwrap(), Missed::default());
}

/// What was said instead of opening.
fn refused<T>(result: pktgen::error::Result<T>) -> String {
    match result {
        Ok(_) => panic!("it should have been refused"),
        Err(pktgen::error::Failure::Environment(text)) => text,
        Err(other) => panic!("not a matter of the environment: {other}"),
    }
}
