//! The figures of a measure: the same as in its plot, and every sample behind them.

use std::fmt::{self, Write};

use super::escape::Text;
use super::palette::Palette;
use crate::bench::model::{Cell, Measure, Summary};
use crate::bench::verdict::{BASELINE, Beside, Verdict};
use crate::bench::words;

/// Lines of notes that are shown unasked.
const NOTES: usize = 6;

/// The table under a plot, notes, and the samples to unfold.
pub fn write(
    out: &mut String,
    measure: &Measure,
    names: &[&str],
    palette: &Palette,
) -> fmt::Result {
    write!(
        out,
        r#"<div class="scroll" role="region" tabindex="0" aria-label="{}: table">"#,
        Text(&measure.title)
    )?;
    match measure.points().as_slice() {
        [] | [None] => write_rows(out, measure, names, palette)?,
        points => write_matrix(out, measure, points, names, palette)?,
    }
    out.write_str("</div>")?;
    write_notes(out, measure)?;
    write_samples(out, measure)
}

/// Nothing varies: a row for each contender.
fn write_rows(
    out: &mut String,
    measure: &Measure,
    names: &[&str],
    palette: &Palette,
) -> fmt::Result {
    write!(
        out,
        r#"<table><thead><tr><th scope="col">contender</th><th scope="col" class="n">median, {}</th><th scope="col" class="n">least..most</th><th scope="col" class="n">to {BASELINE}</th></tr></thead><tbody>"#,
        Text(&measure.unit)
    )?;
    for name in names {
        out.write_str("<tr>")?;
        write_name(out, name, palette)?;
        match summary(measure, name, None) {
            None => out.write_str(r#"<td class="n none" colspan="2">no sample</td>"#)?,
            Some(summary) => write!(
                out,
                r#"<td class="n"><b>{}</b></td><td class="n quiet">{}</td>"#,
                words::number(summary.median),
                words::range(&summary)
            )?,
        }
        write_beside(out, measure, name, None)?;
        out.write_str("</tr>")?;
    }
    out.write_str("</tbody></table>")
}

/// A row for each contender, a column for each point.
fn write_matrix(
    out: &mut String,
    measure: &Measure,
    points: &[Option<f64>],
    names: &[&str],
    palette: &Palette,
) -> fmt::Result {
    write!(
        out,
        r#"<table class="matrix"><caption>Median in {}, least..most, ratio to {BASELINE}</caption><thead><tr><th scope="col">contender</th>"#,
        Text(&measure.unit)
    )?;
    for x in points {
        let point = x.map_or("–".to_owned(), |x| words::point(measure.axis.as_ref(), x));
        write!(out, r#"<th scope="col" class="n">{}</th>"#, Text(&point))?;
    }
    out.write_str("</tr></thead><tbody>")?;
    for name in names {
        out.write_str("<tr>")?;
        write_name(out, name, palette)?;
        for x in points {
            write_point(out, measure, name, *x)?;
        }
        out.write_str("</tr>")?;
    }
    out.write_str("</tbody></table>")
}

fn write_point(out: &mut String, measure: &Measure, name: &str, x: Option<f64>) -> fmt::Result {
    let Some(summary) = summary(measure, name, x) else {
        return out.write_str(r#"<td class="n none">–</td>"#);
    };
    write!(
        out,
        r#"<td class="n"><b>{}</b><small class="quiet">{}</small>"#,
        words::number(summary.median),
        words::range(&summary)
    )?;
    if name != BASELINE
        && let Some(beside) = Beside::of(measure, name, BASELINE, x)
    {
        write!(
            out,
            r#"<small class="{}" title="{}">{} {}</small>"#,
            class(beside.verdict),
            beside.verdict.word(),
            beside.verdict.sign(),
            beside
                .ratio
                .map_or("–".into(), |ratio| words::ratio(ratio.median))
        )?;
    }
    out.write_str("</td>")
}

fn write_beside(out: &mut String, measure: &Measure, name: &str, x: Option<f64>) -> fmt::Result {
    let beside = Beside::of(measure, name, BASELINE, x);
    let Some(beside) = beside.filter(|_| name != BASELINE) else {
        return out.write_str(r#"<td class="n none">–</td>"#);
    };
    write!(out, r#"<td class="n">{}</td>"#, Mark(&beside))
}

/// A ratio with its sign and spread.
pub struct Mark<'a>(pub &'a Beside);

impl fmt::Display for Mark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Beside {
            ratio,
            verdict,
            medians,
        } = self.0;
        write!(
            f,
            r#"<span class="mark {}" title="{}"><span class="sign">{}</span> "#,
            class(*verdict),
            verdict.word(),
            verdict.sign()
        )?;
        match ratio {
            None => write!(
                f,
                "{} : {}</span>",
                words::number(medians.0),
                words::number(medians.1)
            ),
            Some(ratio) => write!(
                f,
                "<b>{}</b></span> <small class=\"quiet\">{}</small>",
                words::ratio(ratio.median),
                words::ratio_range(ratio)
            ),
        }
    }
}

/// Class of a verdict.
pub fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "up",
        Verdict::Even => "even",
        Verdict::Worse => "down",
        Verdict::TooFew => "few",
    }
}

