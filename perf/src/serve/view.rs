//! What there is to see at one moment: one reading of the engine, that every client is answered from.
//!
//! Invariant: a view always exists. Where there is no engine and never was, it says so in words; after an engine's
//! death it holds that engine's last numbers and since when it is down.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use contract::stats::StatsError;
use serde::Serialize;

use super::health::Health;
use super::point::Point;
use crate::stats::{ControlStatus, Life, Report, Sample};

/// What state the engine is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It beats.
    Running,
    /// Its process exists and does not beat.
    Silent,
    /// Its process is gone.
    Gone,
    /// There is no segment that we could read.
    Absent,
}

impl State {
    /// All of them.
    pub const ALL: &[State] = &[State::Running, State::Silent, State::Gone, State::Absent];

    /// Name for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Silent => "silent",
            State::Gone => "gone",
            State::Absent => "absent",
        }
    }
}

impl From<Life> for State {
    fn from(life: Life) -> Self {
        match life {
            Life::Running => State::Running,
            Life::Silent => State::Silent,
            Life::Gone => State::Gone,
        }
    }
}

/// A reading: the segment and control's status, or why there is none.
pub type Reading = Result<(Sample, Option<ControlStatus>), StatsError>;

/// A moment.
pub struct View {
    /// When, milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// When, for the age of the view.
    pub taken: Instant,
    /// Of the engine.
    pub state: State,
    /// Why there is nothing to read; `None` when there is.
    pub absence: Option<String>,
    /// Since when the engine does not beat, milliseconds since the Unix epoch.
    pub down_since_ms: Option<u64>,
    /// As read.
    pub sample: Option<Sample>,
    /// With rates, where there was an earlier reading of the same engine.
    pub report: Option<Report>,
    /// Control's word, if any.
    pub control: Option<ControlStatus>,
    /// Since control's generation was first seen.
    pub generation_age: Duration,
    /// What the charts draw; `None` without rates.
    pub point: Option<Point>,
    /// What is wrong.
    pub health: Health,
}

impl View {
    /// Of a reading, with rates since `before`.
    pub fn new(reading: Reading, before: Option<&View>) -> Self {
        let now_ms = unix_ms();
        let taken = Instant::now();
        let (read, absence) = match reading {
            Ok(read) => (Some(read), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let (sample, control) =
            read.map_or((None, None), |(sample, control)| (Some(sample), control));
        let earlier = before.and_then(|before| before.sample.as_ref());
        let report = sample
            .as_ref()
            .map(|sample| Report::new(sample, earlier, control.as_ref()));
        let state = sample
            .as_ref()
            .map_or(State::Absent, |sample| sample.life.into());
        let generation_age = generation_age(control.as_ref(), before, taken);
        let point = match (&sample, &report, state) {
            (Some(sample), Some(report), State::Running) => {
                Point::new(now_ms, sample, earlier, report)
            }
            _ => None,
        };
        let mut view = View {
            now_ms,
            taken,
            state,
            absence,
            down_since_ms: down_since(state, sample.as_ref(), before, now_ms),
            sample,
            report,
            control,
            generation_age,
            point,
            health: Health::default(),
        };
        view.health = Health::judge(&view);
        view
    }
}

fn down_since(
    state: State,
    sample: Option<&Sample>,
    before: Option<&View>,
    now_ms: u64,
) -> Option<u64> {
    match (state, sample) {
        (State::Running, _) => None,
        // A moment that was told once stays: computed anew it would wander with the clocks.
        _ if before.is_some_and(|before| before.state != State::Running) => {
            before.and_then(|before| before.down_since_ms)
        }
        (_, Some(sample)) => Some(now_ms.saturating_sub(sample.snapshot.silent_ns / 1_000_000)),
        (_, None) => Some(now_ms),
    }
}

/// How long the generation has been the same in our eyes. In the first view nobody knows: a day, so that a worker that
/// lags is told of at once and not excused as new.
fn generation_age(
    control: Option<&ControlStatus>,
    before: Option<&View>,
    taken: Instant,
) -> Duration {
    let generation = |control: &ControlStatus| control.generation;
    match before {
        None => UNKNOWN_AGE,
        Some(before) if before.control.as_ref().map(generation) == control.map(generation) => {
            let since = taken.saturating_duration_since(before.taken);
            before.generation_age + since
        }
        Some(_) => Duration::ZERO,
    }
}

/// See [`generation_age`].
const UNKNOWN_AGE: Duration = Duration::from_secs(86_400);

/// Now, milliseconds since the Unix epoch.
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
