//! The AF_XDP layer on a real kernel: sockets and programs on veth pairs in fresh namespaces; and UDP sockets as a port.
//!
//! ```text
//!   node                       peer
//!   a0 ----------------------- a1
//!   b0 ----------------------- b1
//! ```
//!
//! The engine's sockets are in `node`; in `peer` a packet socket plays the wire. What the kernel of `node` gets to see, a
//! packet socket there tells.

mod errors;
mod forward;
mod frames;
mod lab;
mod lifecycle;
mod steering;
mod tun;
mod udp;

use std::time::{Duration, Instant};

use dataplane::xsk::{BindMode, Binding, Burst, DEFAULT_HEADROOM, Hugepages, Pool, Umem, Xsk};

/// How long anything here may take before the test is given up. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A region as a small worker has it.
fn region() -> (Umem, Pool) {
    Umem::map(4096, 2048, DEFAULT_HEADROOM, Hugepages::Auto).unwrap()
}

/// Queue 0 of a device.
fn queue0(interface: &str, mode: BindMode) -> Binding {
    Binding {
        interface: interface.into(),
        queue: 0,
        mode,
        ring_size: 512,
        busy_poll: false,
        port: 7,
    }
}

/// Calls `done` until it says so.
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

/// Receives until `count` frames came, and returns their bytes.
fn receive(xsk: &mut Xsk, pool: &mut Pool, count: usize) -> Vec<Vec<u8>> {
    let mut received = Vec::new();
    eventually("receive", || {
        let mut burst = Burst::new();
        xsk.refill(pool);
        let _ = xsk.kick();
        xsk.receive(&mut burst);
        received.extend(burst.iter_mut().map(|frame| frame.bytes().to_vec()));
        burst.clear_into(pool);
        received.len() >= count
    });
    received
}
