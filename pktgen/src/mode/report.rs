//! `tweed-pktgen report`.

use crate::error::Result;
use crate::run::plan::ReportPlan;

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &ReportPlan) -> Result<()> {
    let _ = plan;
    todo!()
}
