//! The first lines: engine, tables, control.

use super::alert;
use super::app::App;
use super::text::time;
use super::view::View;
use crate::stats::{life, span};

/// A line of the head, and what kind it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// In front.
    pub name: &'static str,
    /// What there is to say.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Nothing special.
    Plain,
    /// Something is wrong.
    Bad,
    /// Nothing of what follows is of now.
    Banner,
}

/// The lines; at most `alerts` of what is wrong.
pub fn lines(app: &App, view: &View, alerts: usize) -> Vec<Line> {
    let line = |name, text, tone| Line { name, text, tone };
    let mut lines = vec![
        engine(app, view),
        line("tables", tables(app, view), Tone::Plain),
        control(view),
    ];
    let wrong = alert::alerts(view);
    let hidden = wrong.len().saturating_sub(alerts);
    for (number, text) in wrong.into_iter().take(alerts).enumerate() {
        let text = match hidden > 0 && number + 1 == alerts {
            true => format!("(and {hidden} more) {text}"),
            false => text,
        };
        lines.push(line("!", text, Tone::Bad));
    }
    lines
}

fn engine(app: &App, view: &View) -> Line {
    let down = app.pulse().as_ref().and_then(alert::down);
    let name = "engine";
    match down {
        Some(text) => Line {
            name,
            text: text + "; last values",
            tone: Tone::Banner,
        },
        None => {
            let silent_ns = app.pulse().map_or(0, |pulse| pulse.silent_ns);
            let beat = time(silent_ns as f64, app.theme);
            Line {
                name,
                text: format!("{}, heartbeat {beat} ago", life(&view.report)),
                tone: Tone::Good,
            }
        }
    }
}

fn tables(app: &App, view: &View) -> String {
    let number = view.generation.number;
    if number == 0 {
        return "no generation yet: nothing is forwarded".to_owned();
    }
    let mut text = format!("generation {number}");
    if !app.once {
        // It may be older than our first look: nobody writes that down.
        let age = span(view.generation.age_ns as f64 / 1e9);
        text += &format!(", unchanged for {age}");
    }
    let behind = view
        .workers
        .iter()
        .find(|worker| worker.generation != number);
    if let Some(worker) = behind {
        text += &format!("; worker {} still has {}", worker.index, worker.generation);
    }
    if let Some(published) = view.published.filter(|published| *published != number) {
        text += &format!("; control has published {published}");
    }
    text
}

fn control(view: &View) -> Line {
    let (text, tone) = match &view.report.control {
        None => (
            "no word of it: is tweed-control running?".to_owned(),
            Tone::Bad,
        ),
        Some(control) => {
            let tone = if control.alive {
                Tone::Plain
            } else {
                Tone::Bad
            };
            let text = format!(
                "lease {}, {} peers, {} of them unreachable",
                control.lease, control.peers, control.unreachable
            );
            (text, tone)
        }
    };
    Line {
        name: "control",
        text,
        tone,
    }
}
