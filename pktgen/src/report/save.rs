//! Reports in and out of files, and to the screen.
//!
//! Invariant: what [`deliver`] writes, [`load`] reads. A file that is not one of ours is refused by name, with the
//! place in it.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use serde::Deserialize;

use super::{Report, SCHEMA, table};
use crate::error::{Failure, Result};
use crate::run::plan::Output;

/// Largest file that is read: a day's run has 10 MB.
const LARGEST: u64 = 256 << 20;

/// What every form of the file has.
#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// The report as JSON, with a newline at its end.
pub fn json(report: &Report) -> String {
    text(report)
}

/// Several reports as a JSON array; [`load`] reads that too.
pub fn json_all(reports: &[&Report]) -> String {
    text(&reports)
}

fn text(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("a tree of strings and numbers");
    text.push('\n');
    text
}

/// Whether the file of `--save` can be written, asked before the run: one of hours must not end with a directory that is not
/// there. Nothing is left behind. What is neither absent nor a regular file (a pipe) is not tried, for opening it tells its reader.
///
/// # Errors
/// [`Failure::Environment`]: it cannot.
pub fn ready(output: &Output) -> Result<()> {
    let Some(file) = &output.save else {
        return Ok(());
    };
    let there = fs::metadata(file);
    if there
        .as_ref()
        .is_ok_and(|there| !there.is_file() && !there.is_dir())
    {
        return Ok(());
    }
    let opened = fs::OpenOptions::new().append(true).create(true).open(file);
    opened.map_err(|error| refused(file, &error))?;
    if there.is_err() {
        // An empty file in its place would be taken for a run.
        let _ = fs::remove_file(file);
    }
    Ok(())
}

fn refused(file: &Path, error: &io::Error) -> Failure {
    Failure::Environment(format!(
        "--save {}: {error}; the directory must exist and be writable",
        file.display()
    ))
}

/// Saves the report if that was asked for, and prints it whether or not that went well: as JSON, or as tables (with
/// colours on a terminal, unless `NO_COLOR` is set: no-color.org).
///
/// # Errors
/// [`Failure::Environment`]: the file or the output cannot be written.
pub fn deliver(report: &Report, output: &Output) -> Result<()> {
    let json = json(report);
    let saved = match &output.save {
        Some(file) => fs::write(file, &json).map_err(|error| refused(file, &error)),
        None => Ok(()),
    };
    // Also when it could not be saved: a run may have taken hours.
    let printed = if output.json {
        print(&json)
    } else {
        print(&table::render(report, coloured()))
    };
    saved.and(printed)
}

/// Whether standard output is a terminal that wants colours.
pub fn coloured() -> bool {
    wants_colours(&io::stdout())
}

/// Whether an output is a terminal, and its user wants colours (no-color.org: `NO_COLOR` set to anything but nothing says no).
pub fn wants_colours(output: &impl IsTerminal) -> bool {
    output.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints. A reader that went away (`| head`) has seen enough: no error.
///
/// # Errors
/// [`Failure::Environment`]: any other.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::environment("standard output", error))
        }
        _ => Ok(()),
    }
}

/// The reports in a file: one, or an array of them.
///
/// # Errors
/// [`Failure::Usage`]: the file cannot be read, is damaged, or has another form than [`SCHEMA`].
pub fn load(file: &Path) -> Result<Vec<Report>> {
    let refuse = |what: String| Failure::Usage(format!("{}: {what}", file.display()));
    let length = fs::metadata(file)
        .map_err(|error| refuse(error.to_string()))?
        .len();
    if length > LARGEST {
        return Err(refuse(format!(
            "{length} bytes; a saved run has at most {LARGEST}"
        )));
    }
    let text = fs::read_to_string(file).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => refuse("not a saved run: it is no text".into()),
        _ => refuse(error.to_string()),
    })?;
    parse(&text).map_err(refuse)
}

fn parse(text: &str) -> std::result::Result<Vec<Report>, String> {
    let many = text.trim_start().starts_with('[');
    let heads = many_or_one::<Head>(text, many).map_err(|error| {
        format!("not a saved run of tweed-pktgen (--save FILE, or what --json prints): {error}")
    })?;
    if let Some(other) = heads.iter().find(|head| head.schema != SCHEMA) {
        return Err(format!(
            "schema {} is another form of report; this tweed-pktgen reads schema {SCHEMA}: use the one that saved it",
            other.schema
        ));
    }
    many_or_one(text, many).map_err(|error| format!("damaged: {error}"))
}

fn many_or_one<T: for<'de> Deserialize<'de>>(text: &str, many: bool) -> serde_json::Result<Vec<T>> {
    if many {
        serde_json::from_str(text)
    } else {
        serde_json::from_str(text).map(|one| vec![one])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Ndr, Received, Second, Sent};

    fn report() -> Report {
        Report {
            schema: SCHEMA,
            sent: Some(Sent::default()),
            received: Some(Received::default()),
            timeline: vec![Second::default()],
            ndr: Some(Ndr::default()),
            ..Report::default()
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(parse(&json(&report())).unwrap(), [report()]);
        assert_eq!(
            parse(&json_all(&[&report(), &report()])).unwrap(),
            [report(), report()]
        );
        assert_eq!(parse("[]").unwrap(), []);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_told_before_the_run() {
        let to = |file: &Path| Output {
            json: false,
            save: Some(file.into()),
            quiet: true,
            command: Vec::new(),
        };
        let here = std::env::temp_dir().join(format!("pktgen-ready-{}", std::process::id()));
        fs::create_dir(&here).unwrap();
        let (fresh, kept) = (here.join("fresh.json"), here.join("kept.json"));
        fs::write(&kept, "kept").unwrap();
        ready(&to(&fresh)).unwrap();
        ready(&to(&kept)).unwrap();
        assert!(!fresh.exists());
        assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
        for bad in [here.join("nowhere/run.json"), here.clone()] {
            let refused = ready(&to(&bad)).unwrap_err().to_string();
            assert!(
                refused.starts_with(&format!("--save {}", bad.display())),
                "{refused}"
            );
        }
        fs::remove_dir_all(&here).unwrap();
    }

    #[test]
    fn what_is_no_number_is_read_back_as_none() {
        let wild = Report {
            seconds: f64::INFINITY,
            ..report()
        };
        assert!(parse(&json(&wild)).unwrap()[0].seconds.is_nan());
    }

    #[test]
    fn other_files_are_refused_with_the_place() {
        let damaged = json(&report()).replace("\"frames\": 0", "\"frames\": -1");
        for (text, expected) in [
            (
                "",
                "not a saved run of tweed-pktgen (--save FILE, or what --json prints): EOF while parsing a value at line 1",
            ),
            ("{}", "missing field `schema`"),
            (
                "{\"schema\": 9}",
                "schema 9 is another form of report; this tweed-pktgen reads schema 1",
            ),
            ("{\"schema\": 1}", "damaged: missing field"),
            (
                &damaged,
                "damaged: invalid value: integer `-1`, expected u64 at line",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = load(Path::new("/nonexistent/run.json"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("/nonexistent/run.json: No such file"),
            "{error}"
        );
    }
}
