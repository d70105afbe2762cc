//! `tweed-perf trace`: packets on their way through the engine, live.
//!
//! Reads the trace rings of the stats segment: every loss, within a budget, and a sample of what is forwarded. It asks the
//! engine for nothing and costs it nothing; what it is too slow for is overwritten, counted and told.

mod clock;
mod decode;
mod filter;
mod frame;
mod json;
mod line;
mod names;
mod output;
mod source;
mod summary;

#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::duration;
use crate::stats::NO_ENGINE;
use filter::Filter;
use output::Output;
use source::{Event, Source};
use summary::Summary;

/// Time between two looks at the rings: a quarter of what a ring holds at the engine's most.
const POLL: Duration = Duration::from_millis(5);

/// What to show and how.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// node.run_dir of the engine's configuration.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/run/tweed",
        env = "TWEED_RUN_DIR"
    )]
    pub run_dir: PathBuf,
    #[command(flatten)]
    filter: Filter,
    /// Print JSON objects, one on a line.
    #[arg(long)]
    json: bool,
    /// Write the frames to a pcap as well, as much of each as is recorded; `-`: to stdout, instead of lines. Wireshark decodes
    /// both packets of a tunnel datagram: tshark -d udp.port==8472,vxlan -r FILE
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// End after so many frames were shown.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so long: seconds, or with a unit (500ms, 10m).
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    duration: Option<Duration>,
    /// Begin with what the rings hold already: up to 1,024 frames of each worker.
    #[arg(long)]
    backlog: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    duration::parse(text, 0.0..=1e9)
}

/// Shows it, until enough was shown, the time is over, the reader of its output leaves, or a signal ends it. Ends with 0 if
/// the engine runs, with 3 if there is none, or it was gone or silent at the end.
pub fn run(options: &Options) -> ExitCode {
    let fail = |error: &dyn std::fmt::Display| {
        eprintln!("tweed-perf trace: {error}");
        ExitCode::FAILURE
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        if let Err(error) = signal_hook::flag::register(signal, stop.clone()) {
            return fail(&format!("cannot catch signals: {error}"));
        }
    }
    let mut source = match Source::open(&options.run_dir, options.backlog) {
        Ok(source) => source,
        Err(error) => {
            fail(&error);
            return ExitCode::from(NO_ENGINE);
        }
    };
    if let Some(peer) = &options.filter.peer {
        warn_of_unknown_peer(&source, peer);
    }
    let stdout = Box::new(std::io::stdout());
    let output = Output::new(options.json, options.write.as_deref(), stdout);
    match output.and_then(|mut output| follow(&mut source, &mut output, options, &stop)) {
        Ok(()) if source.is_running() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(NO_ENGINE),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&match &options.write {
            Some(path) => format!("cannot write lines or {}: {error}", path.display()),
            None => format!("cannot print: {error}"),
        }),
    }
}

fn follow(
    source: &mut Source,
    output: &mut Output,
    options: &Options,
    stop: &AtomicBool,
) -> std::io::Result<()> {
    let start = Instant::now();
    let mut summary = Summary::default();
    let enough = |summary: &Summary| options.count.is_some_and(|count| summary.matched >= count);
    let over = || {
        stop.load(Ordering::Relaxed) || options.duration.is_some_and(|time| start.elapsed() >= time)
    };
    output.flush()?;
    loop {
        // What was recorded until the end belongs to it.
        let last = over();
        for event in source.poll() {
            let Event::Frame(frame) = &event else {
                output.event(&event)?;
                continue;
            };
            summary.seen += 1;
            if options.filter.matches(frame) && !enough(&summary) {
                summary.matched += 1;
                output.frame(frame)?;
            }
        }
        output.flush()?;
        if last || enough(&summary) {
            summary.missed = source.missed();
            return output.summary(&summary);
        }
        std::thread::sleep(POLL);
    }
}

/// It may come yet, so this is no error.
fn warn_of_unknown_peer(source: &Source, name: &str) {
    if !source.names().peers().any(|peer| peer.is_called(name)) {
        let known: Vec<String> = source.names().peers().map(|peer| peer.name()).collect();
        let name = crate::stats::printable(name);
        eprintln!(
            "tweed-perf trace: no peer is called {name} now; there are: {}",
            known.join(", ")
        );
    }
}
