//! The result of a run, with everything needed to repeat it. JSON is this model; tables, the live line and plots are
//! views.

pub mod caution;
pub mod distribution;
pub mod grid;
pub mod join;
pub mod line;
pub mod machine;
pub mod moment;
pub mod plot;
pub mod save;
pub mod table;
pub mod units;

pub use save::{deliver, load};

use serde::{Deserialize, Deserializer, Serialize};

/// Number of the JSON's form.
pub const SCHEMA: u32 = 1;

/// JSON has no number for "infinite" or "not a number"; such a one is written as null, and comes back as not a number.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

/// A finished run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `tx`, `rx`, `latency`, `reflect`, `ndr`, `replay`.
    pub mode: String,
    /// Program and version.
    pub tool: String,
    /// Start, RFC 3339, UTC.
    pub started: String,
    /// From the first to the last frame's time, seconds; what rates are computed from.
    #[serde(deserialize_with = "number")]
    pub seconds: f64,
    /// Number of the run, as in the packets' signatures.
    pub run: Option<u16>,
    /// Where it ran.
    pub machine: machine::Machine,
    /// What was asked.
    pub setup: Setup,
    /// Where times come from.
    pub clock: Clock,
    /// What was sent.
    pub sent: Option<Sent>,
    /// What was received.
    pub received: Option<Received>,
    /// Second by second.
    pub timeline: Vec<Second>,
    /// Of `ndr`.
    pub ndr: Option<Ndr>,
    /// What a reader should know before believing the numbers.
    pub notes: Vec<String>,
    /// Whether the loss was within the bound, if there was one.
    pub passed: Option<bool>,
}

/// What was asked for, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The command line.
    pub command: Vec<String>,
    /// Seed of everything random.
    pub seed: u64,
    /// The rate asked for, as typed.
    pub rate: String,
    /// The same in frames a second; `None` at maximum.
    pub pps: Option<f64>,
    /// Frames in a burst.
    pub burst: u16,
    /// `intended` or `departure`.
    pub stamp: String,
    /// The profile in effect, as TOML.
    pub profile: String,
    /// Interfaces, one entry for each queue.
    pub ports: Vec<Port>,
}

/// A queue of an interface, as it was opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// `tx` or `rx`.
    pub role: String,
    /// Interface.
    pub interface: String,
    /// Its network namespace, if not ours.
    pub netns: Option<String>,
    /// Driver (`veth`, `ixgbe`).
    pub driver: String,
    /// Its address.
    pub mac: String,
    /// MTU, bytes.
    pub mtu: u32,
    /// Link speed, Mbit/s, if the driver tells.
    pub speed: Option<u32>,
    /// What carries frames: `AF_XDP zero-copy`, `AF_XDP copy`, `AF_XDP generic`, `AF_PACKET`, `XDP live frames`.
    pub io: String,
    /// Queue.
    pub queue: u32,
    /// CPU of its worker.
    pub core: Option<usize>,
}

/// The clock of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// `CLOCK_MONOTONIC by TSC` or `CLOCK_MONOTONIC`.
    pub source: String,
    /// TSC frequency, Hz.
    pub tsc_hz: Option<u64>,
    /// Largest correction that a comparison with the kernel's clock brought during the run, nanoseconds: the error of a
    /// single reading beside other processes on this machine.
    pub error_ns: u64,
    /// Cost of one reading, nanoseconds.
    pub read_ns: u64,
}

/// A sender's counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// Frames that the kernel has finished with.
    pub frames: u64,
    /// Their bytes, with FCS.
    pub bytes: u64,
    /// Handed over and not finished when the run ended.
    pub unfinished: u64,
    /// Frames a second.
    #[serde(deserialize_with = "number")]
    pub pps: f64,
    /// Bits a second, layer 2 (frames with FCS).
    #[serde(deserialize_with = "number")]
    pub bits_l2: f64,
    /// Bits a second on the wire (with preamble and gap: 20 bytes more a frame).
    #[serde(deserialize_with = "number")]
    pub bits_wire: f64,
    /// Times that the ring was full when a frame was due.
    pub ring_full: u64,
    /// By stream.
    pub streams: Vec<SentStream>,
    /// How well the schedule was kept; `None` at maximum.
    pub pacing: Option<Pacing>,
}

/// One stream's part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SentStream {
    /// Its name.
    pub name: String,
    /// Frames.
    pub frames: u64,
    /// Bytes with FCS.
    pub bytes: u64,
}

/// How well the schedule was kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pacing {
    /// Frames a second that were wanted.
    #[serde(deserialize_with = "number")]
    pub wanted_pps: f64,
    /// Error of the achieved rate, as a fraction of the wanted one.
    #[serde(deserialize_with = "number")]
    pub error: f64,
    /// From the intended to the actual departure, nanoseconds.
    pub lag: Distribution,
    /// Between departures of bursts, nanoseconds.
    pub gap: Distribution,
    /// Standard deviation of the gaps, nanoseconds.
    #[serde(deserialize_with = "number")]
    pub gap_stdev: f64,
}

