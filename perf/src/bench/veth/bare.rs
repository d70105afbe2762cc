//! The limit: perf/bench/forward.c, which moves descriptors from one AF_XDP socket to the other and looks at nothing.

use super::contender::Contender;
use super::plan::Leg;
use super::rig::Rig;
use crate::bench::tools::Tools;
use crate::bench::{Result, cpu};
use crate::lab::{Process, wait_until};

/// Descriptors in each ring: the engine's default (dataplane.ring_size).
const RING: u32 = 2048;
/// Frames handled together: the engine's burst.
const BURST: u32 = 64;
/// Frames that one system call may send: a burst, so that each call sends all there is.
const BUDGET: u32 = BURST;

/// Its name in the report.
pub const NAME: &str = "bare AF_XDP";

/// The bare AF_XDP forwarder.
pub struct Bare {
    rig: Rig,
    tools: Tools,
}

impl Bare {
    /// In a rig of its own.
    pub fn build(tools: &Tools) -> Result<Self> {
        Ok(Bare {
            rig: Rig::build()?,
            tools: tools.clone(),
        })
    }
}

impl Contender for Bare {
    fn name(&self) -> &'static str {
        NAME
    }

    fn rig(&self) -> &Rig {
        &self.rig
    }

    fn arrives_len(&self, leg: Leg, size: usize) -> usize {
        leg.sent_len(size)
    }

    fn start(&mut self, leg: Leg) -> Result<Option<Process>> {
        let mut command = cpu::alone_on(
            cpu::DEVICE,
            &self.rig.device,
            &self.tools.program("forward"),
        );
        // Without this, libxdp wants a BPF file system for the sake of programs beside its own.
        command.env("LIBXDP_SKIP_DISPATCHER", "1");
        command.args([leg.ingress().device, leg.egress().device]);
        command.args([RING, BURST, BUDGET].map(|n| n.to_string()));
        let log = self.rig.directory().join("forward.log");
        let _ = std::fs::remove_file(&log);
        let mut process = Process::start("the bare forwarder", command, &log)?;
        let mut ended = Ok(());
        wait_until("the bare forwarder to be ready", 10, || {
            ended = process.check_running();
            ended.is_err() || process.output().lines().any(|line| line == "ready")
        })?;
        ended.map(|()| Some(process))
    }

    fn stop(&mut self, running: Option<Process>) -> Result<()> {
        // It knows no end but this one.
        running.map_or(Ok(()), |mut process| process.check_running())
    }
}
