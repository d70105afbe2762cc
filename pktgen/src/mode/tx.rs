//! `tweed-pktgen tx`: sends.

use super::sending::{Sending, send};
use crate::error::Result;
use crate::report;
use crate::run::plan::TxPlan;

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &TxPlan) -> Result<()> {
    let sending = Sending {
        profile: &plan.profile,
        tx: &plan.side,
        rx: None,
        stamp: plan.stamp,
        settle_ns: 0,
        loss: None,
        output: &plan.output,
    };
    report::deliver(&send("tx", &sending)?, &plan.output)
}
