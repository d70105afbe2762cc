//! `tweed-perf top`: the engine at work, in a terminal.
//!
//! A reader of shared memory and no more: one look at the segment per interval, whatever is pressed or resized
//! meanwhile. `App` is a value, samples and keys go in; `render` is a function of it onto a buffer. Only `terminal`,
//! `once` and this file touch the world, so every screen can be tested without one.

mod alert;
mod app;
mod column;
mod drops;
mod head;
mod headline;
mod help;
mod history;
mod key;
mod layout;
mod once;
mod panel;
mod peers;
mod ports;
mod render;
mod residence;
mod terminal;
mod text;
mod theme;
mod view;
mod watch;
mod workers;

#[cfg(test)]
mod tests;

use std::io::{ErrorKind, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::stats::{NO_ENGINE, Source, interval};
use app::App;
use theme::Theme;

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
    /// Time between two looks at the engine, 0.1 and more; + and - change it.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub interval: Duration,
    /// Look twice, an interval apart, print one plain screen and end: 100 columns, or as many as COLUMNS says.
    #[arg(long)]
    pub once: bool,
    /// Draw with ASCII alone, for terminals that lack more.
    #[arg(long)]
    pub ascii: bool,
}

/// Shows it. Ends with 0 if the engine runs, with 3 if there is none, or it was gone or silent at the end.
pub fn run(options: &Options) -> ExitCode {
    let fail = |error: &dyn std::fmt::Display| {
        eprintln!("tweed-perf top: {error}");
        ExitCode::FAILURE
    };
    let mut source = match Source::open(&options.run_dir) {
        Ok(source) => source,
        Err(error) => {
            fail(&error);
            return ExitCode::from(NO_ENGINE);
        }
    };
    let interactive = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if !options.once && !interactive {
        return fail(&"stdin and stdout are no terminal: use --once, or tweed-perf stats --watch");
    }
    let mut app = App::new(Theme::of_environment(options.ascii), options.interval);
    let shown = match options.once {
        true => once::print(&mut app, &mut source),
        false => terminal::run(&mut app, &mut source),
    };
    match shown {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&format_args!("cannot draw: {error}")),
        Ok(()) => match app.trouble() {
            None => ExitCode::SUCCESS,
            Some(trouble) => {
                eprintln!("tweed-perf top: the engine is {trouble}");
                ExitCode::from(NO_ENGINE)
            }
        },
    }
}

/// One look at the engine.
fn look(app: &mut App, source: &mut Source) {
    let (sample, control) = source.read();
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let unix_ns = since_epoch.map_or(0, |since| since.as_nanos() as u64);
    app.sample(sample, control, unix_ns);
}
