//! AF_PACKET on real devices: what is sent arrives byte for byte and in order, what is lost is counted, and what
//! cannot be sent is told.

mod support;

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};

use perf::lab::Namespace;
use pktgen::io::packet::{PacketRx, PacketTx, open_rx, open_tx};
use pktgen::io::{BURST, FRAME_ROOM, Interface, Missed, Rx, Tx};
use support::wire::{A_MAC, B, B_MAC, Wire, counter};

/// IEEE's for experiments: nothing of the system sends it.
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];

fn interface(ns: &Namespace, name: &str) -> Interface {
    Interface {
        name: name.into(),
        netns: Some(ns.name().into()),
    }
}

fn mac(text: &str) -> [u8; 6] {
    let bytes: Vec<_> = (text.split(':'))
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    bytes.try_into().unwrap()
}

/// Frame `i` of `len` bytes, each byte of its own.
fn frame(to: [u8; 6], i: usize, len: usize) -> Vec<u8> {
    let mut frame = [&to[..], &mac(A_MAC), &EXPERIMENT, &(i as u32).to_be_bytes()].concat();
    frame.extend((frame.len()..len).map(|at| (at * 7 + i) as u8));
    frame.truncate(len.max(14));
    frame
}

/// Sends them all, however often the ring is full.
fn send(tx: &mut PacketTx, frames: &[Vec<u8>]) {
    let mut next = 0;
    while next < frames.len() {
        let want = (frames.len() - next).min(BURST);
        let mut written = 0;
        let sent = tx.send(want, |buffer| {
            let frame = &frames[next + written];
            buffer[..frame.len()].copy_from_slice(frame);
            written += 1;
            frame.len()
        });
        assert_eq!(sent.unwrap(), written);
        next += written;
    }
    while tx.outstanding().unwrap() > 0 {}
}

