//! `tweed-dataplane`: the packet engine's process.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use contract::config::{Config, ConfigError, file};
use dataplane::engine::{Engine, EngineError};
use signal_hook::consts::{SIGINT, SIGTERM};
use tracing_subscriber::EnvFilter;

/// The packet engine of a tweed node: takes pod packets from the uplink, encapsulates them and sends them to their nodes,
/// and the other way round, on AF_XDP sockets and pinned cores.
///
/// It does what the tables segment says, which tweed-control writes, and may be started before it, killed and restarted at
/// any time. The host's own traffic on the same NIC never passes through it.
#[derive(Parser)]
#[command(name = "tweed-dataplane", version, after_help = AFTER_HELP)]
struct Args {
    /// The node's configuration, every key of which is explained in configs/node.toml; if none is named,
    /// /etc/tweed/node.toml, without which defaults hold
    #[arg(short, long, value_name = "FILE", env = "TWEED_CONFIG")]
    config: Option<PathBuf>,

    /// Check the configuration and exit
    #[arg(long)]
    check: bool,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  stopped by SIGTERM or SIGINT, every frame accounted for
  1  failed while running
  2  usage or configuration
  3  environment: privileges, memory, CPUs; the message says what to do

Logging: RUST_LOG=debug tells more. A port that cannot be opened is not fatal: the engine goes on without it, says why in
the log and in `tweed-perf stats`, and tries again each second.";

fn main() -> ExitCode {
    let missing = dataplane::cpu::missing();
    if !missing.is_empty() {
        eprintln!(
            "tweed-dataplane: this processor lacks {}; build with RUSTFLAGS=\"-C target-cpu=native\" on it",
            missing.join(", ")
        );
        return ExitCode::from(3);
    }
    let args = Args::parse();
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let (config, name) = match file::read(args.config.as_deref()).and_then(configuration) {
        Ok(found) => found,
        Err(error) => return fail(2, &error),
    };
    if args.check {
        println!("valid: {name}");
        return ExitCode::SUCCESS;
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        if let Err(error) = signal_hook::flag::register(signal, stop.clone()) {
            return fail(3, &error);
        }
    }
    match Engine::start(config).and_then(|engine| engine.run(&stop)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ EngineError::Lost { .. }) => fail(1, &error),
        Err(error) => fail(3, &error),
    }
}

/// The configuration of a file that was found or not, and what it is called.
fn configuration(found: Option<(PathBuf, String)>) -> Result<(Config, String), ConfigError> {
    match found {
        Some((path, text)) => Ok((Config::parse(&path, &text)?, path.display().to_string())),
        None => {
            let name = format!("defaults, for there is no {}", file::USUAL);
            tracing::warn!("{name}");
            Ok((Config::default(), name))
        }
    }
}

/// One report: what failed, and the chain of causes.
fn fail(code: u8, error: &dyn std::error::Error) -> ExitCode {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Messages that quote their cause already do not say it twice.
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    eprintln!("tweed-dataplane: {text}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_defaults_hold_and_are_called_so() {
        let (config, name) = configuration(None).unwrap();
        assert_eq!(config, Config::default());
        assert!(name.contains("there is no /etc/tweed/node.toml"), "{name}");
        let file = ("n.toml".into(), "[node]\nrun_dir = \"/run/other\"\n".into());
        let (config, name) = configuration(Some(file)).unwrap();
        assert_eq!(config.run_dir, PathBuf::from("/run/other"));
        assert_eq!(name, "n.toml");
    }

    #[test]
    fn help_and_contract_name_the_same_usual_place() {
        use clap::CommandFactory;
        let help = Args::command().render_long_help().to_string();
        let words: Vec<_> = help.split_whitespace().collect();
        assert!(words.join(" ").contains(file::USUAL), "{help}");
    }
}
