//! What to send: streams of packets. [`Raw`](raw) mirrors the TOML file and the flags, [`Profile`] is what the program
//! believes: a value that exists is valid.
//!
//! The way of a value: [`raw`] has it as it was typed, [`rate`], [`size`], [`range`](mod@range), [`duration`],
//! [`fields`] read it, `stream`, `flows` and `check` hold it against the others, [`written`] turns it into TOML again.
//! What is wrong becomes a [`ProfileError`] with the key as typed.

mod check;
pub mod duration;
pub mod fields;
mod flows;
pub mod number;
pub mod problem;
pub mod range;
pub mod rate;
pub mod raw;
pub mod run;
pub mod scalar;
pub mod size;
mod stream;
#[cfg(test)]
mod tests;
pub mod written;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

pub use fields::Mac;
pub use problem::{Problem, ProfileError};
pub use rate::Rate;
pub use raw::Raw;
pub use run::{Defaults, Run};
pub use size::Size;

/// Everything to send, 1 to 16 streams, and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// At least one. A run's rate is divided among them by weight, in an order that repeats.
    pub streams: Vec<Stream>,
    /// What is behind the signature in every frame.
    pub payload: Payload,
    /// How fast, all streams and workers together.
    pub rate: Rate,
    /// Frames that leave together; 1 spreads them evenly (except at [`Rate::Max`], where the I/O decides).
    pub burst: u16,
    /// When to end.
    pub stop: Stop,
    /// Of everything that is random but the run number: flow order, sizes, payload.
    pub seed: u64,
}

/// When a run ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At Ctrl-C.
    Never,
    /// After so many frames, all streams and workers together.
    Count(u64),
    /// After so long, nanoseconds.
    After(u64),
}

/// Packets of one kind, with sequence numbers and statistics of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// As the report calls it.
    pub name: String,
    /// Its part of the rate, beside the other streams'.
    pub weight: u16,
    /// Ethernet source; `None`: the interface's address.
    pub src_mac: Option<Mac>,
    /// Ethernet destination; `None`: looked up (the next hop of the first destination).
    pub dst_mac: Option<Mac>,
    /// Addresses.
    pub ip: Ip,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class: DSCP and ECN.
    pub tos: u8,
    /// What is in the IP packet.
    pub transport: Transport,
    /// How many flows, in which order.
    pub flows: Flows,
    /// Sizes of frames, with FCS; of the outer frame if there is a tunnel.
    pub size: Size,
    /// The tunnel it travels in.
    pub vxlan: Option<Vxlan>,
}

/// Source and destination ranges, of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ip {
    /// IPv4.
    V4 {
        /// Sources.
        src: RangeInclusive<Ipv4Addr>,
        /// Destinations.
        dst: RangeInclusive<Ipv4Addr>,
    },
    /// IPv6. Ranges vary the low 32 bits only.
    V6 {
        /// Sources.
        src: RangeInclusive<Ipv6Addr>,
        /// Destinations.
        dst: RangeInclusive<Ipv6Addr>,
    },
}

/// What is in the IP packet, in front of the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP, always with a checksum.
    Udp {
        /// Source ports.
        sport: RangeInclusive<u16>,
        /// Destination ports.
        dport: RangeInclusive<u16>,
    },
    /// Segments with the shape of TCP's (20-byte header, ACK, sequence numbers that grow): no connection stands behind
    /// them.
    Tcp {
        /// Source ports.
        sport: RangeInclusive<u16>,
        /// Destination ports.
        dport: RangeInclusive<u16>,
    },
    /// Echo requests (ICMP or ICMPv6 by the family); the identifier varies as a source port would.
    Icmp {
        /// Identifiers.
        id: RangeInclusive<u16>,
    },
}

/// The flows of a stream. Flow `i` is combination `i` of the ranges, the source port varying fastest, then the
/// destination address, the source address, the destination port. `count` is at most the number of combinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flows {
    /// 1 to a million.
    pub count: u32,
    /// Which comes next.
    pub order: Order,
}

/// Order of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// 0, 1, 2, ... and again.
    RoundRobin,
    /// Uniform, independent, from the seed.
    Random,
}

/// Bytes behind the signature. Indexed by their place in the frame, so that one copy serves every header in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// 0, 0, 0, ...
    Zeros,
    /// Place in the frame, modulo 256.
    Increment,
    /// One byte, again and again.
    Byte(u8),
    /// From the seed; the same in each frame.
    Random,
}

/// A VXLAN tunnel around a stream (RFC 7348). Outer source ports follow the inner flow, 49152 to 65535, as its section
/// 5 has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// 0 to 2^24-1.
    pub vni: u32,
    /// Outer source. The stream's `src_mac` and `dst_mac` are the outer ones.
    pub src: Ipv4Addr,
    /// Outer destination.
    pub dst: Ipv4Addr,
    /// Outer UDP destination port: 8472 with flannel, 4789 by the RFC.
    pub port: u16,
    /// Inner Ethernet source.
    pub inner_src_mac: Mac,
    /// Inner Ethernet destination: the VTEP's MAC.
    pub inner_dst_mac: Mac,
    /// Whether the outer UDP checksum is computed; else it is zero, as the kernel's default over IPv4.
    pub checksum: bool,
}
