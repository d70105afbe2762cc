//! `tweed-pktgen tx`: sends.

use crate::error::Result;
use crate::report::{self, moment};
use crate::run::interrupt;
use crate::run::plan::TxPlan;
use crate::run::session::{Run, Session};

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &TxPlan) -> Result<()> {
    let interrupt = interrupt::stop_flag();
    let mut session = Session::open(&plan.profile, Some(&plan.side), None)?;
    let asked = super::Asked {
        started: moment::text(std::time::SystemTime::now()),
        profile: Some(&plan.profile),
        pps: super::pps(&plan.profile, &session)?,
        stamp: plan.stamp,
        output: &plan.output,
    };
    let run = Run {
        number: Some(super::number(plan.profile.seed)),
        pps: asked.pps,
        stop: plan.profile.stop,
        stamp: plan.stamp,
        settle_ns: 0,
        idle_ns: None,
        join: false,
        loss: None,
    };
    let mut watch = super::watch(&plan.output, false);
    let outcome = session.run(&run, &interrupt, watch.as_mut())?;
    report::deliver(
        &super::describe("tx", &asked, &session, outcome),
        &plan.output,
    )
}
