//! Plots of saved runs, as one SVG: rates over time, latency by percentile, and the search of `ndr`.
//!
//! Each kind of plot computes a `Panel` (plain numbers, tested without a picture); drawing is the same for all, by
//! plotters. Fonts are the viewer's own, so a plot needs no font file. Invariant: only finite numbers and
//! [cleaned](super::grid::clean) names are drawn.

mod latency;
mod panel;
mod rate;
mod search;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use self::panel::{Axis, Corner, Panel};
use super::Report;
use super::grid::{clean, short};
use super::units::seconds;
use crate::error::{Failure, Result};

/// Pixels of the picture's width, of a panel's height, and of the headline's.
const SIZE: (u32, u32, u32) = (1000, 420, 64);

/// Colours that most eyes tell apart (Okabe and Ito, "Color Universal Design").
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(70, 70, 70),
];

const GREEN: RGBColor = RGBColor(0, 140, 60);
const RED: RGBColor = RGBColor(200, 30, 30);
const INK: RGBColor = RGBColor(40, 40, 40);

/// A saved run and what to call it.
pub type Named = (String, Report);

/// An SVG of these runs, overlaid where they show the same.
///
/// # Errors
/// [`Failure::Usage`]: there is nothing in them to draw.
pub fn svg(runs: &[Named]) -> Result<String> {
    let mut panels: Vec<Panel> = [rate::panel(runs), latency::panel(runs)]
        .into_iter()
        .flatten()
        .collect();
    panels.extend(runs.iter().filter_map(search::panel));
    if panels.is_empty() {
        return Err(Failure::Usage(
            "--svg: nothing to draw: no run has seconds, latencies or trials (was it shorter than a second?)".into(),
        ));
    }
    draw(&panels, runs).map_err(|error| Failure::environment("--svg: drawing", error))
}

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

fn draw(
    panels: &[Panel],
    runs: &[Named],
) -> std::result::Result<String, Box<dyn std::error::Error>> {
    let (width, height, head) = SIZE;
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (width, head + height * panels.len() as u32))
            .into_drawing_area();
        area.fill(&WHITE)?;
        let (top, rest) = area.split_vertically(head);
        headline(&top, runs)?;
        for (panel, area) in panels.iter().zip(rest.split_evenly((panels.len(), 1))) {
            chart(panel, &area)?;
        }
        area.present()?;
    }
    Ok(text)
}

fn headline(area: &DrawingArea<SVGBackend, Shift>, runs: &[Named]) -> Outcome {
    let [(_, run)] = runs else {
        area.draw_text(
            &format!("tweed-pktgen: {} runs", runs.len()),
            &("sans-serif", 26).into_font().color(&INK),
            (20, 14),
        )?;
        return Ok(());
    };
    let number = run
        .run
        .map_or(String::new(), |number| format!(", run {number}"));
    let title = format!("tweed-pktgen {}{number}", clean(&run.mode));
    area.draw_text(
        &title,
        &("sans-serif", 26).into_font().color(&INK),
        (20, 10),
    )?;
    let mut about = format!("{}, {}", clean(&run.started), seconds(run.seconds));
    if !run.setup.rate.is_empty() {
        about += &format!(", rate {}", run.setup.rate);
    }
    if !run.machine.cpu.is_empty() {
        about += &format!("; {}, Linux {}", run.machine.cpu, run.machine.kernel);
    }
    area.draw_text(
        &short(&about, 130),
        &("sans-serif", 15).into_font().color(&INK.mix(0.7)),
        (20, 40),
    )?;
    Ok(())
}

fn chart(panel: &Panel, area: &DrawingArea<SVGBackend, Shift>) -> Outcome {
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 20).into_font().color(&INK))
        .margin(12)
        .margin_right(36)
        .x_label_area_size(52)
        .y_label_area_size(96)
        .build_cartesian_2d(panel.x.clone(), panel.y.clone())?;
    chart
        .configure_mesh()
        .bold_line_style(INK.mix(0.12))
        .axis_style(INK.mix(0.6))
        .label_style(("sans-serif", 14).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 15).into_font().color(&INK))
        .x_desc(panel.x.title)
        .y_desc(panel.y.title)
        .x_label_formatter(&|value| panel.x.label(*value))
        .y_label_formatter(&|value| panel.y.label(*value))
        .draw()?;
    for curve in &panel.curves {
        let colour = COLOURS[curve.colour % COLOURS.len()];
        let style = colour.stroke_width(2);
        let points = curve.points.iter().copied();
        // In the legend, a piece of the line before its name.
        let piece = |(x, y)| vec![(x, y), (x + 28, y)];
        if curve.dashed {
            chart
                .draw_series(DashedLineSeries::new(points, 6, 4, style))?
                .label(&curve.name)
                .legend(move |at| DashedPathElement::new(piece(at), 6, 4, style));
        } else {
            chart
                .draw_series(LineSeries::new(points, style))?
                .label(&curve.name)
                .legend(move |at| PathElement::new(piece(at), style));
        }
    }
    for mark in &panel.marks {
        let colour = if mark.good { GREEN } else { RED };
        chart.draw_series([Circle::new(mark.at, 5, colour.filled())])?;
        let text = ("sans-serif", 13).into_font().color(&colour);
        chart.draw_series([
            EmptyElement::at(mark.at) + Text::new(mark.label.clone(), (7, -14), text)
        ])?;
    }
    chart
        .configure_series_labels()
        .position(match panel.legend {
            Corner::LowerMiddle => SeriesLabelPosition::LowerMiddle,
            Corner::LowerRight => SeriesLabelPosition::LowerRight,
        })
        .margin(14)
        .legend_area_size(34)
        .label_font(("sans-serif", 14).into_font().color(&INK))
        .background_style(WHITE.mix(0.85))
        .border_style(INK.mix(0.25))
        .draw()?;
    Ok(())
}

/// plotters' own axes choose their labels by number alone; these say which they want.
impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (low, high): (i32, i32)) -> i32 {
        let part = (value - self.range.start) / (self.range.end - self.range.start);
        low + (part * f64::from(high - low)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.clone()
    }
}

#[cfg(test)]
mod tests;
