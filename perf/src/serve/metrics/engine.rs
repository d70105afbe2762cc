//! Families of the engine as a whole, and of what watches it.

use prometheus_client::registry::Unit;

use super::super::view::{State, View};
use super::family::{Family, Kind, Value};
use crate::stats::seconds;

pub fn families(view: &View) -> Vec<Family> {
    let mut build = Family::new(
        Kind::Info,
        "build",
        None,
        "The version of tweed-perf that answers.",
    );
    build.push([("version", env!("CARGO_PKG_VERSION"))], Value::Nothing);
    let mut up = Family::new(
        Kind::Gauge,
        "engine_up",
        None,
        "1 while the engine's heartbeat is fresh.",
    );
    up.push([], Value::Whole(u64::from(view.state == State::Running)));
    let mut state = Family::new(
        Kind::Gauge,
        "engine_state",
        None,
        "1 for the state the engine is in: running, silent (its process does not beat), gone, absent (never seen).",
    );
    for each in State::ALL {
        state.push(
            [("state", each.name())],
            Value::Whole(u64::from(view.state == *each)),
        );
    }
    let mut start = Family::new(
        Kind::Gauge,
        "engine_start_time",
        Some(Unit::Seconds),
        "Start of the engine since the Unix epoch.",
    );
    let mut heartbeat = Family::new(
        Kind::Gauge,
        "engine_heartbeat_age",
        Some(Unit::Seconds),
        "Since the engine's main thread last beat; it does some twenty times a second.",
    );
    let mut conserved = Family::new(
        Kind::Gauge,
        "engine_conservation_holds",
        None,
        "1 while received = forwarded + dropped at each port, and every chunk is in a pool or a ring.",
    );
    if let (Some(sample), Some(report)) = (&view.sample, &view.report) {
        start.push([], Value::Real(seconds(sample.snapshot.started_ns)));
        heartbeat.push([], Value::Real(seconds(sample.snapshot.silent_ns)));
        conserved.push([], Value::Whole(u64::from(report.conservation.holds)));
    }
    vec![build, up, state, start, heartbeat, conserved]
}
