//! The report as text: a small table for each measure.

use std::fmt;

use super::model::{Cell, Flood, Measure, Report};
use super::verdict::{BASELINE, Beside, Verdict};
use super::words::{self, number, range};
use crate::style::Style;

/// A report, to be printed.
pub struct Table<'a> {
    report: &'a Report,
    style: Style,
}

impl<'a> Table<'a> {
    /// With ratios to [`BASELINE`].
    pub fn new(report: &'a Report, style: Style) -> Self {
        Table { report, style }
    }

    fn width(&self) -> usize {
        let names = self.report.contenders.iter();
        names.map(|entrant| entrant.name.len()).max().unwrap_or(0)
    }

    fn measure(&self, f: &mut fmt::Formatter<'_>, measure: &Measure) -> fmt::Result {
        let title = self.style.bold(&measure.title);
        let (better, wire) = (words::better(measure.better), words::wire(measure.wire));
        writeln!(
            f,
            "\n{title}, {} ({better}; {wire}) [{}]",
            measure.unit, measure.id
        )?;
        let head = match &measure.axis {
            Some(axis) => format!("{} {}", axis.title, axis.unit).trim().to_owned(),
            None => String::new(),
        };
        let (points, width) = (measure.points(), self.width());
        let column = head.len().max(8) * usize::from(measure.axis.is_some());
        writeln!(
            f,
            "  {head:>column$}  {:width$} {:>9} {:>19} {:>22}",
            "",
            "median",
            "low..high",
            format!("/ {BASELINE}")
        )?;
        for x in points {
            let at = x.map(words::whole).unwrap_or_default();
            let here = measure.cells.iter().filter(|cell| cell.x == x);
            for (line, cell) in here.enumerate() {
                let at = if line == 0 { at.as_str() } else { "" };
                write!(f, "  {at:>column$}  {:width$} ", cell.contender)?;
                self.cell(f, measure, cell)?;
            }
        }
        self.notes(f, measure)
    }

    fn cell(&self, f: &mut fmt::Formatter<'_>, measure: &Measure, cell: &Cell) -> fmt::Result {
        let Some(summary) = cell.summary() else {
            return writeln!(f, "{:>9}", "-");
        };
        write!(f, "{:>9} {:>19}", number(summary.median), range(&summary))?;
        let beside = Beside::of(measure, &cell.contender, BASELINE, cell.x);
        let Some(beside) = beside.filter(|_| cell.contender != BASELINE) else {
            return writeln!(f);
        };
        let figures = match beside.ratio {
            Some(ratio) => format!(
                "{} ({})",
                words::ratio(ratio.median),
                words::ratio_range(&ratio)
            ),
            None => String::new(),
        };
        let text = format!("{:>22}", format!("{} {figures}", beside.verdict.sign()));
        let text = match beside.verdict {
            Verdict::Better => self.style.verdict(true, &text),
            Verdict::Worse => self.style.verdict(false, &text),
            Verdict::Even | Verdict::TooFew => text,
        };
        writeln!(f, " {text}")
    }

    /// Each note once, with all whom it concerns.
    fn notes(&self, f: &mut fmt::Formatter<'_>, measure: &Measure) -> fmt::Result {
        let mut notes: Vec<(&str, Vec<String>)> = Vec::new();
        for cell in &measure.cells {
            let whose = match cell.x {
                Some(x) => {
                    let point = words::point(measure.axis.as_ref(), x);
                    format!("{} at {point}", cell.contender)
                }
                None => cell.contender.clone(),
            };
            for note in &cell.notes {
                match notes.iter_mut().find(|(text, _)| text == note) {
                    Some((_, all)) => all.push(whose.clone()),
                    None => notes.push((note, vec![whose.clone()])),
                }
            }
        }
        for (note, whose) in notes {
            writeln!(f, "  {}: {note}", whose.join(", "))?;
        }
        Ok(())
    }

    fn flood(&self, f: &mut fmt::Formatter<'_>, flood: &Flood) -> fmt::Result {
        let title = self.style.bold(&flood.contender);
        writeln!(f, "\n{title}: {}", flood.title)?;
        for station in &flood.stations {
            writeln!(f, "  {:>10}  {}", station.packets, station.place)?;
            for loss in &station.lost {
                writeln!(f, "  {:>10}    lost: {}", loss.packets, loss.reason)?;
            }
        }
        writeln!(f, "  {:>10}  unaccounted", flood.unaccounted())
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report;
        write!(f, "{}", report.machine)?;
        let minutes = report.seconds / 60.0;
        writeln!(
            f,
            "{} rounds in {minutes:.1} minutes, from {}",
            report.rounds, report.began
        )?;
        for measure in &report.measures {
            self.measure(f, measure)?;
        }
        for flood in &report.floods {
            self.flood(f, flood)?;
        }
        writeln!(f)?;
        for entrant in &report.contenders {
            if let Some(reason) = &entrant.absent {
                let absent = self.style.verdict(false, "absent");
                writeln!(f, "{absent}: {}: {reason}", entrant.name)?;
            }
        }
        for remark in &report.remarks {
            writeln!(f, "{}: {remark}", self.style.bold("remark"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