/// A receiver's counts: `frames` = `received` + `duplicates` + `corrupted` + `foreign`.
/// [`account::outcome`](crate::account::outcome) makes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// Frames of every kind.
    pub frames: u64,
    /// Their bytes, with FCS.
    pub bytes: u64,
    /// Frames a second, of ours.
    #[serde(deserialize_with = "number")]
    pub pps: f64,
    /// Bits a second, layer 2.
    #[serde(deserialize_with = "number")]
    pub bits_l2: f64,
    /// Bits a second on the wire.
    #[serde(deserialize_with = "number")]
    pub bits_wire: f64,
    /// First copies, all streams.
    pub received: u64,
    /// Never seen, all streams.
    pub lost: u64,
    /// `lost` as a fraction of what was sent.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Highest acceptable `loss`, if one was given.
    pub bound: Option<f64>,
    /// Further copies.
    pub duplicates: u64,
    /// First copies with a smaller sequence than one of their flow before them (RFC 4737).
    pub reordered: u64,
    /// Damaged: of all streams, and those whose stream could not be read.
    pub corrupted: u64,
    /// Not of this run.
    pub foreign: u64,
    /// Left to the kernel by the XDP program, for they are not ours.
    pub left: u64,
    /// Lost between the kernel and us, for we were too slow. Zero, or the other numbers are not the path's.
    pub overrun: u64,
    /// By stream.
    pub streams: Vec<ReceivedStream>,
}

impl Received {
    /// Whether the loss is within the bound; `None` without one.
    pub fn passed(&self) -> Option<bool> {
        self.bound.map(|bound| self.loss <= bound)
    }
}

/// One stream's part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReceivedStream {
    /// Its name, or `stream 0` where the profile is unknown.
    pub name: String,
    /// First copies.
    pub received: u64,
    /// Bytes with FCS, all copies.
    pub bytes: u64,
    /// Of what was sent (or, if that is unknown, up to the highest sequence seen), never seen.
    pub lost: u64,
    /// Further copies.
    pub duplicates: u64,
    /// See [`Received::reordered`].
    pub reordered: u64,
    /// Damaged.
    pub corrupted: u64,
    /// Time on the way, nanoseconds.
    pub latency: Option<Distribution>,
    /// Mean absolute difference of the latencies of packets that follow each other (RFC 3393), nanoseconds.
    #[serde(deserialize_with = "number")]
    pub jitter_ns: f64,
    /// Packets from the future: sender's and receiver's clocks are not the same, and `latency` means nothing.
    pub future: u64,
}

/// A distribution of nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Values in it.
    pub count: u64,
    /// Smallest.
    pub min: u64,
    /// Mean.
    #[serde(deserialize_with = "number")]
    pub mean: f64,
    /// Median.
    pub p50: u64,
    /// 90 %.
    pub p90: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p99_9: u64,
    /// 99.99 %.
    pub p99_99: u64,
    /// 99.999 %.
    pub p99_999: u64,
    /// Largest.
    pub max: u64,
    /// The whole histogram: HdrHistogram V2, deflated, base64, as HdrHistogram's own tools read it.
    pub histogram: String,
}

/// A second of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Seconds since the start, at its end.
    #[serde(deserialize_with = "number")]
    pub at: f64,
    /// Frames sent in it.
    pub sent: u64,
    /// Bytes with FCS sent in it.
    pub sent_bytes: u64,
    /// Frames of ours received in it.
    pub received: u64,
    /// Bytes with FCS received in it.
    pub received_bytes: u64,
    /// Median latency, nanoseconds.
    pub p50: Option<u64>,
    /// 99 % latency.
    pub p99: Option<u64>,
    /// Largest latency.
    pub max: Option<u64>,
}

/// What `ndr` found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ndr {
    /// Highest confirmed rate, frames a second; `None`: even the lowest lost too much.
    pub pps: Option<f64>,
    /// The same, bits a second of layer 2.
    pub bits_l2: Option<f64>,
    /// The same, bits a second on the wire.
    pub bits_wire: Option<f64>,
    /// Loss accepted, a fraction.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// The lowest rate that failed, frames a second: the limit lies between.
    pub failed_pps: Option<f64>,
    /// Confirming trials that passed, of so many.
    pub confirmed: (u32, u32),
    /// All trials, in order.
    pub trials: Vec<Trial>,
}

/// A trial of `ndr`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Rate asked for, frames a second.
    #[serde(deserialize_with = "number")]
    pub wanted_pps: f64,
    /// Rate sent.
    #[serde(deserialize_with = "number")]
    pub sent_pps: f64,
    /// Frames sent.
    pub sent: u64,
    /// First copies received.
    pub received: u64,
    /// Loss, a fraction.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Whether it is within the bound, and the sender kept its rate.
    pub passed: bool,
    /// 99 % latency, nanoseconds.
    pub p99: Option<u64>,
    /// Why it counts as failed though the path may be innocent: `the sender reached only ...`, `the receiver overran`.
    pub remark: Option<String>,
}
