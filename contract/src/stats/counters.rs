//! The counters of a port and of a worker: one list each, like the drop reasons.
//!
//! The engine counts in plain memory of its own ([`PortCounters`], [`WorkerCounters`]) and commits whole blocks to the
//! segment, so that a reader sees counters of one moment and the hot path writes no shared cache line per packet.

use super::drop::{DROP_SLOTS, DropReason};

macro_rules! counters {
    ($enum:ident of $slots:literal: $about:literal, $($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        #[doc = $about]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum $enum { $($(#[doc = $doc])+ $variant,)+ }

        impl $enum {
            /// All of them; the index is the discriminant.
            pub const ALL: &[$enum] = &[$($enum::$variant,)+];
            /// Slots in the segment; more counters than this bump its ABI number.
            pub const SLOTS: usize = $slots;

            /// Name for people and programs.
            pub const fn name(self) -> &'static str {
                match self { $($enum::$variant => $name,)+ }
            }

            /// What it counts.
            pub const fn meaning(self) -> &'static str {
                match self { $($enum::$variant => concat!($($doc,)+).trim_ascii_start(),)+ }
            }
        }
        const _: () = assert!($enum::ALL.len() <= $enum::SLOTS);
    };
}

counters! { PortCounter of 16: "What a worker counts for each port, drops aside.",
    /// Frames received.
    RxPackets = "rx_packets",
    /// Bytes received, Ethernet header included, frame check sequence not.
    RxBytes = "rx_bytes",
    /// Frames given to the transmit ring.
    TxPackets = "tx_packets",
    /// Bytes given to the transmit ring.
    TxBytes = "tx_bytes",
    /// Frames received here that were given to some port's transmit ring.
    Forwarded = "forwarded",
    /// Frames the engine made itself and sent here: ICMP errors.
    Originated = "originated",
    /// ICMP errors that were due to a sender here but not sent: over the rate, or forbidden by RFC 1122.
    IcmpSuppressed = "icmp_suppressed",
    /// Receive turns that returned a full burst: the engine is behind.
    FullBursts = "full_bursts",
    /// Transmit system calls.
    Kicks = "kicks",
    /// Transmit system calls that the kernel could not finish (EAGAIN, EBUSY, ENOBUFS).
    KickRetries = "kick_retries",
}

counters! { WorkerCounter of 24: "What a worker counts for itself.",
    /// Passes of the loop.
    Turns = "turns",
    /// Passes that received at least one frame.
    BusyTurns = "busy_turns",
    /// TSC cycles spent in turns that received frames.
    BusyCycles = "busy_cycles",
    /// TSC cycles spent in turns that received none, sleeping not included.
    IdleCycles = "idle_cycles",
    /// Times that the worker slept in poll(2).
    Sleeps = "sleeps",
    /// TSC cycles spent asleep.
    SleepCycles = "sleep_cycles",
    /// Generation of the tables in use; 0: none yet.
    Generation = "generation",
    /// CLOCK_MONOTONIC of the last commit, nanoseconds.
    HeartbeatNs = "heartbeat_ns",
    /// Chunks of UMEM.
    Frames = "frames",
    /// Chunks in the worker's pool at the last commit.
    FramesFree = "frames_free",
    /// Chunks in the rings of its ports at the last commit.
    FramesInRings = "frames_in_rings",
    /// CPU it is pinned to.
    Cpu = "cpu",
    /// Queue of every port that it owns.
    Queue = "queue",
    /// 1 when its UMEM lies in huge pages.
    Hugepages = "hugepages",
    /// TSC at the last commit: with `heartbeat_ns`, how the times of traced frames are told.
    HeartbeatTsc = "heartbeat_tsc",
    /// Dropped frames that were not traced: more of one reason than the budget between two commits.
    TraceSkipped = "trace_skipped",
}

/// Private counters of one port of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortCounters {
    /// By [`PortCounter`].
    pub counts: [u64; PortCounter::SLOTS],
    /// By [`DropReason`].
    pub drops: [u64; DROP_SLOTS],
}

impl Default for PortCounters {
    fn default() -> Self {
        PortCounters {
            counts: [0; PortCounter::SLOTS],
            drops: [0; DROP_SLOTS],
        }
    }
}

impl PortCounters {
    /// Adds to a counter.
    #[inline(always)]
    pub fn add(&mut self, counter: PortCounter, n: u64) {
        self.counts[counter as usize] += n;
    }

    /// Takes one back that was counted too early.
    pub fn take_back(&mut self, counter: PortCounter) {
        self.counts[counter as usize] -= 1;
    }

    /// Counts one dropped frame.
    #[inline(always)]
    pub fn drop(&mut self, reason: DropReason) {
        self.drops[reason as usize] += 1;
    }

    /// One counter.
    pub fn count(&self, counter: PortCounter) -> u64 {
        self.counts[counter as usize]
    }

    /// All drops.
    pub fn dropped(&self) -> u64 {
        self.drops.iter().fold(0, |sum, n| sum.wrapping_add(*n))
    }

    /// Adds another's counts: several workers make one port.
    pub fn merge(&mut self, other: &PortCounters) {
        let mine = self.counts.iter_mut().chain(&mut self.drops);
        for (sum, n) in mine.zip(other.counts.iter().chain(&other.drops)) {
            *sum = sum.wrapping_add(*n);
        }
    }
}

/// Private counters of one worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerCounters {
    /// By [`WorkerCounter`].
    pub counts: [u64; WorkerCounter::SLOTS],
}

impl WorkerCounters {
    /// Adds to a counter.
    #[inline(always)]
    pub fn add(&mut self, counter: WorkerCounter, n: u64) {
        self.counts[counter as usize] = self.counts[counter as usize].wrapping_add(n);
    }

    /// Sets a gauge.
    #[inline(always)]
    pub fn set(&mut self, counter: WorkerCounter, value: u64) {
        self.counts[counter as usize] = value;
    }

    /// One counter.
    pub fn count(&self, counter: WorkerCounter) -> u64 {
        self.counts[counter as usize]
    }
}

/// What a worker counts for each peer (adjacency): inner packets and their bytes, both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerCounters {
    /// Inner packets sent to the peer.
    pub tx_packets: u64,
    /// Their bytes, from the inner IP header on.
    pub tx_bytes: u64,
    /// Inner packets received from the peer.
    pub rx_packets: u64,
    /// Their bytes.
    pub rx_bytes: u64,
}
