//! XDP live frames (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18): the kernel runs a program of ours
//! over pages that it recycles and sends what it returns, without an skb. The program (bpf/live.bpf.c) writes the same
//! frames as [`Builder`](crate::frame::build::Builder) does, byte for byte; whatever a profile can say, it can, but for
//! the longest frames ([`plan::ROOM`]).
//!
//! One system call sends all, in batches ([`pace`]), until a signal ends it ([`signal`]): each call begins with an RCU
//! grace period, tens of milliseconds in which nothing is sent. All work, and that of the device (of a veth also the
//! far end's receive work, unless its NAPI has a thread), is done by the thread in [`Live::run`], on its core. The
//! kernel takes the transmit queue that belongs to that core, where a device has several; a queue cannot be chosen
//! otherwise.
//!
//! What the program relies on: bytes behind the head are those that the kernel once put there. A receiver that changes
//! payloads in place (an XDP program at the far end) would find its changes in later frames; routers, NAT and tunnels
//! change heads.

mod counts;
mod device;
mod pace;
mod plan;
mod signal;

use std::sync::atomic::{AtomicBool, Ordering};

use aya::maps::{Array, Map, MapData};
use aya::programs::{ProgramError, TestRun, TestRunAttrs, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use rustix::io::Errno;

pub use counts::{LiveCounts, LiveView};
use device::Device;
use pace::Pace;
use plan::Tables;

use super::{Interface, link, netns};
use crate::error::{Failure, Result};
use crate::frame::build::Macs;
use crate::profile::{Payload, Stream};

/// The program, compiled by build.rs.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/live.bpf.o"));

/// Frames of one system call at most: as many as fit in its field and are whole batches, a quarter of an hour at 4
/// million a second.
const REPEAT: u64 = 1 << 31;

/// What one worker's program sends.
#[derive(Clone, Debug)]
pub struct LivePlan {
    /// Streams with their addresses.
    pub streams: Vec<(Stream, Macs)>,
    /// What is behind the signature.
    pub payload: Payload,
    /// Number of the run.
    pub run: u16,
    /// Index of the worker.
    pub worker: u8,
    /// Seed of everything random.
    pub seed: u64,
    /// Frames a second of this worker; `None` for as fast as it goes.
    pub pps: Option<f64>,
    /// Frames that leave together.
    pub burst: u16,
    /// Frames to send; `None` until told to stop.
    pub count: Option<u64>,
    /// Whether packets carry the intended time.
    pub intended: bool,
}

/// The program, loaded for one worker.
pub struct Live {
    interface: Interface,
    index: u32,
    driver: String,
    program: Ebpf,
    frame: Vec<u8>,
    pace: Pace,
    count: Option<u64>,
    view: LiveView,
}

impl Live {
    /// Loads it. Whether the interface takes such frames is seen in [`Live::run`]: a receiver may yet be attached.
    ///
    /// # Errors The kernel is too old, there is no such interface, or the plan asks for what the program cannot do
    /// (with the key).
    pub fn load(interface: &Interface, plan: &LivePlan) -> Result<Self> {
        let pace = Pace::new(plan.pps, plan.burst)?;
        let tables = Tables::new(plan, &pace)?;
        let link = link::find(interface)?;
        let told = (plan.worker == 0).then(|| device(interface, link.index));
        let (program, state) = load(&tables)?;
        Ok(Live {
            interface: interface.clone(),
            index: link.index,
            driver: link.driver,
            program,
            frame: tables.frame,
            pace,
            count: plan.count,
            view: LiveView::new(
                &interface.name,
                state,
                plan.streams.len(),
                told.transpose()?,
            )?,
        })
    }

    /// Sends on this thread (or one inside the interface's namespace, on the same cores) until the count is reached or
    /// `stop` is set, which takes some milliseconds. May be called again, and goes on where it ended.
    ///
    /// # Errors
    /// The interface does not take such frames (with the remedy), or went away.
    pub fn run(&mut self, stop: &AtomicBool) -> Result<()> {
        let netns = self.interface.netns.clone();
        netns::inside(netns.as_deref(), || self.run_here(stop))?
    }

    /// A view of its counts for other threads.
    pub fn counts(&self) -> LiveView {
        self.view.clone()
    }

    fn run_here(&mut self, stop: &AtomicBool) -> Result<()> {
        self.expect_taker()?;
        let (pace, count, view) = (&self.pace, self.count, self.view.clone());
        let done = || match (count, view.frames()) {
            (Some(count), Ok((frames, _))) => frames >= count,
            // An unreadable count is told by the runner.
            _ => false,
        };
        // Without a schedule the last frame of the count ends the call; with one the program goes on giving back pages.
        let over = || stop.load(Ordering::Relaxed) || pace.is_paced() && done();
        let (index, frame, interface) = (self.index, &self.frame, &self.interface.name);
        let program = program(&mut self.program)?;
        let view = &self.view;
        signal::interrupted_by(over, || {
            while !stop.load(Ordering::Relaxed) {
                let (frames, failed) = view.frames()?;
                if failed > 0 {
                    return Err(Failure::Environment(format!(
                        "{interface}: the program of XDP live frames could not make {failed} frames: use --io packet, and report this"
                    )));
                }
                let left = count.map_or(REPEAT, |count| count.saturating_sub(frames));
                if left == 0 {
                    break;
                }
                send(program, index, frame, pace, left)
                    .map_err(|error| failed_run(interface, error))?;
            }
            Ok(())
        })?
    }

    /// An error if the device would let all frames vanish.
    fn expect_taker(&self) -> Result<()> {
        let name = &self.interface.name;
        let takes = (Device::open(self.index).and_then(|device| device.takes_xdp_frames()))
            .map_err(|error| {
                Failure::environment(format!("{name}: cannot read its XDP features"), error)
            })?;
        if takes != Some(false) {
            return Ok(());
        }
        Err(Failure::Environment(if self.driver == "veth" {
            format!(
                "{name}: XDP live frames would vanish, for the far end of this veth receives none: there, run `ethtool -K PEER gro \
                 on` or start a receiver that attaches an XDP program (tweed-pktgen rx --io xdp), or send with --io xdp or --io \
                 packet; it also needs at least as many receive queues there as transmit queues here"
            )
        } else {
            let driver = &self.driver;
            format!(
                "{name}: its driver ({driver}) takes no XDP live frames now: some do once an XDP program is attached to the \
                 interface; else send with --io xdp or --io packet"
            )
        }))
    }
}

/// The device, seen from inside its namespace.
fn device(interface: &Interface, index: u32) -> Result<Device> {
    let opened = netns::inside(interface.netns.as_deref(), || Device::open(index))?;
    opened.map_err(|error| {
        Failure::environment(
            format!("{}: cannot open a netlink socket", interface.name),
            error,
        )
    })
}

/// One system call: sends until `left` frames are sent, or a signal comes.
fn send(
    program: &Xdp,
    index: u32,
    frame: &[u8],
    pace: &Pace,
    left: u64,
) -> std::result::Result<(), ProgramError> {
    // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
    let context = [0, frame.len() as u32, 0, index, 0, 0].map(u32::to_ne_bytes);
    let batch = u64::from(pace.batch());
    let repeat = match pace.is_paced() {
        true => REPEAT,
        // Whole batches; the program stops at the count.
        false => left.next_multiple_of(batch).min(REPEAT),
    };
    let options = TestRunOptions {
        data_in: Some(frame),
        ctx_in: Some(context.as_flattened()),
        repeat: repeat as u32,
        attrs: TestRunAttrs::new().xdp_live_frames(pace.batch()),
        ..TestRunOptions::default()
    };
    match program.test_run(options) {
        Err(error) if errno(&error) == Some(Errno::INTR) => Ok(()),
        result => result.map(drop),
    }
}

fn errno(error: &ProgramError) -> Option<Errno> {
    match error {
        ProgramError::SyscallError(error) => Errno::from_io_error(&error.io_error),
        _ => None,
    }
}

fn failed_run(interface: &str, error: ProgramError) -> Failure {
    let remedy = match errno(&error) {
        Some(Errno::INVAL) => {
            "; needs Linux 5.18 and frames that fit in a page: use --io xdp or --io packet"
        }
        Some(Errno::NODEV) => "; the interface went away",
        Some(Errno::PERM) => "; needs CAP_NET_ADMIN and CAP_BPF: run as root",
        Some(Errno::NOMEM) => {
            "; the receiver holds too many frames, or the machine is out of memory"
        }
        _ => "",
    };
    Failure::environment(
        format!("{interface}: cannot send XDP live frames{remedy}"),
        anyhow::Error::from(error).root_cause(),
    )
}

/// Loads the program with its tables.
fn load(tables: &Tables) -> Result<(Ebpf, Array<MapData, [u64; counts::STATE_WORDS]>)> {
    let cannot = |error: &dyn std::error::Error| {
        let mut causes = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            causes = format!("{causes}: {cause}");
            next = cause.source();
        }
        let what = "cannot load the program of XDP live frames; needs Linux 5.18, CAP_NET_ADMIN and CAP_BPF: run as root";
        Failure::environment(what, causes)
    };
    let mut ebpf = EbpfLoader::new()
        .override_global("plan", tables.plan.as_slice(), true)
        .override_global("body_sums", tables.body_sums.as_slice(), true)
        .map_max_entries("order", tables.order.len() as u32)
        .load(OBJECT)
        .map_err(|error| cannot(&error))?;
    let lacking = || {
        Failure::Environment("the program of XDP live frames lacks a map: a mistake of ours".into())
    };
    let mut order = Array::<_, u32>::try_from(ebpf.map_mut("order").ok_or_else(lacking)?)
        .map_err(|error| cannot(&error))?;
    for (at, entry) in tables.order.iter().enumerate() {
        order
            .set(at as u32, entry, 0)
            .map_err(|error| cannot(&error))?;
    }
    program(&mut ebpf)?.load().map_err(|error| cannot(&error))?;
    let state: Map = ebpf.take_map(".bss").ok_or_else(lacking)?;
    let state = Array::try_from(state).map_err(|error| cannot(&error))?;
    Ok((ebpf, state))
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp> {
    let program = ebpf
        .program_mut("live")
        .and_then(|program| program.try_into().ok());
    program.ok_or_else(|| {
        Failure::Environment("there is no program of XDP live frames: a mistake of ours".into())
    })
}
