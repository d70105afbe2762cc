//! `tweed-control doctor`: what this node lacks, and for each finding what to type.
//!
//! [`facts`] are read first (`read`), all of them, without disturbing anybody; then each of the [`checks`] is a pure function
//! of them and of the configuration.

// Facts and configuration in, findings out.
pub mod checks;
// What the checks go by.
pub mod facts;
// What a check has found.
pub mod finding;
mod read;
mod show;

use std::io;
use std::process::ExitCode;

use serde::Serialize;

use crate::settings::Settings;
use crate::table;
use finding::{Finding, Level};

/// For `--help`.
pub const AFTER: &str = "\
Exit codes:
  0  nothing worse than a hint
  1  a warning or an error
  2  bad usage or bad configuration
  3  cannot look: the kernel refuses netlink

Run it as root: whose a port is, and what the engine may lock, is not told to others. What follows -> is to be typed, or to be
written into node.toml where it says so. Nothing is changed by the command itself.
Try it: tweed-control doctor --json | jq -r '.findings[] | select(.level == \"error\").remedy'";

/// There is nothing to look at.
const BLIND: u8 = 3;

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    /// Version of this object. Adding a key or a subject keeps it; renaming or removing one raises it.
    schema: u32,
    /// Nothing worse than a hint.
    well: bool,
    findings: &'a [Finding],
}

/// Reads, checks and prints.
pub fn run(settings: &Settings, json: bool) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let facts = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| {
            let facts = runtime.block_on(read::read(&settings.config));
            facts.map_err(|error| error.to_string())
        });
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => {
            eprintln!("tweed-control doctor: {error}");
            return ExitCode::from(BLIND);
        }
    };
    let mut findings: Vec<Finding> = settings.warnings.iter().map(|w| setting(w)).collect();
    findings.extend(checks::all(&facts, &settings.config));
    let well = findings.iter().all(|finding| finding.level < Level::Warn);
    let text = match json {
        true => serde_json::to_string(&Report {
            schema: 1,
            well,
            findings: &findings,
        })
        .map_err(io::Error::other),
        false => Ok(show::render(&findings, table::is_coloured())),
    };
    let code = if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    table::print(text, "doctor").unwrap_or(code)
}

fn setting(warning: &str) -> Finding {
    finding::hint(
        "settings",
        warning,
        "tweed-control config   # with the same arguments: what holds, and why",
    )
}
