//! `tweed-pktgen replay`.

use crate::error::Result;
use crate::run::plan::ReplayPlan;

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &ReplayPlan) -> Result<()> {
    let _ = plan;
    todo!()
}
