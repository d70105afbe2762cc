//! The generator's process (perf/bench/generate.c): frames of one leg and size, until it is stopped.

use rustix::process::Signal;

use super::frame;
use super::plan::{Leg, Mix, Peer};
use super::rig::Rig;
use crate::bench::tools::Tools;
use crate::bench::{Result, cpu};
use crate::lab::{LabError, Process};

/// A running generator.
pub struct Generator(Process);

impl Generator {
    /// Starts to send frames to the device under test.
    pub fn start(tools: &Tools, rig: &Rig, leg: Leg, size: usize, mix: Mix) -> Result<Self> {
        let path = rig.directory().join("frame");
        std::fs::write(&path, frame::of(leg, size))
            .map_err(LabError::io(format!("write {}", path.display())))?;
        let mut command = cpu::alone_on(cpu::GENERATOR, &rig.outside, &tools.program("generate"));
        command
            .arg(tools.object("generate"))
            .arg(leg.ingress().outside)
            .arg(program(leg))
            .arg(path);
        command.args([
            mix.peers.to_string(),
            Peer(0).subnet().to_string(),
            Peer(0).vtep().to_string(),
            mix.flows.to_string(),
        ]);
        let log = rig.directory().join("generate.log");
        Process::start("the generator", command, &log).map(Generator)
    }

    /// An error when it has ended.
    pub fn check_running(&mut self) -> Result<()> {
        self.0.check_running()
    }

    /// Stops it; the frames that it offered each second.
    pub fn stop(self) -> Result<f64> {
        let (_, output) = self.0.stop(Signal::TERM, 10)?;
        rate(&output)
    }
}

/// The program of generate.bpf.c that makes the frames of a leg.
const fn program(leg: Leg) -> &'static str {
    match leg {
        Leg::Encap => "plain",
        Leg::Decap => "vxlan",
    }
}

/// Frames per second from the last line, "frames nanoseconds"; earlier lines are of earlier generators.
fn rate(output: &str) -> Result<f64> {
    let words = output.lines().last().and_then(|line| line.split_once(' '));
    let numbers = words.and_then(|(frames, ns)| Some((number(frames)?, number(ns)?)));
    match numbers {
        Some((frames, ns)) if ns > 0.0 => Ok(frames / ns * 1e9),
        _ => Err(LabError::parse("what the generator sent", output)),
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse::<u64>().ok().map(|n| n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_generator_counts() {
        assert_eq!(rate("5 1000000000\n3000 500000000\n").unwrap(), 6000.0);
    }

    #[test]
    fn a_generator_that_failed_has_no_rate() {
        for output in ["", "generate: cannot load x: No such file", "5 0"] {
            assert!(rate(output).is_err(), "{output}");
        }
    }
}
