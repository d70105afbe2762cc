//! `tweed-pktgen ndr`: the throughput of RFC 2544 section 26.1, the highest rate that loses no more than a bound.

use std::sync::atomic::Ordering;

use crate::error::{Failure, Result};
use crate::frame::WIRE_OVERHEAD;
use crate::profile::Stop;
use crate::report::{self, Trial, moment, units};
use crate::run::interrupt;
use crate::run::outcome::Outcome;
use crate::run::plan::{NdrPlan, Stamp};
use crate::run::search::{Search, Wanted, search};
use crate::run::session::{Run, Session};
use crate::run::watch::Silent;

/// A sender that reaches less of the rate asked for has not tried it.
const KEPT: f64 = 0.98;

/// A sender that was held up for so long, nanoseconds, sends what is overdue in a burst that may be what overran a queue. Not the
/// path's doing, so the trial is repeated; shorter bursts any path must bear.
const HELD_UP_NS: u64 = 1_000_000;

/// How often a trial is run at most.
const ATTEMPTS: u32 = 3;

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &NdrPlan) -> Result<()> {
    let interrupt = interrupt::stop_flag();
    let mut session = Session::open(&plan.profile, Some(&plan.tx), Some(&plan.rx))?;
    let asked = super::Asked {
        started: moment::text(std::time::SystemTime::now()),
        profile: Some(&plan.profile),
        pps: super::pps(&plan.profile, &session)?,
        stamp: Stamp::Intended,
        output: &plan.output,
    };
    let quiet = plan.output.quiet || plan.output.json;
    let settings = Search {
        loss: plan.loss,
        resolution: plan.resolution,
        highest: asked.pps,
        confirmations: plan.confirmations,
    };
    let mut last = Outcome::default();
    let mut count = 0;
    let mut attempt = |wanted: Wanted| -> Result<(Trial, bool)> {
        let length = if wanted.confirming {
            plan.confirm_ns
        } else {
            plan.trial_ns
        };
        let run = Run {
            // Each its own: late packets of one trial are strangers to the next.
            number: Some(super::number(plan.profile.seed).wrapping_add(count as u16)),
            pps: wanted.pps,
            stop: Stop::After(length),
            stamp: Stamp::Intended,
            settle_ns: plan.settle_ns,
            idle_ns: None,
            join: false,
            loss: Some(plan.loss),
        };
        last = session.run(&run, &interrupt, &mut Silent)?;
        let trial = judge(plan, wanted.pps, &last);
        count += 1;
        if !quiet && !interrupt.load(Ordering::Relaxed) {
            eprintln!("{}", line(count, wanted.confirming, &trial));
        }
        let held_up = !trial.passed && was_held_up(&last);
        Ok((trial, held_up))
    };
    let mut ndr = search(settings, &interrupt, |wanted| {
        let mut repeated = 0;
        loop {
            let (mut trial, held_up) = attempt(wanted)?;
            if held_up && repeated + 1 < ATTEMPTS && !interrupt.load(Ordering::Relaxed) {
                repeated += 1;
                continue;
            }
            if repeated > 0 && trial.remark.is_none() {
                trial.remark = Some(format!(
                    "attempt {}: before, the sender was held up",
                    repeated + 1
                ));
            }
            return Ok(trial);
        }
    })?;
    let size = super::mean_size(&plan.profile);
    ndr.bits_l2 = ndr.pps.map(|pps| pps * size * 8.0);
    ndr.bits_wire = ndr.pps.map(|pps| pps * (size + WIRE_OVERHEAD as f64) * 8.0);
    let found = ndr.pps.is_some();
    let interrupted = interrupt.load(Ordering::Relaxed);
    let mut report = super::describe("ndr", &asked, &session, last);
    report.passed = (!interrupted).then_some(found);
    report.ndr = Some(ndr);
    if interrupted {
        report.notes.push(
            "interrupted: the search was not finished, its result is no more than a lower bound"
                .into(),
        );
    }
    report::deliver(&report, &plan.output)?;
    if found || interrupted {
        return Ok(());
    }
    Err(Failure::Loss(format!(
        "at every rate tried more than {} was lost",
        units::percent(plan.loss)
    )))
}

/// Whether no more was lost than what left late, at once, after the sender had been held up.
fn was_held_up(outcome: &Outcome) -> bool {
    let (Some(sent), Some(received)) = (&outcome.sent, &outcome.received) else {
        return false;
    };
    let Some(pacing) = &sent.pacing else {
        return false;
    };
    let overdue = pacing.lag.max as f64 / 1e9 * pacing.wanted_pps;
    // Twice, for it may have happened more than once.
    pacing.lag.max > HELD_UP_NS && received.lost > 0 && received.lost as f64 <= 2.0 * overdue
}

/// What a trial says.
fn judge(plan: &NdrPlan, wanted: Option<f64>, outcome: &Outcome) -> Trial {
    let (sent, received) = (outcome.sent.clone(), outcome.received.clone());
    let (sent, received) = (sent.unwrap_or_default(), received.unwrap_or_default());
    // Streams have latencies of their own; the worst of them stands for the trial.
    let p99 = (received.streams.iter())
        .filter_map(|stream| stream.latency.as_ref().map(|latency| latency.p99))
        .max();
    let wanted_pps = wanted.unwrap_or(sent.pps);
    let mut remark = None;
    if sent.pps < KEPT * wanted_pps {
        remark = Some(format!("the sender reached only {}", units::pps(sent.pps)));
    } else if received.overrun > 0 {
        remark = Some(format!(
            "the receiver overran by {} frames",
            received.overrun
        ));
    }
    Trial {
        wanted_pps,
        sent_pps: sent.pps,
        sent: sent.frames,
        received: received.received,
        loss: received.loss,
        passed: received.loss <= plan.loss
            && received.received > 0
            && sent.pps >= KEPT * wanted_pps,
        p99,
        remark,
    }
}

fn line(count: u32, confirming: bool, trial: &Trial) -> String {
    let what = if confirming { "confirm" } else { "trial" };
    let verdict = if trial.passed { "passed" } else { "failed" };
    let remark = trial.remark.as_ref().map(|text| format!("  ({text})"));
    format!(
        "{what} {count:2}  {:>12}  loss {:>10}  {verdict}{}",
        units::pps(trial.wanted_pps),
        units::percent(trial.loss),
        remark.unwrap_or_default()
    )
}
