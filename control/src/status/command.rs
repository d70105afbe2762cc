//! `tweed-control status`: how this node is, for people and for programs.
//!
//! A reader and no more: it asks neither daemon, and shows what a daemon left that is dead.

use std::io;
use std::process::ExitCode;

use contract::config::Config;

use super::look;
use super::report::Report;
use super::show;
use crate::table::is_coloured;

/// Something is degraded.
const DEGRADED: u8 = 1;
/// There is nothing to look at.
const BLIND: u8 = 3;

/// For `--help`.
pub const AFTER: &str = "\
Exit codes:
  0  all well
  1  something is degraded, and said under \"what is wrong\" (`problems` in JSON)
  2  bad usage or bad configuration
  3  cannot look: tweed-control has never run with this node.run_dir, or its files may not be read (run as root)

Times and ages are seconds in JSON. Of two instances on a node, --config says which.
Try it: tweed-control status --json | jq -r '.problems[]'";

/// Looks and prints.
pub fn run(config: &Config, json: bool) -> ExitCode {
    let report = match look::look(&config.run_dir) {
        Ok(seen) => Report::new(seen),
        Err(error) => {
            eprintln!("tweed-control status: {error}");
            return ExitCode::from(BLIND);
        }
    };
    let code = match (report.verdict.well, report.verdict.whole) {
        (false, _) => ExitCode::from(DEGRADED),
        (true, false) => ExitCode::from(BLIND),
        (true, true) => ExitCode::SUCCESS,
    };
    let text = match json {
        true => serde_json::to_string(&report).map_err(io::Error::other),
        false => Ok(show::render(&report, is_coloured())),
    };
    crate::table::print(text, "status").unwrap_or(code)
}
