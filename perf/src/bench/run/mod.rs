//! `tweed-perf bench`: builds everyone, asks everyone everything in turns, and writes down what came of it.
//!
//! Nothing here ends a run early but Ctrl-C: a contender that cannot be built, or that fails, is named with the reason, and what
//! was measured until then is kept.

mod board;
mod field;
mod job;
mod noise;
mod plan;
mod progress;
mod schedule;
mod through;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Result;
use super::machine::Machine;
use super::measure::Usage;
use super::model::{Entrant, Measure, Report, SCHEMA, Wire};
use super::options::Options;
use super::tools::Tools;
use super::{output, pods, veth};
use crate::lab::traffic::Iperf;
use crate::lab::{LabError, run as output_of, sweep};
use field::Field;
use job::Job;
use plan::Shape;
use progress::{Progress, minutes};
use schedule::{Outcome, Task};

/// How long the machine is watched while nobody is asked.
const REST: Duration = Duration::from_secs(1);

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With all that was asked for.
    Complete,
    /// With what there was at Ctrl-C.
    Interrupted,
}

/// Runs the benchmark, writes its report and prints it. Ends early when `stop` is raised, with what there is.
pub fn run(options: &Options, stop: &Arc<AtomicBool>) -> Result<End> {
    let gso = Iperf::knows_gso();
    let jobs = chosen(options, gso)?;
    if options.list {
        list(options, &jobs);
        return Ok(End::Complete);
    }
    sweep::sweep_dead();
    let (machine, began, begin) = (Machine::here(), now()?, Instant::now());
    output::ready(&options.out)?;
    let stopped = || stop.load(Ordering::Relaxed);
    let mut field = build(options, &jobs, &stopped)?;

    let tasks = jobs.iter().map(|job| {
        let absent = |seat: &schedule::Seat| seat.absent.is_none();
        let seats = job.seats(&field).iter().filter(|seat| absent(seat)).count();
        (id(job), job.points().len() * seats, job.expected())
    });
    let mut progress = Progress::new(options.rounds, tasks.collect());
    progress.say(&format!("about {}", minutes(progress.left())));
    let usage = Usage::now()?;
    let outcome = schedule::run(&jobs, &mut field, options.rounds, &stopped, &mut progress);
    let spent = Usage::now()?.since(&usage);
    progress.finish();

    let around = noise::Surroundings {
        load: &machine.load,
        idle: field.idle(),
        spent,
    };
    let mut remarks = noise::remarks(&outcome.measures, outcome.rounds, &around);
    if outcome.interrupted {
        remarks.insert(
            0,
            format!(
                "interrupted in round {} of {}",
                outcome.rounds, options.rounds
            ),
        );
    }
    if !gso && jobs.iter().any(|job| id(job).ends_with(".udp")) {
        remarks.push(
            "UDP with GSO was not measured: this iperf3 cannot send super-packets (--gsro)"
                .to_owned(),
        );
    }
    let report = Report {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        began,
        seconds: begin.elapsed().as_secs_f64(),
        machine,
        rounds: outcome.rounds,
        contenders: entrants(options, &jobs, &field),
        remarks,
        measures: Vec::new(),
        floods: Vec::new(),
    };
    let end = match outcome.interrupted {
        true => End::Interrupted,
        false => End::Complete,
    };
    let report = filled(report, outcome);
    output::deliver(&report, options)?;
    Ok(end)
}

/// The report with what was measured; who is absent altogether has no empty cells in it.
fn filled(mut report: Report, outcome: Outcome) -> Report {
    let absent = |name: &str| {
        let mut contenders = report.contenders.iter();
        contenders.any(|entrant| entrant.name == name && entrant.absent.is_some())
    };
    let mut measures = outcome.measures;
    for measure in &mut measures {
        measure.cells.retain(|cell| !absent(&cell.contender));
    }
    report.measures = measures;
    report.floods = outcome.floods;
    report
}

/// The jobs that were asked for; an error names what there is not.
fn chosen(options: &Options, gso: bool) -> Result<Vec<Job>> {
    let names = names();
    if let Some(unknown) = options.unknown(&names) {
        return Err(LabError::Unexpected(format!(
            "there is no contender {unknown:?} (--contenders); there are: {}",
            names.join(", ")
        )));
    }
    let wanted = veth::CANDIDATES.iter().map(|candidate| candidate.name);
    let shape = Shape {
        short: options.short,
        seconds: options.seconds,
        gso,
        veth: wanted.filter(|name| options.wants(name)).collect(),
    };
    let mut jobs = shape.jobs();
    jobs.retain(|job| job.is_meant(&options.only));
    match jobs.is_empty() {
        false => Ok(jobs),
        true => Err(LabError::Unexpected(format!(
            "--only {} means no measure{}; --list shows all",
            options.only.join(","),
            if options.short { " of --short" } else { "" },
        ))),
    }
}

