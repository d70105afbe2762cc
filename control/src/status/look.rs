//! What there is to read on this node: the file, the tables and the stats. Each may be missing by itself.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::stats::{Life, Snapshot, StatsError, StatsReader, WorkerCounter};
use contract::tables::{Adjacency, Fib, SegmentError, TablesReader, has_writer};
use ipnet::Ipv4Net;
use thiserror::Error;

use super::{FILE, OwnState, Status};
use crate::slots::OWN;

/// A pass touches the file at least every ten seconds: two of them missed, and some patience. As `tweed-perf` has it.
const SILENT_AFTER: Duration = Duration::from_secs(25);
/// Control writes the file a moment after the tables, and a worker that sleeps wakes for them within 100 ms.
const AGAIN_AFTER: Duration = Duration::from_millis(300);

/// Why there is nothing to show.
#[derive(Debug, Error)]
pub enum LookError {
    /// No file.
    #[error(
        "cannot read {path}: {source}; has tweed-control run here, and does node.run_dir name its directory?"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not ours.
    #[error(
        "{path} is not what tweed-control writes: {source}; start tweed-control, which replaces it"
    )]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// Everything read at about one moment.
#[derive(Debug)]
pub struct Seen {
    /// Whether a control stands behind the file.
    pub control: Life,
    /// Since its last sign of life.
    pub heard: Duration,
    /// The file.
    pub status: Status,
    /// The tables, or why they cannot be read.
    pub tables: Result<Programmed, Unreadable>,
    /// The stats, or why they cannot be read.
    pub engine: Result<Engine, Unreadable>,
}

/// Why one of the segments cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// In words.
    pub why: String,
    /// Because whoever looks may not: nothing is wrong with it.
    pub forbidden: bool,
}

impl From<SegmentError> for Unreadable {
    fn from(error: SegmentError) -> Self {
        let forbidden = matches!(&error, SegmentError::Open { source, .. } if is_forbidden(source));
        Unreadable {
            why: error.to_string(),
            forbidden,
        }
    }
}

impl From<StatsError> for Unreadable {
    fn from(error: StatsError) -> Self {
        let forbidden = matches!(&error, StatsError::Open { source, .. } if is_forbidden(source));
        Unreadable {
            why: error.to_string(),
            forbidden,
        }
    }
}

fn is_forbidden(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// The tables beside what control says that it compiled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programmed {
    /// Their generation.
    pub generation: u64,
    /// Routes that the file asks for.
    pub expected: usize,
    /// Those of them that the tables do not have, or lead elsewhere.
    pub missing: Vec<Ipv4Net>,
    /// Peers that packets should flow to and that the tables cannot send to, or the other way round.
    pub astray: Vec<Ipv4Addr>,
    /// Adjacencies with a route that the file does not know.
    pub surplus: Vec<u16>,
}

/// The engine.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Whether it lives.
    pub life: Life,
    /// Its counters and ports.
    pub snapshot: Snapshot,
}

impl Engine {
    /// The generation that each worker has acknowledged.
    pub fn generations(&self) -> impl Iterator<Item = (usize, u64)> {
        let workers = self.snapshot.workers.iter();
        workers.map(|w| (w.index, w.counters.count(WorkerCounter::Generation)))
    }
}

/// Looks, and once more a moment later if what was read is of two moments.
pub fn look(run_dir: &Path) -> Result<Seen, LookError> {
    let seen = look_once(run_dir)?;
    if seen.agrees() {
        return Ok(seen);
    }
    std::thread::sleep(AGAIN_AFTER);
    look_once(run_dir)
}

