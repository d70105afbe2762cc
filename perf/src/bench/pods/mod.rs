//! Two nodes with a pod each and a cable between them: what a pod gets from a network, and what that costs.
//!
//! ```text
//!   pod 1 -- cni0 -- node 1 ===== cable: 1,500 bytes ===== node 2 -- cni0 -- pod 2
//!                    `- a [`Network`] on both nodes: the engine, or the kernel, or another -'
//! ```
//!
//! Every network has nodes, pods and a cable of its own for as long as the benchmark runs; those that are not being measured sleep.

mod bare;
mod bed;
mod candidate;
mod counters;
mod engine;
mod gateway;
mod kernel;
mod network;
mod proxy;
mod vswitch;
mod way;

pub use candidate::{CANDIDATES, Candidate};
pub use network::{Network, Station};
