//! `tweed-perf bench`: tweed beside what one would run instead, in one run, on this machine.
//!
//! Two stages. `veth`: one device under test between a generator and a counter, a core to itself; what can one core forward?
//! `pods`: two nodes with a pod each, joined by a cable; what does a pod get, and what does it cost the machine?
//!
//! Contenders take turns, measure by measure and round after round, so that whatever drifts (clocks, caches, the neighbours of a
//! virtual machine) drifts for all of them; ratios are taken within a round.

mod cpu;
mod machine;
pub mod model;
pub mod pods;
mod tools;
pub mod veth;

use crate::lab::Result;