/// The heading of a contender's row.
pub fn write_name(out: &mut String, name: &str, palette: &Palette) -> fmt::Result {
    out.write_str(r#"<th scope="row">"#)?;
    palette.look(name).key(out)?;
    write!(out, " {}</th>", Text(name))
}

fn summary(measure: &Measure, name: &str, x: Option<f64>) -> Option<Summary> {
    measure.cell(name, x)?.summary()
}

/// Each note once, with all whom it concerns. Many fold away on a screen, not on paper.
fn write_notes(out: &mut String, measure: &Measure) -> fmt::Result {
    let mut notes: Vec<(&str, Vec<String>)> = Vec::new();
    for cell in &measure.cells {
        for note in &cell.notes {
            let whose = whose(measure, cell);
            match notes.iter_mut().find(|(known, _)| known == note) {
                Some((_, all)) => all.push(whose),
                None => notes.push((note, vec![whose])),
            }
        }
    }
    if notes.is_empty() {
        return Ok(());
    }
    let folded = notes.len() > NOTES;
    if folded {
        write!(
            out,
            r#"<details class="folded"><summary>{} notes</summary>"#,
            notes.len()
        )?;
    }
    out.write_str(r#"<ul class="notes">"#)?;
    for (note, whose) in notes {
        write!(
            out,
            "<li>{} <small>({})</small></li>",
            Text(note),
            Text(&whose.join("; "))
        )?;
    }
    out.write_str("</ul>")?;
    out.write_str(if folded { "</details>" } else { "" })
}

fn write_samples(out: &mut String, measure: &Measure) -> fmt::Result {
    write!(
        out,
        r#"<details><summary>Every sample</summary><div class="scroll" role="region" tabindex="0" aria-label="{}: samples"><table class="samples"><thead><tr><th scope="col">{}, by round</th>"#,
        Text(&measure.title),
        Text(&measure.unit)
    )?;
    let rounds = measure.cells.iter().map(|cell| cell.samples.len()).max();
    for round in 1..=rounds.unwrap_or(0) {
        write!(out, r#"<th scope="col" class="n">{round}</th>"#)?;
    }
    out.write_str("</tr></thead><tbody>")?;
    for cell in &measure.cells {
        write!(
            out,
            r#"<tr><th scope="row">{}</th>"#,
            Text(&whose(measure, cell))
        )?;
        for sample in &cell.samples {
            let text = sample.map_or("–".into(), words::number);
            write!(out, r#"<td class="n">{text}</td>"#)?;
        }
        out.write_str("</tr>")?;
    }
    out.write_str("</tbody></table></div></details>")
}

fn whose(measure: &Measure, cell: &Cell) -> String {
    match cell.x {
        None => cell.contender.clone(),
        Some(x) => format!(
            "{}, {}",
            cell.contender,
            words::point(measure.axis.as_ref(), x)
        ),
    }
}
