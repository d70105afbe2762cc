//! RFC 2544 throughput: a binary search over trials.

use crate::error::Result;
use crate::report::{Ndr, Trial};

/// What to search for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Highest acceptable loss of a trial, as a fraction.
    pub loss: f64,
    /// The search ends when passed and failed rates are this close, as a fraction of the passed one.
    pub resolution: f64,
    /// Highest rate to try, frames a second; `None`: a first trial at maximum tells.
    pub highest: Option<f64>,
    /// How many confirming trials must pass at the rate reported.
    pub confirmations: u32,
}

/// A trial to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    /// Frames a second; `None`: as fast as it goes.
    pub pps: Option<f64>,
    /// Whether it confirms a rate (and takes longer), rather than searching.
    pub confirming: bool,
}

/// Searches; `trial` runs one. `Trial::passed` is what `trial` says of it.
///
/// # Errors
/// The first that `trial` returns.
pub fn search(search: Search, trial: impl FnMut(Wanted) -> Result<Trial>) -> Result<Ndr> {
    let _ = (search, trial);
    todo!()
}
