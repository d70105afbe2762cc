//! A measure in which something varies: a line with points for each contender, its name at the end, and a band from the least to the
//! most of the rounds.

use std::fmt::{self, Write};

use super::super::escape::{Text, short};
use super::super::palette::Palette;
use super::scale::Scale;
use super::{Width, close, open, told};
use crate::bench::model::{Measure, Summary};
use crate::bench::words;

/// Above this factor between the least and the most value a linear axis would show the small ones as nothing.
const DECADES: f64 = 50.0;

/// Height of a label.
const LABEL: f64 = 15.0;

struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    height: f64,
    letters: usize,
}

impl Frame {
    fn of(width: Width) -> Self {
        let (left, names, letters) = match width {
            Width::Wide => (48.0, 118.0, 15),
            Width::Narrow => (44.0, 100.0, 12),
        };
        Frame {
            left,
            right: width.units() - names,
            top: 30.0,
            bottom: 262.0,
            height: 306.0,
            letters,
        }
    }
}

/// One contender's points, from left to right.
struct Line<'a> {
    name: &'a str,
    points: Vec<(f64, Option<Summary>)>,
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
    let frame = Frame::of(width);
    let mut at: Vec<f64> = measure.points().into_iter().flatten().collect();
    at.retain(|x| x.is_finite());
    at.sort_by(f64::total_cmp);
    let lines: Vec<Line> = names.iter().map(|name| line(measure, name, &at)).collect();
    let (x, y) = scales(measure, &at, &lines, &frame);
    open(
        out,
        id,
        width.class(),
        (width.units(), frame.height),
        &measure.title,
        &told(measure, names),
    )?;
    write_axes(out, measure, &at, (&x, &y), &frame)?;
    for line in &lines {
        let class = palette.look(line.name).class();
        write!(out, r#"<g class="{class}">"#)?;
        for run in runs(line) {
            write_band(out, &run, &x, &y)?;
        }
        out.write_str("</g>")?;
    }
    // Ours is drawn last, over the others.
    for line in lines.iter().rev() {
        let look = palette.look(line.name);
        write!(out, r#"<g class="{}">"#, look.class())?;
        for run in runs(line) {
            write_line(out, &run, &x, &y)?;
            for (at, summary) in run {
                look.point(out, x.at(at), y.at(summary.median))?;
            }
        }
        out.write_str("</g>")?;
    }
    write_names(out, &lines, palette, (&x, &y), &frame)?;
    close(out)
}

fn line<'a>(measure: &Measure, name: &'a str, at: &[f64]) -> Line<'a> {
    let summary = |x| measure.cell(name, Some(x))?.summary();
    let points = at.iter().map(|x| (*x, summary(*x)));
    Line {
        name,
        points: points.collect(),
    }
}

fn scales(measure: &Measure, at: &[f64], lines: &[Line], frame: &Frame) -> (Scale, Scale) {
    let pad = 10.0;
    let (from, to) = (frame.left + pad, frame.right - pad);
    let x = match measure.axis.as_ref().is_some_and(|axis| axis.log) {
        true => Scale::logarithmic(at.iter().copied(), from, to),
        false => Scale::linear(at.iter().copied(), from, to),
    };
    let summaries = || {
        lines
            .iter()
            .flat_map(|line| line.points.iter().filter_map(|(_, s)| *s))
    };
    let ends = || summaries().flat_map(|summary| [summary.low, summary.high]);
    let (least, most) = (
        ends().fold(f64::INFINITY, f64::min),
        ends().fold(0.0, f64::max),
    );
    let y = match least > 0.0 && most / least > DECADES {
        true => Scale::logarithmic(ends(), frame.bottom, frame.top),
        false => Scale::linear(ends().chain([0.0]), frame.bottom, frame.top),
    };
    (x, y.rounded())
}

fn write_axes(
    out: &mut String,
    measure: &Measure,
    at: &[f64],
    (x, y): (&Scale, &Scale),
    frame: &Frame,
) -> fmt::Result {
    let Frame {
        left,
        right,
        bottom,
        ..
    } = *frame;
    let log = |scale: &Scale| if scale.is_log() { ", log" } else { "" };
    write!(
        out,
        r#"<text class="quiet" x="0" y="14">{}{}</text>"#,
        Text(&short(&measure.unit, 40)),
        log(y)
    )?;
    for tick in y.ticks() {
        let place = y.at(tick);
        write!(
            out,
            r#"<line class="grid" x1="{left}" x2="{right}" y1="{place:.1}" y2="{place:.1}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            left - 6.0,
            place + 4.0,
            words::whole(round(tick))
        )?;
    }
    write!(
        out,
        r#"<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>"#
    )?;
    let mut free = f64::NEG_INFINITY;
    for point in at {
        let (place, text) = (x.at(*point), words::whole(*point));
        let half = text.chars().count() as f64 * 3.6;
        write!(
            out,
            r#"<line class="axis" x1="{place:.1}" x2="{place:.1}" y1="{bottom}" y2="{:.1}"/>"#,
            bottom + 4.0
        )?;
        if place - half > free {
            free = place + half + 4.0;
            write!(
                out,
                r#"<text class="tick" x="{place:.1}" y="{:.1}" text-anchor="middle">{text}</text>"#,
                bottom + 18.0
            )?;
        }
    }
    let Some(axis) = &measure.axis else {
        return Ok(());
    };
    let unit = match axis.unit.as_str() {
        "" => String::new(),
        unit => format!(", {unit}"),
    };
    write!(
        out,
        r#"<text class="quiet" x="{:.1}" y="{:.1}" text-anchor="middle">{}{}</text>"#,
        (left + right) / 2.0,
        bottom + 38.0,
        Text(&short(&format!("{}{unit}", axis.title), 40)),
        log(x)
    )
}