/// Ours among what comes, until `count` have, or nothing has for half a second.
fn receive(rx: &mut PacketRx, count: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut idle = false;
    while frames.len() < count {
        let came = rx.receive(|frame| {
            if frame.get(12..14) == Some(&EXPERIMENT) {
                frames.push(frame.to_vec());
            }
        });
        match came.unwrap() {
            0 if idle => break,
            0 => {
                rx.wait(500).unwrap();
                idle = true;
            }
            _ => idle = false,
        }
    }
    frames
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn frames_arrive_byte_for_byte_both_ways() {
    let wire = Wire::new();
    let (a, b) = (interface(&wire.a, "a0"), interface(&wire.b, "b0"));
    for (from, to, dst) in [(&a, &b, B_MAC), (&b, &a, A_MAC)] {
        let mut rx = open_rx(to, None).unwrap();
        let mut own = open_rx(from, None).unwrap();
        let mut tx = open_tx(from).unwrap();
        let lens = [14, 15, 60, 61, 64, 777, 1500, 1514];
        let frames: Vec<_> = (0..1_000)
            .map(|i| frame(mac(dst), i, lens[i % lens.len()]))
            .collect();
        send(&mut tx, &frames);
        // Frames that go alone take another way.
        let alone: Vec<_> = (0..10).map(|i| frame(mac(dst), 5_000 + i, 100)).collect();
        for one in &alone {
            send(&mut tx, std::slice::from_ref(one));
        }
        let all = [frames, alone].concat();
        assert!(receive(&mut rx, all.len()) == all, "{from:?} to {to:?}");
        assert_eq!(rx.missed().unwrap(), Missed::default());
        assert_eq!(
            receive(&mut own, 1).len(),
            0,
            "what we send is not received"
        );
    }
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_body_is_written_once() {
    let wire = Wire::new();
    let mut rx = open_rx(&interface(&wire.b, "b0"), None).unwrap();
    let mut tx = open_tx(&interface(&wire.a, "a0")).unwrap();
    let body: Vec<u8> = (0..FRAME_ROOM).map(|at| (at / 3) as u8).collect();
    tx.prepare(&body);
    let mut left = 200;
    while left > 0 {
        left -= tx
            .send(left, |buffer| {
                assert_eq!(buffer.len(), FRAME_ROOM);
                buffer[..14].copy_from_slice(&frame(mac(B_MAC), 0, 14));
                200
            })
            .unwrap();
    }
    let frames = receive(&mut rx, 200);
    assert_eq!(frames.len(), 200);
    assert!(frames.iter().all(|frame| frame[14..] == body[14..200]));
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn into_a_bridge_and_out_of_it() {
    let wire = Wire::new();
    wire.b
        .ip(
            "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n\
             link set b0 master br0\nlink set br0 up",
        )
        .unwrap();
    let (at_a, at_bridge) = (interface(&wire.a, "a0"), interface(&wire.b, "br0"));
    let frames: Vec<_> = (0..300).map(|i| frame([0xff; 6], i, 64 + i)).collect();
    for (from, to) in [(&at_a, &at_bridge), (&at_bridge, &at_a)] {
        let mut rx = open_rx(to, None).unwrap();
        let mut tx = open_tx(from).unwrap();
        send(&mut tx, &frames);
        assert!(receive(&mut rx, 300) == frames, "{from:?} to {to:?}");
    }
}

/// A device that puts headers in front of what it is given: what it was given arrives behind them.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn into_a_tunnel() {
    const HEADERS: usize = 14 + 20 + 8 + 8;
    let wire = Wire::new();
    wire.a
        .ip("link add v0 type vxlan id 5 dstport 4789 local 10.9.0.1 remote 10.9.0.2 dev a0\nlink set v0 up")
        .unwrap();
    let mut rx = open_rx(&interface(&wire.b, "b0"), None).unwrap();
    let mut tx = open_tx(&interface(&wire.a, "v0")).unwrap();
    let frames: Vec<_> = (0..200).map(|i| frame([0xff; 6], i, 64 + i)).collect();
    send(&mut tx, &frames);
    let mut inner = Vec::new();
    while inner.len() < frames.len() {
        rx.wait(500).unwrap();
        let came = rx.receive(|frame| {
            if frame.get(HEADERS + 12..HEADERS + 14) == Some(&EXPERIMENT) {
                inner.push(frame[HEADERS..].to_vec());
            }
        });
        assert!(
            came.unwrap() > 0,
            "{} of {} arrived",
            inner.len(),
            frames.len()
        );
    }
    assert!(inner == frames);
}

/// A dummy has neither queue nor other end. Not every kernel has dummies.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_dummy_takes_all() {
    let wire = Wire::new();
    let made = wire.a.ip("link add d0 type dummy");
    if made
        .as_ref()
        .is_err_and(|error| error.to_string().contains("Unknown device type"))
    {
        eprintln!("no dummies here");
        return;
    }
    made.unwrap();
    wire.a.ip("link set d0 up").unwrap();
    let mut tx = open_tx(&interface(&wire.a, "d0")).unwrap();
    let frames: Vec<_> = (0..5_000).map(|i| frame([2; 6], i, 60)).collect();
    let before = counter(&wire.a, "d0", "tx", "packets");
    send(&mut tx, &frames);
    assert_eq!(counter(&wire.a, "d0", "tx", "packets") - before, 5_000);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_finds_no_room_is_counted() {
    const COUNT: usize = 250_000;
    let wire = Wire::new();
    let mut rx = open_rx(&interface(&wire.b, "b0"), None).unwrap();
    let mut tx = open_tx(&interface(&wire.a, "a0")).unwrap();
    let before = counter(&wire.b, "b0", "rx", "packets");
    let frames: Vec<_> = (0..COUNT).map(|i| frame(mac(B_MAC), i, 60)).collect();
    send(&mut tx, &frames);
    let came = (counter(&wire.b, "b0", "rx", "packets") - before) as usize;
    assert_eq!(
        came, COUNT,
        "a full backlog is no loss: it is told, and we send again"
    );
    let first = rx.missed().unwrap();
    assert!(first.overrun > 0, "{COUNT} frames fit: send more");
    let received = receive(&mut rx, COUNT).len();
    assert_eq!(received + first.overrun as usize, COUNT);
    // The kernel forgets what it has told; we do not.
    assert_eq!(rx.missed().unwrap(), first);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_fanout_gives_each_flow_to_one() {
    let wire = Wire::new();
    let b = interface(&wire.b, "b0");
    let mut receivers: Vec<_> = (0..3)
        .map(|index| open_rx(&b, Some((index, 3))).unwrap())
        .collect();
    let mut tx = open_tx(&interface(&wire.a, "a0")).unwrap();
    // UDP with a checksum of 0 from ports 1 to 100, ten times.
    let frames: Vec<_> = (0..1_000u16).map(|i| udp(1 + i % 100, i)).collect();
    send(&mut tx, &frames);
    let (mut seen, mut home) = (BTreeMap::new(), BTreeMap::new());
    for (index, rx) in receivers.iter_mut().enumerate() {
        let mut of_this = 0;
        rx.wait(500).unwrap();
        while rx
            .receive(|frame| {
                if frame.len() == 60 && frame[23] == 17 {
                    *seen.entry(frame.to_vec()).or_insert(0) += 1;
                    let sport = u16::from_be_bytes([frame[34], frame[35]]);
                    assert_eq!(*home.entry(sport).or_insert(index), index, "port {sport}");
                    of_this += 1;
                }
            })
            .unwrap()
            > 0
        {}
        assert!(of_this > 100, "receiver {index} got {of_this} of 1,000");
    }
    assert_eq!(seen.len(), 1_000);
    assert!(seen.values().all(|times| *times == 1));
    // And nothing of what the interface sends.
    let mut tx = open_tx(&b).unwrap();
    send(&mut tx, &frames);
    for rx in &mut receivers {
        assert_eq!(rx.receive(|_| ()).unwrap(), 0);
    }
}

/// An IPv4 UDP frame of 60 bytes.
fn udp(sport: u16, id: u16) -> Vec<u8> {
    let mut frame = [&mac(B_MAC)[..], &mac(A_MAC), &[8, 0]].concat();
    let mut ip = [
        0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2,
    ];
    ip[4..6].copy_from_slice(&id.to_be_bytes());
    let sum: u32 = (ip.chunks(2))
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(ip);
    frame.extend(sport.to_be_bytes());
    frame.extend([0, 9, 0, 26, 0, 0]);
    frame.resize(60, 0);
    frame
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_frame_too_long_for_a_buffer_is_cut() {
    let wire = Wire::new();
    wire.a.ip("link set a0 mtu 9000").unwrap();
    wire.b.ip("link set b0 mtu 9000").unwrap();
    let mut rx = open_rx(&interface(&wire.b, "b0"), None).unwrap();
    let (from, to) = ("10.9.0.1:0", format!("{B}:4000"));
    let socket = wire.a.inside(|| UdpSocket::bind(from)).unwrap().unwrap();
    let to: SocketAddr = to.parse().unwrap();
    socket.send_to(&[7; 6_000], to).unwrap();
    let mut cut = 0;
    for _ in 0..10 {
        rx.wait(200).unwrap();
        rx.receive(|frame| cut += usize::from(frame.len() == FRAME_ROOM && frame[100] == 7))
            .unwrap();
    }
    assert_eq!(cut, 1);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn what_cannot_be_sent_is_told() {
    let wire = Wire::new();
    let a = interface(&wire.a, "a0");
    let mut tx = open_tx(&a).unwrap();
    let long = tx.send(1, |_| 1_600).unwrap_err().to_string();
    assert!(
        long.contains("1600 bytes") && long.contains("MTU of 1500"),
        "{long}"
    );

    let mut tx = open_tx(&a).unwrap();
    let mut rx = open_rx(&a, None).unwrap();
    wire.a.ip("link set a0 down").unwrap();
    let down = tx.send(2, |_| 60).unwrap_err().to_string();
    assert!(down.contains(&format!("a0@{}", wire.a.name())), "{down}");
    let down = rx.receive(|_| ()).unwrap_err().to_string();
    assert!(down.contains("receiving"), "{down}");

    wire.a.ip("link set a0 up").unwrap();
    wire.b.ip("link set b0 down").unwrap();
    let failure = open_tx(&a).map(drop).unwrap_err().to_string();
    assert!(failure.contains("no carrier"), "{failure}");
}
