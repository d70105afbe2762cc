//! What is wrong, in words, and how bad it is.
//!
//! - *dead*: `/healthz` is 503. The engine does not beat; whoever restarts things should.
//! - *unready*: `/readyz` is 503. The engine cannot carry what control wants: a port down, a worker stuck or behind,
//!   no lease.
//! - *warnings*: told, and no more. Traffic flows, and something wants a look.

use std::time::Duration;

use contract::stats::{PortState, WorkerCounter};
use serde::Serialize;

use super::view::{State, View};
use crate::stats::{ControlStatus, Report, Sample, span};

/// A worker finds a new generation at its next turn, one that sleeps within 100 ms; what is written and read once a
/// second needs a second more.
const TAKE_UP: Duration = Duration::from_secs(2);
/// Texts of one kind; a cluster of unreachable peers must not drown the rest.
const AT_MOST: usize = 10;

/// What is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Why the engine counts as dead.
    pub dead: Vec<String>,
    /// Why it is not ready, though it lives.
    pub unready: Vec<String>,
    /// The rest.
    pub warnings: Vec<String>,
}

impl Health {
    /// Whether the engine lives.
    pub fn is_live(&self) -> bool {
        self.dead.is_empty()
    }

    /// Whether it carries all that control wants.
    pub fn is_ready(&self) -> bool {
        self.dead.is_empty() && self.unready.is_empty()
    }

    /// Of a view whose health is not known yet.
    pub fn judge(view: &View) -> Self {
        let mut health = Health::default();
        health.dead.extend(death(view));
        let (Some(sample), Some(report)) = (&view.sample, &view.report) else {
            return health;
        };
        if health.is_live() {
            workers(&mut health.unready, view, sample, report);
            ports(&mut health.unready, sample);
            if !report.conservation.holds {
                let text = "received = forwarded + dropped does not hold, or chunks are missing: please report this";
                health.warnings.push(text.to_owned());
            }
        }
        match &view.control {
            Some(status) => control(&mut health, status),
            None => health
                .warnings
                .push("tweed-control has left no control.json here: is it running?".to_owned()),
        }
        health
    }
}

fn death(view: &View) -> Option<String> {
    let engine = view.report.as_ref().map(|report| &report.engine);
    let (pid, silent) = engine.map_or((0, 0.0), |engine| (engine.pid, engine.silent_s));
    let silent = span(silent);
    match view.state {
        State::Running => None,
        State::Silent => Some(format!(
            "the engine is silent for {silent}: process {pid} is stopped or stuck"
        )),
        State::Gone => Some(format!(
            "the engine is gone: process {pid} was last heard of {silent} ago"
        )),
        State::Absent => Some(view.absence.clone().unwrap_or_default()),
    }
}

fn workers(unready: &mut Vec<String>, view: &View, sample: &Sample, report: &Report) {
    if sample.snapshot.workers.is_empty() {
        unready.push("the engine has no worker yet".to_owned());
    }
    for worker in report.workers.iter().filter(|worker| worker.is_silent()) {
        let silent = span(worker.silent_s);
        unready.push(format!(
            "worker {} has been silent for {silent}: it is stuck, or its CPU is taken",
            worker.index
        ));
    }
    let wanted = view.control.as_ref().map(|control| control.generation);
    for worker in &report.workers {
        let has = worker.counters.count(WorkerCounter::Generation);
        match wanted {
            _ if has == 0 => unready.push(format!(
                "worker {} has no tables yet: is tweed-control running?",
                worker.index
            )),
            Some(wanted) if wanted != has && view.generation_age >= TAKE_UP => {
                unready.push(format!(
                    "worker {} uses generation {has} of the tables, control published {wanted}",
                    worker.index
                ))
            }
            _ => {}
        }
    }
}

fn ports(unready: &mut Vec<String>, sample: &Sample) {
    let ports = &sample.snapshot.ports;
    if ports.is_empty() {
        unready.push("the tables name no port yet: is tweed-control running?".to_owned());
    }
    for (index, status) in ports
        .iter()
        .filter(|(_, status)| status.state != PortState::Up)
    {
        unready.push(format!(
            "port {index} ({}) is down: {}",
            status.name, status.error
        ));
    }
}

fn control(health: &mut Health, status: &ControlStatus) {
    // Also when control is gone: a fence that it left stands.
    if !status.own.is_held() {
        health.unready.push(format!(
            "this node holds no lease ({}): nothing is forwarded",
            status.lease()
        ));
    }
    if !status.is_alive() {
        let silent = span(status.silent.as_secs_f64());
        health.warnings.push(format!(
            "tweed-control has been silent for {silent}: traffic goes on, but nothing that changes comes through"
        ));
    }
    health.warnings.extend(
        status
            .trouble
            .iter()
            .map(|trouble| format!("tweed-control: {trouble}")),
    );
    for peer in status.unreachable().take(AT_MOST) {
        let name = peer
            .public_ip
            .as_deref()
            .unwrap_or("a peer without an address");
        let obstacle = peer.obstacle.as_deref().unwrap_or_default();
        health
            .warnings
            .push(format!("{name} is not sent to: {obstacle}"));
    }
    if let more @ 1.. = status.unreachable().count().saturating_sub(AT_MOST) {
        health
            .warnings
            .push(format!("and {more} other peers are not sent to"));
    }
    for skipped in status.skipped.iter().take(AT_MOST) {
        health
            .warnings
            .push(format!("{} is not used: {}", skipped.key, skipped.reason));
    }
}

#[cfg(test)]
mod tests;
