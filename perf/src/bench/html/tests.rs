mod any;
mod xml;

use proptest::prelude::*;

use super::*;
use crate::bench::compare::compare;
use crate::bench::model::{Measure, Summary};
use crate::bench::{markdown, words};

/// The page, kept where `TWEED_BENCH_PAGE` says for those who want to look at it.
fn page() -> String {
    let page = render(&made_up::report());
    if let Some(path) = std::env::var_os("TWEED_BENCH_PAGE") {
        std::fs::write(path, &page).unwrap();
    }
    page
}

/// What lies between `from` and the next `to` after it.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap_or_else(|| panic!("no {from}"));
    let text = &text[start..];
    &text[..text.find(to).unwrap_or_else(|| panic!("no {to}"))]
}

/// Without drawings: what a reader of tables reads.
fn without_drawings(page: &str) -> String {
    let parts = page
        .split("<svg")
        .map(|part| match part.split_once("</svg>") {
            Some((_, after)) => after,
            None => part,
        });
    parts.collect()
}

/// The styles are no XML.
fn elements(page: &str) -> Result<Vec<String>, String> {
    let page = page.replace(STYLE, "");
    xml::elements(&page)
}

#[test]
fn the_page_is_whole_and_asks_for_nothing_from_elsewhere() {
    let page = page();
    let elements = elements(&page).unwrap();
    let drawings = page.matches("class=\"plot ").count();
    let report = made_up::report();
    assert_eq!(drawings, (report.measures.len() + report.floods.len()) * 2);
    for active in ["script", "img", "link", "iframe", "object"] {
        assert!(
            !elements.iter().any(|element| element == active),
            "{active}"
        );
    }
    let page = page.replace("http://www.w3.org/", "");
    for outside in ["http:", "https:", "@import", "src=", "url(http"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn every_id_is_there_once_and_every_reference_leads_somewhere() {
    let page = page();
    let all = |mark: &str| {
        let parts = page.split(mark).skip(1);
        let values = parts.map(|part| part.split(['"', ')']).next().unwrap_or_default());
        values
            .flat_map(|value| value.split(' '))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let ids = all(" id=\"");
    let mut once = ids.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), ids.len());
    for mark in ["aria-labelledby=\"", "href=\"#", "url(#"] {
        let references = all(mark);
        assert!(!references.is_empty(), "{mark}");
        for reference in references {
            assert!(ids.contains(&reference), "{mark}{reference}");
        }
    }
}

#[test]
fn every_figure_of_a_measure_is_in_its_tables() {
    let (page, report) = (page(), made_up::report());
    for measure in &report.measures {
        let code = format!("<code>{}</code>", measure.id);
        let tables = without_drawings(between(&page, &code, "</article>"));
        for (contender, summary, x) in summaries(measure) {
            let (median, range) = (words::number(summary.median), words::range(&summary));
            assert!(
                tables.contains(&format!("<b>{median}</b>")),
                "{contender} {median}"
            );
            assert!(tables.contains(&range), "{contender} {range}");
            if let Some(x) = x {
                assert!(tables.contains(&words::point(measure.axis.as_ref(), x)));
            }
        }
        for cell in &measure.cells {
            for sample in cell.samples.iter().flatten() {
                let sample = format!("<td class=\"n\">{}</td>", words::number(*sample));
                assert!(tables.contains(&sample), "{} {sample}", measure.id);
            }
            for note in &cell.notes {
                assert!(tables.contains(&Text(note).to_string()), "{note}");
            }
        }
        assert!(tables.contains(&measure.how));
    }
}

fn summaries(measure: &Measure) -> impl Iterator<Item = (&str, Summary, Option<f64>)> {
    let cells = measure.cells.iter();
    cells.filter_map(|cell| Some((cell.contender.as_str(), cell.summary()?, cell.x)))
}

#[test]
fn every_packet_of_a_flood_is_in_its_table() {
    let (page, report) = (without_drawings(&page()), made_up::report());
    let floods = between(&page, "id=\"floods\"", "</main>");
    for flood in &report.floods {
        let unaccounted = words::count(flood.unaccounted().abs());
        assert!(floods.contains(&format!("<b>{unaccounted}</b>")));
        for station in &flood.stations {
            assert!(floods.contains(&Text(&station.place).to_string()));
            assert!(floods.contains(&words::count(station.packets)));
            for loss in &station.lost {
                let text = format!("{} {}", words::count(loss.packets), Text(&loss.reason));
                assert!(floods.contains(&text), "{text}");
            }
        }
    }
    for ours in [
        "unaccounted <b>123,456</b>",
        "counted twice <b>1,234</b>",
        "unaccounted <b>0</b>",
    ] {
        assert!(floods.contains(ours), "{ours}");
    }
}

#[test]
fn machine_remarks_and_the_absent_are_told() {
    let (page, report) = (page(), made_up::report());
    let machine = &report.machine;
    let told = [
        &machine.cpu,
        &machine.kernel,
        &machine.load,
        &machine.command,
    ];
    let absent = report
        .contenders
        .iter()
        .filter_map(|entrant| entrant.absent.as_ref());
    let described = report.contenders.iter().map(|entrant| &entrant.what);
    for text in told
        .into_iter()
        .chain(absent)
        .chain(described)
        .chain(&report.remarks)
    {
        assert!(page.contains(&Text(text).to_string()), "{text}");
    }
    assert!(page.contains("2001-02-03, 04:05:06 UTC") && page.contains("20 min 35 s"));
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "\"></style></svg><script>alert('x')</script>&\u{0}\u{202e}|`";
    let mut report = made_up::report();
    report.version = hostile.into();
    report.began = hostile.into();
    report.machine.cpu = hostile.into();
    report.machine.kernel = hostile.into();
    report.machine.load = hostile.into();
    report.machine.command = hostile.into();
    report.remarks = vec![hostile.into()];
    for entrant in &mut report.contenders {
        entrant.what = hostile.into();
        entrant.absent = Some(hostile.into());
        if entrant.name == "host-gw" {
            entrant.name = hostile.into();
        }
    }
    for measure in &mut report.measures {
        for text in [
            &mut measure.id,
            &mut measure.group,
            &mut measure.title,
            &mut measure.how,
            &mut measure.unit,
        ] {
            *text = hostile.into();
        }
        if let Some(axis) = &mut measure.axis {
            axis.title = hostile.into();
            axis.unit = hostile.into();
        }
        measure.cells[0].notes = vec![hostile.into()];
        measure.cells[2].contender = hostile.into();
    }
    for flood in &mut report.floods {
        flood.title = hostile.into();
        flood.contender = hostile.into();
        for station in &mut flood.stations {
            station.place = hostile.into();
            station
                .lost
                .iter_mut()
                .for_each(|loss| loss.reason = hostile.into());
        }
    }
    let page = render(&report);
    let elements = elements(&page).unwrap();
    assert!(!elements.contains(&"script".to_owned()));
    assert!(!markdown::render(&report).contains("<script"));
    assert!(!compare(&report, &report).contains('\u{0}'));
}

#[test]
fn a_report_of_nothing_says_so() {
    let mut report = made_up::report();
    report.measures.clear();
    report.floods.clear();
    report.remarks.clear();
    let page = render(&report);
    elements(&page).unwrap();
    assert!(page.contains("Nothing was measured of both tweed and kernel vxlan."));
    assert!(page.contains("no remarks"));
    report.contenders.clear();
    elements(&render(&report)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_report_makes_a_whole_page_and_tables(report in any::report(), other in any::report()) {
        let page = render(&report);
        prop_assert!(elements(&page).is_ok(), "{:?}", elements(&page));
        prop_assert!(!page.contains("NaN") && !page.contains("inf\""));
        prop_assert!(!markdown::render(&report).contains("<script"));
        let escape = compare(&report, &other).contains('\u{1b}');
        prop_assert!(!escape);
        compare(&report, &report);
    }
}
