//! The side of those who look: `tweed-perf`, tests, anyone allowed to read the file.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::clock::monotonic_ns;
use super::counters::{PeerCounters, PortCounter, PortCounters, WorkerCounter, WorkerCounters};
use super::drop::DROP_SLOTS;
use super::layout::{MAX_WORKERS, WorkerBlock};
use super::port::{PortState, PortStatus};
use super::residence::Residence;
use super::segment::{Mapping, StatsError};
use super::trace::{TraceCursor, TraceRecord};
use crate::tables::MAX_ADJACENCIES;

/// A stats file, mapped read-only.
pub struct StatsReader {
    mapping: Mapping,
    path: PathBuf,
    inode: u64,
}

/// The whole segment at about one moment; each worker's and each port's counters are of exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// CLOCK_MONOTONIC when it was taken, nanoseconds.
    pub taken_ns: u64,
    /// The engine's process.
    pub pid: u32,
    /// CLOCK_REALTIME of its start, nanoseconds.
    pub started_ns: u64,
    /// Age of the main thread's last heartbeat, nanoseconds. It beats some twenty times a second.
    pub silent_ns: u64,
    /// TSC cycles per second.
    pub tsc_hz: u64,
    /// Ports that the tables name or named, by index.
    pub ports: Vec<(usize, PortStatus)>,
    /// Workers by index. A worker that died while it committed is missing.
    pub workers: Vec<WorkerSnapshot>,
}

/// One worker's counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSnapshot {
    /// Its index.
    pub index: usize,
    /// Its own counters.
    pub counters: WorkerCounters,
    /// Counters by port index; ports that never counted are left out.
    pub ports: Vec<(usize, PortCounters)>,
    /// How long its sampled bursts were held.
    pub residence: Residence,
}

impl StatsReader {
    /// Opens a segment; refuses another version's.
    pub fn open(path: &Path) -> Result<Self, StatsError> {
        let open = || -> std::io::Result<_> {
            let file = File::open(path)?;
            Ok((Mapping::new(&file, false)?, file.metadata()?.ino()))
        };
        let (mapping, inode) = open().map_err(|source| StatsError::Open {
            path: path.into(),
            source,
        })?;
        mapping.check(path)?;
        Ok(StatsReader {
            mapping,
            path: path.into(),
            inode,
        })
    }

    /// Whether the name now means another file: the engine was restarted, open it again.
    pub fn is_replaced(&self) -> bool {
        std::fs::metadata(&self.path).map_or(true, |now| now.ino() != self.inode)
    }

    /// Everything but the peers.
    pub fn snapshot(&self) -> Snapshot {
        let segment = self.mapping.segment();
        let header = &segment.header;
        let load = |word: &std::sync::atomic::AtomicU64| word.load(Ordering::Relaxed);
        let tsc_hz = load(&header.tsc_hz);
        let taken_ns = monotonic_ns();
        let status = |(index, block): (usize, &super::layout::SeqBlock<_>)| {
            let status = PortStatus::from_words(&block.read()?);
            (status.state != PortState::Absent).then_some((index, status))
        };
        Snapshot {
            taken_ns,
            pid: load(&header.pid) as u32,
            started_ns: load(&header.started_ns),
            silent_ns: taken_ns.saturating_sub(load(&header.heartbeat_ns)),
            tsc_hz,
            ports: segment
                .ports
                .iter()
                .enumerate()
                .filter_map(status)
                .collect(),
            workers: self
                .live_workers()
                .filter_map(|(index, block)| worker(index, block, tsc_hz))
                .collect(),
        }
    }

