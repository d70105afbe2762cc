//! All ratios on one screen: us beside each of the others, a row for each measure.

use std::fmt::{self, Write};

use super::escape::Text;
use super::palette::Palette;
use super::table::{self, Mark};
use crate::bench::model::Measure;
use crate::bench::order;
use crate::bench::verdict::{Beside, OURS};
use crate::bench::words;

/// The table.
pub fn write(
    out: &mut String,
    groups: &[(&str, Vec<&Measure>)],
    names: &[&str],
    palette: &Palette,
) -> fmt::Result {
    let measures: Vec<&Measure> = groups
        .iter()
        .flat_map(|(_, measures)| measures)
        .copied()
        .collect();
    let mut others = order::present(names, &measures);
    others.retain(|name| *name != OURS);
    if others.is_empty() {
        return Ok(());
    }
    write!(
        out,
        r#"<section class="card" aria-labelledby="ratios"><h2 id="ratios">All ratios: {OURS} / each of the others</h2><p class="quiet">Above 1: {OURS} did better, whichever way is better. Small: least..most of the rounds; of measures with several points the worst and the best point.</p><div class="scroll" role="region" tabindex="0" aria-label="All ratios"><table class="overview"><thead><tr><th scope="col">measure</th>"#
    )?;
    for name in &others {
        write!(out, r#"<th scope="col" class="n">"#)?;
        palette.look(name).key(out)?;
        write!(out, " / {}</th>", Text(name))?;
    }
    out.write_str("</tr></thead>")?;
    for (title, measures) in groups {
        write!(
            out,
            r#"<tbody><tr class="group"><th scope="rowgroup" colspan="{}">{}</th></tr>"#,
            others.len() + 1,
            Text(title)
        )?;
        for measure in measures {
            write!(
                out,
                r#"<tr><th scope="row">{}<small class="quiet">{}, {}</small></th>"#,
                Text(&measure.title),
                Text(&measure.unit),
                words::wire(measure.wire)
            )?;
            for name in &others {
                write_cell(out, measure, name)?;
            }
            out.write_str("</tr>")?;
        }
        out.write_str("</tbody>")?;
    }
    out.write_str("</table></div></section>")
}

fn write_cell(out: &mut String, measure: &Measure, other: &str) -> fmt::Result {
    let points = measure.points().into_iter();
    let mut besides: Vec<(Option<f64>, Beside)> = points
        .filter_map(|x| Some((x, Beside::of(measure, OURS, other, x)?)))
        .collect();
    let middle = |beside: &Beside| beside.ratio.map_or(f64::INFINITY, |ratio| ratio.median);
    besides.sort_by(|(_, one), (_, two)| middle(one).total_cmp(&middle(two)));
    match besides.as_slice() {
        [] => out.write_str(r#"<td class="n none">–</td>"#),
        [(_, beside)] => write!(
            out,
            r#"<td class="n {}">{}</td>"#,
            table::class(beside.verdict),
            Mark(beside)
        ),
        [(worst, one), .., (best, two)] => {
            out.write_str(r#"<td class="n ends">"#)?;
            for (x, beside) in [(worst, one), (best, two)] {
                let class = table::class(beside.verdict);
                let at = x.map_or(String::new(), |x| words::point(measure.axis.as_ref(), x));
                let ratio = beside
                    .ratio
                    .map_or("–".to_owned(), |ratio| words::ratio(ratio.median));
                write!(
                    out,
                    r#"<span class="end {class}"><span class="mark" title="{}"><span class="sign">{}</span> <b>{ratio}</b></span> <small class="quiet">{}</small></span>"#,
                    beside.verdict.word(),
                    beside.verdict.sign(),
                    Text(&at)
                )?;
            }
            out.write_str("</td>")
        }
    }
}
