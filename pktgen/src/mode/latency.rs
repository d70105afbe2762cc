//! `tweed-pktgen latency`: sends and receives in one process, so that every packet is accounted for.

use crate::error::Result;
use crate::report::{self, moment};
use crate::run::interrupt;
use crate::run::plan::LatencyPlan;
use crate::run::session::{Run, Session};

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &LatencyPlan) -> Result<()> {
    let interrupt = interrupt::stop_flag();
    let mut session = Session::open(&plan.profile, Some(&plan.tx), Some(&plan.rx))?;
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
        settle_ns: plan.settle_ns,
        idle_ns: None,
        join: false,
        loss: plan.loss,
    };
    let mut watch = super::watch(&plan.output, true);
    let outcome = session.run(&run, &interrupt, watch.as_mut())?;
    let mut report = super::describe("latency", &asked, &session, outcome);
    let verdict = super::judge(&mut report);
    report::deliver(&report, &plan.output)?;
    verdict
}
