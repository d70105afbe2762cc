//! A report as Markdown tables, to be pasted into documentation: one table per group, contenders side by side.

use std::fmt::Write;

use super::model::{Flood, Measure, Report, Station};
use super::order;
use super::verdict::{BASELINE, Beside};
use super::words;

/// All figures of a run. Ends with a newline.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    let machine = &report.machine;
    writeln!(
        text,
        "{} × {}, Linux {}; {} rounds, {}, tweed {}, load {}: `{}`\n",
        machine.cpus,
        escape(&machine.cpu),
        escape(&machine.kernel),
        report.rounds,
        escape(&report.began),
        escape(&report.version),
        escape(&machine.load),
        machine.command.replace(['`', '\n', '\r', '<', '|'], " "),
    )?;
    for remark in &report.remarks {
        writeln!(text, "- **{}**", escape(remark))?;
    }
    for entrant in &report.contenders {
        match &entrant.absent {
            None => writeln!(
                text,
                "- {}: {}",
                escape(&entrant.name),
                escape(&entrant.what)
            )?,
            Some(why) => writeln!(
                text,
                "- {}: {}. **Took no part**: {}",
                escape(&entrant.name),
                escape(&entrant.what),
                escape(why)
            )?,
        }
    }
    writeln!(
        text,
        "\nMedian (least..most of the rounds); behind it the ratio to {BASELINE}, the median of the ratios within each round, \
         above 1 is better."
    )?;
    let names = order::names(report);
    for (title, measures) in order::groups(report) {
        write_group(text, title, &measures, &names)?;
    }
    write_floods(text, &report.floods)
}

fn write_group(
    text: &mut String,
    title: &str,
    measures: &[&Measure],
    names: &[&str],
) -> std::fmt::Result {
    let names = order::present(names, measures);
    writeln!(text, "\n### {}\n", escape(title))?;
    write!(text, "| measure |")?;
    for name in &names {
        write!(text, " {} |", escape(name))?;
    }
    writeln!(text, "\n|---|{}", "---|".repeat(names.len()))?;
    for measure in measures {
        for x in measure.points() {
            write_row(text, measure, x, &names)?;
        }
    }
    Ok(())
}

fn write_row(
    text: &mut String,
    measure: &Measure,
    x: Option<f64>,
    names: &[&str],
) -> std::fmt::Result {
    write!(
        text,
        "| {}, {} ({}, {}) |",
        escape(&words::at(measure, x)),
        escape(&measure.unit),
        words::wire(measure.wire),
        words::better(measure.better),
    )?;
    for name in names {
        let summary = measure.cell(name, x).and_then(|cell| cell.summary());
        let Some(summary) = summary else {
            write!(text, " – |")?;
            continue;
        };
        write!(
            text,
            " {} ({})",
            words::number(summary.median),
            words::range(&summary)
        )?;
        if *name != BASELINE
            && let Some(ratio) =
                Beside::of(measure, name, BASELINE, x).and_then(|beside| beside.ratio)
        {
            write!(text, " **{}**", words::ratio(ratio.median))?;
        }
        write!(text, " |")?;
    }
    writeln!(text)
}

fn write_floods(text: &mut String, floods: &[Flood]) -> std::fmt::Result {
    if floods.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n### Where packets of a flood were lost\n\n| flood | contender | sent | arrived | lost, by counter | unaccounted |\n\
         |---|---|---|---|---|---|"
    )?;
    for flood in floods {
        let ends = (flood.stations.first(), flood.stations.last());
        let packets =
            |station: Option<&Station>| station.map_or("–".into(), |s| words::count(s.packets));
        let losses = flood.stations.iter().flat_map(|station| {
            let place = &station.place;
            station.lost.iter().map(move |loss| (place, loss))
        });
        let lost: Vec<String> = losses
            .filter(|(_, loss)| loss.packets > 0)
            .map(|(place, loss)| {
                let (place, reason) = (escape(place), escape(&loss.reason));
                format!("{} {reason} ({place})", words::count(loss.packets))
            })
            .collect();
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            escape(&flood.title),
            escape(&flood.contender),
            packets(ends.0),
            packets(ends.1),
            if lost.is_empty() {
                "none".into()
            } else {
                lost.join("; ")
            },
            words::count(flood.unaccounted()),
        )?;
    }
    Ok(())
}

/// Text that is only text: it starts no markup, ends no cell and no line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '!' | '#' => {
                escaped.push('\\');
                escaped.push(character);
            }
            control if control.is_control() => escaped.push(' '),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
