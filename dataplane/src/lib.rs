//! The packet engine: poll mode, one thread per core, AF_XDP sockets, bursts.
//!
//! Read `worker` (the loop) and `turn` (a burst's way through it), then `encap` and `decap`.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests"
    )
)]

mod answer;
mod backend;
mod budget;
// The time stamp counter.
pub mod clock;
/// What the processor must have.
pub mod cpu;
mod decap;
mod decap6;
mod device;
mod encap;
mod encap6;
// The main thread: opens and closes what the tables name, and tells the workers.
pub mod engine;
mod family;
mod hog;
mod icmp;
mod icmp6;
mod inner;
mod inner6;
// Segmentation and coalescing, as the kernel would do it.
pub mod offload;
mod open_port;
mod port;
mod priority;
mod run;
mod sample;
mod threads;
// When to ask a device that is looked at by a system call.
mod throttle;
mod trace;
mod turn;
// A queue of a TUN as a port.
pub mod tun;
// A UDP socket as a port.
pub mod udp;
mod verdict;
mod wake;
mod worker;
// The AF_XDP layer.
pub mod xsk;

pub use answer::Answerer;
pub use budget::Budget;
pub use decap::decap;
pub use device::Device;
pub use encap::{IpIds, encap};
pub use port::Port;
pub use verdict::{Tx, Verdict};
pub use worker::Worker;
