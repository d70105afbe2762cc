//! Whether the two daemons run, and what the engine says of its ports.

use contract::config::Config;
use contract::stats::{Life, PortState};

use super::super::facts::Facts;
use super::super::finding::{Finding, error, hint, ok, warn};

pub fn control(facts: &Facts, _: &Config) -> Vec<Finding> {
    daemon(facts.daemons.control, "control", "tweed-control")
}

pub fn engine(facts: &Facts, _: &Config) -> Vec<Finding> {
    daemon(facts.daemons.engine, "engine", "tweed-dataplane")
}

fn daemon(life: Option<Life>, subject: &'static str, name: &str) -> Vec<Finding> {
    let start = format!("systemctl start {name}");
    vec![match life {
        Some(Life::Running) => ok(subject, format!("{name} runs")),
        Some(Life::Silent) => error(
            subject,
            format!("{name} is silent: it is stopped or stuck"),
            format!("systemctl restart {name}"),
        ),
        Some(Life::Gone) => warn(
            subject,
            format!("{name} ran here and does not any more"),
            start,
        ),
        None => warn(subject, format!("{name} has not run here"), start),
    }]
}

/// The engine's own words hold the remedy.
pub fn ports(facts: &Facts, _: &Config) -> Vec<Finding> {
    if !facts.daemons.engine_runs() {
        return Vec::new();
    }
    let ports = facts.daemons.ports.iter();
    ports
        .filter_map(|port| {
            let (words, remedy) = match port.error.rsplit_once("; ") {
                Some((words, remedy)) => (words, remedy),
                None => (port.error.as_str(), "journalctl -u tweed-dataplane"),
            };
            match (port.state, port.error.is_empty()) {
                (PortState::Absent, _) => None,
                (PortState::Up, true) => Some(ok(
                    "port",
                    format!(
                        "{} is open, {}, {} queues",
                        port.name,
                        port.mode.name(),
                        port.queues
                    ),
                )),
                (PortState::Up, false) => Some(hint(
                    "port",
                    format!("{} is open, {}: {words}", port.name, port.mode.name()),
                    remedy,
                )),
                (PortState::Failed, _) => Some(error(
                    "port",
                    format!("{} is not open: {words}", port.name),
                    remedy,
                )),
            }
        })
        .collect()
}
