//! What each subcommand does with its plan.

pub mod latency;
pub mod ndr;
pub mod reflect;
pub mod replay;
pub mod report;
pub mod rx;
mod sending;
pub mod tx;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Failure, Result};
use crate::profile::{Profile, Rate};
use crate::report::units::percent;
use crate::report::{Report, SCHEMA, Setup, caution, machine, save};
use crate::run::outcome::Outcome;
use crate::run::plan::{Command, Output, Stamp};
use crate::run::session::Session;
use crate::run::watch::{Lines, Silent, Watch};

/// As the report calls the program.
const TOOL: &str = concat!("tweed-pktgen ", env!("CARGO_PKG_VERSION"));

/// Carries out a command.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(command: &Command) -> Result<()> {
    let output = match command {
        Command::Tx(plan) => Some(&plan.output),
        Command::Rx(plan) => Some(&plan.output),
        Command::Latency(plan) => Some(&plan.output),
        Command::Reflect(plan) => Some(&plan.output),
        Command::Ndr(plan) => Some(&plan.output),
        Command::Replay(plan) => Some(&plan.output),
        Command::Report(_) => None,
    };
    output.map_or(Ok(()), save::ready)?;
    match command {
        Command::Tx(plan) => tx::run(plan),
        Command::Rx(plan) => rx::run(plan),
        Command::Latency(plan) => latency::run(plan),
        Command::Reflect(plan) => reflect::run(plan),
        Command::Ndr(plan) => ndr::run(plan),
        Command::Replay(plan) => replay::run(plan),
        Command::Report(plan) => report::run(plan),
    }
}

/// A line a second on stderr, unless it is not wanted. `both`: loss can be told.
fn watch(output: &Output, both: bool) -> Box<dyn Watch> {
    if output.quiet || output.json {
        Box::new(Silent)
    } else {
        Box::new(Lines::new(both))
    }
}

/// A run's number, from the seed and the time: two runs differ, also if one repeats the other's seed.
fn number(seed: u64) -> u16 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    fastrand::Rng::with_seed(seed ^ now.as_nanos() as u64).u16(..)
}

/// The profile's rate in frames a second on the sending interface.
fn pps(profile: &Profile, session: &Session) -> Result<Option<f64>> {
    let speed = (session.tx.as_ref())
        .and_then(|tx| tx.link.speed)
        .map(|mbit| f64::from(mbit) * 1e6);
    profile.rate.pps(mean_size(profile), speed)
}

/// Mean size of a frame over all streams, by their weights; bytes with FCS.
pub(crate) fn mean_size(profile: &Profile) -> f64 {
    let weigh = |stream: &crate::profile::Stream| f64::from(stream.weight);
    let weights: f64 = profile.streams.iter().map(weigh).sum();
    let bytes: f64 = (profile.streams.iter())
        .map(|stream| weigh(stream) * stream.size.mean())
        .sum();
    bytes / weights
}

/// A report of what was asked and what came of it.
fn describe(mode: &str, asked: &Asked, session: &Session, outcome: Outcome) -> Report {
    let tx = session.tx.iter().flat_map(|end| end.ports());
    let rx = session.rx.iter().flat_map(|end| end.ports());
    let mut report = Report {
        schema: SCHEMA,
        mode: mode.into(),
        tool: TOOL.into(),
        started: asked.started.clone(),
        seconds: outcome.seconds,
        run: outcome.run,
        machine: machine::here(),
        setup: Setup {
            command: asked.output.command.clone(),
            seed: asked.profile.map_or(0, |profile| profile.seed),
            rate: asked
                .profile
                .map_or_else(String::new, |profile| profile.rate.to_string()),
            pps: asked.pps,
            burst: asked.profile.map_or(0, |profile| profile.burst),
            stamp: match (asked.stamp, asked.profile.map(|profile| profile.rate)) {
                (_, None) => String::new(),
                // A search at "max" is so only in its first trial; the others have a schedule.
                (Stamp::Intended, Some(rate)) if rate != Rate::Max || mode == "ndr" => {
                    "intended".into()
                }
                _ => "departure".into(),
            },
            profile: asked
                .profile
                .map_or_else(String::new, |profile| profile.to_toml()),
            ports: tx.chain(rx).collect(),
        },
        clock: outcome.clock,
        sent: outcome.sent,
        received: outcome.received,
        timeline: outcome.timeline,
        ndr: None,
        notes: outcome.notes,
        passed: None,
    };
    // A search keeps its own judgement of each trial; what its last one was like is not the result.
    if mode != "ndr" {
        let cautions = caution::cautions(&report);
        report.notes.splice(0..0, cautions);
    }
    report
}

/// What a report says was asked.
struct Asked<'a> {
    started: String,
    profile: Option<&'a Profile>,
    pps: Option<f64>,
    stamp: Stamp,
    output: &'a Output,
}

/// The verdict on a loss, if there is a bound: it goes into the report, and decides the exit code.
fn judge(report: &mut Report) -> Result<()> {
    let Some((received, bound)) = report.received.as_ref().and_then(|r| Some((r, r.bound?))) else {
        return Ok(());
    };
    if received.received == 0 {
        report.passed = Some(false);
        return Err(Failure::Loss("nothing was received".into()));
    }
    let (loss, passed) = (received.loss, received.passed());
    report.passed = passed;
    if passed == Some(true) {
        return Ok(());
    }
    Err(Failure::Loss(format!(
        "{} of the packets were lost, more than the {} allowed (--loss)",
        percent(loss),
        percent(bound)
    )))
}
