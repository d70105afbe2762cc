//! A worker seen from the main thread: its thread, its command channel, and the memory that sockets are registered with.

use std::sync::Arc;
use std::thread::JoinHandle;

use contract::config::Config;
use contract::stats::{WorkerCounter, WorkerStats};
use contract::tables::{PortKind, WorkerTables};
use crossbeam_channel::{Sender, bounded, unbounded};
use thiserror::Error;

use crate::answer::Answerer;
use crate::budget::Budget;
use crate::device::Device;
use crate::encap::IpIds;
use crate::priority;
use crate::run::{Command, run};
use crate::wake::Wake;
use crate::worker::Worker;
use crate::xsk::{DEFAULT_HEADROOM, Pages, Umem, UmemError};

/// Why a worker cannot run.
#[derive(Debug, Error)]
pub enum WorkerError {
    /// No such CPU, or not allowed to us.
    #[error(
        "worker {worker}: cannot be pinned to CPU {cpu} (worker.cpu); CPUs this process may use: {usable:?}"
    )]
    Pin {
        /// Index of the worker.
        worker: usize,
        /// The CPU of the configuration.
        cpu: u32,
        /// What there is.
        usable: Vec<usize>,
    },
    /// No memory for its frames.
    #[error("worker {worker}: {source}")]
    Umem {
        /// Index of the worker.
        worker: usize,
        /// What is missing.
        source: UmemError,
    },
    /// No thread or no eventfd.
    #[error("worker {worker}: cannot start its thread: {source}")]
    Thread {
        /// Index of the worker.
        worker: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended by itself, which only a bug makes it do.
    #[error("worker {worker} died; please report this with the log")]
    Died {
        /// Index of the worker.
        worker: usize,
    },
}

/// One worker.
pub struct WorkerHandle {
    index: usize,
    /// Queue of every port that is the worker's.
    pub queue: u32,
    /// The region that its sockets are registered with.
    pub umem: Umem,
    commands: Sender<Command>,
    wake: Arc<Wake>,
    thread: JoinHandle<Option<Worker>>,
}

impl WorkerHandle {
    /// Starts the thread, pins it, and has it map its memory, so that the pages are of its own NUMA node.
    pub fn start(
        index: usize,
        config: &Config,
        stats: WorkerStats,
        tsc_hz: u64,
    ) -> Result<Self, WorkerError> {
        let no_thread = |source| WorkerError::Thread {
            worker: index,
            source,
        };
        let wake = Arc::new(Wake::new().map_err(no_thread)?);
        let (commands, inbox) = unbounded();
        let (ready, started) = bounded(1);
        let assigned = *config
            .workers
            .get(index)
            .ok_or(WorkerError::Died { worker: index })?;
        let (settings, count, woken) =
            (config.dataplane.clone(), config.workers.len(), wake.clone());
        let body = move || -> Option<Worker> {
            let mapped = pin(index, assigned.cpu).and_then(|()| {
                if let Err(error) = priority::set(settings.nice) {
                    tracing::warn!(worker = index, nice = settings.nice, "the scheduler's priority stays as it is: {error}; it needs CAP_SYS_NICE, or dataplane.nice = 0");
                }
                Umem::map(
                    settings.frames,
                    settings.chunk_size,
                    DEFAULT_HEADROOM,
                    settings.hugepages,
                )
                .map_err(|source| WorkerError::Umem {
                    worker: index,
                    source,
                })
            });
            let (umem, pool) = match mapped {
                Ok(mapped) => mapped,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return None;
                }
            };
            ready.send(Ok(umem)).ok()?;
            // Workers share the ids of a destination: each starts in a part of its own.
            let ids = IpIds::starting_at((index * (1 << 16) / count) as u16);
            let answerer = Answerer::new(Budget::new(settings.icmp_errors_per_s, tsc_hz));
            let mut worker = Worker::new(pool, stats, ids, answerer);
            worker.set(WorkerCounter::Cpu, u64::from(assigned.cpu));
            worker.set(WorkerCounter::Queue, u64::from(assigned.queue));
            worker.set(
                WorkerCounter::Hugepages,
                u64::from(umem.pages() == Pages::Huge),
            );
            Some(run(worker, &inbox, &woken, settings.idle, tsc_hz))
        };
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(body)
            .map_err(no_thread)?;
        let umem = started
            .recv()
            .map_err(|_| WorkerError::Died { worker: index })??;
        tracing::info!(worker = index, cpu = assigned.cpu, queue = assigned.queue, pages = ?umem.pages(), "worker ready");
        Ok(WorkerHandle {
            index,
            queue: assigned.queue,
            umem,
            commands,
            wake,
            thread,
        })
    }

    /// Hands over tables.
    pub fn use_tables(&self, tables: WorkerTables) {
        self.tell(Command::Tables(tables));
    }

    /// Hands over the worker's queue of port `number`.
    pub fn open(&self, number: u8, kind: PortKind, device: impl Into<Device>) {
        self.tell(Command::Open {
            number,
            kind,
            device: Box::new(device.into()),
        });
    }

    /// Takes port `number` from the worker, closes its device here and sends its frames back.
    pub fn close(&self, number: u8) {
        let (device, given_up) = bounded(1);
        self.tell(Command::Close { number, device });
        // An error means that the worker died, which the next command or `stop` reports.
        if let Ok(Some(device)) = given_up.recv() {
            self.tell(Command::Free(device.close()));
        }
    }

    /// Ends the worker; gives the frames that it could account for.
    pub fn stop(self) -> Result<usize, WorkerError> {
        self.tell(Command::Stop);
        match self.thread.join() {
            Ok(Some(worker)) => Ok(worker.frames_accounted()),
            _ => Err(WorkerError::Died { worker: self.index }),
        }
    }

    fn tell(&self, command: Command) {
        if self.commands.send(command).is_err() {
            tracing::error!(
                worker = self.index,
                "the worker died; please report this with the log"
            );
        }
        self.wake.wake();
    }
}

/// Pins the calling thread.
fn pin(worker: usize, cpu: u32) -> Result<(), WorkerError> {
    if core_affinity::set_for_current(core_affinity::CoreId { id: cpu as usize }) {
        return Ok(());
    }
    let usable = core_affinity::get_core_ids()
        .unwrap_or_default()
        .iter()
        .map(|core| core.id)
        .collect();
    Err(WorkerError::Pin {
        worker,
        cpu,
        usable,
    })
}
