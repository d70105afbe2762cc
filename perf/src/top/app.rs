//! The dashboard's state: samples and keys go in, what is to be drawn comes out. No clock, no file, no terminal.
//!
//! Invariant: freezing holds what is shown and nothing else. Samples go on being taken, so that rates and history
//! have no hole, and whether the engine lives is always told as of now.

use std::rc::Rc;
use std::time::Duration;

use super::history::{History, Point};
use super::key::Action;
use super::panel::{self, Choice, Panel};
use super::render;
use super::theme::Theme;
use super::view::View;
use super::watch::{Pulse, Watch, pulse};
use crate::stats::{ControlStatus, Life, Sample};

/// Intervals that + and - step through, milliseconds.
const STEPS_MS: [u64; 9] = [100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000];

/// What a screen is drawn of.
#[derive(Clone, Default)]
pub struct Shown {
    /// Rows; `None` before the first sample.
    pub view: Option<Rc<View>>,
    /// Headline numbers so far.
    pub history: History,
    /// When it was looked last, CLOCK_MONOTONIC.
    pub taken_ns: u64,
}

/// The dashboard.
pub struct App {
    /// Colours and shapes.
    pub theme: Theme,
    /// Time between two looks.
    pub interval: Duration,
    /// The panel that keys go to.
    pub chosen: Panel,
    /// It has the screen for itself.
    pub alone: bool,
    /// The help is open.
    pub help: bool,
    /// The user wants to leave.
    pub quit: bool,
    /// One screen on paper: no keys, no history, nothing folded.
    pub once: bool,
    /// Lines of the window.
    pub height: u16,
    choices: [Choice; 4],
    watch: Watch,
    pulse: Option<Pulse>,
    live: Shown,
    frozen: Option<Shown>,
}

impl App {
    /// Without a sample yet.
    pub fn new(theme: Theme, interval: Duration) -> Self {
        App {
            theme,
            interval,
            chosen: Panel::Workers,
            alone: false,
            help: false,
            quit: false,
            once: false,
            height: 24,
            choices: [Choice::default(); 4],
            watch: Watch::default(),
            pulse: None,
            live: Shown::default(),
            frozen: None,
        }
    }

    /// Takes a look at the engine in, which was taken at this time of day (nanoseconds since 1970).
    pub fn sample(&mut self, sample: Sample, control: Option<ControlStatus>, unix_ns: u64) {
        self.pulse = Some(pulse(&sample, unix_ns));
        self.live.taken_ns = sample.snapshot.taken_ns;
        let news = self.watch.look(sample);
        // Control may have news while the engine has none.
        self.live.view = View::new(&self.watch, control.as_ref()).map(Rc::new);
        if let (true, Some(view), (Some(now), Some(before))) =
            (news, &self.live.view, self.watch.samples())
            && view.report.interval_s.is_some()
        {
            self.live.history.push(Point {
                start_ns: before.snapshot.taken_ns,
                end_ns: now.snapshot.taken_ns,
                values: view.series(),
            });
        }
    }

    /// What is to be drawn.
    pub fn shown(&self) -> &Shown {
        self.frozen.as_ref().unwrap_or(&self.live)
    }

    /// Seconds since the screen was frozen; `None` when it is not.
    pub fn frozen_s(&self) -> Option<f64> {
        let frozen = self.frozen.as_ref()?;
        Some(self.live.taken_ns.saturating_sub(frozen.taken_ns) as f64 / 1e9)
    }

    /// Whether the engine lives; `None` before the first sample.
    pub fn pulse(&self) -> Option<Pulse> {
        self.pulse
    }

    /// Whether the values are an engine's last.
    pub fn is_down(&self) -> bool {
        self.pulse.is_some_and(|pulse| pulse.life != Life::Running)
    }

    /// Why this is no success: what the engine is instead of running.
    pub fn trouble(&self) -> Option<String> {
        self.pulse.as_ref().and_then(super::alert::down)
    }

    /// What is chosen in a panel.
    pub fn choice(&self, panel: Panel) -> Choice {
        self.choices[panel as usize]
    }

    /// Does what a key asks for.
    pub fn act(&mut self, action: Action) {
        let last = self.last_offset();
        let choice = &mut self.choices[self.chosen as usize];
        // Rows may have gone, or a window grown: what a key does begins with what is seen.
        choice.offset = choice.offset.min(last);
        match action {
            Action::Quit => self.quit = true,
            Action::Next => self.chosen = self.chosen.step(1),
            Action::Previous => self.chosen = self.chosen.step(Panel::ALL.len() - 1),
            Action::Up(by) => choice.offset = choice.offset.saturating_sub(by),
            Action::Down(by) => choice.offset = choice.offset.saturating_add(by).min(last),
            Action::First => choice.offset = 0,
            Action::Last => choice.offset = last,
            Action::Alone => self.alone = !self.alone,
            Action::Sort => {
                choice.order.column = (choice.order.column + 1) % self.chosen.orders();
                choice.order.reverse = false;
            }
            Action::Reverse => choice.order.reverse = !choice.order.reverse,
            Action::Freeze => {
                self.frozen = match self.frozen {
                    None => Some(self.live.clone()),
                    Some(_) => None,
                }
            }
            Action::Longer => self.step_interval(true),
            Action::Shorter => self.step_interval(false),
            Action::Help => self.help = !self.help,
            Action::Back if self.help => self.help = false,
            Action::Back => self.alone = false,
        }
    }

    fn step_interval(&mut self, longer: bool) {
        let mut steps = STEPS_MS.map(Duration::from_millis).into_iter();
        let step = match longer {
            true => steps.find(|step| *step > self.interval),
            false => steps.rfind(|step| *step < self.interval),
        };
        self.interval = step.unwrap_or(self.interval);
    }

    /// Rows of the chosen panel that do not fit into the window.
    fn last_offset(&self) -> usize {
        let Some(view) = &self.shown().view else {
            return 0;
        };
        let unfolded = self.unfolded(self.chosen);
        let rows = panel::rows(self.chosen, view, unfolded);
        let lines = render::plan(self, view, self.height).panels[self.chosen as usize];
        rows.saturating_sub(usize::from(lines).saturating_sub(2))
    }

    /// Whether a panel shows what it would else fold.
    pub fn unfolded(&self, panel: Panel) -> bool {
        self.once || (self.alone && self.chosen == panel)
    }
}
