//! The verbs over plain memory: conservation under any order of them, frames whole and in order, chunks back after a close.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::xsk::Hugepages;

fn worker(frames: u32) -> (Umem, Pool) {
    Umem::map(frames, 2048, 50, Hugepages::Off).unwrap()
}

/// A frame with a number in it, longer than a header.
fn numbered(number: u32) -> Vec<u8> {
    let mut bytes = vec![number as u8; 60 + number as usize % 100];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

proptest! {
    /// Two ports of one worker, frames crossing between them: whatever the order of the verbs, no chunk is lost or doubled,
    /// frames come in order, and what was delivered is what is sent.
    #[test]
    fn no_order_of_the_verbs_loses_a_chunk(steps in proptest::collection::vec((0..7u8, 0..2usize, 1..100usize), 1..150)) {
        const FRAMES: u32 = 160;
        let (umem, mut pool) = worker(FRAMES);
        let (a, kernel_a) = Xsk::memory(&umem, 64, 0);
        let (b, kernel_b) = Xsk::memory(&umem, 32, 1);
        let (mut ports, mut kernels) = ([a, b], [kernel_a, kernel_b]);
        let mut bursts = [Burst::new(), Burst::new()];
        let mut next = 0;
        // What each port should receive next, what is in each burst, and what each should send next.
        let mut to_receive = [VecDeque::new(), VecDeque::new()];
        let mut in_hand = [VecDeque::new(), VecDeque::new()];
        let mut to_send = [VecDeque::new(), VecDeque::new()];
        for (step, port, count) in steps {
            let other = 1 - port;
            match step {
                0 => {
                    ports[port].refill(&mut pool);
                }
                1 => {
                    for _ in 0..count {
                        let chunks = kernels[port].chunks();
                        let delivered = kernels[port].deliver(&numbered(next));
                        prop_assert!(!delivered || chunks > 0);
                        if delivered {
                            to_receive[port].push_back(next);
                        }
                        next += 1;
                    }
                }
                // Received on one port, to be sent by the other.
                2 => {
                    let expected = to_receive[port].len().min(bursts[other].room());
                    prop_assert_eq!(ports[port].receive(&mut bursts[other]), expected);
                    in_hand[other].extend(to_receive[port].drain(..expected));
                    if expected > 0 {
                        let last = bursts[other].iter_mut().last().unwrap();
                        prop_assert_eq!(usize::from(last.port()), port);
                        prop_assert_eq!(last.headroom(), umem.receive_offset());
                    }
                }
                3 => {
                    let before = bursts[port].len();
                    let sent = ports[port].transmit(&mut bursts[port]);
                    prop_assert_eq!(bursts[port].len(), before - sent);
                    to_send[port].extend(in_hand[port].drain(..sent));
                }
                4 => {
                    let mut wrong = None;
                    kernels[port].collect(|bytes| {
                        let number = to_send[port].pop_front();
                        if number.map(numbered).as_deref() != Some(bytes) {
                            wrong = Some((number, bytes.to_vec()));
                        }
                    });
                    prop_assert_eq!(wrong, None);
                }
                5 => {
                    ports[port].reclaim(&mut pool);
                }
                _ => {
                    bursts[port].clear_into(&mut pool);
                    in_hand[port].clear();
                }
            }
            let lent: usize = ports.iter().map(|port| port.in_flight().total()).sum();
            let in_hand: usize = bursts.iter().map(Burst::len).sum();
            prop_assert_eq!(pool.len() + lent + in_hand, FRAMES as usize);
        }
        prop_assert_eq!(ports.iter().map(Xsk::refused).sum::<u64>(), 0);
        drop(kernels);
        for burst in &mut bursts {
            burst.clear_into(&mut pool);
        }
        for port in ports {
            let lent = port.in_flight().total();
            let frames = port.close();
            prop_assert_eq!(frames.len(), lent);
            frames.into_iter().for_each(|frame| pool.free(frame));
        }
        prop_assert_eq!(pool.len(), FRAMES as usize);
    }
}

#[test]
fn what_does_not_fit_in_tx_stays_in_the_burst_in_order() {
    let (umem, mut pool) = worker(64);
    let (mut xsk, mut kernel) = Xsk::memory(&umem, 16, 0);
    let mut burst = Burst::new();
    for number in 0..20 {
        let mut frame = pool.alloc().unwrap();
        frame.append(&numbered(number)).unwrap();
        burst.push(frame).unwrap();
    }
    assert_eq!(xsk.transmit(&mut burst), 16);
    let left: Vec<_> = burst
        .iter_mut()
        .map(|frame| frame.bytes().to_vec())
        .collect();
    assert_eq!(left, (16..20).map(numbered).collect::<Vec<_>>());
    assert_eq!(xsk.transmit(&mut burst), 0, "the ring is full");
    let mut sent = Vec::new();
    assert_eq!(kernel.collect(|bytes| sent.push(bytes.to_vec())), 16);
    assert_eq!(sent, (0..16).map(numbered).collect::<Vec<_>>());
    assert_eq!(xsk.transmit(&mut burst), 4);
}

#[test]
fn a_frame_grown_in_place_is_sent_from_its_new_start() {
    let (umem, mut pool) = worker(4);
    let (mut xsk, mut kernel) = Xsk::memory(&umem, 4, 0);
    xsk.refill(&mut pool);
    assert!(kernel.deliver_parts(&[b"fourteen bytes", b" and more"]));
    let mut burst = Burst::new();
    assert_eq!(xsk.receive(&mut burst), 1);
    let frame = burst.iter_mut().next().unwrap();
    frame.grow_head(50).unwrap();
    frame.bytes_mut()[..50].fill(b'>');
    assert_eq!(xsk.transmit(&mut burst), 1);
    let mut sent = Vec::new();
    kernel.collect(|bytes| sent = bytes.to_vec());
    assert_eq!(sent, [&[b'>'; 50][..], b"fourteen bytes and more"].concat());
    assert_eq!(xsk.reclaim(&mut pool), 1);
}

#[test]
fn the_chunks_of_a_closed_port_serve_the_next() {
    let (umem, mut pool) = worker(64);
    // Many times, for the port's number in the owner table must come back too.
    for _ in 0..300 {
        let (mut xsk, mut kernel) = Xsk::memory(&umem, 32, 0);
        let mut burst = Burst::new();
        assert_eq!(xsk.refill(&mut pool), 32);
        assert!(kernel.deliver(&numbered(1)) && kernel.deliver(&numbered(2)));
        assert_eq!(xsk.receive(&mut burst), 2);
        assert_eq!(xsk.transmit(&mut burst), 2);
        drop(kernel);
        xsk.close().into_iter().for_each(|frame| pool.free(frame));
        assert_eq!(pool.len(), 64);
    }
}

#[test]
fn chunks_are_not_taken_from_a_kernel_side_that_lives() {
    let (umem, mut pool) = worker(64);
    let (mut xsk, mut kernel) = Xsk::memory(&umem, 32, 0);
    xsk.refill(&mut pool);
    assert!(xsk.close().is_empty());
    assert!(
        kernel.deliver(&numbered(1)),
        "it writes to what it was lent, and to nobody else's"
    );
    assert_eq!(pool.len(), 32);
}

#[test]
fn memory_rings_need_no_system_call() {
    let (umem, mut pool) = worker(4);
    let (mut xsk, _kernel) = Xsk::memory(&umem, 4, 0);
    let mut burst = Burst::new();
    let mut frame = pool.alloc().unwrap();
    frame.append(&numbered(1)).unwrap();
    burst.push(frame).unwrap();
    xsk.transmit(&mut burst);
    assert_eq!(xsk.kick(), Kick::NotNeeded);
    assert_eq!(xsk.wakeups(), Wakeups::default());
    assert!(xsk.fd().is_none() && xsk.statistics().is_none());
}

#[test]
#[should_panic(expected = "on a ring of another")]
fn a_frame_of_another_umem_is_not_sent() {
    let (umem, _) = worker(4);
    let (_, mut theirs) = worker(4);
    let (mut xsk, _kernel) = Xsk::memory(&umem, 4, 0);
    let mut frame = theirs.alloc().unwrap();
    frame.append(&numbered(1)).unwrap();
    let mut burst = Burst::new();
    burst.push(frame).unwrap();
    xsk.transmit(&mut burst);
}

#[test]
#[should_panic(expected = "no whole Ethernet header")]
fn a_frame_that_the_kernel_would_never_complete_is_not_sent() {
    let (umem, mut pool) = worker(4);
    let (mut xsk, _kernel) = Xsk::memory(&umem, 4, 0);
    let mut burst = Burst::new();
    burst.push(pool.alloc().unwrap()).unwrap();
    xsk.transmit(&mut burst);
}

/// The kernel side in a thread of its own, an engine that echoes.
#[test]
fn a_kernel_side_in_another_thread_loses_nothing() {
    const FRAMES: u32 = if cfg!(miri) { 100 } else { 100_000 };
    let (umem, mut pool) = worker(128);
    let (mut xsk, mut kernel) = Xsk::memory(&umem, 64, 0);
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let (mut delivered, mut collected) = (0, 0);
            while collected < FRAMES {
                while delivered < FRAMES && kernel.deliver(&numbered(delivered)) {
                    delivered += 1;
                }
                kernel.collect(|bytes| {
                    assert_eq!(bytes, numbered(collected));
                    collected += 1;
                });
                std::thread::yield_now();
            }
        });
        let mut burst = Burst::new();
        while !thread.is_finished() {
            xsk.reclaim(&mut pool);
            xsk.refill(&mut pool);
            // Frames that found tx full wait in the burst.
            if xsk.receive(&mut burst) == 0 {
                std::thread::yield_now();
            }
            xsk.transmit(&mut burst);
        }
        assert_eq!(burst.clear_into(&mut pool), 0);
    });
    xsk.reclaim(&mut pool);
    assert_eq!(pool.len() + xsk.in_flight().total(), 128);
    assert_eq!(xsk.in_flight().transmitting, 0);
}
