//! All packets of a flood as one bar: what arrived, what was lost to which counter, what nobody can account for.

use std::fmt::{self, Write};

use super::super::flood::{Fate, Share};
use super::{Width, close, open};
use crate::bench::words;

const HEIGHT: f64 = 26.0;

/// A part that is there shows, be it ever so small.
const LEAST: f64 = 1.5;

/// Room for a digit.
const DIGIT: f64 = 11.0;

/// Draws it in both widths. There is no text in it but the numbers of the list below it.
pub fn conservation(
    out: &mut String,
    id: &str,
    contender: &str,
    sent: u64,
    shares: &[Share],
) -> fmt::Result {
    for width in Width::ALL {
        write(
            out,
            &format!("{id}{}", width.class()),
            width,
            contender,
            sent,
            shares,
        )?;
    }
    Ok(())
}

fn write(
    out: &mut String,
    id: &str,
    width: Width,
    contender: &str,
    sent: u64,
    shares: &[Share],
) -> fmt::Result {
    let title = format!("{contender}: what became of {} packets", words::count(sent));
    let told: Vec<String> = shares
        .iter()
        .map(|share| format!("{} {}", share.name, words::count(share.packets)))
        .collect();
    let (class, width) = (width.class(), width.units());
    open(out, id, class, (width, HEIGHT), &title, &told.join(", "))?;
    write!(
        out,
        r#"<defs><pattern id="{id}h" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="ground" width="7" height="7"/><rect class="stripe" width="3" height="7"/></pattern></defs><rect class="ground" x="0" y="3" width="{width}" height="20"/>"#
    )?;
    let counted = shares.iter().filter(|share| share.fate != Fate::Twice);
    let all: i128 = counted.map(|share| share.packets).sum();
    let all = all.max(sent.into()).max(1) as f64;
    let (mut x, mut number) = (0.0, 0);
    for share in shares {
        number += usize::from(share.fate == Fate::Lost);
        if share.packets == 0 || share.fate == Fate::Twice {
            continue;
        }
        let part = (share.packets as f64 / all * width)
            .max(LEAST)
            .min((width - x).max(0.0));
        let (class, fill) = match share.fate {
            Fate::Arrived => ("bar", String::new()),
            Fate::Lost if number % 2 == 1 => ("lost", String::new()),
            Fate::Lost => ("lost other", String::new()),
            Fate::Unaccounted | Fate::Twice => ("unaccounted", format!(r#" fill="url(#{id}h)""#)),
        };
        write!(
            out,
            r#"<rect class="{class}" x="{x:.1}" y="3" width="{part:.1}" height="20"{fill}/>"#
        )?;
        if share.fate == Fate::Lost && part > DIGIT * number.to_string().len() as f64 {
            write!(
                out,
                r#"<text class="number" x="{:.1}" y="17.5" text-anchor="middle">{number}</text>"#,
                x + part / 2.0
            )?;
        }
        x += part;
    }
    close(out)
}
