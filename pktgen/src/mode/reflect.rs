//! `tweed-pktgen reflect`: sends back what is ours, with the addresses swapped.

use crate::account::outcome::{Ending, received, remarks};
use crate::error::Result;
use crate::frame::WIRE_OVERHEAD;
use crate::report::{self, Port, Report, SCHEMA, Sent, machine, moment};
use crate::run::interrupt;
use crate::run::mirror::{Mirror, Reflected};
use crate::run::plan::ReflectPlan;

/// Carries it out.
///
/// # Errors
/// See [`crate::error::Failure`].
pub fn run(plan: &ReflectPlan) -> Result<()> {
    let interrupt = interrupt::stop_flag();
    let started = moment::text(std::time::SystemTime::now());
    let mut mirror = Mirror::open(&plan.side)?;
    let mut watch = super::watch(&plan.output, false);
    let reflected = mirror.run(plan.stop_ns, &interrupt, watch.as_mut())?;
    let report = describe(plan, started, &mut mirror, reflected)?;
    report::deliver(&report, &plan.output)
}

fn describe(
    plan: &ReflectPlan,
    started: String,
    mirror: &mut Mirror,
    reflected: Reflected,
) -> Result<Report> {
    let span = reflected.span_ns.unwrap_or_default();
    let seconds = (span.1 - span.0) as f64 / 1e9;
    let rate = |amount: u64| {
        if seconds > 0.0 {
            amount as f64 / seconds
        } else {
            0.0
        }
    };
    let mut report = Report {
        schema: SCHEMA,
        mode: "reflect".into(),
        tool: super::TOOL.into(),
        started,
        seconds,
        run: reflected.account.run,
        machine: machine::here(),
        clock: mirror.clock.describe(reflected.clock_errors_ns),
        timeline: reflected.timeline,
        ..Report::default()
    };
    report.setup.command = plan.output.command.clone();
    report.setup.ports = (mirror.rx.ports().into_iter())
        .map(|port| Port {
            role: "rx, tx".into(),
            ..port
        })
        .collect();
    report.sent = Some(Sent {
        frames: reflected.frames,
        bytes: reflected.bytes,
        pps: rate(reflected.frames),
        bits_l2: rate(reflected.bytes * 8),
        bits_wire: rate((reflected.bytes + reflected.frames * WIRE_OVERHEAD as u64) * 8),
        ring_full: reflected.full,
        ..Sent::default()
    });
    let ending = Ending {
        seconds,
        missed: mirror.rx.missed()?,
        ..Ending::default()
    };
    report.received = Some(received(&reflected.account, &ending));
    report.notes = remarks(&reflected.account, &ending);
    if reflected.full > 0 {
        report.notes.push(format!(
            "{} frames were not sent back, for the tx ring was full",
            reflected.full
        ));
    }
    Ok(report)
}
