//! Plots of saved runs.

use super::Report;
use crate::error::Result;

/// An SVG: rates over time, latency percentiles, and for `ndr` the search.
pub fn svg(reports: &[Report]) -> Result<String> {
    let _ = reports;
    todo!()
}
