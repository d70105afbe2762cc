//! `tweed-pktgen latency`: sends and receives in one process, so that every packet is accounted for.

use super::sending::{Sending, send};
use crate::error::Result;
use crate::report;
use crate::run::plan::LatencyPlan;

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &LatencyPlan) -> Result<()> {
    let sending = Sending {
        profile: &plan.profile,
        tx: &plan.tx,
        rx: Some(&plan.rx),
        stamp: plan.stamp,
        settle_ns: plan.settle_ns,
        loss: plan.loss,
        output: &plan.output,
    };
    let mut report = send("latency", &sending)?;
    let verdict = super::judge(&mut report);
    report::deliver(&report, &plan.output)?;
    verdict
}
