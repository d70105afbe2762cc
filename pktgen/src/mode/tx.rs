//! `tweed-pktgen tx`.

use crate::error::Result;
use crate::run::plan::TxPlan;

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &TxPlan) -> Result<()> {
    let _ = plan;
    todo!()
}
