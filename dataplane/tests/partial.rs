//! Checksums that a sender left to a network card that is not there: its pods' packets leave a veth, and come to us by another.

mod support;

use support::mend::{mend, mend_ip, mend_transport};
use support::model::{Packet, sum, word};
use support::{POD, Rig, UNDERLAY, UPLINK, golden_tables, kernel_frames};

/// Where the inner packet starts.
const INNER: usize = 64;
/// Source and destination of the packets here.
const PAIR: [u8; 8] = [10, 244, 2, 10, 10, 244, 1, 10];

/// Where the checksum stands in a message of this protocol.
fn field(protocol: u8) -> usize {
    if protocol == 6 { 16 } else { 6 }
}

/// A frame from node 2 with this message in it, all its checksums right.
fn frame(protocol: u8, options: &[u8], mut message: Vec<u8>) -> Vec<u8> {
    let kernel = kernel_frames().into_iter().find(|frame| frame[29] == 2);
    let mut frame = kernel.unwrap()[..INNER].to_vec();
    if protocol == 17 {
        let len = message.len() as u16;
        message[4..6].copy_from_slice(&len.to_be_bytes());
    }
    frame.push(0x45 + options.len() as u8 / 4);
    frame.extend([0, 0, 0, 0, 7, 0x40, 0, 63, protocol, 0, 0]);
    frame.extend(PAIR);
    frame.extend_from_slice(options);
    frame.extend(message);
    let inner_len = (frame.len() - INNER) as u16;
    for (at, len) in [(16, inner_len + 50), (38, inner_len + 30), (66, inner_len)] {
        frame[at..at + 2].copy_from_slice(&len.to_be_bytes());
    }
    mend_ip(&mut frame[INNER..]);
    mend_transport(&mut frame[INNER..]);
    mend(&mut frame);
    frame
}

/// TCP with so many bytes of payload.
fn tcp(payload: usize) -> Vec<u8> {
    let mut message = vec![0x9c, 0x40, 0x14, 0x51, 0, 0, 0, 9, 0, 0, 0, 7];
    message.extend([0x80, 0x18, 1, 0xf6, 0, 0, 0, 0]);
    message.extend([1, 1, 8, 10, 0, 0, 0x30, 0x39, 0, 1, 0xe2, 0x40]);
    message.extend((0..payload).map(|n| (n * 7 + n / 251) as u8));
    message
}

/// UDP with so many bytes of payload.
fn udp(payload: usize) -> Vec<u8> {
    let mut message = vec![0x9c, 0x40, 0x14, 0x51, 0, 0, 0, 0];
    message.extend((0..payload).map(|n| (n * 5 + n / 251) as u8));
    message
}

/// The sum of the pseudo header.
fn pseudo(frame: &[u8]) -> u16 {
    let packet = Packet::parse(&frame[INNER..]).unwrap();
    let len = packet.len - packet.header_len as u16;
    sum(&[
        &frame[INNER + 12..INNER + 20],
        &[0, packet.protocol],
        &len.to_be_bytes(),
    ])
}

