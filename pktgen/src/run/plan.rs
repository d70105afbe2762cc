//! What a command line means: every value checked, every default filled in. [`crate::cli`] makes these from what was typed.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::io::{Interface, Io, Take};
use crate::profile::Profile;

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Send.
    Tx(TxPlan),
    /// Receive and count.
    Rx(RxPlan),
    /// Send and receive in one process.
    Latency(LatencyPlan),
    /// Send back what comes.
    Reflect(ReflectPlan),
    /// Find the highest rate with an acceptable loss.
    Ndr(NdrPlan),
    /// Send what a capture holds.
    Replay(ReplayPlan),
    /// Show saved runs.
    Report(ReportPlan),
}

/// `tx`.
#[derive(Clone, Debug, PartialEq)]
pub struct TxPlan {
    /// What to send.
    pub profile: Profile,
    /// From where.
    pub side: TxSide,
    /// Which time the packets carry.
    pub stamp: Stamp,
    /// Where the report goes.
    pub output: Output,
}

/// `rx`.
#[derive(Clone, Debug, PartialEq)]
pub struct RxPlan {
    /// Where.
    pub side: RxSide,
    /// Nanoseconds after which it ends; `None`: at Ctrl-C.
    pub stop_ns: Option<u64>,
    /// Ends when nothing of ours came for so long, nanoseconds, once something has come; `None`: it goes on.
    pub idle_ns: Option<u64>,
    /// The run to count; `None`: that of the first intact packet.
    pub run: Option<u16>,
    /// Start counting loss at the first sequence seen, not at 0: the sender was there before us.
    pub join: bool,
    /// Highest acceptable loss, as a fraction; beyond it the exit code is 1. `None`: no verdict.
    pub loss: Option<f64>,
    /// Where the report goes.
    pub output: Output,
}

/// `latency`.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyPlan {
    /// What to send.
    pub profile: Profile,
    /// From where.
    pub tx: TxSide,
    /// Where it is expected. The same interface as `tx` when a reflector is at the far end: then latency is the round trip.
    pub rx: RxSide,
    /// Which time the packets carry.
    pub stamp: Stamp,
    /// How long to wait for the last packets after the last was sent, nanoseconds.
    pub settle_ns: u64,
    /// As [`RxPlan::loss`].
    pub loss: Option<f64>,
    /// Where the report goes.
    pub output: Output,
}

/// `reflect`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReflectPlan {
    /// Where; frames leave by the queue they came in by.
    pub side: RxSide,
    /// As [`RxPlan::stop_ns`].
    pub stop_ns: Option<u64>,
    /// Where the report goes.
    pub output: Output,
}

/// `ndr`: RFC 2544 section 26.1.
#[derive(Clone, Debug, PartialEq)]
pub struct NdrPlan {
    /// What to send; its rate is the highest to try ([`Max`](crate::profile::Rate::Max): found by sending at maximum first), its
    /// stop is ignored.
    pub profile: Profile,
    /// From where.
    pub tx: TxSide,
    /// To where.
    pub rx: RxSide,
    /// Highest acceptable loss of a trial, as a fraction (`--loss 0.001%` is 0.00001).
    pub loss: f64,
    /// Length of a trial, nanoseconds.
    pub trial_ns: u64,
    /// Length of each confirming trial, nanoseconds.
    pub confirm_ns: u64,
    /// How many confirming trials must pass at the rate reported.
    pub confirmations: u32,
    /// The search ends when passed and failed rates are this close, as a fraction of the passed one.
    pub resolution: f64,
    /// Wait for the last packets of a trial, nanoseconds.
    pub settle_ns: u64,
    /// Where the report goes.
    pub output: Output,
}

/// `replay`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayPlan {
    /// The capture: pcap or pcapng, Ethernet.
    pub file: PathBuf,
    /// From where.
    pub side: TxSide,
    /// How fast.
    pub timing: Timing,
    /// How often; `None`: until Ctrl-C.
    pub loops: Option<u32>,
    /// Where the report goes.
    pub output: Output,
}

/// When frames of a capture leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Timing {
    /// As they were captured, so many times faster.
    Captured(f64),
    /// Evenly, at a rate.
    Rate(crate::profile::Rate),
}

/// `report`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportPlan {
    /// Saved runs (`--json FILE`). A sender's and a receiver's of one run are joined.
    pub files: Vec<PathBuf>,
    /// Where to draw; `None`: tables only.
    pub svg: Option<PathBuf>,
    /// Print JSON instead of tables.
    pub json: bool,
}

/// A sending end.
#[derive(Clone, Debug, PartialEq)]
pub struct TxSide {
    /// The interface.
    pub interface: Interface,
    /// How frames get there.
    pub io: TxIo,
    /// A worker for each queue; at least one, at most 16.
    pub workers: Vec<Place>,
    /// An address whose neighbour is the Ethernet destination, in place of the stream's first destination (a gateway).
    pub via: Option<IpAddr>,
}

/// How frames get out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxIo {
    /// We write them.
    Queue(Io),
    /// The kernel runs a program that writes them: XDP live frames.
    Live,
}

/// A receiving end.
#[derive(Clone, Debug, PartialEq)]
pub struct RxSide {
    /// The interface.
    pub interface: Interface,
    /// How frames come.
    pub io: Io,
    /// A worker for each queue.
    pub workers: Vec<Place>,
    /// Which frames.
    pub take: Take,
    /// UDP ports behind which to look for VXLAN.
    pub vxlan_ports: Vec<u16>,
    /// Never sleep, also when nothing comes.
    pub busy: bool,
}

/// A worker's queue and core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Queue of the interface.
    pub queue: u32,
    /// CPU; `None`: the scheduler's choice.
    pub core: Option<usize>,
}

/// The time that packets carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// When the schedule wanted it to leave. A sender that is held up then shows in the latencies, as it would for a user who
    /// came on time; without this, those packets that suffer most would be measured too late to show it (coordinated
    /// omission). At [`Rate::Max`](crate::profile::Rate::Max) there is no schedule, and this is [`Stamp::Departure`].
    Intended,
    /// When it was written for the tx ring.
    Departure,
}

/// Where results go besides the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Print the report as JSON on stdout; the live line goes to stderr, tables nowhere.
    pub json: bool,
    /// Save the report as JSON in this file.
    pub save: Option<PathBuf>,
    /// No live line.
    pub quiet: bool,
    /// The command line, for the report.
    pub command: Vec<String>,
}
