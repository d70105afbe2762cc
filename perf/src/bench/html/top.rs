//! What comes first: the run in a few sentences, what to know before believing them, who took part, where.

use std::fmt::{self, Write};

use super::escape::Text;
use super::palette::Palette;
use super::table;
use crate::bench::headline::{Headline, Standing, Tally};
use crate::bench::model::Report;
use crate::bench::verdict::{BASELINE, OURS};
use crate::bench::words;

/// Rows of the two lists. What is more is in the table of all ratios.
const STANDINGS: usize = 8;

/// Title, headline, remarks, and where we are ahead and behind.
pub fn write(out: &mut String, report: &Report) -> fmt::Result {
    let headline = Headline::of(report);
    write!(
        out,
        r#"<header><p class="eyebrow">tweed {} · benchmark of {} · {} in {}</p><h1>tweed beside what one would run instead</h1>"#,
        Text(&report.version),
        Text(&date(&report.began)),
        rounds(report.rounds),
        words::duration(report.seconds)
    )?;
    out.write_str(r#"<div class="headline">"#)?;
    for sentence in &headline.sentences {
        write!(out, "<p>{}</p>", Text(sentence))?;
    }
    out.write_str("</div></header>")?;
    write_remarks(out, report)?;
    out.write_str(r#"<section class="pair" aria-label="Ahead and behind">"#)?;
    write_standings(out, "ahead", "▲ Ahead of", &headline.ahead)?;
    write_standings(out, "behind", "▼ Behind", &headline.behind)?;
    out.write_str("</section>")?;
    write_tallies(out, &headline.tallies)
}

fn rounds(rounds: u32) -> String {
    match rounds {
        1 => "1 round".to_owned(),
        rounds => format!("{rounds} rounds"),
    }
}

fn date(began: &str) -> String {
    began.replace('T', ", ").replace('Z', " UTC")
}

fn write_remarks(out: &mut String, report: &Report) -> fmt::Result {
    if report.remarks.is_empty() {
        return out.write_str(
            r#"<p class="clear">Nothing about this run warns against its figures: no remarks.</p>"#,
        );
    }
    out.write_str(
        r#"<aside class="remarks" aria-labelledby="remarks"><h2 id="remarks">Before believing a figure</h2><ul>"#,
    )?;
    for remark in &report.remarks {
        write!(out, "<li>{}</li>", Text(remark))?;
    }
    out.write_str("</ul></aside>")
}

fn write_standings(
    out: &mut String,
    class: &str,
    heading: &str,
    standings: &[Standing],
) -> fmt::Result {
    write!(
        out,
        r#"<div class="card {class}"><h2>{heading} {BASELINE}</h2>"#
    )?;
    if standings.is_empty() {
        return out.write_str(
            r#"<p class="quiet">At no point where there were rounds enough to say so.</p></div>"#,
        );
    }
    out.write_str(r#"<ul class="standings">"#)?;
    for standing in standings.iter().take(STANDINGS) {
        let times = standing.beside.ratio;
        let times = times.map_or("–".to_owned(), |ratio| words::ratio(ratio.median));
        write!(
            out,
            r#"<li><b class="times">{times}</b><span>{}<small class="quiet">{}{}</small></span></li>"#,
            Text(&standing.at),
            Text(&standing.figures),
            points(standing)
        )?;
    }
    out.write_str("</ul>")?;
    if standings.len() > STANDINGS {
        let more = standings.len() - STANDINGS;
        write!(
            out,
            r##"<p class="quiet">and {more} more in <a href="#ratios">all ratios</a></p>"##
        )?;
    }
    out.write_str("</div>")
}

fn points(standing: &Standing) -> String {
    match standing.of {
        0 | 1 => String::new(),
        of => format!("; so at {} of {of} points", standing.points),
    }
}

/// A bar for each of the others: points at which we were better, even, worse.
fn write_tallies(out: &mut String, tallies: &[Tally]) -> fmt::Result {
    if tallies.is_empty() {
        return Ok(());
    }
    write!(
        out,
        r#"<section class="card" aria-labelledby="tallies"><h2 id="tallies">{OURS} beside each, over all points that both were measured at</h2><div class="scroll" role="region" tabindex="0" aria-label="Tallies"><table class="tallies"><thead><tr><th scope="col">beside</th><th scope="col" class="n up">▲ better</th><th scope="col" class="n even">= even</th><th scope="col" class="n down">▼ worse</th><th scope="col" class="n few">? too few</th><td></td></tr></thead><tbody>"#
    )?;
    for tally in tallies {
        let Tally {
            contender,
            better,
            even,
            worse,
            too_few,
        } = tally;
        write!(
            out,
            r#"<tr><th scope="row">{}</th><td class="n">{better}</td><td class="n">{even}</td><td class="n">{worse}</td><td class="n">{too_few}</td><td class="bar">"#,
            Text(contender)
        )?;
        let of = tally.points().max(1) as f64;
        out.write_str(r#"<span class="stack" aria-hidden="true">"#)?;
        for (class, points) in [
            ("up", better),
            ("even", even),
            ("down", worse),
            ("few", too_few),
        ] {
            if *points > 0 {
                let share = *points as f64 / of * 100.0;
                write!(out, r#"<i class="{class}" style="width:{share:.2}%"></i>"#)?;
            }
        }
        out.write_str("</span></td></tr>")?;
    }
    out.write_str("</tbody></table></div></section>")
}

/// Who took part, who did not, and why.
pub fn write_contenders(
    out: &mut String,
    report: &Report,
    names: &[&str],
    palette: &Palette,
) -> fmt::Result {
    out.write_str(
        r#"<section class="card" aria-labelledby="contenders"><h2 id="contenders">Contenders</h2><div class="scroll" role="region" tabindex="0" aria-label="Contenders"><table class="contenders"><tbody>"#,
    )?;
    for name in names {
        let entrant = report
            .contenders
            .iter()
            .find(|entrant| entrant.name == *name);
        out.write_str("<tr>")?;
        table::write_name(out, name, palette)?;
        match entrant {
            None => out.write_str(r#"<td class="quiet">not described</td>"#)?,
            Some(entrant) => {
                write!(out, "<td>{}", Text(&entrant.what))?;
                if let Some(why) = &entrant.absent {
                    write!(
                        out,
                        r#"<p class="absent"><b>Took no part:</b> {}</p>"#,
                        Text(why)
                    )?;
                }
                out.write_str("</td>")?;
            }
        }
        out.write_str("</tr>")?;
    }
    out.write_str("</tbody></table></div></section>")
}

/// Where, when, by which command; and how to read it all.
pub fn write_machine(out: &mut String, report: &Report) -> fmt::Result {
    let machine = &report.machine;
    out.write_str(r#"<footer class="card"><h2 id="machine">Machine and command</h2><dl>"#)?;
    let facts = [
        ("CPU", format!("{} × {}", machine.cpus, machine.cpu)),
        ("Kernel", format!("Linux {}", machine.kernel)),
        ("Load when it began", machine.load.clone()),
        ("Began", date(&report.began)),
        ("Took", words::duration(report.seconds)),
        ("Rounds", report.rounds.to_string()),
        (
            "Version",
            format!("tweed {}, report schema {}", report.version, report.schema),
        ),
    ];
    for (what, fact) in facts {
        write!(out, "<dt>{what}</dt><dd>{}</dd>", Text(&fact))?;
    }
    write!(
        out,
        "<dt>Command</dt><dd><code>{}</code></dd></dl>",
        Text(&machine.command)
    )?;
    out.write_str(
        "<h2>How to read this</h2><p>Contenders take turns, measure by measure and round after round, so that whatever drifts \
         (clocks, caches, the neighbours of a virtual machine) drifts for all of them. A figure is the median of the rounds, with the \
         least and the most beside it. A ratio is the median of the ratios within each round, not the ratio of the medians: what slowed \
         a whole round down is not in it. <b>Above 1 is better, whichever way is better.</b> Where one would have to divide by 0, both \
         figures stand there instead. ▲ is better in every round, ▼ worse in every round, = is neither (or a difference under 1 %), ? \
         is fewer than three rounds. In plots, whiskers and bands reach from the least to the most, and the dashed line among bars is \
         the kernel's vxlan. Absolute figures differ between machines and days, ratios less.</p></footer>",
    )
}
