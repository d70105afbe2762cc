//! The command line as clap reads it. Values that belong to a profile stay text here: they go the same way as a file's.
//!
//! Doc comments are the text of `--help`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::groups::{
    OneEnd, OneIo, OutputArgs, QueueIo, ReceivingArgs, RunArgs, SendIo, SendingArgs, StampArgs,
    StopArgs, StreamArgs, TwoEnds,
};
use super::help;
use super::values::{above_zero, fraction, loops, resolution, run_number, timing, trial, up_to};
use crate::profile::Rate;
use crate::run::plan::Timing;

/// Loads a network path with packets that it recognises again, and measures what arrives, how late, in what order.
#[derive(Debug, Parser)]
#[command(name = "tweed-pktgen", version, after_help = help::TOP, max_term_width = 100)]
pub struct Typed {
    /// What to do.
    #[command(subcommand)]
    pub command: Subcommands,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Subcommands {
    /// Send
    #[command(after_help = help::TX)]
    Tx(TxArgs),
    /// Receive and count
    #[command(after_help = help::RX)]
    Rx(RxArgs),
    /// Send and receive in one process: loss, order, latency
    #[command(after_help = help::LATENCY)]
    Latency(LatencyArgs),
    /// Send back what comes, with addresses and ports exchanged
    #[command(after_help = help::REFLECT)]
    Reflect(ReflectArgs),
    /// Find the highest rate with an acceptable loss (RFC 2544 throughput)
    #[command(after_help = help::NDR)]
    Ndr(NdrArgs),
    /// Send what a capture holds
    #[command(after_help = help::REPLAY)]
    Replay(ReplayArgs),
    /// Show saved runs: tables, plots
    #[command(after_help = help::REPORT)]
    Report(ReportArgs),
}

/// `tx`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "flattened groups, documented as types")]
pub struct TxArgs {
    #[command(flatten)]
    pub at: OneEnd,
    #[command(flatten)]
    pub io: OneIo<SendIo>,
    #[command(flatten)]
    pub sending: SendingArgs,
    #[command(flatten)]
    pub stamp: StampArgs,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub stop: StopArgs,
    #[command(flatten)]
    pub stream: StreamArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `rx`.
#[derive(Args, Debug)]
#[command(next_help_heading = "Run")]
#[expect(missing_docs, reason = "flattened groups, documented as types")]
pub struct RxArgs {
    #[command(flatten)]
    pub at: OneEnd,
    #[command(flatten)]
    pub io: OneIo<QueueIo>,
    #[command(flatten)]
    pub receiving: ReceivingArgs,
    /// End after so long [default: at Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = above_zero, help_heading = "Run")]
    pub duration: Option<u64>,
    /// End when nothing of ours came for so long, once something has come
    #[arg(long, value_name = "TIME", value_parser = above_zero, help_heading = "Run")]
    pub idle: Option<u64>,
    /// Count only this run, 0 to 65535 [default: that of the first intact packet]
    #[arg(long, value_name = "NUMBER", value_parser = run_number, help_heading = "Run")]
    pub run: Option<u16>,
    /// Count loss from the first sequence number seen, not from 0: the sender was there before
    #[arg(long, help_heading = "Run")]
    pub join: bool,
    /// Exit code 1 if more than this is lost, e.g. 0.001%
    #[arg(long, value_name = "PERCENT", value_parser = fraction, help_heading = "Run")]
    pub loss: Option<f64>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `latency`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "flattened groups, documented as types")]
pub struct LatencyArgs {
    #[command(flatten)]
    pub at: TwoEnds,
    #[command(flatten)]
    pub sending: SendingArgs,
    #[command(flatten)]
    pub receiving: ReceivingArgs,
    #[command(flatten)]
    pub stamp: StampArgs,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub stop: StopArgs,
    /// Wait so long for the last packets after the last was sent
    #[arg(long, value_name = "TIME", value_parser = up_to, default_value = "1s", help_heading = "Run")]
    pub settle: u64,
    /// Exit code 1 if more than this is lost, e.g. 0.001%
    #[arg(long, value_name = "PERCENT", value_parser = fraction, help_heading = "Run")]
    pub loss: Option<f64>,
    #[command(flatten)]
    pub stream: StreamArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `reflect`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "flattened groups, documented as types")]
pub struct ReflectArgs {
    #[command(flatten)]
    pub at: OneEnd,
    #[command(flatten)]
    pub io: OneIo<QueueIo>,
    #[command(flatten)]
    pub receiving: ReceivingArgs,
    /// End after so long [default: at Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = above_zero, help_heading = "Run")]
    pub duration: Option<u64>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `ndr`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "flattened groups, documented as types")]
pub struct NdrArgs {
    #[command(flatten)]
    pub at: TwoEnds,
    #[command(flatten)]
    pub sending: SendingArgs,
    #[command(flatten)]
    pub receiving: ReceivingArgs,
    /// Highest acceptable loss of a trial
    #[arg(long, value_name = "PERCENT", value_parser = fraction, default_value = "0.001%", help_heading = "Search")]
    pub loss: f64,
    /// Length of a trial
    #[arg(long, value_name = "TIME", value_parser = trial, default_value = "2s", help_heading = "Search")]
    pub trial: u64,
    /// Length of each confirming trial
    #[arg(long, value_name = "TIME", value_parser = trial, default_value = "5s", help_heading = "Search")]
    pub confirm: u64,
    /// How many confirming trials must pass at the rate reported
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100), default_value = "3",
          help_heading = "Search")]
    pub confirmations: u32,
    /// End when passed and failed rates are this close
    #[arg(long, value_name = "PERCENT", value_parser = resolution, default_value = "0.5%", help_heading = "Search")]
    pub resolution: f64,
    /// Wait so long for the last packets of a trial
    #[arg(long, value_name = "TIME", value_parser = up_to, default_value = "1s", help_heading = "Search")]
    pub settle: u64,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub stream: StreamArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `replay`.
#[derive(Args, Debug)]
#[expect(missing_docs, reason = "flattened groups, documented as types")]
pub struct ReplayArgs {
    /// The capture: pcap or pcapng, Ethernet
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub at: OneEnd,
    #[command(flatten)]
    pub io: OneIo<QueueIo>,
    /// As captured, or so many times faster: captured, 10x, 0.5x [default: captured]
    #[arg(long, value_name = "WHEN", value_parser = timing, help_heading = "Run")]
    pub timing: Option<Timing>,
    /// Evenly instead: max, 100kpps, 1Gbit, 1Gbit-wire, 50%
    #[arg(
        long,
        value_name = "RATE",
        conflicts_with = "timing",
        help_heading = "Run"
    )]
    pub rate: Option<Rate>,
    /// How often: a number, or forever
    #[arg(long, value_name = "N", value_parser = loops, default_value = "1", help_heading = "Run")]
    pub loops: Loops,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How often a capture is sent; `None`: until Ctrl-C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loops(pub Option<u32>);

/// `report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Saved runs (--save FILE, or --json > FILE). A sender's and a receiver's of one run are joined
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Draw rates, latencies and trials into this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long)]
    pub json: bool,
}
