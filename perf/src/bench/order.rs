//! Who and what, in the order of tables.

use super::model::{Measure, Report};
use super::verdict::{BASELINE, OURS};

/// Names of contenders: us, what we are measured against, the others as the report has them. A contender that has samples and is no
/// entrant comes last, for a figure without a row would be lost.
pub fn names(report: &Report) -> Vec<&str> {
    let entrants = || {
        report
            .contenders
            .iter()
            .map(|entrant| entrant.name.as_str())
    };
    let first = [OURS, BASELINE];
    let first = first
        .into_iter()
        .filter(|name| entrants().any(|n| n == *name));
    let cells = report.measures.iter().flat_map(|measure| &measure.cells);
    let measured = cells.map(|cell| cell.contender.as_str());
    let flooded = report.floods.iter().map(|flood| flood.contender.as_str());
    once(first.chain(entrants()).chain(measured).chain(flooded))
}

/// Those of `names` that have a cell in one of `measures`.
pub fn present<'a>(names: &[&'a str], measures: &[&Measure]) -> Vec<&'a str> {
    let has = |name: &str| {
        let mut cells = measures.iter().flat_map(|measure| &measure.cells);
        cells.any(|cell| cell.contender == name)
    };
    names.iter().copied().filter(|name| has(name)).collect()
}

/// Groups in the order of their first measure, each with its measures.
pub fn groups(report: &Report) -> Vec<(&str, Vec<&Measure>)> {
    let titles = once(report.measures.iter().map(|measure| measure.group.as_str()));
    let of = |title| {
        report
            .measures
            .iter()
            .filter(move |measure| measure.group == title)
    };
    titles
        .into_iter()
        .map(|title| (title, of(title).collect()))
        .collect()
}

fn once<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut kept = Vec::new();
    for name in names {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::html::made_up;

    #[test]
    fn we_come_first_then_the_baseline_then_the_rest_once_each() {
        let mut report = made_up::report();
        report.contenders.rotate_left(1);
        report.measures[0].cells[0].contender = "stray".into();
        let names = names(&report);
        assert_eq!(names[..2], [OURS, BASELINE]);
        assert_eq!(names.iter().filter(|name| **name == "host-gw").count(), 1);
        assert_eq!(names.last(), Some(&"stray"));
    }

    #[test]
    fn groups_keep_their_measures_together() {
        let mut report = made_up::report();
        let measures = report.measures.len();
        let last = report.measures.remove(0);
        report.measures.push(last);
        let groups = groups(&report);
        let kept: usize = groups.iter().map(|(_, measures)| measures.len()).sum();
        assert_eq!(kept, measures);
        let first = groups.iter().filter(|(title, _)| *title == "TCP goodput");
        assert_eq!(first.count(), 1);
    }
}
