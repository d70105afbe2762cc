//! One line a second while a run goes on.

use super::Second;

/// What to say.
pub struct Progress {
    /// Seconds since the start, and in all if that is known.
    pub elapsed: f64,
    /// Whole length, seconds, if known.
    pub total: Option<f64>,
    /// Frames in all, if the run ends by count, and sent so far.
    pub count: Option<(u64, u64)>,
    /// The last second.
    pub last: Second,
    /// Lost so far, if something receives.
    pub lost: Option<u64>,
    /// Errors seen so far: duplicates, reordered, corrupted.
    pub faults: u64,
}

/// The line.
pub fn render(progress: &Progress, coloured: bool) -> String {
    let _ = (progress, coloured);
    todo!()
}
