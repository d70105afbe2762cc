//! `tweed-pktgen latency`.

use crate::error::Result;
use crate::run::plan::LatencyPlan;

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &LatencyPlan) -> Result<()> {
    let _ = plan;
    todo!()
}