fn look_once(run_dir: &Path) -> Result<Seen, LookError> {
    let (status, heard) = read(&run_dir.join(FILE))?;
    let tables = run_dir.join("tables");
    let control = match has_writer(&tables) {
        Ok(false) => Life::Gone,
        // Who may not look at the lock goes by the file's age.
        Ok(true) | Err(_) if heard < SILENT_AFTER => Life::Running,
        Ok(true) | Err(_) => Life::Silent,
    };
    let tables = TablesReader::open(&tables)
        .map_err(Unreadable::from)
        .and_then(|mut reader| reader.read(|fib| compare(fib, &status)));
    let engine = StatsReader::open(&run_dir.join("stats"))
        .map_err(Unreadable::from)
        .map(|reader| {
            let snapshot = reader.snapshot();
            Engine {
                life: Life::of(&snapshot),
                snapshot,
            }
        });
    Ok(Seen {
        control,
        heard,
        status,
        tables,
        engine,
    })
}

fn read(path: &Path) -> Result<(Status, Duration), LookError> {
    let failed = |source| LookError::Read {
        path: path.to_owned(),
        source,
    };
    let text = std::fs::read(path).map_err(failed)?;
    let status = serde_json::from_slice(&text).map_err(|source| LookError::Parse {
        path: path.to_owned(),
        source,
    })?;
    let touched = std::fs::metadata(path).and_then(|meta| meta.modified());
    // A clock that was set back makes it fresh.
    let heard = touched.map_err(failed)?.elapsed().unwrap_or_default();
    Ok((status, heard))
}

impl Seen {
    /// Whether file, tables and workers are of one generation.
    fn agrees(&self) -> bool {
        let Ok(tables) = &self.tables else {
            return true;
        };
        let workers = match &self.engine {
            Ok(engine) if engine.life == Life::Running => engine
                .generations()
                .all(|(_, generation)| generation == tables.generation),
            _ => true,
        };
        workers && tables.generation == self.status.generation
    }
}

/// Routes that were compiled, by adjacency.
fn expected(status: &Status) -> Vec<(Ipv4Net, u16)> {
    let mut routes = Vec::new();
    if status.own.state == OwnState::Held && status.generation > 0 {
        routes.extend(status.own.subnet.map(|subnet| (subnet, OWN)));
    }
    for peer in &status.peers {
        let Some(slot) = peer.slot else { continue };
        routes.extend(peer.subnets.iter().map(|subnet| (*subnet, slot)));
    }
    routes
}

fn compare(fib: &Fib, status: &Status) -> Result<Programmed, Unreadable> {
    let expected = expected(status);
    let leads = |address: Ipv4Addr, slot| fib.lookup4(address.octets()) == slot;
    // Leases do not overlap, so both ends of a subnet tell the whole.
    let stands = |(subnet, slot): &&(Ipv4Net, u16)| {
        leads(subnet.network(), *slot) && leads(subnet.broadcast(), *slot)
    };
    let sends = |slot| {
        !matches!(
            fib.adjacency(slot),
            Adjacency::Empty | Adjacency::Unresolved { .. }
        )
    };
    let peers = status.peers.iter();
    let astray = peers.filter_map(|peer| {
        let wrong = sends(peer.slot?) != peer.obstacle.is_none();
        wrong.then_some(peer.public_ip?)
    });
    let known: HashSet<u16> = expected.iter().map(|(_, slot)| *slot).collect();
    let tables = fib.tables().map_err(|error| Unreadable {
        why: error.to_string(),
        forbidden: false,
    })?;
    let ours = tables
        .routes
        .iter()
        .filter(|r| matches!(r.prefix, IpAddr::V4(_)));
    let mut surplus: Vec<u16> = ours
        .map(|route| route.adjacency)
        .filter(|slot| !known.contains(slot))
        .collect();
    surplus.sort_unstable();
    surplus.dedup();
    Ok(Programmed {
        generation: fib.generation(),
        expected: expected.len(),
        missing: expected
            .iter()
            .filter(|route| !stands(route))
            .map(|(subnet, _)| *subnet)
            .collect(),
        astray: astray.collect(),
        surplus,
    })
}

#[cfg(test)]
mod tests;
