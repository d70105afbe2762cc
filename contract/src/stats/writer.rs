//! The dataplane's side: [`EngineStats`] for the main thread, one [`WorkerStats`] for each worker.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::counters::{PortCounters, WorkerCounters};
use super::layout::{ABI, MAGIC, MAX_WORKERS, Segment};
use super::port::PortStatus;
use super::segment::{Mapping, StatsError};

/// What the main thread writes: ports and its own heartbeat.
pub struct EngineStats {
    mapping: Arc<Mapping>,
    workers: usize,
}

impl EngineStats {
    /// Makes a new, zeroed segment under this name, replacing an older one at once (rename): its readers keep the old file
    /// and see it go stale. `workers` is at most [`MAX_WORKERS`]; `tsc_hz` is what the cycle counters count.
    pub fn create(path: &Path, workers: usize, tsc_hz: u64) -> Result<Self, StatsError> {
        assert!(
            workers <= MAX_WORKERS,
            "the configuration allows at most {MAX_WORKERS} workers"
        );
        let create = || -> std::io::Result<Mapping> {
            let draft = path.with_extension("new");
            let _ = std::fs::remove_file(&draft);
            let file: File = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(&draft)?;
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
            header
                .heartbeat_ns
                .store(super::reader::monotonic_ns(), Ordering::Relaxed);
            header.tsc_hz.store(tsc_hz, Ordering::Relaxed);
            header.workers.store(workers as u64, Ordering::Relaxed);
            header.magic.store(MAGIC, Ordering::Release);
            std::fs::rename(&draft, path)?;
            Ok(mapping)
        };
        let mapping = create().map_err(|source| StatsError::Create {
            path: path.into(),
            source,
        })?;
        Ok(EngineStats {
            mapping: Arc::new(mapping),
            workers,
        })
    }

    /// The part of worker `index`, to be handed to its thread.
    pub fn worker(&self, index: usize) -> WorkerStats {
        assert!(index < self.workers, "worker {index} of {}", self.workers);
        WorkerStats {
            mapping: self.mapping.clone(),
            index,
        }
    }

    /// Says that the main thread is alive.
    pub fn beat(&self) {
        self.mapping
            .segment()
            .header
            .heartbeat_ns
            .store(super::reader::monotonic_ns(), Ordering::Relaxed);
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

/// A plain addition: with one writer there is nothing to lock.
#[inline(always)]
fn bump(counter: &AtomicU64, n: u64) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(n),
        Ordering::Relaxed,
    );
}

fn realtime_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