/// Everyone of both stages, each once.
fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = pods::CANDIDATES.iter().map(|c| c.name).collect();
    for candidate in veth::CANDIDATES {
        if !names.contains(&candidate.name) {
            names.push(candidate.name);
        }
    }
    names
}

/// Builds what the jobs need. Who cannot be built is said at once, and stands in the report.
fn build(options: &Options, jobs: &[Job], stopped: &dyn Fn() -> bool) -> Result<Field> {
    let mut field = Field::default();
    for wire in [Wire::Plain, Wire::Gro, Wire::Offloads] {
        if !jobs.iter().any(|job| job.wire() == Some(wire)) {
            continue;
        }
        let wanted = pods::CANDIDATES.iter().filter(|c| options.wants(c.name));
        for candidate in wanted {
            if stopped() {
                return Err(interrupted());
            }
            eprintln!("building {}, {wire:?} wire", candidate.name);
            if let Some(reason) = field.build_pods(candidate, wire) {
                eprintln!("{} is absent: {reason}", candidate.name);
            }
        }
    }
    let mut peers: Vec<u16> = Vec::new();
    for job in jobs {
        if let Job::Veth(through) = job {
            peers.extend(through.peers());
        }
    }
    peers.sort_unstable();
    peers.dedup();
    if !peers.is_empty() {
        let tools = Tools::directory().and_then(Tools::build);
        field.set_veth(tools.and_then(veth::Stage::new));
    }
    for count in peers {
        for candidate in veth::CANDIDATES.iter().filter(|c| options.wants(c.name)) {
            if stopped() {
                return Err(interrupted());
            }
            eprintln!("building {}, one core, {count} peers", candidate.name);
            if let Some(stage) = field.veth() {
                stage.build(candidate.name, count);
            }
        }
    }
    field.rest(REST)?;
    Ok(field)
}

fn interrupted() -> LabError {
    LabError::Unexpected("interrupted before anything was measured".to_owned())
}

/// Everyone asked, absent where there is no place for them in any job.
fn entrants(options: &Options, jobs: &[Job], field: &Field) -> Vec<Entrant> {
    let seats: Vec<_> = jobs.iter().flat_map(|job| job.seats(field)).collect();
    let what = |name: &str| {
        let pods = pods::CANDIDATES.iter().find(|c| c.name == name);
        let veth = veth::CANDIDATES.iter().find(|c| c.name == name);
        pods.map_or_else(|| veth.map_or("", |c| c.what), |c| c.what)
    };
    let entrant = |name: &'static str| {
        let mut of_it = seats.iter().filter(|seat| seat.name == name).peekable();
        let first = of_it.peek()?.absent.clone();
        Some(Entrant {
            name: name.to_owned(),
            what: what(name).to_owned(),
            absent: first.filter(|_| of_it.all(|seat| seat.absent.is_some())),
        })
    };
    let wanted = names().into_iter().filter(|name| options.wants(name));
    wanted.filter_map(entrant).collect()
}

/// The id of a job's first measure, which stands for all.
fn id(job: &Job) -> String {
    let first = job.measures().into_iter().next();
    first.map_or_else(String::new, |measure| measure.id)
}

/// What there is to choose from, and how long it would take.
fn list(options: &Options, jobs: &[Job]) {
    println!("measures");
    for Measure {
        id,
        title,
        group,
        unit,
        ..
    } in jobs.iter().flat_map(Job::measures)
    {
        println!("  {id:28} {title}, {unit} [{group}]");
    }
    println!("contenders");
    for name in names().into_iter().filter(|name| options.wants(name)) {
        println!("  {name}");
    }
    let of_pods = pods::CANDIDATES
        .iter()
        .filter(|c| options.wants(c.name))
        .count();
    let round = |job: &Job| {
        let contenders = match job {
            Job::Pods { .. } => of_pods,
            Job::Veth(through) => through.contenders.len(),
        };
        job.expected() * (job.points().len() * contenders) as u32
    };
    let all = jobs.iter().map(round).sum::<Duration>() * options.rounds;
    println!("about {} in {} rounds", minutes(all), options.rounds);
}

/// This moment, RFC 3339, UTC.
fn now() -> Result<String> {
    let text = output_of(Command::new("date").args(["-u", "+%FT%TZ"]))?;
    Ok(text.trim().to_owned())
}
