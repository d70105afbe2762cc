//! `tweed-perf bench veth`: how many frames a second one core forwards between two veths, and what others do there.
//!
//! Contenders take turns, case by case and round after round, so that whatever drifts (clocks, caches, the neighbours of
//! a virtual machine) drifts for all of them; ratios are taken within a round. Only what arrives counts: the generator
//! offers several times as much as any contender can forward.

mod bare;
mod candidate;
mod contender;
mod counter;
mod engine;
mod frame;
mod gateway;
mod generator;
mod kernel;
mod plan;
mod report;
mod rig;
mod sample;
mod stage;
mod watched;

use std::time::Duration;

use clap::Args;

use super::Result;
use super::machine::Machine;
use super::tools::Tools;
use crate::lab::{self, LabError, sweep};
use contract::wire::Vxlan;

pub use candidate::{CANDIDATES, Candidate};
pub use plan::{Leg, MAX_PEERS, Mix};
pub use report::Report;
pub use sample::{Case, Sample};
pub use stage::Stage;

/// What to measure, and for how long.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Times that every contender has its turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value = "1.5", value_parser = seconds)]
    seconds: Duration,
    /// Sizes of the pods' frames, bytes, Ethernet header included.
    #[arg(long, value_delimiter = ',', default_values_t = [64, 1400], value_parser = size)]
    sizes: Vec<usize>,
    /// Other nodes, each with a subnet, a VTEP and a random share of the frames.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_PEERS)))]
    peers: u16,
    /// Different flows among the frames; 0: each frame is of a flow of its own, as good as.
    #[arg(long, default_value_t = 0)]
    flows: u32,
    /// Beside them the engine while all of tweed-perf's readers look at it: what do they cost it?
    #[arg(long)]
    watched: bool,
    /// Print the report as JSON, with every sample.
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    crate::duration::parse(text, 0.1..=600.0)
}

fn size(text: &str) -> std::result::Result<usize, String> {
    let largest = usize::from(lab::MTU) - Vxlan::OVERHEAD_IPV4 + contract::wire::Ethernet::LEN;
    match text.parse() {
        Ok(size) if (64..=largest).contains(&size) => Ok(size),
        _ => Err(format!("frames of 64 to {largest} bytes are possible")),
    }
}

/// Runs the benchmark and prints its report; what it is doing goes to stderr.
pub fn run(options: &Options) -> Result<()> {
    let report = measure(options)?;
    match options.json {
        true => println!("{}", report.to_json()),
        false => print!("{report}"),
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Report> {
    sweep::sweep_dead();
    let machine = Machine::here();
    let mut stage = Stage::new(Tools::build(Tools::directory()?)?)?;
    let watched = options.watched.then_some(&candidate::WATCHED);
    let candidates: Vec<&Candidate> = CANDIDATES.iter().chain(watched).collect();
    for candidate in &candidates {
        stage.build(candidate.name, options.peers);
    }
    if let Some((name, Some(reason))) = stage.stands(options.peers).find(|(_, why)| why.is_some()) {
        return Err(LabError::Unexpected(format!("{name}: {reason}")));
    }
    let mix = Mix {
        peers: options.peers,
        flows: options.flows,
    };
    let mut report = Report::new(machine, options.peers);
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        for case in cases(&options.sizes) {
            for Candidate { name, .. } in &candidates {
                let sample = stage.sample(name, case, mix, options.seconds)?;
                report.add(name, case, sample);
            }
        }
    }
    Ok(report)
}

fn cases(sizes: &[usize]) -> impl Iterator<Item = Case> {
    let of_leg = |leg| sizes.iter().map(move |&size| Case { leg, size });
    Leg::ALL.into_iter().flat_map(of_leg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit_the_pods_mtu() {
        assert_eq!(size("64"), Ok(64));
        assert_eq!(size("1464"), Ok(1464));
        for bad in ["63", "1465", "", "-1"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_size_goes_both_ways() {
        let cases: Vec<_> = cases(&[64, 1400]).collect();
        assert_eq!(cases.len(), 4);
        assert_eq!(
            cases[0],
            Case {
                leg: Leg::Encap,
                size: 64
            }
        );
        assert_eq!(
            cases[3],
            Case {
                leg: Leg::Decap,
                size: 1400
            }
        );
    }
}
