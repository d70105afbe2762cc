//! `tweed-perf bench`: tweed beside what one would run instead, in one run, on this machine.
//!
//! Two stages. `veth`: one device under test between a generator and a counter, a core to itself; what can one core forward?
//! `pods`: two nodes with a pod each, joined by a cable; what does a pod get, and what does it cost the machine?
//!
//! Contenders take turns, measure by measure and round after round, so that whatever drifts (clocks, caches, the neighbours of a
//! virtual machine) drifts for all of them; ratios are taken within a round.

pub mod compare;
mod cpu;
mod headline;
pub mod html;
mod machine;
pub mod markdown;
mod measure;
pub mod model;
mod options;
mod order;
mod output;
pub mod pods;
mod run;
mod table;
mod tools;
mod verdict;
pub mod veth;
mod words;

pub use options::Options;
pub use output::load;
pub use run::{End, run};

use crate::lab::Result;
