//! `tweed-pktgen rx`.

use crate::error::Result;
use crate::run::plan::RxPlan;

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &RxPlan) -> Result<()> {
    let _ = plan;
    todo!()
}
