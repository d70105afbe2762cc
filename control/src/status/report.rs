//! What was seen, as a value: what the table shows and `--json` prints, so that the two cannot disagree.

use std::net::Ipv4Addr;

use contract::stats::{Life, PortStatus, monotonic_ns};
use ipnet::Ipv4Net;
use serde::Serialize;

use super::judge::{self, Verdict};
use super::look::{Engine, Seen};
use super::{InForce, PeerStatus, Skipped};

/// Version of the JSON object. Adding a key keeps it; renaming or removing one, or changing its meaning, raises it.
const SCHEMA: u32 = 1;

/// Everything there is to see.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this object: 1.
    pub schema: u32,
    /// What is wrong, and what is merely so.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The daemon.
    pub control: Control,
    /// Our own lease.
    pub lease: Lease,
    /// All pods of the cluster.
    pub network: Option<Ipv4Net>,
    /// Largest pod packet, bytes; 0 before the uplink stands.
    pub mtu: u32,
    /// The device that carries the tunnel.
    pub underlay: String,
    /// What the settings and the network config come to.
    pub config: Option<InForce>,
    /// Where leases come from.
    pub source: Source,
    /// The engine; `null` when its stats cannot be read.
    pub engine: Option<EngineReport>,
    /// Compiled routes beside those in the tables; `null` when the tables cannot be read.
    pub routes: Option<Routes>,
    /// Everyone else, by first subnet.
    pub peers: Vec<Peer>,
    /// Keys of the lease source that are not used.
    pub skipped: Vec<Skipped>,
}

/// The daemon.
#[derive(Debug, Serialize)]
pub struct Control {
    /// `running`, `silent` or `gone`.
    pub state: Life,
    /// Its process.
    pub pid: u32,
    /// Age of what is shown here, seconds since the daemon's last sign of life.
    pub heard_s: f64,
    /// What it says is wrong.
    pub trouble: Option<String>,
}

/// Our own lease.
#[derive(Debug, Serialize)]
pub struct Lease {
    /// `acquiring`, `held` or `lost`.
    pub state: &'static str,
    /// For how long it has been so, as long as the daemon knows, seconds.
    pub for_s: f64,
    /// The subnet that is or was ours.
    pub subnet: Option<Ipv4Net>,
    /// Until it ends unless renewed, seconds; `null`: without end, or not held.
    pub remaining_s: Option<f64>,
    /// The address that others send to.
    pub public_ip: Option<Ipv4Addr>,
    /// The MAC that others write into inner headers.
    pub vtep_mac: String,
    /// How it was lost.
    pub loss: Option<String>,
}

/// Where leases come from.
#[derive(Debug, Serialize)]
pub struct Source {
    /// `etcd` or `file`.
    pub kind: String,
    /// The endpoint that was last asked, or the path.
    pub at: String,
    /// For how long it has answered without a break, seconds; `null` while it does not, and for a file.
    pub connected_s: Option<f64>,
    /// What went wrong last, though it may be over.
    pub last_error: Option<String>,
    /// How long ago that began, seconds.
    pub last_error_s: Option<f64>,
}

/// The engine.
#[derive(Debug, Serialize)]
pub struct EngineReport {
    /// `running`, `silent` or `gone`.
    pub state: Life,
    /// Its process.
    pub pid: u32,
    /// Its ports.
    pub ports: Vec<Port>,
    /// The generation of the tables that each worker has acknowledged, by index.
    pub generations: Vec<u64>,
}

/// A port of the engine.
#[derive(Debug, Serialize)]
pub struct Port {
    /// Its number in the tables.
    pub index: usize,
    /// The device, or what stands for one.
    pub name: String,
    /// `underlay`, `uplink` or `pod`.
    pub side: &'static str,
    /// `up`, `failed` or `closed`.
    pub state: &'static str,
    /// How it is bound.
    pub mode: &'static str,
    /// Queues that are bound.
    pub queues: u32,
    /// Why it failed, or why one that is up is not bound as would be best.
    pub reason: String,
}

