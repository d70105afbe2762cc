//! Frames through the kernel and back: every mode, two devices over one region, and conservation after a flood.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use dataplane::xsk::{BindMode, BoundMode, Burst, Frame, Kick, Kind, Pool, Program, Umem, Xsk};

use crate::frames::tunnel;
use crate::lab::Lab;
use crate::{eventually, queue0, region};

/// A socket on queue 0 with every frame steered to it.
fn open(umem: &Umem, interface: &str, mode: BindMode) -> (Xsk, Program) {
    let xsk = Xsk::open(umem, &queue0(interface, mode)).unwrap();
    let mut program = Program::attach(interface, Kind::Overlay, mode).unwrap();
    program.set_socket(0, xsk.fd().unwrap()).unwrap();
    (xsk, program)
}

/// Sends back what it gets, with the MAC addresses swapped.
fn echoes(mode: BindMode, bound: BoundMode) {
    const FRAMES: u64 = 1000;
    let lab = Lab::new(1);
    let (umem, mut pool) = region();
    let (mut xsk, program) = lab.in_node(|| open(&umem, "a0", mode));
    assert_eq!(
        (xsk.bound().mode, program.is_generic()),
        (bound, mode == BindMode::Generic)
    );
    assert!(xsk.bound().tx_budget >= 32);
    let wire = lab.wire("a1");
    xsk.refill(&mut pool);
    let mut burst = Burst::new();
    for number in 0..FRAMES {
        let sent = tunnel(number as usize);
        let expected = [&sent[6..12], &sent[..6], &sent[12..]].concat();
        wire.send(&sent);
        eventually(&format!("echo of {number}"), || {
            xsk.reclaim(&mut pool);
            xsk.refill(&mut pool);
            xsk.receive(&mut burst);
            for frame in burst.iter_mut() {
                assert_eq!((frame.port(), frame.headroom()), (7, umem.receive_offset()));
                let (dst, rest) = frame.bytes_mut().split_at_mut(6);
                dst.swap_with_slice(&mut rest[..6]);
            }
            xsk.transmit(&mut burst);
            assert!(!matches!(xsk.kick(), Kick::Failed(_)));
            wire.received().contains(&expected)
        });
        conserved(&umem, &pool, &[&xsk], 0);
    }
    // One system call for each frame, none in a turn without one.
    assert_eq!(xsk.wakeups().syscalls, FRAMES);
    assert_eq!(xsk.statistics().unwrap().tx_invalid_descs, 0);
    settled(umem, pool, vec![xsk]);
}

/// pool + lent + in hand = all.
fn conserved(umem: &Umem, pool: &Pool, ports: &[&Xsk], in_hand: usize) {
    let lent: usize = ports.iter().map(|port| port.in_flight().total()).sum();
    assert_eq!(pool.len() + lent + in_hand, umem.frames());
    assert!(ports.iter().all(|port| port.refused() == 0));
}

/// After closing, every chunk is back.
fn settled(umem: Umem, mut pool: Pool, ports: Vec<Xsk>) {
    ports
        .into_iter()
        .flat_map(Xsk::close)
        .for_each(|frame: Frame| pool.free(frame));
    assert_eq!(pool.len(), umem.frames());
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn frames_come_and_go_in_copy_mode() {
    echoes(BindMode::Copy, BoundMode::Copy);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn auto_takes_what_a_veth_offers() {
    echoes(BindMode::Auto, BoundMode::Copy);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn frames_come_and_go_in_generic_mode() {
    echoes(BindMode::Generic, BoundMode::Generic);
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn busy_polling_is_had_or_refused_by_name() {
    let lab = Lab::new(1);
    let (umem, mut pool) = region();
    let mut binding = queue0("a0", BindMode::Copy);
    binding.busy_poll = true;
    match lab.in_node(|| Xsk::open(&umem, &binding)) {
        Ok(mut xsk) => {
            assert!(xsk.bound().busy_poll);
            xsk.refill(&mut pool);
            assert_eq!(xsk.kick(), Kick::Done, "each kick drives the device");
            assert_eq!(xsk.wakeups().syscalls, 1);
            settled(umem, pool, vec![xsk]);
        }
        Err(error) => assert!(error.to_string().contains("busy_poll = false"), "{error}"),
    }
}

/// A flood from the peer on `a` leaves by `b`, in place, over one region. Frames may be lost where a queue is full, but no
/// chunk, and none that arrives is changed.
#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_flood_crosses_two_devices_in_place() {
    const FRAMES: u64 = 300_000;
    let lab = Lab::new(1);
    let (umem, mut pool) = region();
    let ((mut a, program_a), (mut b, program_b)) = lab.in_node(|| {
        (
            open(&umem, "a0", BindMode::Auto),
            open(&umem, "b0", BindMode::Auto),
        )
    });
    let payload = tunnel(100);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopOnDrop(&stop);
        scope.spawn(|| lab.in_peer(|| generate("a1", &payload, &stop)));
        let sink = scope.spawn(|| lab.in_peer(|| absorb("b1", &payload, &stop)));
        let mut burst = Burst::new();
        let mut forwarded = 0;
        eventually("forwarding", || {
            // Many turns to each yield, or on a busy machine the others' time slices are what is waited for.
            for _ in 0..1000 {
                b.reclaim(&mut pool);
                a.refill(&mut pool);
                a.receive(&mut burst);
                forwarded += b.transmit(&mut burst) as u64;
                let _ = b.kick();
                burst.clear_into(&mut pool);
                conserved(&umem, &pool, &[&a, &b], 0);
            }
            forwarded >= FRAMES
        });
        stop.store(true, Relaxed);
        let arrived = sink.join().unwrap();
        assert!(
            (1..=forwarded).contains(&arrived),
            "{arrived} of {forwarded} arrived"
        );
    });
    assert_eq!(b.statistics().unwrap().tx_invalid_descs, 0);
    drop((program_a, program_b));
    settled(umem, pool, vec![a, b]);
}

/// Raises the flag when dropped, so that a failed assertion ends the other threads too.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Sends copies of `frame` until told to stop.
fn generate(interface: &str, frame: &[u8], stop: &AtomicBool) {
    let (umem, mut pool) = region();
    let mut xsk = Xsk::open(&umem, &queue0(interface, BindMode::Auto)).unwrap();
    let mut burst = Burst::new();
    while !stop.load(Relaxed) {
        xsk.reclaim(&mut pool);
        while !burst.is_full()
            && let Some(mut free) = pool.alloc()
        {
            free.append(frame).unwrap();
            burst.push(free).unwrap();
        }
        xsk.transmit(&mut burst);
        let _ = xsk.kick();
    }
    burst.clear_into(&mut pool);
    settled(umem, pool, vec![xsk]);
}

/// Receives until told to stop; every frame must be `expected`. Returns how many came.
fn absorb(interface: &str, expected: &[u8], stop: &AtomicBool) -> u64 {
    let (umem, mut pool) = region();
    let (mut xsk, _program) = open(&umem, interface, BindMode::Auto);
    let mut burst = Burst::new();
    let mut arrived = 0;
    while !stop.load(Relaxed) {
        xsk.refill(&mut pool);
        arrived += xsk.receive(&mut burst) as u64;
        for frame in burst.iter_mut() {
            assert_eq!(frame.bytes(), expected);
        }
        burst.clear_into(&mut pool);
    }
    settled(umem, pool, vec![xsk]);
    arrived
}
