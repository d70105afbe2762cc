//! What `tx` and `latency` have in common: a profile that is sent once.

use super::{Asked, describe, number, pps, watch};
use crate::error::Result;
use crate::profile::Profile;
use crate::report::{Report, moment};
use crate::run::interrupt;
use crate::run::plan::{Output, RxSide, Stamp, TxSide};
use crate::run::session::{Run, Session};

/// What is sent, and who receives it.
pub(super) struct Sending<'a> {
    pub profile: &'a Profile,
    pub tx: &'a TxSide,
    pub rx: Option<&'a RxSide>,
    pub stamp: Stamp,
    /// How long to wait for what is under way at the end, nanoseconds.
    pub settle_ns: u64,
    /// Highest acceptable loss, a fraction.
    pub loss: Option<f64>,
    pub output: &'a Output,
}

/// Sends it; a report of what came of it.
pub(super) fn send(mode: &str, sending: &Sending) -> Result<Report> {
    let profile = sending.profile;
    let interrupt = interrupt::stop_flag();
    let mut session = Session::open(profile, Some(sending.tx), sending.rx)?;
    let asked = Asked {
        started: moment::text(std::time::SystemTime::now()),
        profile: Some(profile),
        pps: pps(profile, &session)?,
        stamp: sending.stamp,
        output: sending.output,
    };
    let run = Run {
        number: Some(number(profile.seed)),
        pps: asked.pps,
        stop: profile.stop,
        stamp: sending.stamp,
        settle_ns: sending.settle_ns,
        idle_ns: None,
        join: false,
        loss: sending.loss,
    };
    let mut watch = watch(sending.output, sending.rx.is_some());
    let outcome = session.run(&run, &interrupt, watch.as_mut())?;
    Ok(describe(mode, &asked, &session, outcome))
}
