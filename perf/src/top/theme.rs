//! Colours and shapes, and what replaces them where a terminal has neither.
//!
//! Nothing is told by colour alone (no-color.org): what is grey is also named, what is red also has a mark or a word.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::bar;

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Colours.
    pub coloured: bool,
    /// More than ASCII.
    pub unicode: bool,
}

/// Nine levels out of ASCII, by how much of a cell they darken.
const ASCII_BARS: bar::Set = bar::Set {
    empty: "_",
    one_eighth: ".",
    one_quarter: ":",
    three_eighths: "-",
    half: "=",
    five_eighths: "+",
    three_quarters: "*",
    seven_eighths: "#",
    full: "@",
};

impl Theme {
    /// Colour unless NO_COLOR is set to something.
    pub fn of_environment(ascii: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Theme {
            coloured: !refused,
            unicode: !ascii,
        }
    }

    fn shape<T>(self, unicode: T, ascii: T) -> T {
        if self.unicode { unicode } else { ascii }
    }

    /// What stands for text that was cut.
    pub fn ellipsis(self) -> char {
        self.shape('…', '~')
    }

    /// What the rule above a panel is made of; a heavier one for the panel that keys go to.
    pub fn rule(self, chosen: bool) -> &'static str {
        match chosen {
            true => self.shape("━", "="),
            false => self.shape("─", "-"),
        }
    }

    /// The direction of a sorting.
    pub fn arrow(self, descending: bool) -> char {
        match descending {
            true => self.shape('▼', 'v'),
            false => self.shape('▲', '^'),
        }
    }

    /// A millionth.
    pub fn micro(self) -> char {
        self.shape('µ', 'u')
    }

    /// Bars of a sparkline.
    pub fn bars(self) -> bar::Set<'static> {
        self.shape(bar::NINE_LEVELS, ASCII_BARS)
    }

    /// The full and the empty part of a gauge.
    pub fn gauge(self) -> [char; 2] {
        self.shape(['█', '░'], ['#', '.'])
    }

    /// Corners and edges of a box.
    pub fn border(self) -> ratatui::symbols::border::Set<'static> {
        let ascii = ratatui::symbols::border::Set {
            top_left: "+",
            top_right: "+",
            bottom_left: "+",
            bottom_right: "+",
            vertical_left: "|",
            vertical_right: "|",
            horizontal_top: "-",
            horizontal_bottom: "-",
        };
        self.shape(ratatui::symbols::border::PLAIN, ascii)
    }

    fn colour(self, style: Style, colour: Color) -> Style {
        if self.coloured {
            style.fg(colour)
        } else {
            style
        }
    }

    /// What is as it should be.
    pub fn good(self) -> Style {
        self.colour(Style::new(), Color::Green)
    }

    /// What is not.
    pub fn bad(self) -> Style {
        self.colour(Style::new().add_modifier(Modifier::BOLD), Color::Red)
    }

    /// A line that nobody shall miss.
    pub fn banner(self) -> Style {
        self.bad().add_modifier(Modifier::REVERSED)
    }

    /// Headings, and values that are of the past.
    pub fn faint(self) -> Style {
        self.colour(Style::new().add_modifier(Modifier::DIM), Color::DarkGray)
    }

    /// Names of panels.
    pub fn title(self, chosen: bool) -> Style {
        match chosen {
            true => self.colour(Style::new().add_modifier(Modifier::BOLD), Color::Cyan),
            false => Style::new(),
        }
    }

    /// Sparklines.
    pub fn plot(self) -> Style {
        self.colour(Style::new(), Color::Cyan)
    }
}
