//! Two runs side by side: what changed from one to the other, and whether by more than each run differs in itself.

use std::fmt::Write;

use super::model::{Better, Cell, Measure, Report, Summary};
use super::{order, words};

/// A table: a row for each contender at each point that both runs have; below it, what only one of them has.
pub fn compare(before: &Report, after: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, before, after);
    text
}

fn write(text: &mut String, before: &Report, after: &Report) -> std::fmt::Result {
    for (name, run) in [("before", before), ("after", after)] {
        let (machine, rounds) = (&run.machine, run.rounds);
        let (version, began) = (line(&run.version), line(&run.began));
        writeln!(text, "{name:6}  tweed {version}, {began}, {rounds} rounds")?;
        write!(text, "{}", indented(&machine.to_string()))?;
    }
    for warning in warnings(before, after) {
        writeln!(text, "warning: {warning}")?;
    }
    let mut missing = Vec::new();
    for (title, measures) in order::groups(after) {
        let mut heading = Some(title);
        for measure in measures {
            let Some(old) = before.measures.iter().find(|old| old.id == measure.id) else {
                missing.push(format!("only in the second: {}", measure.id));
                continue;
            };
            if old.unit != measure.unit || old.better != measure.better || old.wire != measure.wire
            {
                missing.push(format!("{}: measured otherwise in the second", measure.id));
                continue;
            }
            if let Some(title) = heading.take() {
                writeln!(text, "\n{}", line(title))?;
            }
            write_measure(text, old, measure, &mut missing)?;
        }
    }
    for old in &before.measures {
        if !after.measures.iter().any(|measure| measure.id == old.id) {
            missing.push(format!("only in the first: {}", old.id));
        }
    }
    for line_of in missing.iter().take(1) {
        writeln!(text, "\n{}", line(line_of))?;
    }
    for line_of in missing.iter().skip(1) {
        writeln!(text, "{}", line(line_of))?;
    }
    Ok(())
}

fn warnings(before: &Report, after: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    let place = |report: &Report| {
        let machine = &report.machine;
        (machine.cpu.clone(), machine.cpus, machine.kernel.clone())
    };
    if place(before) != place(after) {
        warnings.push(
            "the machines differ: compare ratios within each run, not figures between them"
                .to_owned(),
        );
    }
    for (name, run) in [("first", before), ("second", after)] {
        let remarks = run.remarks.iter();
        warnings.extend(remarks.map(|remark| format!("the {name} run: {}", line(remark))));
    }
    warnings
}

fn write_measure(
    text: &mut String,
    old: &Measure,
    new: &Measure,
    missing: &mut Vec<String>,
) -> std::fmt::Result {
    writeln!(
        text,
        "\n{} ({}, {}, {}; {})",
        line(&new.title),
        line(&new.unit),
        words::better(new.better),
        words::wire(new.wire),
        line(&new.id)
    )?;
    writeln!(
        text,
        "  {:14} {:14} {:>10} {:>19} {:>10} {:>19} {:>8}",
        "", "contender", "before", "spread", "after", "spread", "change"
    )?;
    for cell in &new.cells {
        let at = cell
            .x
            .map_or(String::new(), |x| words::point(new.axis.as_ref(), x));
        let (name, at) = (line(&cell.contender), line(&at));
        let earlier = old.cell(&cell.contender, cell.x).and_then(Cell::summary);
        let (one, two) = match (earlier, cell.summary()) {
            (Some(one), Some(two)) => (one, two),
            (None, None) => continue,
            (earlier, _) => {
                let run = if earlier.is_some() { "first" } else { "second" };
                missing.push(format!("only in the {run}: {} {name} {at}", new.id));
                continue;
            }
        };
        writeln!(
            text,
            "  {at:14} {name:14} {:>10} {:>19} {:>10} {:>19} {:>8}  {}",
            words::number(one.median),
            words::range(&one),
            words::number(two.median),
            words::range(&two),
            change(one.median, two.median),
            Change::of(new.better, (&one, rounds(old, cell)), (&two, count(cell))).word(),
        )?;
    }
    for cell in old.cells.iter().filter(|cell| cell.summary().is_some()) {
        if new.cell(&cell.contender, cell.x).is_none() {
            let at = cell
                .x
                .map_or(String::new(), |x| words::point(old.axis.as_ref(), x));
            missing.push(format!(
                "only in the first: {} {} {at}",
                new.id, cell.contender
            ));
        }
    }
    Ok(())
}

/// Samples of the same contender and point in the other run.
fn rounds(old: &Measure, cell: &Cell) -> usize {
    old.cell(&cell.contender, cell.x).map_or(0, count)
}

fn count(cell: &Cell) -> usize {
    cell.samples.iter().flatten().count()
}

/// `+3.2 %`.
fn change(before: f64, after: f64) -> String {
    let share = (after - before) / before.abs();
    match share {
        _ if before == after => "0 %".to_owned(),
        share if !share.is_finite() => "-".to_owned(),
        share if share.abs() >= 10.0 => format!("{:+.0} %", share * 100.0),
        share => format!("{:+.1} %", share * 100.0),
    }
}

/// What a change comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Every sample of the second run is better than every one of the first.
    Better,
    /// Every one is worse.
    Worse,
    /// The spreads overlap: the change may be chance.
    Within,
    /// With fewer than three samples a spread is none.
    TooFew,
}

impl Change {
    fn of(
        better: Better,
        (before, rounds_before): (&Summary, usize),
        (after, rounds_after): (&Summary, usize),
    ) -> Self {
        let (up, down) = match better {
            Better::More => (Change::Better, Change::Worse),
            Better::Less => (Change::Worse, Change::Better),
        };
        match () {
            () if rounds_before.min(rounds_after) < super::verdict::ENOUGH => Change::TooFew,
            () if after.low > before.high => up,
            () if after.high < before.low => down,
            () => Change::Within,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Change::Better => "better, beyond the spread",
            Change::Worse => "WORSE, beyond the spread",
            Change::Within => "within the spread",
            Change::TooFew => "too few rounds to say",
        }
    }
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|one| format!("        {}\n", line(one)))
        .collect()
}

/// Without control characters: a report is input, and a terminal obeys some of those.
fn line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests;
