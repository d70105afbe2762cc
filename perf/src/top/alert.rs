//! What is wrong now, one line each, the worst first. These lines are there only while something is.

use super::view::{View, port_name};
use super::watch::Pulse;
use crate::stats::{Life, span};

/// What is said of an engine that does not run; `None` of one that does.
pub fn down(pulse: &Pulse) -> Option<String> {
    let pid = pulse.pid;
    let what = match pulse.life {
        Life::Running => return None,
        Life::Silent => format!("process {pid} exists, but is stopped or stuck"),
        Life::Gone => format!("process {pid} is gone"),
    };
    let since = super::text::clock(pulse.last_beat_ns());
    let silent = span(pulse.silent_ns as f64 / 1e9);
    Some(format!("down since {since} ({silent}): {what}"))
}

/// Everything else.
pub fn alerts(view: &View) -> Vec<String> {
    let mut alerts = Vec::new();
    if !view.report.conservation.holds {
        alerts.push("received = forwarded + dropped does NOT hold, or chunks are missing: please report this".into());
    }
    for worker in view.workers.iter().filter(|worker| worker.silent) {
        let index = worker.index;
        alerts.push(format!(
            "worker {index} is silent: it is stuck, or its CPU is taken"
        ));
    }
    let failed = view
        .report
        .ports
        .iter()
        .filter(|port| !port.error.is_empty());
    for port in failed {
        alerts.push(format!(
            "{}: {}",
            port_name(&port.name, port.index),
            port.error
        ));
    }
    if let Some(control) = &view.report.control {
        if !control.alive {
            let silent = span(control.silent_s);
            alerts.push(format!(
                "control was last heard of {silent} ago: start tweed-control"
            ));
        }
        alerts.extend(control.trouble.clone());
        if let Some(first) = control.skipped.first() {
            alerts.push(match control.skipped.len() {
                1 => format!("{} is not used: {}", first.key, first.reason),
                n => format!("{n} keys are not used: {}: {}", first.key, first.reason),
            });
        }
    }
    let mut unreachable = view
        .report
        .peers
        .iter()
        .filter(|peer| peer.obstacle.is_some());
    if let Some(first) = unreachable.next() {
        let name = first.subnets.first().or(first.public_ip.as_ref());
        let name = name.map_or("a peer", String::as_str);
        let obstacle = first.obstacle.as_deref().unwrap_or_default();
        alerts.push(match unreachable.count() {
            0 => format!("{name} is not sent to: {obstacle}"),
            more => format!("{name} and {more} more are not sent to: {obstacle}"),
        });
    }
    alerts
}
