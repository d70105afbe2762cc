//! A report as one page: no network, no script, light or dark as the reader's system has it, for a screen, a phone or paper.
//!
//! ```text
//!   headline, remarks -> ahead and behind -> all ratios -> who took part -> group by group: plots, tables -> floods
//! ```
//!
//! The page is well-formed XML too, so that a test can find a tag that was left open. Every plot is drawn twice, wide and narrow, and the
//! style sheet shows one: scaled to a phone, the labels of the wide one would be too small to read.

mod escape;
mod flood;
mod overview;
mod palette;
mod section;
mod svg;
mod table;
mod top;

use std::fmt::{self, Write};

use super::model::Report;
use super::order;
use escape::Text;
use palette::Palette;

const STYLE: &str = include_str!("style.css");

/// The page. Everything in it is from the report.
pub fn render(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut page, report);
    page
}

fn write(page: &mut String, report: &Report) -> fmt::Result {
    let names = order::names(report);
    let palette = Palette::new(&names);
    let groups = order::groups(report);
    write!(
        page,
        r#"<!DOCTYPE html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml"><head><meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>tweed's benchmark, {}</title>
<style>{STYLE}</style></head>
<body>"#,
        Text(&report.began)
    )?;
    top::write(page, report)?;
    write_contents(page, report, &groups)?;
    page.write_str("<main>")?;
    overview::write(page, &groups, &names, &palette)?;
    top::write_contenders(page, report, &names, &palette)?;
    for (place, (title, measures)) in groups.iter().enumerate() {
        section::write(page, place, title, measures, &names, &palette)?;
    }
    flood::write(page, &report.floods, &palette)?;
    page.write_str("</main>")?;
    top::write_machine(page, report)?;
    page.write_str("</body></html>\n")
}

fn write_contents(
    page: &mut String,
    report: &Report,
    groups: &[(&str, Vec<&super::model::Measure>)],
) -> fmt::Result {
    page.write_str(r##"<nav aria-label="Sections"><a href="#ratios">All ratios</a><a href="#contenders">Contenders</a>"##)?;
    for (place, (title, _)) in groups.iter().enumerate() {
        write!(page, r##"<a href="#g{place}">{}</a>"##, Text(title))?;
    }
    if !report.floods.is_empty() {
        page.write_str(r##"<a href="#floods">Floods</a>"##)?;
    }
    page.write_str(r##"<a href="#machine">Machine</a></nav>"##)
}

#[cfg(test)]
pub(in crate::bench) mod made_up;
#[cfg(test)]
mod tests;
