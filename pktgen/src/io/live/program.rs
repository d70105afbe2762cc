//! The program (bpf/live.bpf.c, compiled by build.rs) in the kernel, and the system call that runs it.
//!
//! Invariant: a call ends by itself only when the count is reached; else a signal ends it (signal.rs), and all
//! that it made until then was handed to the device.

use aya::maps::{Array, Map, MapData};
use aya::programs::{ProgramError, TestRun, TestRunAttrs, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use rustix::io::Errno;

use super::counts::STATE_WORDS;
use super::plan::Tables;
use crate::error::{Failure, Result};

/// The object, embedded: a machine under test needs no compiler.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/live.bpf.o"));

/// Frames of one system call at most: whole batches, as many as its field of 32 bits has room for. At 4 million a
/// second that is nine minutes; the next call then begins.
const REPEAT: u64 = 1 << 31;

/// What the program leaves in memory for us to read.
pub type State = Array<MapData, [u64; STATE_WORDS]>;

/// The loaded program.
pub struct Program {
    ebpf: Ebpf,
    frame: Vec<u8>,
    /// Frames that the kernel sends together.
    batch: u32,
}

impl Program {
    /// Loads it with its tables.
    ///
    /// # Errors
    /// The kernel is too old, or lacks confidence in us.
    pub fn load(tables: Tables, batch: u32) -> Result<(Self, State)> {
        let mut ebpf = EbpfLoader::new()
            .override_global("plan", tables.plan.as_slice(), true)
            .override_global("body_sums", tables.body_sums.as_slice(), true)
            .map_max_entries("order", tables.order.len() as u32)
            .load(OBJECT)
            .map_err(not_loaded)?;
        let order = ebpf.map_mut("order").ok_or_else(mistake)?;
        let mut order = Array::<_, u32>::try_from(order).map_err(not_loaded)?;
        for (at, entry) in tables.order.iter().enumerate() {
            order.set(at as u32, entry, 0).map_err(not_loaded)?;
        }
        let program: Option<&mut Xdp> = ebpf.program_mut("live").and_then(|it| it.try_into().ok());
        program.ok_or_else(mistake)?.load().map_err(not_loaded)?;
        let state: Map = ebpf.take_map(".bss").ok_or_else(mistake)?;
        let program = Program {
            ebpf,
            frame: tables.frame,
            batch,
        };
        Ok((program, Array::try_from(state).map_err(not_loaded)?))
    }

    /// One system call: sends out of the device with that index, in the caller's namespace, until it has run for
    /// `frames` frames (all that there can be, if `None`) or a signal comes. `interface` is its name, for errors.
    ///
    /// # Errors
    /// The kernel refuses, or the interface went away.
    pub fn run(&self, interface: &str, index: u32, frames: Option<u64>) -> Result<()> {
        let program: Option<&Xdp> = self.ebpf.program("live").and_then(|it| it.try_into().ok());
        // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
        let context = [0, self.frame.len() as u32, 0, index, 0, 0].map(u32::to_ne_bytes);
        // Whole batches, for the program counts places in them; beyond its own count it gives frames back.
        let whole = |frames: u64| frames.next_multiple_of(self.batch.into());
        let repeat = frames
            .map_or(REPEAT, |frames| whole(frames.min(REPEAT - 1)))
            .min(REPEAT);
        let options = TestRunOptions {
            data_in: Some(&self.frame),
            ctx_in: Some(context.as_flattened()),
            repeat: repeat as u32,
            attrs: TestRunAttrs::new().xdp_live_frames(self.batch),
            ..TestRunOptions::default()
        };
        match program.ok_or_else(mistake)?.test_run(options) {
            Err(error) if errno(&error) == Some(Errno::INTR) => Ok(()),
            result => result.map(drop).map_err(|error| not_run(interface, &error)),
        }
    }
}

fn errno(error: &ProgramError) -> Option<Errno> {
    match error {
        ProgramError::SyscallError(error) => Errno::from_io_error(&error.io_error),
        _ => None,
    }
}

fn not_run(interface: &str, error: &ProgramError) -> Failure {
    let remedy = match errno(error) {
        Some(Errno::INVAL) => {
            "; needs Linux 5.18, and frames that fit in a page: use --io xdp or --io packet"
        }
        Some(Errno::NODEV) => "; the interface went away",
        Some(Errno::PERM) => "; needs CAP_NET_ADMIN and CAP_BPF: run as root",
        Some(Errno::NOMEM) => {
            "; the receiver holds too many frames, or memory is short: try a lower rate"
        }
        _ => "",
    };
    let what = format!("{interface}: cannot send XDP live frames{remedy}");
    Failure::environment(what, causes(error))
}

fn not_loaded(error: impl std::error::Error) -> Failure {
    let needs = "needs Linux 5.18, CAP_NET_ADMIN and CAP_BPF: run as root";
    let what = format!("cannot load the program of XDP live frames; {needs}");
    Failure::environment(what, causes(&error))
}

fn mistake() -> Failure {
    let what = "the program of XDP live frames is not what was compiled";
    Failure::Environment(format!("{what}: build tweed-pktgen anew"))
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        told = format!("{told}: {cause}");
        next = cause.source();
    }
    told
}
