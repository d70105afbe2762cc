//! The workers' processors. Hints, all but one: a machine may be as it is for good reasons.

use contract::config::{Config, Idle};

use super::super::facts::Facts;
use super::super::finding::{Finding, error, hint, ok, warn};

pub fn workers(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "worker-cpus";
    let online = &facts.cpu.online;
    if online.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut taken = Vec::new();
    for worker in &config.workers {
        let (queue, cpu) = (worker.queue, worker.cpu);
        if !online.contains(&cpu) {
            findings.push(error(
                SUBJECT,
                format!("the worker of queue {queue} wants CPU {cpu}, which is not online"),
                format!("set worker.cpu to one of {} in node.toml", list(online)),
            ));
        } else if taken.contains(&cpu) {
            findings.push(warn(
                SUBJECT,
                format!("two workers share CPU {cpu}: neither is faster than one"),
                format!(
                    "set worker.cpu to another of {} in node.toml, or leave a worker out",
                    list(online)
                ),
            ));
        }
        taken.push(cpu);
    }
    if findings.is_empty() {
        findings.push(ok(
            SUBJECT,
            format!("{} workers on CPU {}", config.workers.len(), list(&taken)),
        ));
    }
    findings
}

/// A worker that never sleeps and a scheduler that gives its processor to others wait for each other.
pub fn isolated(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "isolated-cpus";
    if config.dataplane.idle != Idle::Spin {
        return Vec::new();
    }
    let cpus = config.workers.iter().map(|worker| worker.cpu);
    let shared: Vec<u32> = cpus
        .filter(|cpu| !facts.cpu.isolated.contains(cpu))
        .collect();
    vec![match shared.is_empty() {
        true => ok(SUBJECT, "the workers' CPUs are theirs alone"),
        false => hint(
            SUBJECT,
            format!(
                "workers never sleep (dataplane.idle = \"spin\") on CPU {}, which others use too",
                list(&shared)
            ),
            format!(
                "boot with isolcpus={}, or set dataplane.idle = \"adaptive\"",
                list(&shared)
            ),
        ),
    }]
}

pub fn governor(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "cpu-governor";
    let slow = config.workers.iter().filter_map(|worker| {
        let governor = facts.cpu.governors.get(&worker.cpu)?;
        (governor != "performance").then_some((worker.cpu, governor.as_str()))
    });
    let slow: Vec<_> = slow.collect();
    match slow.first() {
        None if facts.cpu.governors.is_empty() => Vec::new(),
        None => vec![ok(SUBJECT, "performance")],
        Some((cpu, governor)) => vec![hint(
            SUBJECT,
            format!(
                "CPU {cpu} of a worker has the governor {governor}: the first packets after a pause are slow"
            ),
            format!(
                "cpupower -c {} frequency-set -g performance",
                list(&slow.iter().map(|(cpu, _)| *cpu).collect::<Vec<_>>())
            ),
        )],
    }
}

fn list(cpus: &[u32]) -> String {
    let texts: Vec<_> = cpus.iter().map(ToString::to_string).collect();
    texts.join(",")
}
