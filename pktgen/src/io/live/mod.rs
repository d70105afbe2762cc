//! XDP live frames (BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18): the kernel runs a program of ours
//! over pages that it recycles and sends what it returns, without an skb. The program (bpf/live.bpf.c) writes the same
//! frames as [`Builder`](crate::frame::build::Builder) does, byte for byte; whatever a profile can say, it can, but for
//! frames of more than 3,412 bytes (plan.rs).
//!
//! One system call sends all, in batches (pace.rs), until a signal ends it (signal.rs): each call begins with an RCU
//! grace period, 10 to 20 ms in which nothing is sent. All work, and that of the device (of a veth also the far end's
//! receive work, unless its NAPI has a thread), is done by the thread in [`Live::run`], on its core. The kernel takes
//! the transmit queue that belongs to that core, where a device has several; a queue cannot be chosen otherwise.
//!
//! What the program relies on: bytes behind the head are those that the kernel once put there. A receiver that changes
//! payloads in place (an XDP program at the far end) would find its changes in later frames; routers, NAT and tunnels
//! change heads.

mod counts;
mod device;
mod pace;
mod plan;
mod program;
mod signal;

use std::sync::atomic::{AtomicBool, Ordering};

pub use counts::{LiveCounts, LiveView};
use device::Device;
use pace::Pace;
use plan::Tables;
use program::Program;

use super::{Interface, link, netns};
use crate::error::{Failure, Result};
use crate::frame::build::Macs;
use crate::profile::{Payload, Stream};

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
    program: Program,
    paced: bool,
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
        let (program, state) = Program::load(tables, pace.batch())?;
        let name = &interface.name;
        Ok(Live {
            interface: interface.clone(),
            index: link.index,
            driver: link.driver,
            program,
            paced: pace.is_paced(),
            count: plan.count,
            view: LiveView::new(name, state, plan.streams.len(), told.transpose()?)?,
        })
    }

    /// Sends on this thread (or one inside the interface's namespace, on the same cores) until the count is reached or
    /// `stop` is set, which takes some milliseconds. The schedule starts with the first frame, 10 to 20 ms after the
    /// first call; a later call goes on with that schedule, and what was due in between leaves at once.
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

    fn run_here(&self, stop: &AtomicBool) -> Result<()> {
        self.expect_taker()?;
        let stopped = || stop.load(Ordering::Relaxed);
        // Without a schedule the call ends with the last frame; with one the program goes on, giving back what it gets.
        let done = || match self.view.frames() {
            Ok((frames, failed)) => {
                failed > 0 || self.paced && self.count.is_some_and(|count| frames >= count)
            }
            // The runner will see it too, and tell.
            Err(_) => true,
        };
        signal::interrupted_by(
            || stopped() || done(),
            || {
                while !stopped() {
                    let left = self.left()?;
                    if left == Some(0) {
                        break;
                    }
                    let frames = left.filter(|_| !self.paced);
                    self.program.run(&self.interface.name, self.index, frames)?;
                }
                self.left().map(drop)
            },
        )?
    }

    /// Frames to send yet; `None` if there is no count.
    fn left(&self) -> Result<Option<u64>> {
        let (frames, failed) = self.view.frames()?;
        if failed > 0 {
            let name = &self.interface.name;
            return Err(Failure::Environment(format!(
                "{name}: the kernel had no room for {failed} of the XDP live frames: use --io xdp or --io packet"
            )));
        }
        Ok(self.count.map(|count| count.saturating_sub(frames)))
    }

    /// An error if the device would let all frames vanish.
    fn expect_taker(&self) -> Result<()> {
        let name = &self.interface.name;
        let takes = Device::open(self.index).and_then(|device| device.takes_xdp_frames());
        match takes {
            Ok(Some(false)) => {}
            // Before Linux 6.3 there is no telling.
            Ok(_) => return Ok(()),
            Err(error) => {
                let what = format!("{name}: cannot read its XDP features");
                return Err(Failure::environment(what, error));
            }
        }
        let otherwise = "send with --io xdp or --io packet";
        Err(Failure::Environment(if self.driver == "veth" {
            format!(
                "{name}: XDP live frames would vanish, for the far end of this veth does not receive them: run \
                 `ethtool -K PEER gro on` there, or start a receiver that attaches an XDP program there \
                 (tweed-pktgen rx --io xdp), or {otherwise}"
            )
        } else {
            format!(
                "{name}: its driver ({}) takes no XDP live frames as it stands: some do once an XDP program is \
                 attached to the interface; else {otherwise}",
                self.driver
            )
        }))
    }
}

/// The device, seen from inside its namespace.
fn device(interface: &Interface, index: u32) -> Result<Device> {
    let opened = netns::inside(interface.netns.as_deref(), || Device::open(index))?;
    let what = || format!("{}: cannot open a netlink socket", interface.name);
    opened.map_err(|error| Failure::environment(what(), error))
}