    /// Counters of one peer, all workers together. An index that no table can name has none.
    pub fn peer(&self, adjacency: u16) -> PeerCounters {
        debug_assert!(usize::from(adjacency) < MAX_ADJACENCIES);
        let mut sum = PeerCounters::default();
        for (_, worker) in self.live_workers() {
            let [tx_packets, tx_bytes, rx_packets, rx_bytes] = worker.peers[usize::from(adjacency)]
                .each_ref()
                .map(|word| word.load(Ordering::Relaxed));
            // The file's word, not the engine's: mangled numbers have a sum as well.
            sum.tx_packets = sum.tx_packets.wrapping_add(tx_packets);
            sum.tx_bytes = sum.tx_bytes.wrapping_add(tx_bytes);
            sum.rx_packets = sum.rx_packets.wrapping_add(rx_packets);
            sum.rx_bytes = sum.rx_bytes.wrapping_add(rx_bytes);
        }
        sum
    }

    /// A place in the trace of each worker, by index: before what comes next, or before the oldest record that is there.
    pub fn trace_cursors(&self, oldest: bool) -> Vec<TraceCursor> {
        self.live_workers()
            .map(|(_, worker)| worker.trace.cursor(oldest))
            .collect()
    }

    /// Hands over what a worker recorded since the last time, in order; gives the number of records that were overwritten
    /// before they were read. A worker that there is not has recorded nothing.
    pub fn trace(
        &self,
        worker: usize,
        cursor: &mut TraceCursor,
        each: impl FnMut(TraceRecord),
    ) -> u64 {
        let block = self.live_workers().nth(worker);
        block.map_or(0, |(_, block)| block.trace.follow(cursor, each))
    }

    fn live_workers(&self) -> impl Iterator<Item = (usize, &WorkerBlock)> {
        let segment = self.mapping.segment();
        let count = segment
            .header
            .workers
            .load(Ordering::Relaxed)
            .min(MAX_WORKERS as u64) as usize;
        segment.workers.iter().take(count).enumerate()
    }
}

impl Snapshot {
    /// Residence times, all workers together.
    pub fn residence(&self) -> Residence {
        let mut sum = Residence::new(self.tsc_hz);
        self.workers
            .iter()
            .for_each(|worker| sum.merge(&worker.residence));
        sum
    }

    /// Counters of a port, all workers together.
    pub fn port(&self, index: usize) -> PortCounters {
        let mut sum = PortCounters::default();
        for worker in &self.workers {
            if let Some((_, counters)) = worker.ports.iter().find(|(port, _)| *port == index) {
                sum.merge(counters);
            }
        }
        sum
    }
}

fn worker(index: usize, block: &WorkerBlock, tsc_hz: u64) -> Option<WorkerSnapshot> {
    let counters = WorkerCounters {
        counts: block.counters.read()?,
    };
    let mut ports = Vec::new();
    for (port, block) in block.ports.iter().enumerate() {
        let words = block.read()?;
        if words.iter().any(|w| *w != 0) {
            let mut counters = PortCounters::default();
            counters
                .counts
                .copy_from_slice(&words[..PortCounter::SLOTS]);
            counters
                .drops
                .copy_from_slice(&words[PortCounter::SLOTS..][..DROP_SLOTS]);
            ports.push((port, counters));
        }
    }
    Some(WorkerSnapshot {
        index,
        counters,
        ports,
        residence: block.residence.read(tsc_hz),
    })
}

impl WorkerSnapshot {
    /// Share of its time awake and asleep that went to turns with packets, 0 to 1, since the engine's start.
    pub fn busy_fraction(&self) -> f64 {
        let count = |counter| self.counters.count(counter) as f64;
        let busy = count(WorkerCounter::BusyCycles);
        let total = busy + count(WorkerCounter::IdleCycles) + count(WorkerCounter::SleepCycles);
        if total == 0.0 { 0.0 } else { busy / total }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DropReason, EngineStats};
    use super::*;
    use crate::tables::PortKind;

