//! `tweed-pktgen rx`: receives and counts.

use crate::error::Result;
use crate::profile::{Payload, Profile, Rate, Stop};
use crate::report::{self, moment};
use crate::run::interrupt;
use crate::run::plan::{RxPlan, Stamp};
use crate::run::session::{Run, Session};

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &RxPlan) -> Result<()> {
    let interrupt = interrupt::stop_flag();
    // A receiver knows of no profile: streams have numbers only.
    let nothing = Profile {
        streams: Vec::new(),
        payload: Payload::Zeros,
        rate: Rate::Max,
        burst: 1,
        stop: Stop::Never,
        seed: 0,
    };
    let mut session = Session::open(&nothing, None, Some(&plan.side))?;
    let asked = super::Asked {
        started: moment::text(std::time::SystemTime::now()),
        profile: None,
        pps: None,
        stamp: Stamp::Departure,
        output: &plan.output,
    };
    let run = Run {
        number: plan.run,
        pps: None,
        stop: plan.stop_ns.map_or(Stop::Never, Stop::After),
        stamp: Stamp::Departure,
        settle_ns: 0,
        idle_ns: plan.idle_ns,
        join: plan.join,
        loss: plan.loss,
    };
    let mut watch = super::watch(&plan.output, false);
    let outcome = session.run(&run, &interrupt, watch.as_mut())?;
    let mut report = super::describe("rx", &asked, &session, outcome);
    if report
        .received
        .as_ref()
        .is_some_and(|received| received.lost > 0)
        && !plan.join
    {
        report.notes.push(
            "lost is up to the highest sequence seen: packets lost after that are not known here (join the sender's report: \
             tweed-pktgen report TX.json RX.json); if the sender started first, use --join"
                .into(),
        );
    }
    let verdict = super::judge(&mut report);
    report::deliver(&report, &plan.output)?;
    verdict
}
