//! The findings for people: a line for each, and below what is to be typed.

use super::finding::{Finding, Level};
use crate::table::{Columns, Tone};

/// The table, and how much of what there is.
pub fn render(findings: &[Finding], coloured: bool) -> String {
    let mut rows = Columns::new(coloured);
    for finding in findings {
        let tone = match finding.level {
            Level::Ok => Tone::Good,
            Level::Hint => Tone::Plain,
            Level::Warn => Tone::Doubt,
            Level::Error => Tone::Bad,
        };
        rows.row([
            (tone, finding.level.name().into()),
            (Tone::Plain, finding.subject.into()),
            (Tone::Plain, finding.seen.clone()),
        ]);
        if let Some(remedy) = &finding.remedy {
            rows.row([
                (Tone::Plain, String::new()),
                (Tone::Plain, String::new()),
                (Tone::Plain, format!("-> {remedy}")),
            ]);
        }
    }
    let count = |level| {
        findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    format!(
        "{}\n{} errors, {} warnings, {} hints, {} ok\n",
        rows.render(),
        count(Level::Error),
        count(Level::Warn),
        count(Level::Hint),
        count(Level::Ok)
    )
}
