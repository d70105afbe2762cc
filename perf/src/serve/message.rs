//! One second as it is sent: to the page as an event, to programs as the object of `tweed-perf stats --json`.
//!
//! Invariant: each text is printed when it is first asked for, and once. A server that nobody looks at prints nothing.

use std::sync::OnceLock;

use axum::body::Bytes;
use serde::Serialize;

use super::health::Health;
use super::point::Point;
use super::view::{State, View};
use crate::stats::{Peer, Report};

/// Peers in an event; `/api/stats` has all. A cluster of thousands would be megabytes a second for each open page.
const PEERS: usize = 50;

/// A view, and what it is printed as.
pub struct Message {
    /// The view.
    pub view: View,
    stats: OnceLock<Bytes>,
    event: OnceLock<String>,
}

impl Message {
    /// Not printed yet.
    pub fn new(view: View) -> Self {
        Message {
            view,
            stats: OnceLock::new(),
            event: OnceLock::new(),
        }
    }

    /// The report as JSON; `None` when there is no engine to report of.
    pub fn stats(&self) -> Option<Bytes> {
        let report = self.view.report.as_ref()?;
        Some(self.stats.get_or_init(|| report.to_json().into()).clone())
    }

    /// What the page gets, one line of JSON.
    pub fn event(&self) -> &str {
        self.event.get_or_init(|| {
            serde_json::to_string(&Event::new(&self.view))
                .expect("numbers and names are always JSON")
        })
    }
}

/// See docs/dashboards.md; the page is its only reader.
#[derive(Serialize)]
struct Event<'a> {
    now_ms: u64,
    version: &'static str,
    state: State,
    down_since_ms: Option<u64>,
    ready: bool,
    health: &'a Health,
    point: Option<&'a Point>,
    report: Option<Cut<'a>>,
}

/// A report with the foremost peers only.
#[derive(Serialize)]
struct Cut<'a> {
    engine: &'a crate::stats::Engine,
    workers: &'a [crate::stats::Worker],
    ports: &'a [crate::stats::Port],
    conservation: &'a crate::stats::Conservation,
    control: Option<&'a crate::stats::Control>,
    /// Peers in all.
    peers_known: usize,
    peers: Vec<&'a Peer>,
}

impl<'a> Event<'a> {
    fn new(view: &'a View) -> Self {
        Event {
            now_ms: view.now_ms,
            version: env!("CARGO_PKG_VERSION"),
            state: view.state,
            down_since_ms: view.down_since_ms,
            ready: view.health.is_ready(),
            health: &view.health,
            point: view.point.as_ref(),
            report: view.report.as_ref().map(Cut::new),
        }
    }
}

impl<'a> Cut<'a> {
    fn new(report: &'a Report) -> Self {
        Cut {
            engine: &report.engine,
            workers: &report.workers,
            ports: &report.ports,
            conservation: &report.conservation,
            control: report.control.as_ref(),
            peers_known: report.peers.len(),
            peers: foremost(&report.peers),
        }
    }
}

/// The peers that a person would look for: the busiest, which are first already, and some that cannot be reached, which
/// would never be among them.
fn foremost(peers: &[Peer]) -> Vec<&Peer> {
    let (blocked, open): (Vec<&Peer>, Vec<&Peer>) =
        peers.iter().partition(|peer| peer.obstacle.is_some());
    let room = PEERS - blocked.len().min(PEERS / 2);
    open.into_iter()
        .take(room)
        .chain(blocked)
        .take(PEERS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_busiest_and_some_that_cannot_be_reached() {
        let peer = |slot: u16| Peer {
            slot: Some(slot),
            subnets: Vec::new(),
            public_ip: None,
            obstacle: (slot >= 100).then(String::new),
            counters: Default::default(),
            per_second: None,
        };
        let peers: Vec<Peer> = (0..200).map(peer).collect();
        let slots: Vec<u16> = foremost(&peers)
            .iter()
            .filter_map(|peer| peer.slot)
            .collect();
        let expected: Vec<u16> = (0..25).chain(100..125).collect();
        assert_eq!(slots, expected);
        assert_eq!(foremost(&peers[..60]).len(), PEERS);
        assert_eq!(foremost(&peers[90..103]).len(), 13);
    }
}
