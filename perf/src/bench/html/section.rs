//! A group of measures: for each what was asked, how, a plot and its table.

use std::fmt::{self, Write};

use super::escape::Text;
use super::palette::Palette;
use super::{svg, table};
use crate::bench::model::Measure;
use crate::bench::{order, words};

/// A section. `place` is the group's, for links.
pub fn write(
    out: &mut String,
    place: usize,
    title: &str,
    measures: &[&Measure],
    names: &[&str],
    palette: &Palette,
) -> fmt::Result {
    write!(
        out,
        r#"<section aria-labelledby="g{place}"><h2 class="group" id="g{place}">{}</h2><div class="cards measures">"#,
        Text(title)
    )?;
    for (number, measure) in measures.iter().enumerate() {
        let names = order::present(names, &[measure]);
        write!(
            out,
            r#"<article class="card"><h3>{}</h3><p class="chips"><span>{}</span><span>{}</span><span title="{}">{}</span><code>{}</code></p><p class="how">{}</p>"#,
            Text(&measure.title),
            Text(&measure.unit),
            words::better(measure.better),
            words::wire_told(measure.wire),
            words::wire(measure.wire),
            Text(&measure.id),
            Text(&measure.how)
        )?;
        out.write_str(r#"<div class="body"><div>"#)?;
        svg::measure(out, &format!("g{place}m{number}"), measure, &names, palette)?;
        out.write_str("</div><div>")?;
        table::write(out, measure, &names, palette)?;
        out.write_str("</div></div></article>")?;
    }
    out.write_str("</div></section>")
}
