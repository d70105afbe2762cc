//! A measure in which nothing varies: a bar for each contender, from 0, with the value written out.
//!
//! The bar is the median, the whisker reaches from the least to the most, the dashed line is where [`BASELINE`] is.

use std::fmt::{self, Write};

use super::super::escape::{Text, short};
use super::super::palette::Palette;
use super::scale::Scale;
use super::{Width, close, open, told};
use crate::bench::model::{Measure, Summary};
use crate::bench::verdict::BASELINE;
use crate::bench::words;

/// Where things are, by width.
struct Room {
    /// Height of a row.
    row: f64,
    /// Top of the bar in its row.
    bar: f64,
    /// Where bars begin.
    left: f64,
    /// Left to the right of the longest bar, for its value.
    right: f64,
    /// Baseline of the name's text in its row.
    name: f64,
    /// Characters of a name.
    letters: usize,
}

const THICK: f64 = 18.0;

impl Room {
    fn of(width: Width) -> Self {
        match width {
            Width::Wide => Room {
                row: 32.0,
                bar: 7.0,
                left: 118.0,
                right: 152.0,
                name: 20.5,
                letters: 16,
            },
            Width::Narrow => Room {
                row: 46.0,
                bar: 21.0,
                left: 2.0,
                right: 138.0,
                name: 15.0,
                letters: 40,
            },
        }
    }
}

/// Draws it.
pub fn write(
    out: &mut String,
    id: &str,
    width: Width,
    measure: &Measure,
    names: &[&str],
    palette: &Palette,
) -> fmt::Result {
    let room = Room::of(width);
    let summary = |name: &&str| measure.cell(name, None).and_then(|cell| cell.summary());
    let height = room.row * names.len() as f64 + 4.0;
    open(
        out,
        id,
        width.class(),
        (width.units(), height),
        &measure.title,
        &told(measure, names),
    )?;
    let highs = names
        .iter()
        .filter_map(summary)
        .flat_map(|s| [s.high, s.low]);
    let scale = Scale::linear(highs.chain([0.0]), room.left, width.units() - room.right);
    if let Some(base) = names
        .iter()
        .find(|name| **name == BASELINE)
        .and_then(summary)
    {
        let x = scale.at(base.median);
        write!(
            out,
            r#"<line class="base" x1="{x:.1}" x2="{x:.1}" y1="0" y2="{height:.0}"/>"#
        )?;
    }
    let zero = scale.at(0.0);
    write!(
        out,
        r#"<line class="axis" x1="{zero:.1}" x2="{zero:.1}" y1="0" y2="{height:.0}"/>"#
    )?;
    for (place, name) in names.iter().enumerate() {
        let top = room.row * place as f64;
        write!(
            out,
            r#"<g class="{}"><text class="name" x="0" y="{:.1}">{}</text>"#,
            palette.look(name).class(),
            top + room.name,
            Text(&short(name, room.letters))
        )?;
        match summary(name) {
            None => write!(
                out,
                r#"<text class="quiet" x="{:.1}" y="{:.1}">no sample</text>"#,
                room.left + 4.0,
                top + room.bar + 13.5
            )?,
            Some(summary) => write_bar(out, &scale, &summary, top + room.bar)?,
        }
        out.write_str("</g>")?;
    }
    close(out)
}

fn write_bar(out: &mut String, scale: &Scale, summary: &Summary, top: f64) -> fmt::Result {
    let (zero, middle) = (scale.at(0.0), scale.at(summary.median));
    let (low, high) = (scale.at(summary.low), scale.at(summary.high));
    let y = top + THICK / 2.0;
    write!(
        out,
        r#"<rect class="bar" x="{:.1}" y="{top:.1}" width="{:.1}" height="{THICK}" rx="2"/>"#,
        zero.min(middle),
        (middle - zero).abs().max(1.0)
    )?;
    let (under, over) = (y - 5.0, y + 5.0);
    write!(
        out,
        r#"<path class="whisker" d="M{low:.1} {under:.1}V{over:.1}M{low:.1} {y:.1}H{high:.1}M{high:.1} {under:.1}V{over:.1}"/>"#
    )?;
    write!(
        out,
        r#"<text x="{:.1}" y="{:.1}"><tspan class="value">{}</tspan><tspan class="quiet" dx="6">{}</tspan></text>"#,
        high.max(middle).max(zero) + 8.0,
        y + 4.5,
        words::number(summary.median),
        words::range(summary)
    )
}
