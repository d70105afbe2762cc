//! `tweed-pktgen reflect`.

use crate::error::Result;
use crate::run::plan::ReflectPlan;

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &ReflectPlan) -> Result<()> {
    let _ = plan;
    todo!()
}