    #[test]
    fn what_the_engine_writes_is_what_a_reader_sees() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        let engine = EngineStats::create(&path, 2, 2_600_000_000).unwrap();
        let status = PortStatus {
            state: PortState::Up,
            kind: Some(PortKind::Underlay),
            mode: super::super::BoundMode::Copy,
            ifindex: 7,
            queues: 2,
            name: "eth0".into(),
            error: String::new(),
        };
        engine.set_port(3, &status);
        let mut counters = PortCounters::default();
        counters.add(PortCounter::RxPackets, 5);
        counters.add(PortCounter::Forwarded, 4);
        counters.drop(DropReason::NoRoute);
        for index in 0..2 {
            let mut worker = engine.worker(index);
            worker.commit_port(3, &counters);
            worker.peer_tx(65_535, 100);
            worker.peer_rx(65_535, 50);
            let mut own = WorkerCounters::default();
            own.add(WorkerCounter::BusyCycles, 30);
            own.add(WorkerCounter::IdleCycles, 10);
            worker.commit(&own);
        }
        let reader = StatsReader::open(&path).unwrap();
        let snapshot = reader.snapshot();
        assert_eq!(snapshot.ports, [(3, status)]);
        assert_eq!(snapshot.pid, std::process::id());
        assert_eq!(snapshot.workers.len(), 2);
        assert_eq!(snapshot.workers[1].busy_fraction(), 0.75);
        let port = snapshot.port(3);
        assert_eq!(port.count(PortCounter::RxPackets), 10);
        assert_eq!(port.drops[DropReason::NoRoute as usize], 2);
        assert_eq!(
            port.count(PortCounter::RxPackets),
            port.count(PortCounter::Forwarded) + port.dropped()
        );
        let peer = PeerCounters {
            tx_packets: 2,
            tx_bytes: 200,
            rx_packets: 2,
            rx_bytes: 100,
        };
        assert_eq!(reader.peer(65_535), peer);
        assert_eq!(reader.peer(1), PeerCounters::default());
    }

    #[test]
    fn a_restart_is_noticed_and_the_old_file_stays_readable() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        let old = EngineStats::create(&path, 1, 1).unwrap();
        let reader = StatsReader::open(&path).unwrap();
        assert!(!reader.is_replaced());
        drop(old);
        let _new = EngineStats::create(&path, 1, 1).unwrap();
        assert!(reader.is_replaced());
        assert_eq!(reader.snapshot().workers.len(), 1);
    }

    #[test]
    fn foreign_files_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        let message = |path: &Path| StatsReader::open(path).err().unwrap().to_string();
        assert!(message(&path).contains("tweed-dataplane running"));
        std::fs::write(&path, "short").unwrap();
        assert!(message(&path).contains("has 5 bytes"));
        File::create(&path)
            .unwrap()
            .set_len(size_of::<super::super::layout::Segment>() as u64)
            .unwrap();
        assert!(message(&path).contains("magic 0x0000000000000000"));
        EngineStats::create(&path, 1, 1).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &99u64.to_ne_bytes(), 8).unwrap();
        assert!(message(&path).contains("ABI 99"));
    }

    #[test]
    fn mangled_bytes_are_numbers_not_panics() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        EngineStats::create(&path, 1, 1).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        let junk = vec![0xfe; 100_000];
        std::os::unix::fs::FileExt::write_all_at(&file, &junk, 24).unwrap();
        let reader = StatsReader::open(&path).unwrap();
        let snapshot = reader.snapshot();
        assert!(snapshot.workers.len() <= MAX_WORKERS);
        let _ = (snapshot.port(0).dropped(), reader.peer(0));
    }

    #[test]
    fn mangled_peers_of_two_workers_have_a_sum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        let engine = EngineStats::create(&path, 2, 1).unwrap();
        for index in 0..2 {
            engine.worker(index).peer_tx(7, u64::MAX);
        }
        let sum = StatsReader::open(&path).unwrap().peer(7);
        assert_eq!((sum.tx_packets, sum.tx_bytes), (2, u64::MAX - 1));
    }
}
