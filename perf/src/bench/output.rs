//! Where a report goes: files, and the text on stdout.

use std::borrow::Cow;
use std::path::Path;

use super::model::{Report, SCHEMA};
use super::options::Options;
use super::table::Table;
use super::{Result, html, markdown};
use crate::lab::LabError;
use crate::style::Style;

/// The model itself.
const JSON: &str = "bench.json";

/// Makes sure before a long run that its report will have a place.
pub fn ready(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory).map_err(LabError::io(format!(
        "create {} (--out)",
        directory.display()
    )))
}

/// Writes the files, prints the text, and says as the last line where the files are.
pub fn deliver(report: &Report, options: &Options) -> Result<()> {
    let json = serde_json::to_string_pretty(report)
        .map_err(|error| LabError::Unexpected(format!("cannot write {JSON}: {error}")))?;
    let mut written = Vec::new();
    for (name, text) in pages(report, &json) {
        let path = options.out.join(name);
        std::fs::write(&path, text.as_bytes())
            .map_err(LabError::io(format!("write {}", path.display())))?;
        written.push(path.display().to_string());
    }
    let place = format!("report: {}", written.join(", "));
    match options.json {
        true => {
            println!("{json}");
            eprintln!("{place}");
        }
        false => {
            let style = Style::of_stdout();
            print!("{}", Table::new(report, style));
            println!("{place}");
        }
    }
    Ok(())
}

/// The files of a report, by name.
fn pages<'a>(report: &Report, json: &'a str) -> [(&'static str, Cow<'a, str>); 3] {
    [
        (JSON, json.into()),
        ("bench.md", markdown::render(report).into()),
        ("bench.html", html::render(report).into()),
    ]
}

/// Reads what `deliver` wrote.
pub fn load(path: &Path) -> Result<Report> {
    let text =
        std::fs::read_to_string(path).map_err(LabError::io(format!("read {}", path.display())))?;
    serde_json::from_str(&text).map_err(|error| {
        LabError::Unexpected(format!(
            "{} is no bench.json of schema {SCHEMA}: {error}",
            path.display()
        ))
    })
}