/// As a kernel sends it to a card: the checksum begun, and the outer one as it will be right.
fn begun(frame: &[u8]) -> Vec<u8> {
    let packet = Packet::parse(&frame[INNER..]).unwrap();
    let at = INNER + packet.header_len + field(packet.protocol);
    let mut frame = frame.to_vec();
    let pseudo = pseudo(&frame);
    frame[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
    frame
}

/// What is delivered of a frame, by the port given.
fn delivered(frame: &[u8], by: u8) -> Vec<u8> {
    let mut rig = Rig::new(&golden_tables());
    let sent = rig.pass(UNDERLAY, frame);
    match &sent[..] {
        [(port, delivered)] if *port == by => delivered[14..].to_vec(),
        _ => panic!("{sent:?} {:?}", rig.drops(UNDERLAY)),
    }
}

#[test]
fn a_checksum_that_was_only_begun_is_made() {
    let options = [0x94, 4, 0, 0];
    for len in [0, 1, 2, 777, 1390] {
        for (protocol, message) in [(6, tcp(len)), (17, udp(len))] {
            for options in [&options[..], &[]] {
                let complete = frame(protocol, options, message.clone());
                let mut begun = begun(&complete);
                assert_ne!(begun, complete);
                assert_eq!(delivered(&begun, UPLINK), complete[INNER..]);
                // Without an outer checksum, as a UDP socket hands it over.
                begun[40..42].fill(0);
                assert_eq!(delivered(&begun, UPLINK), complete[INNER..]);
            }
        }
    }
}

#[test]
fn an_outer_checksum_that_a_socket_began_is_none() {
    for message in [tcp(100), tcp(0)] {
        let mut frame = frame(6, &[], message);
        let begun = sum(&[&frame[26..34], &[0, 17], &frame[38..40]]);
        frame[40..42].copy_from_slice(&begun.to_be_bytes());
        assert_eq!(delivered(&frame, UPLINK), frame[INNER..]);
        frame[41] ^= 1;
        let mut rig = Rig::new(&golden_tables());
        assert!(rig.pass(UNDERLAY, &frame).is_empty());
        assert_eq!(rig.drops(UNDERLAY), [("outer-udp-checksum", 1)]);
    }
}

#[test]
fn the_rest_of_decapsulation_is_as_ever() {
    let mut complete = frame(6, &[], tcp(100));
    // To a pod at a port of its own, for which the engine is the router, and congestion marked on the way.
    complete[INNER + 19] = 99;
    (complete[INNER + 1], complete[15]) = (2, 3);
    mend_ip(&mut complete[INNER..]);
    mend_transport(&mut complete[INNER..]);
    mend(&mut complete);
    let got = delivered(&begun(&complete), POD);
    assert_eq!((got[1], got[8]), (3, 62));
    assert_eq!(got[20..], complete[INNER + 20..]);
    assert!(Packet::parse(&got).is_some(), "its header checksum");
}

#[test]
fn any_other_checksum_is_left_as_it_is() {
    for (protocol, message) in [(6, tcp(100)), (17, udp(100))] {
        let complete = frame(protocol, &[], message);
        let at = INNER + 20 + field(protocol);
        let changed = |value: u16, more: &dyn Fn(&mut Vec<u8>)| {
            let mut frame = complete.clone();
            frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
            more(&mut frame);
            frame[40..42].fill(0);
            assert_eq!(delivered(&frame, UPLINK), frame[INNER..]);
        };
        let begun = pseudo(&complete);
        changed(word(&complete, at), &|_| {});
        changed(begun ^ 1, &|_| {});
        changed(!begun, &|_| {});
        changed(0, &|_| {});
        for (byte, value) in [(6, 0x20), (7, 1)] {
            // A fragment: what stands there is not the whole's.
            changed(begun, &|frame| {
                frame[INNER + byte] = value;
                mend_ip(&mut frame[INNER..]);
            });
        }
    }
    // UDP that covers less than the packet.
    let mut short = begun(&frame(17, &[], udp(100)));
    short[INNER + 25] -= 1;
    short[40..42].fill(0);
    assert_eq!(delivered(&short, UPLINK), short[INNER..]);
}

#[test]
fn a_complete_checksum_that_looks_begun_is_what_it_would_become() {
    for (protocol, message) in [(6, tcp(100)), (17, udp(100))] {
        let mut frame = frame(protocol, &[], message);
        let at = INNER + 20 + field(protocol);
        // With a payload that makes up for the rest, the checksum comes out as the pseudo header's sum.
        let wanted = u32::from(pseudo(&frame));
        let word_at = frame.len() - 2;
        let mut missing = u32::from(word(&frame, at)) + u32::from(!(wanted as u16));
        missing += u32::from(word(&frame, word_at));
        let folded = (missing & 0xffff) + (missing >> 16);
        let folded = (folded & 0xffff) + (folded >> 16);
        frame[word_at..].copy_from_slice(&(folded as u16).to_be_bytes());
        mend_transport(&mut frame[INNER..]);
        mend(&mut frame);
        assert_eq!(
            u32::from(word(&frame, at)),
            wanted,
            "the test tests nothing"
        );
        assert_eq!(delivered(&frame, UPLINK), frame[INNER..]);
    }
}
