//! Four numbers that say how the node is, and how they were in the last minutes.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Sparkline, Widget};

use super::app::App;
use super::history::Series;
use super::text::cell;
use super::view::View;
use crate::stats::{percent, rate, span};

/// The least that the sparklines show, nanoseconds.
const SPAN_NS: u64 = Duration::from_secs(120).as_nanos() as u64;
/// Columns of name and numbers in front of a sparkline, and of the peak behind it.
const FRONT: usize = 31;
const PEAK: usize = 13;
/// A sparkline narrower than that says nothing.
const NARROWEST: usize = 10;
/// What the highest bar stands for: values are handed over as millionths of the peak, whatever their size.
const FULL: u64 = 1_000_000;

/// The four, from top to bottom.
const SERIES: [Series; 4] = [Series::Out, Series::In, Series::Drops, Series::Busy];

/// Name and numbers of a series.
fn words(series: Series, view: &View) -> [String; 3] {
    if view.report.interval_s.is_none() && series != Series::Busy {
        return [name(series).into(), "-".into(), String::new()];
    }
    let flow = |flow: &super::view::Flow| [rate(flow.packets) + "/s", bits(flow.bits)];
    let [number, second] = match series {
        Series::Out => flow(&view.out),
        Series::In => flow(&view.into),
        Series::Drops => [rate(view.dropped) + "/s", String::new()],
        Series::Busy => match view.busiest {
            Some((worker, busy)) => [percent(busy), format!("worker {worker}")],
            None => ["-".into(), String::new()],
        },
    };
    [name(series).into(), number, second]
}

/// `9.80 Gbit/s`.
fn bits(per_second: f64) -> String {
    let number = rate(per_second);
    let digits = number.trim_end_matches(char::is_alphabetic);
    format!("{digits} {}bit/s", &number[digits.len()..])
}

const fn name(series: Series) -> &'static str {
    match series {
        Series::Out => "out",
        Series::In => "in",
        Series::Drops => "drops",
        Series::Busy => "busiest",
    }
}

fn value(series: Series, value: f64) -> String {
    match series {
        Series::Busy => percent(value),
        _ => rate(value) + "/s",
    }
}

/// Stretch of the clock that one bar stands for, and how many bars there are.
fn scale(app: &App, width: usize) -> (u64, usize) {
    let bars = width.saturating_sub(FRONT + PEAK);
    let second = Duration::from_secs(1).as_nanos() as u64;
    let wanted = SPAN_NS.div_ceil(bars.max(1) as u64);
    let whole = wanted.div_ceil(second) * second;
    let interval = u64::try_from(app.interval.as_nanos()).unwrap_or(u64::MAX);
    (whole.max(interval), bars)
}

/// What is said in the rule above.
pub fn notes(app: &App, width: usize) -> Vec<String> {
    let (cell_ns, bars) = scale(app, width);
    if app.once || bars < NARROWEST {
        return Vec::new();
    }
    let seconds = cell_ns as f64 * bars as f64 / 1e9;
    vec![format!("last {}", span(seconds))]
}

/// Draws them, `lines` to each.
pub fn draw(app: &App, view: &View, area: Rect, lines: u16, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let (cell_ns, bars) = scale(app, width);
    let theme = app.theme;
    let style = if app.is_down() {
        theme.faint()
    } else {
        ratatui::style::Style::new()
    };
    for (number, series) in SERIES.into_iter().enumerate() {
        let top = area.y + lines * number as u16;
        let bottom = top + lines - 1;
        if bottom >= area.bottom() {
            return;
        }
        let [name, first, second] = words(series, view);
        let text = format!(
            " {} {} {}",
            cell(&name, 8, false, theme),
            cell(&first, 8, true, theme),
            cell(&second, 11, true, theme)
        );
        let loses = series == Series::Drops && view.dropped > 0.0 && !app.is_down();
        let style = if loses { theme.bad() } else { style };
        buffer.set_stringn(area.x, bottom, text, width, style);
        if app.once || bars < NARROWEST {
            continue;
        }
        let shown = app.shown();
        let cells = shown.history.cells(series, bars, cell_ns, shown.taken_ns);
        let peak = cells
            .iter()
            .flatten()
            .fold(0.0, |peak: f64, value| peak.max(*value));
        // A share has a scale of its own.
        let top_value = if series == Series::Busy { 1.0 } else { peak };
        let eighth = FULL.div_ceil(8 * u64::from(lines));
        let scaled = cells
            .iter()
            .map(|value| value.map(|value| scaled(value, top_value, eighth)));
        let plot = Rect::new(area.x + FRONT as u16, top, bars as u16, lines);
        Sparkline::default()
            .data(scaled.collect::<Vec<_>>())
            .max(FULL)
            .bar_set(theme.bars())
            .absent_value_symbol(" ")
            .style(if app.is_down() {
                theme.faint()
            } else {
                theme.plot()
            })
            .render(plot, buffer);
        let peak = format!("max {}", value(series, peak));
        let peak = cell(&peak, PEAK - 1, true, theme);
        buffer.set_stringn(plot.right(), bottom, peak, PEAK - 1, theme.faint());
    }
}

/// A value as millionths of the peak; what is more than nothing is at least the smallest bar.
fn scaled(value: f64, peak: f64, least: u64) -> u64 {
    if value <= 0.0 || peak <= 0.0 {
        return 0;
    }
    ((value / peak * FULL as f64) as u64).clamp(least.min(FULL), FULL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_is_not_nothing_and_nothing_is_no_bar() {
        assert_eq!(scaled(0.0, 5.0, 10), 0);
        assert_eq!(scaled(1e-12, 5.0, 10), 10);
        assert_eq!(scaled(5.0, 5.0, 10), FULL);
        assert_eq!(scaled(f64::INFINITY, f64::INFINITY, 10), 10);
        assert_eq!(scaled(f64::NAN, 1.0, 10), 10);
    }
}
