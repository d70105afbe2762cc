//! The dataplane's side: [`EngineStats`] for the main thread, one [`WorkerStats`] for each worker.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, fallocate};

use super::clock::{monotonic_ns, realtime_ns};
use super::counters::{PortCounters, WorkerCounters};
use super::layout::{ABI, MAGIC, MAX_WORKERS, Segment, used};
use super::port::PortStatus;
use super::segment::{Mapping, StatsError};
use super::trace::TraceMeta;

/// What the main thread writes: ports and its own heartbeat.
pub struct EngineStats {
    mapping: Arc<Mapping>,
    workers: usize,
    /// Says that this is the engine of the run directory; ends with the process, however that ends.
    _lock: File,
}

impl EngineStats {
    /// Makes a new, zeroed segment under this name, replacing an older one at once (rename): its readers keep the old file
    /// and see it go stale. Refuses while another engine writes one. `workers` is at most [`MAX_WORKERS`]; `tsc_hz` is what
    /// the cycle counters count.
    pub fn create(path: &Path, workers: usize, tsc_hz: u64) -> Result<Self, StatsError> {
        assert!(
            workers <= MAX_WORKERS,
            "the configuration allows at most {MAX_WORKERS} workers"
        );
        let lock = lock(path)?;
        let draft = path.with_extension("new");
        let create = || -> std::io::Result<Mapping> {
            let _ = std::fs::remove_file(&draft);
            let file: File = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(&draft)?;
            // What is written through the mapping must exist: on a tmpfs that is full a page more would be a SIGBUS.
            fallocate(&file, FallocateFlags::empty(), 0, used(workers) as u64)?;
            file.set_len(size_of::<Segment>() as u64)?;
            let mapping = Mapping::new(&file, true)?;
            let header = &mapping.segment().header;
            header.abi.store(ABI, Ordering::Relaxed);
            header
                .len
                .store(size_of::<Segment>() as u64, Ordering::Relaxed);
            header
                .pid
                .store(u64::from(std::process::id()), Ordering::Relaxed);
            header.started_ns.store(realtime_ns(), Ordering::Relaxed);
            header.heartbeat_ns.store(monotonic_ns(), Ordering::Relaxed);
            header.tsc_hz.store(tsc_hz, Ordering::Relaxed);
            header.workers.store(workers as u64, Ordering::Relaxed);
            header.magic.store(MAGIC, Ordering::Release);
            std::fs::rename(&draft, path)?;
            Ok(mapping)
        };
        let mapping = create().map_err(|source| {
            // A tmpfs without room shall not keep half of one.
            let _ = std::fs::remove_file(&draft);
            StatsError::Create {
                path: path.into(),
                source,
            }
        })?;
        Ok(EngineStats {
            mapping: Arc::new(mapping),
            workers,
            _lock: lock,
        })
    }

    /// The part of worker `index`, to be handed to its thread.
    pub fn worker(&self, index: usize) -> WorkerStats {
        assert!(index < self.workers, "worker {index} of {}", self.workers);
        WorkerStats {
            mapping: self.mapping.clone(),
            index,
            traced: 0,
        }
    }

    /// Says that the main thread is alive.
    pub fn beat(&self) {
        self.mapping
            .segment()
            .header
            .heartbeat_ns
            .store(monotonic_ns(), Ordering::Relaxed);
    }

    /// Publishes what became of port `index`.
    pub fn set_port(&self, index: usize, status: &PortStatus) {
        if let Some(block) = self.mapping.segment().ports.get(index) {
            block.commit(status.to_words().iter());
        }
    }
}

/// What one worker writes. Not `Clone`: a block has one writer.
pub struct WorkerStats {
    mapping: Arc<Mapping>,
    index: usize,
    /// Records in the trace so far.
    traced: u64,
}

impl WorkerStats {
    /// Publishes the worker's own counters.
    #[inline]
    pub fn commit(&mut self, counters: &WorkerCounters) {
        self.mapping.segment().workers[self.index]
            .counters
            .commit(counters.counts.iter());
    }

    /// Publishes the counters of one port.
    #[inline]
    pub fn commit_port(&mut self, port: usize, counters: &PortCounters) {
        if let Some(block) = self.mapping.segment().workers[self.index].ports.get(port) {
            block.commit(counters.counts.iter().chain(&counters.drops));
        }
    }

    /// Counts one inner packet of `bytes` sent to a peer. One shared cache line, which only this worker writes.
    #[inline(always)]
    pub fn peer_tx(&mut self, adjacency: u16, bytes: u64) {
        let [packets, total, _, _] =
            &self.mapping.segment().workers[self.index].peers[usize::from(adjacency)];
        bump(packets, 1);
        bump(total, bytes);
    }

    /// Counts one inner packet of `bytes` received from a peer.
    #[inline(always)]
    pub fn peer_rx(&mut self, adjacency: u16, bytes: u64) {
        let [_, _, packets, total] =
            &self.mapping.segment().workers[self.index].peers[usize::from(adjacency)];
        bump(packets, 1);
        bump(total, bytes);
    }
}

impl WorkerStats {
    /// Cycles per second of the counter that `residence` and `trace` take their times from.
    pub fn tsc_hz(&self) -> u64 {
        self.mapping.segment().header.tsc_hz.load(Ordering::Relaxed)
    }

    /// Counts a burst that was held for so many cycles: one store.
    #[inline]
    pub fn residence(&mut self, cycles: u64) {
        self.mapping.segment().workers[self.index]
            .residence
            .record(cycles);
    }

    /// Records a frame in the trace, its first [`TRACE_BYTES`](super::TRACE_BYTES) bytes: some four cache lines.
    pub fn trace(&mut self, meta: &TraceMeta, frame: &[u8]) {
        self.mapping.segment().workers[self.index]
            .trace
            .write(self.traced, meta, frame);
        self.traced = self.traced.wrapping_add(1);
    }
}

/// There is one engine. The lock is a file of its own, since the segment is replaced.
fn lock(path: &Path) -> Result<File, StatsError> {
    let name = path.with_extension("lock");
    let failed = |source| StatsError::Create {
        path: name.clone(),
        source,
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&name)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StatsError::Taken { path: path.into() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// A plain addition: with one writer there is nothing to lock.
#[inline(always)]
fn bump(counter: &AtomicU64, n: u64) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(n),
        Ordering::Relaxed,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_second_engine_is_refused_and_disturbs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        let first = EngineStats::create(&path, 1, 1).unwrap();
        let inode = std::fs::metadata(&path).unwrap().ino();
        let message = EngineStats::create(&path, 1, 1).err().unwrap().to_string();
        assert!(message.contains("another tweed-dataplane"), "{message}");
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode);
        drop(first);
        assert!(EngineStats::create(&path, 1, 1).is_ok());
    }

    #[test]
    fn what_an_engine_writes_is_there_before_it_starts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stats");
        let _engine = EngineStats::create(&path, 2, 1).unwrap();
        let file = std::fs::metadata(&path).unwrap();
        assert_eq!(file.len(), size_of::<Segment>() as u64);
        let allocated = file.blocks() * 512;
        assert!(allocated >= used(2) as u64, "{allocated} bytes");
        assert!(allocated < file.len(), "{allocated} bytes");
    }
}
