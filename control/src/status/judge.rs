//! What of it is wrong. A problem makes the exit code 1; a note is told and no more.

use contract::stats::{Life, PortState};
use serde::Serialize;

use super::look::{Engine, Programmed, Seen, Unreadable};
use super::report::until;
use super::{OwnState, PeerStatus};
use crate::table::span;

/// Texts of one kind; a cluster of unreachable peers must not drown the rest.
const AT_MOST: usize = 5;

/// What is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether nothing is, as far as one could look.
    pub well: bool,
    /// Whether everything could be looked at.
    pub whole: bool,
    /// What is, the worst first.
    pub problems: Vec<String>,
    /// What is as it was asked for, and may surprise.
    pub notes: Vec<String>,
}

/// Judges what was seen.
pub fn judge(seen: &Seen, now_ns: u64) -> Verdict {
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    lease(&mut problems, seen, now_ns);
    match &seen.engine {
        Ok(engine) => self::engine(&mut problems, &mut notes, engine),
        Err(error) => unreadable(&mut problems, &mut notes, error),
    }
    control(&mut problems, seen);
    match &seen.tables {
        Ok(tables) => self::tables(&mut problems, tables, seen),
        Err(error) => unreadable(&mut problems, &mut notes, error),
    }
    let unreachable = |peer: &&PeerStatus| peer.obstacle.is_some() && !peer.left_out;
    some(
        &mut problems,
        seen.status.peers.iter().filter(unreachable),
        "peers that are not sent to",
        sentence,
    );
    let left_out = |peer: &&PeerStatus| peer.left_out;
    some(
        &mut notes,
        seen.status.peers.iter().filter(left_out),
        "peers that are left out",
        sentence,
    );
    some(
        &mut notes,
        seen.status.skipped.iter(),
        "keys that are not used",
        |skipped| format!("{} is not used: {}", skipped.key, skipped.reason),
    );
    let forbidden = [seen.tables.as_ref().err(), seen.engine.as_ref().err()];
    Verdict {
        well: problems.is_empty(),
        whole: !forbidden.into_iter().flatten().any(|error| error.forbidden),
        problems,
        notes,
    }
}

fn unreadable(problems: &mut Vec<String>, notes: &mut Vec<String>, error: &Unreadable) {
    match error.forbidden {
        true => notes.push(format!("{}; run this as root", error.why)),
        false => problems.push(error.why.clone()),
    }
}

fn lease(problems: &mut Vec<String>, seen: &Seen, now_ns: u64) {
    let own = &seen.status.own;
    let subnet = own
        .subnet
        .map_or_else(|| "its subnet".into(), |net| net.to_string());
    match (own.state, own.expires_ns.map(|end| until(end, now_ns))) {
        (OwnState::Acquiring, _) => problems.push("this node has no lease yet: nothing new is forwarded until it has".into()),
        (OwnState::Lost, _) => problems.push(format!(
            "the lease of {subnet} is lost ({}): nothing is forwarded until another is held",
            own.loss.as_deref().unwrap_or("for a reason unknown")
        )),
        (OwnState::Held, Some(left)) if left <= 0.0 => problems.push(format!(
            "the lease of {subnet} ended {} ago and was not renewed: {subnet} may be another node's by now",
            span(-left)
        )),
        (OwnState::Held, _) => {}
    }
}

fn engine(problems: &mut Vec<String>, notes: &mut Vec<String>, engine: &Engine) {
    let pid = engine.snapshot.pid;
    let silent = span(engine.snapshot.silent_ns as f64 / 1e9);
    match engine.life {
        Life::Running => {}
        Life::Silent => problems.push(format!("the engine is silent for {silent}: process {pid} is stopped or stuck")),
        Life::Gone => problems.push(format!("the engine is gone: process {pid} was last heard of {silent} ago; start tweed-dataplane")),
    }
    if engine.life != Life::Running {
        return;
    }
    if engine.snapshot.ports.is_empty() {
        problems.push("the engine has no port open yet".into());
    }
    for (_, port) in &engine.snapshot.ports {
        match (port.state, port.error.is_empty()) {
            (PortState::Up, true) | (PortState::Absent, _) => {}
            (PortState::Up, false) => notes.push(format!(
                "{} is {}: {}",
                port.name,
                port.mode.name(),
                port.error
            )),
            (PortState::Failed, _) => {
                problems.push(format!("{} is not open: {}", port.name, port.error))
            }
        }
    }
}

fn control(problems: &mut Vec<String>, seen: &Seen) {
    let heard = span(seen.heard.as_secs_f64());
    let goes_on = "traffic goes on with the last tables, and nothing that changes comes through";
    match seen.control {
        Life::Running => {}
        Life::Silent => problems.push(format!(
            "tweed-control has been silent for {heard}: {goes_on}"
        )),
        Life::Gone => problems.push(format!(
            "tweed-control does not run; what is shown is {heard} old: {goes_on}"
        )),
    }
    if let Some(trouble) = &seen.status.trouble {
        problems.push(trouble.clone());
    }
}

fn tables(problems: &mut Vec<String>, tables: &Programmed, seen: &Seen) {
    let published = seen.status.generation;
    if tables.generation != published {
        problems.push(format!(
            "the tables are of generation {}, tweed-control says that it published {published}",
            tables.generation
        ));
    }
    if let Ok(engine) = &seen.engine
        && engine.life == Life::Running
    {
        for (worker, has) in engine
            .generations()
            .filter(|(_, has)| *has != tables.generation)
        {
            problems.push(format!(
                "worker {worker} uses generation {has} of the tables, not {}",
                tables.generation
            ));
        }
    }
    some(
        problems,
        tables.missing.iter(),
        "routes that the tables do not have",
        |subnet| {
            format!(
                "the tables have no route to {subnet}, or another than was compiled; restart tweed-control"
            )
        },
    );
    some(
        problems,
        tables.astray.iter(),
        "peers that the tables have otherwise",
        |peer| format!("the tables do not have {peer} as it was compiled; restart tweed-control"),
    );
    if !tables.surplus.is_empty() {
        problems.push(format!(
            "the tables have routes to {} peers that are in no lease; restart tweed-control",
            tables.surplus.len()
        ));
    }
}

fn sentence(peer: &PeerStatus) -> String {
    let name = peer
        .public_ip
        .map_or_else(|| "a peer".into(), |ip| ip.to_string());
    format!(
        "{name} is not sent to: {}",
        peer.obstacle.as_deref().unwrap_or_default()
    )
}

/// The first few, and how many more.
fn some<T>(
    texts: &mut Vec<String>,
    of: impl Iterator<Item = T> + Clone,
    what: &str,
    text: impl Fn(T) -> String,
) {
    texts.extend(of.clone().take(AT_MOST).map(text));
    if let more @ 1.. = of.count().saturating_sub(AT_MOST) {
        texts.push(format!("and {more} more {what}"));
    }
}

#[cfg(test)]
mod tests;
