//! Conservation: what became of every packet that a flood sent.

use std::fmt::{self, Write};

use super::escape::Text;
use super::palette::Palette;
use super::svg;
use crate::bench::model::Flood;
use crate::bench::words;

/// What became of a flood's packets.
pub struct Share<'a> {
    /// `arrived`, or the counter's name.
    pub name: &'a str,
    /// Where the counter is.
    pub place: &'a str,
    /// How many.
    pub packets: i128,
    /// What kind of end it was.
    pub fate: Fate,
}

/// Kinds of ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It came to the sink.
    Arrived,
    /// A counter has it.
    Lost,
    /// No counter has it.
    Unaccounted,
    /// More counters than one have it: they say more were lost than were.
    Twice,
}

/// Arrived, the losses in the order of the way, and what nobody can account for.
pub fn shares(flood: &Flood) -> Vec<Share<'_>> {
    let mut shares = Vec::new();
    if let Some(sink) = flood.stations.last() {
        shares.push(Share {
            name: "arrived",
            place: &sink.place,
            packets: sink.packets.into(),
            fate: Fate::Arrived,
        });
    }
    for station in &flood.stations {
        let some = station.lost.iter().filter(|loss| loss.packets > 0);
        shares.extend(some.map(|loss| Share {
            name: &loss.reason,
            place: &station.place,
            packets: loss.packets.into(),
            fate: Fate::Lost,
        }));
    }
    let unaccounted = flood.unaccounted();
    let (name, fate) = match unaccounted < 0 {
        true => ("counted twice", Fate::Twice),
        false => ("unaccounted", Fate::Unaccounted),
    };
    shares.push(Share {
        name,
        place: "",
        packets: unaccounted.abs(),
        fate,
    });
    shares
}

/// A section with a card for each flood's title, in it a bar for each contender.
pub fn write(out: &mut String, floods: &[Flood], palette: &Palette) -> fmt::Result {
    if floods.is_empty() {
        return Ok(());
    }
    out.write_str(
        r#"<section aria-labelledby="floods"><h2 class="group" id="floods">What became of the packets of a flood</h2><p class="quiet">Each bar is all that was sent. Its first part arrived; each further part is lost where a counter says so, in the order of the way; what no counter has is hatched.</p><div class="cards">"#,
    )?;
    let mut titles: Vec<&str> = Vec::new();
    for flood in floods {
        if !titles.contains(&flood.title.as_str()) {
            titles.push(&flood.title);
        }
    }
    for (card, title) in titles.iter().enumerate() {
        write!(out, r#"<article class="card"><h3>{}</h3>"#, Text(title))?;
        let here = floods.iter().filter(|flood| flood.title == *title);
        for (place, flood) in here.enumerate() {
            write_flood(out, &format!("f{card}c{place}"), flood, palette)?;
        }
        out.write_str("</article>")?;
    }
    out.write_str("</div></section>")
}

fn write_flood(out: &mut String, id: &str, flood: &Flood, palette: &Palette) -> fmt::Result {
    let look = palette.look(&flood.contender);
    let sent = flood.stations.first().map_or(0, |station| station.packets);
    write!(out, r#"<div class="flood {}"><h4>"#, look.class())?;
    look.key(out)?;
    write!(
        out,
        r#" {} <small class="quiet">{} sent</small></h4>"#,
        Text(&flood.contender),
        words::count(sent)
    )?;
    let shares = shares(flood);
    svg::conservation(out, id, &flood.contender, sent, &shares)?;
    out.write_str(r#"<ul class="shares">"#)?;
    let mut number = 0;
    for share in &shares {
        if share.fate == Fate::Lost {
            number += 1;
        }
        write_share(out, share, number, sent)?;
    }
    out.write_str("</ul>")?;
    write_stations(out, flood, sent)?;
    out.write_str("</div>")
}

fn write_share(out: &mut String, share: &Share, number: usize, sent: u64) -> fmt::Result {
    let (class, mark) = match share.fate {
        Fate::Arrived => ("arrived", "✓".to_owned()),
        Fate::Lost => ("lost", number.to_string()),
        Fate::Unaccounted if share.packets == 0 => ("clear", "0".to_owned()),
        Fate::Unaccounted | Fate::Twice => ("unaccounted", "!".to_owned()),
    };
    write!(
        out,
        r#"<li class="{class}"><i aria-hidden="true">{mark}</i><span>{} <b>{}</b> {}"#,
        Text(share.name),
        words::count(share.packets),
        of(share.packets, sent)
    )?;
    if share.fate == Fate::Lost {
        write!(out, r#"<small class="quiet">{}</small>"#, Text(share.place))?;
    }
    out.write_str("</span></li>")
}

fn write_stations(out: &mut String, flood: &Flood, sent: u64) -> fmt::Result {
    write!(
        out,
        r#"<details><summary>Station by station</summary><div class="scroll" role="region" tabindex="0" aria-label="{}: stations"><table><thead><tr><th scope="col">place</th><th scope="col" class="n">packets</th><th scope="col" class="n">of sent</th><th scope="col">lost since the place before</th></tr></thead><tbody>"#,
        Text(&flood.contender)
    )?;
    for station in &flood.stations {
        let lost: Vec<String> = station
            .lost
            .iter()
            .map(|loss| format!("{} {}", words::count(loss.packets), Text(&loss.reason)))
            .collect();
        write!(
            out,
            r#"<tr><th scope="row">{}</th><td class="n">{}</td><td class="n">{}</td><td>{}</td></tr>"#,
            Text(&station.place),
            words::count(station.packets),
            of(station.packets.into(), sent),
            lost.join("<br/>")
        )?;
    }
    out.write_str("</tbody></table></div></details>")
}

fn of(packets: i128, sent: u64) -> String {
    match sent {
        0 => "–".to_owned(),
        sent => words::percent(packets as f64 / sent as f64),
    }
}