/// Compiled routes beside those in the tables.
#[derive(Debug, Serialize)]
pub struct Routes {
    /// Generation that control published last.
    pub published: u64,
    /// Generation of the tables.
    pub generation: u64,
    /// Routes that control compiled.
    pub expected: usize,
    /// Those of them that the tables have.
    pub programmed: usize,
    /// The others.
    pub missing: Vec<Ipv4Net>,
    /// Peers that the tables have otherwise than they were compiled.
    pub astray: Vec<Ipv4Addr>,
    /// Adjacencies with a route that control did not compile.
    pub surplus: Vec<u16>,
}

/// A peer.
#[derive(Debug, Serialize)]
pub struct Peer {
    /// `up`, `unreachable`, or `left out`.
    pub state: &'static str,
    /// For how long nothing about it has changed, seconds.
    pub for_s: f64,
    /// The rest.
    #[serde(flatten)]
    pub status: PeerStatus,
}

impl Report {
    /// Of what was seen.
    pub fn new(seen: Seen) -> Self {
        Report::at(seen, monotonic_ns())
    }

    pub(super) fn at(seen: Seen, now_ns: u64) -> Self {
        let ago = |ns: u64| now_ns.saturating_sub(ns) as f64 / 1e9;
        let verdict = judge::judge(&seen, now_ns);
        let Seen {
            control,
            heard,
            status,
            tables,
            engine,
        } = seen;
        Report {
            schema: SCHEMA,
            verdict,
            control: Control {
                state: control,
                pid: status.pid,
                heard_s: heard.as_secs_f64(),
                trouble: status.trouble,
            },
            lease: Lease {
                state: status.own.state.name(),
                for_s: ago(status.own.since_ns),
                subnet: status.own.subnet,
                remaining_s: status.own.expires_ns.map(|end| until(end, now_ns)),
                public_ip: status.own.public_ip,
                vtep_mac: status.own.vtep_mac,
                loss: status.own.loss,
            },
            network: status.network,
            mtu: status.mtu,
            underlay: status.underlay,
            config: status.config,
            source: Source {
                kind: status.source.kind,
                at: status.source.at,
                connected_s: status.source.connected_ns.map(ago),
                last_error: status.source.last_error,
                last_error_s: status.source.last_error_ns.map(ago),
            },
            engine: engine.ok().map(engine_report),
            routes: tables.ok().map(|tables| Routes {
                published: status.generation,
                generation: tables.generation,
                expected: tables.expected,
                programmed: tables.expected - tables.missing.len(),
                missing: tables.missing,
                astray: tables.astray,
                surplus: tables.surplus,
            }),
            peers: status
                .peers
                .into_iter()
                .map(|peer| Peer {
                    state: peer_state(&peer),
                    for_s: ago(peer.since_ns),
                    status: peer,
                })
                .collect(),
            skipped: status.skipped,
        }
    }
}

/// Seconds to a point in time; negative when it is over.
pub(super) fn until(end_ns: u64, now_ns: u64) -> f64 {
    (end_ns as f64 - now_ns as f64) / 1e9
}

/// `up`, `unreachable`, or `left out`.
fn peer_state(peer: &PeerStatus) -> &'static str {
    match (&peer.obstacle, peer.left_out) {
        (None, _) => "up",
        (Some(_), true) => "left out",
        (Some(_), false) => "unreachable",
    }
}

fn engine_report(engine: Engine) -> EngineReport {
    let port = |(index, status): &(usize, PortStatus)| Port {
        index: *index,
        name: status.name.clone(),
        side: status.kind.map_or("", |kind| kind.name()),
        state: status.state.name(),
        mode: status.mode.name(),
        queues: status.queues,
        reason: status.error.clone(),
    };
    EngineReport {
        state: engine.life,
        pid: engine.snapshot.pid,
        ports: engine.snapshot.ports.iter().map(port).collect(),
        generations: engine.generations().map(|(_, g)| g).collect(),
    }
}
