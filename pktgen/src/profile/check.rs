//! What was written becomes a [`Profile`]: from here on every value is valid.

use std::collections::HashMap;

use super::problem::{At, ProfileError};
use super::raw::Raw;
use super::run::{Defaults, Run};
use super::stream::stream;
use super::{Payload, Profile};
use crate::frame::signature::Lane;

impl Raw {
    /// The profile, where `flags` go before the file's own keys of the run, and `defaults` stand for what neither says.
    ///
    /// # Errors
    /// The first value that is wrong or missing.
    pub fn profile(&self, flags: Run, defaults: Defaults) -> Result<Profile, ProfileError> {
        let run = flags.or(Run::read(self)?);
        let at = |stream| At {
            origin: self.origin,
            stream,
        };
        if !(1..=Lane::MAX).contains(&self.stream.len()) {
            let problem = format!(
                "{}; 1 to {} tables [[stream]]",
                self.stream.len(),
                Lane::MAX
            );
            return Err(at(None).error("stream", problem));
        }
        let mut streams = Vec::new();
        let mut names = HashMap::new();
        for (index, raw) in self.stream.iter().enumerate() {
            let stream = stream(at(Some(index)), index, raw)?;
            // Reports tell streams by their names.
            if let Some(other) = names.insert(stream.name.clone(), index) {
                let problem = format!(
                    "{:?}; another one than that of stream[{other}]",
                    stream.name
                );
                return Err(at(Some(index)).error("name", problem));
            }
            streams.push(stream);
        }
        Ok(Profile {
            streams,
            payload: run.payload.unwrap_or(Payload::Increment),
            rate: run.rate.unwrap_or(defaults.rate),
            burst: run.burst.unwrap_or(1),
            stop: run.stop.unwrap_or(defaults.stop),
            seed: run.seed.unwrap_or(defaults.seed),
        })
    }
}
