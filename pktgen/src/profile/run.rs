//! The keys of a whole run: how fast, how long, which bytes, which seed.

use super::number::whole;
use super::problem::{At, Problem, ProfileError};
use super::raw::{Raw, read};
use super::{Payload, Rate, Stop, duration};

/// What was said about a run. A flag goes before the file, key by key; `count` and `duration` are one thing, the stop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Run {
    /// See [`super::Profile::rate`].
    pub rate: Option<Rate>,
    /// See [`super::Profile::burst`].
    pub burst: Option<u16>,
    /// See [`super::Profile::stop`].
    pub stop: Option<Stop>,
    /// See [`super::Profile::payload`].
    pub payload: Option<Payload>,
    /// See [`super::Profile::seed`].
    pub seed: Option<u64>,
}

/// What a run is like if nobody says otherwise; it depends on the subcommand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Defaults {
    /// Without `rate`.
    pub rate: Rate,
    /// With neither `count` nor `duration`.
    pub stop: Stop,
    /// Without `seed`.
    pub seed: u64,
}

impl Default for Defaults {
    /// At maximum until Ctrl-C, with a seed that nobody knows beforehand. It has 32 bits: short enough to be typed
    /// again, and whole in every JSON reader.
    fn default() -> Self {
        Defaults {
            rate: Rate::Max,
            stop: Stop::Never,
            seed: fastrand::u32(..).into(),
        }
    }
}

impl Run {
    /// What `raw` says.
    ///
    /// # Errors
    /// A value is outside of its range, or there is both a count and a duration.
    pub fn read(raw: &Raw) -> Result<Run, ProfileError> {
        let at = At {
            origin: raw.origin,
            stream: None,
        };
        let after = read(at, "duration", &raw.duration, stop_after)?;
        let count = read(at, "count", &raw.count, |text| whole(text, 1..=u64::MAX))?;
        if let (Some(duration), Some(count)) = (&raw.duration, count) {
            let other = at.key("duration");
            let problem = format!(
                "{count}; not together with {other} ({duration}): one of them ends the run"
            );
            return Err(at.error("count", problem));
        }
        Ok(Run {
            rate: read(at, "rate", &raw.rate, str::parse)?,
            burst: read(at, "burst", &raw.burst, |text| whole(text, 1..=65_535))?,
            stop: after.or(count.map(Stop::Count)),
            payload: read(at, "payload", &raw.payload, str::parse)?,
            seed: read(at, "seed", &raw.seed, |text| whole(text, 0..=u64::MAX))?,
        })
    }

    /// This, and what `other` says besides.
    pub fn or(self, other: Run) -> Run {
        Run {
            rate: self.rate.or(other.rate),
            burst: self.burst.or(other.burst),
            stop: self.stop.or(other.stop),
            payload: self.payload.or(other.payload),
            seed: self.seed.or(other.seed),
        }
    }
}

/// `forever` is there so that a file can say what only the absence of keys would say otherwise.
fn stop_after(text: &str) -> Result<Stop, Problem> {
    if text.trim().eq_ignore_ascii_case("forever") {
        return Ok(Stop::Never);
    }
    duration::parse(text, 1..=duration::LONGEST).map(Stop::After)
}
