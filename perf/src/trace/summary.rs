//! What a trace has seen, and what it cannot have seen.

use contract::stats::TRACE_BURSTS;

use super::json;
use super::source::Missed;

/// The end of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records that were read.
    pub seen: u64,
    /// Those of them that were shown.
    pub matched: u64,
    /// Those that were not read.
    pub missed: Missed,
}

impl Summary {
    /// For people.
    pub fn text(&self) -> String {
        let Missed {
            overwritten,
            skipped,
        } = self.missed;
        format!(
            "{} recorded frames seen, {} matched, {overwritten} missed (overwritten before they were read); {skipped} dropped \
             frames were over the engine's budget and not recorded.\n\
             Forwarded frames are a sample: at peak one frame of 1 in {TRACE_BURSTS} bursts, on a quiet engine one of each burst.",
            self.seen, self.matched
        )
    }

    /// For programs.
    pub fn json(&self) -> String {
        json::event(
            "summary",
            [
                ("seen", self.seen.into()),
                ("matched", self.matched.into()),
                ("missed", self.missed.overwritten.into()),
                ("drops_not_recorded", self.missed.skipped.into()),
                ("forwarded_sampled_one_in_bursts", TRACE_BURSTS.into()),
            ],
        )
    }
}
