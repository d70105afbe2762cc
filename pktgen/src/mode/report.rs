//! `tweed-pktgen report`: saved runs as tables, JSON or a plot.
//!
//! Ends of the same run are [joined](join) first, so that loss is exact; then each run has its tables, and several are
//! compared. Exit codes: 2 for a file that is none of ours, 1 if a run shown did not keep its bound (for a joined run
//! that is known only now).

use std::fs;
use std::path::Path;

use crate::error::{Failure, Result};
use crate::report::{Report, join, load, plot, save, table};
use crate::run::plan::ReportPlan;

/// Carries it out.
///
/// # Errors
/// [`Failure::Usage`]: a file cannot be read or is no saved run. [`Failure::Environment`]: the plot cannot be written.
/// [`Failure::Loss`]: a run lost more than its bound.
pub fn run(plan: &ReportPlan) -> Result<()> {
    let mut named: Vec<(String, Report)> = Vec::new();
    for file in &plan.files {
        named.extend(load(file)?.into_iter().map(|report| (name(file), report)));
    }
    if named.is_empty() {
        return Err(Failure::Usage(
            "report: no run in these files; save one with --save FILE".into(),
        ));
    }
    let runs = join::join(named);
    // Drawn before anything is printed: what fails should not look done.
    if let Some(file) = &plan.svg {
        fs::write(file, plot::svg(&runs)?)
            .map_err(|error| Failure::environment(format!("--svg {}", file.display()), error))?;
    }
    if plan.json {
        let reports: Vec<&Report> = runs.iter().map(|(_, report)| report).collect();
        save::print(&save::json_all(&reports))?;
    } else {
        save::print(&tables(&runs, save::coloured()))?;
    }
    match failed(&runs) {
        Some(what) => Err(Failure::Loss(what)),
        None => Ok(()),
    }
}

/// The file's name without its place, which is what tells runs apart.
fn name(file: &Path) -> String {
    file.file_name()
        .unwrap_or(file.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn tables(runs: &[(String, Report)], coloured: bool) -> String {
    let mut text = String::new();
    for (place, (name, report)) in runs.iter().enumerate() {
        if runs.len() > 1 {
            text += if place > 0 { "\n\n" } else { "" };
            text += &format!("== {}\n", crate::report::grid::short(name, 90));
        }
        text += &table::render(report, coloured);
    }
    text + &table::compare(runs, coloured)
}

fn failed(runs: &[(String, Report)]) -> Option<String> {
    let names: Vec<String> = runs
        .iter()
        .filter(|(_, report)| report.passed == Some(false))
        .map(|(name, _)| crate::report::grid::short(name, 90))
        .collect();
    (!names.is_empty()).then(|| format!("loss beyond the bound in {}", names.join(", ")))
}
