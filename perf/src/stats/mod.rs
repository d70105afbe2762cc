//! `tweed-perf stats`: what the engine counts, for people and for programs.
//!
//! A reader of shared memory and no more: it asks nobody, takes no lock, and works on the segment of an engine that died.
//! One [`Report`] is made of one or two samples; the table and the JSON are two ways to print it.

mod control;
mod grid;
mod number;
mod peer;
mod port;
mod report;
mod sample;
mod table;
mod worker;

#[cfg(test)]
mod tests;

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use contract::stats::{StatsError, StatsReader};

use crate::style::Style;
pub(crate) use contract::stats::Life;
pub(crate) use control::ControlStatus;
pub(crate) use grid::printable;
pub(crate) use number::{percent, rate, short, span};
pub(crate) use peer::{Peer, PeerRates};
pub(crate) use port::{Port, PortRates, side as port_side};
pub use report::Report;
pub(crate) use report::{Conservation, Control, Engine, Since, seconds};
pub(crate) use sample::Sample;
pub(crate) use table::life;
pub use table::render;
pub(crate) use worker::Worker;

/// Exit code when there is no running engine behind the numbers.
pub(crate) const NO_ENGINE: u8 = 3;

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
    /// Print one JSON object, on one line; with --watch one each time.
    #[arg(long)]
    pub json: bool,
    /// Show rates, again and again [each second unless told otherwise].
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = interval)]
    pub watch: Option<Duration>,
}

/// The totals of the engine in this run directory.
pub fn totals(run_dir: &Path) -> Result<Report, StatsError> {
    let (sample, control) = Source::open(run_dir)?.read();
    Ok(Report::new(&sample, None, control.as_ref()))
}

/// Seconds between two views: at least a tenth, for the engine commits its counters at its own pace.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    crate::duration::parse(text, 0.1..=86_400.0)
}

/// Shows it. Ends with 0 if the engine runs, with 3 if there is none, it is gone or silent; with `--watch` it goes on
/// until the reader of its output leaves or a signal ends it, across restarts of the engine.
pub fn run(options: &Options) -> ExitCode {
    let shown = Source::open(&options.run_dir).map(|source| match options.watch {
        None => show_once(source, options),
        Some(interval) => watch(source, options, interval),
    });
    match shown {
        Ok(Ok(code)) => code,
        Ok(Err(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("tweed-perf stats: cannot print: {error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("tweed-perf stats: {error}");
            ExitCode::from(NO_ENGINE)
        }
    }
}

/// The segment of whichever engine owns the name now.
pub(crate) struct Source<'a> {
    run_dir: &'a Path,
    reader: StatsReader,
}

impl<'a> Source<'a> {
    pub(crate) fn open(run_dir: &'a Path) -> Result<Self, StatsError> {
        let reader = StatsReader::open(&run_dir.join("stats"))?;
        Ok(Source { run_dir, reader })
    }

    /// Reads all there is now. After a restart the new engine's segment; until there is one, the old one's.
    pub(crate) fn read(&mut self) -> (Sample, Option<ControlStatus>) {
        if self.reader.is_replaced()
            && let Ok(new) = Source::open(self.run_dir)
        {
            *self = new;
        }
        let control = ControlStatus::read(self.run_dir);
        (Sample::take(&self.reader, control.as_ref()), control)
    }
}

fn show_once(mut source: Source, options: &Options) -> std::io::Result<ExitCode> {
    let (sample, control) = source.read();
    let report = Report::new(&sample, None, control.as_ref());
    print(&report, options, false)?;
    if sample.life == Life::Running {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("tweed-perf stats: the engine is {}", table::life(&report));
    Ok(ExitCode::from(NO_ENGINE))
}

fn watch(mut source: Source, options: &Options, interval: Duration) -> std::io::Result<ExitCode> {
    let redraw = !options.json && std::io::stdout().is_terminal();
    let (mut before, _) = source.read();
    loop {
        std::thread::sleep(interval);
        let (now, control) = source.read();
        print(
            &Report::new(&now, Some(&before), control.as_ref()),
            options,
            redraw,
        )?;
        before = now;
    }
}

fn print(report: &Report, options: &Options, redraw: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if redraw {
        // Home, then clear what is below: less flicker than clearing first.
        out.write_all(b"\x1b[H\x1b[J")?;
    }
    match options.json {
        true => writeln!(out, "{}", report.to_json())?,
        false => out.write_all(table::render(report, Style::of_stdout()).as_bytes())?,
    }
    if options.watch.is_some() && !redraw && !options.json {
        writeln!(out)?;
    }
    out.flush()
}
