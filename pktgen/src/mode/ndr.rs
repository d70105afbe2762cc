//! `tweed-pktgen ndr`.

use crate::error::Result;
use crate::run::plan::NdrPlan;

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &NdrPlan) -> Result<()> {
    let _ = plan;
    todo!()
}
