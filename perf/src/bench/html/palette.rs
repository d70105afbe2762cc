//! How a contender looks, the same in every plot and table: a colour and a shape, for not everyone tells all colours apart.

use std::fmt::{self, Write};

/// Colours of the style sheet: `--c0` to `--c7`. One more contender than that begins anew, with another shape.
const COLOURS: usize = 8;

/// Shapes of points.
const SHAPES: usize = 7;

/// A colour and a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    place: usize,
}

/// Looks of all contenders.
pub struct Palette<'a> {
    names: &'a [&'a str],
}

impl<'a> Palette<'a> {
    /// By place: the first name has the first colour.
    pub fn new(names: &'a [&'a str]) -> Self {
        Palette { names }
    }

    /// Of a contender. Those it does not know look like the one after the last.
    pub fn look(&self, name: &str) -> Look {
        let place = self.names.iter().position(|known| *known == name);
        Look {
            place: place.unwrap_or(self.names.len()),
        }
    }
}

impl Look {
    /// Class that sets `--c`.
    pub fn class(self) -> String {
        format!("c{}", self.place % COLOURS)
    }

    /// A point at `x`, `y`, its colour that of the class around it.
    pub fn point(self, out: &mut String, x: f64, y: f64) -> fmt::Result {
        match self.place % SHAPES {
            0 => write!(
                out,
                r#"<circle class="p" cx="{x:.1}" cy="{y:.1}" r="4.5"/>"#
            ),
            1 => write!(
                out,
                r#"<rect class="p" x="{:.1}" y="{:.1}" width="8" height="8"/>"#,
                x - 4.0,
                y - 4.0
            ),
            2 => shape(out, x, y, "0,-5.5 5,4 -5,4"),
            3 => shape(out, x, y, "0,-5.5 5.5,0 0,5.5 -5.5,0"),
            4 => shape(out, x, y, "0,5.5 5,-4 -5,-4"),
            5 => shape(
                out,
                x,
                y,
                "-1.7,-5 1.7,-5 1.7,-1.7 5,-1.7 5,1.7 1.7,1.7 1.7,5 -1.7,5 -1.7,1.7 -5,1.7 -5,-1.7 -1.7,-1.7",
            ),
            _ => shape(out, x, y, "0,-5.5 5.2,-1.7 3.2,4.4 -3.2,4.4 -5.2,-1.7"),
        }
    }

    /// The point as a key beside a name.
    pub fn key(self, out: &mut String) -> fmt::Result {
        write!(
            out,
            r#"<svg class="key {}" viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">"#,
            self.class()
        )?;
        self.point(out, 7.0, 7.0)?;
        out.write_str("</svg>")
    }
}

fn shape(out: &mut String, x: f64, y: f64, points: &str) -> fmt::Result {
    write!(
        out,
        r#"<polygon class="p" transform="translate({x:.1} {y:.1})" points="{points}"/>"#
    )
}
