//! Plots, drawn by hand: a few elements each, coloured by the page's style sheet.
//!
//! Every drawing names itself (`title`) and says in words what it shows (`desc`); the table below it has the same figures.

mod bars;
mod conservation;
mod lines;
mod scale;

use std::fmt::{self, Write};

use super::escape::Text;
use super::palette::Palette;
use crate::bench::model::Measure;
use crate::bench::words;

pub use conservation::conservation;

/// Width of a drawing in its own units, which are CSS pixels where there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Half of a page, or a page of paper.
    Wide,
    /// A phone.
    Narrow,
}

impl Width {
    /// Both.
    pub const ALL: [Width; 2] = [Width::Wide, Width::Narrow];

    /// In units.
    pub fn units(self) -> f64 {
        match self {
            Width::Wide => 540.0,
            Width::Narrow => 340.0,
        }
    }

    /// Class, by which the style sheet shows one of them.
    pub fn class(self) -> &'static str {
        match self {
            Width::Wide => "wide",
            Width::Narrow => "narrow",
        }
    }
}

/// The plot of a measure: bars when nothing varies, else lines. `id` is unique in the page.
pub fn measure(
    out: &mut String,
    id: &str,
    measure: &Measure,
    names: &[&str],
    palette: &Palette,
) -> fmt::Result {
    let points = measure.points();
    if points.is_empty() {
        return out.write_str(r#"<p class="quiet">Nothing was measured.</p>"#);
    }
    let varies = points.iter().any(Option::is_some);
    for width in Width::ALL {
        let id = format!("{id}{}", width.class());
        match varies {
            true => lines::write(out, &id, width, measure, names, palette)?,
            false => bars::write(out, &id, width, measure, names, palette)?,
        }
    }
    Ok(())
}

/// Opens a drawing.
fn open(
    out: &mut String,
    id: &str,
    class: &str,
    size: (f64, f64),
    title: &str,
    told: &str,
) -> fmt::Result {
    let (width, height) = size;
    write!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="plot {class}" role="img" viewBox="0 0 {width:.0} {height:.0}" aria-labelledby="{id}t {id}d"><title id="{id}t">{}</title><desc id="{id}d">{}</desc>"#,
        Text(title),
        Text(told)
    )
}

/// Closes it.
fn close(out: &mut String) -> fmt::Result {
    out.write_str("</svg>")
}

/// The plot in words: who had how much.
fn told(measure: &Measure, names: &[&str]) -> String {
    let mut told = format!("{}, {}.", measure.unit, words::better(measure.better));
    for name in names {
        let _ = write!(told, " {name}:");
        for x in measure.points() {
            let at = x.map_or(String::new(), |x| {
                format!(" at {}", words::point(measure.axis.as_ref(), x))
            });
            let median = measure.cell(name, x).and_then(|cell| cell.summary());
            let median = median.map_or("nothing".to_owned(), |summary| {
                words::number(summary.median)
            });
            let _ = write!(told, "{at} {median},");
        }
        told.pop();
        told.push('.');
    }
    told
}