/// Without what binary fractions add: 0.30000000000000004.
fn round(tick: f64) -> f64 {
    format!("{tick:.6e}").parse().unwrap_or(tick)
}

/// Stretches without a missing sample.
fn runs(line: &Line) -> Vec<Vec<(f64, Summary)>> {
    let stretches = line.points.split(|(_, summary)| summary.is_none());
    let stretches = stretches.map(|points| {
        points
            .iter()
            .filter_map(|(x, s)| Some((*x, (*s)?)))
            .collect()
    });
    stretches
        .filter(|points: &Vec<_>| !points.is_empty())
        .collect()
}

fn write_band(out: &mut String, run: &[(f64, Summary)], x: &Scale, y: &Scale) -> fmt::Result {
    out.write_str(r#"<polygon class="band" points=""#)?;
    for (at, summary) in run {
        write!(out, "{:.1},{:.1} ", x.at(*at), y.at(summary.high))?;
    }
    for (at, summary) in run.iter().rev() {
        write!(out, "{:.1},{:.1} ", x.at(*at), y.at(summary.low))?;
    }
    out.write_str(r#""/>"#)
}

fn write_line(out: &mut String, run: &[(f64, Summary)], x: &Scale, y: &Scale) -> fmt::Result {
    out.write_str(r#"<polyline class="line" points=""#)?;
    for (at, summary) in run {
        write!(out, "{:.1},{:.1} ", x.at(*at), y.at(summary.median))?;
    }
    out.write_str(r#""/>"#)
}

/// Names where the lines end, moved apart where they would cover each other.
fn write_names(
    out: &mut String,
    lines: &[Line],
    palette: &Palette,
    (x, y): (&Scale, &Scale),
    frame: &Frame,
) -> fmt::Result {
    let mut labels: Vec<(&str, f64, f64, f64)> = Vec::new();
    for line in lines {
        let last = line
            .points
            .iter()
            .rev()
            .find_map(|(x, s)| Some((*x, (*s)?)));
        if let Some((at, summary)) = last {
            let place = y.at(summary.median);
            labels.push((line.name, x.at(at), place, place));
        }
    }
    labels.sort_by(|one, two| one.2.total_cmp(&two.2));
    spread(labels.iter_mut().map(|label| &mut label.3), frame.bottom);
    for (name, x, y, label) in labels {
        write!(
            out,
            r#"<g class="{}"><path class="lead" d="M{:.1} {y:.1}L{:.1} {label:.1}"/><text class="name" x="{:.1}" y="{:.1}">{}</text></g>"#,
            palette.look(name).class(),
            x + 6.0,
            frame.right + 8.0,
            frame.right + 11.0,
            label + 4.0,
            Text(&short(name, frame.letters))
        )?;
    }
    Ok(())
}

/// Moves sorted places down until none is nearer to the next than a label, then up again from the bottom.
fn spread<'a>(places: impl Iterator<Item = &'a mut f64>, bottom: f64) {
    let mut places: Vec<&mut f64> = places.collect();
    let mut free = f64::NEG_INFINITY;
    for place in &mut places {
        **place = place.max(free);
        free = **place + LABEL;
    }
    let mut free = bottom;
    for place in places.iter_mut().rev() {
        **place = place.min(free);
        free = **place - LABEL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_apart_and_stay_inside() {
        let mut places = [10.0, 12.0, 95.0, 99.0];
        spread(places.iter_mut(), 100.0);
        assert_eq!(places, [10.0, 25.0, 85.0, 100.0]);
    }

    #[test]
    fn a_missing_sample_is_a_gap() {
        let some = Summary::of([1.0]);
        let line = Line {
            name: "tweed",
            points: vec![(1.0, some), (2.0, None), (3.0, some), (4.0, some)],
        };
        let lengths: Vec<usize> = runs(&line).iter().map(Vec::len).collect();
        assert_eq!(lengths, [1, 2]);
    }
}
