//! The machine of a run.

use serde::{Deserialize, Serialize};

/// Where it ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// `uname -r`.
    pub kernel: String,
    /// CPU model.
    pub cpu: String,
    /// CPUs online.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// Hypervisor, if the CPU tells.
    pub hypervisor: Option<String>,
}

/// This machine.
pub fn here() -> Machine {
    todo!()
}
