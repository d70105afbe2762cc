//! Flow numbers, and the addresses and ports that belong to them.
//!
//! A flow number is a number of mixed radix; its digits, the fastest first, are the source port, the destination
//! address, the source address, the destination port. Each digit counts from the first value of its range:
//!
//! ```text
//! rest = flow
//! sport  = sport_first + rest % sport_span    rest /= sport_span
//! dst   += rest % dst_span                    rest /= dst_span       (low 32 bits of the address)
//! src   += rest % src_span                    rest /= src_span       (low 32 bits of the address)
//! dport  = dport_first + rest
//! ```
//!
//! For ICMP the identifier is the source port, and the destination port is 0 (it is nowhere in the packet).
//! Outer source port in a tunnel: [`outer_sport`].

use super::draw::{Draw, Purpose};
use super::signature::{Lane, MAX_FLOWS};
use crate::profile::{Flows, Ip, Order, Stream, Transport};

/// What varies between the flows of a stream, each as its value in the headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlowFields {
    /// Offset from the first source address.
    pub src: u32,
    /// Offset from the first destination address.
    pub dst: u32,
    /// Source port, or ICMP identifier.
    pub sport: u16,
    /// Destination port; 0 for ICMP.
    pub dport: u16,
}

/// The fields of flow `flow` of `stream` ([`crate::profile::Flows`] has the order).
pub fn fields(stream: &Stream, flow: u32) -> FlowFields {
    Radix::new(stream).fields(flow)
}

/// Outer UDP source port of a flow in a tunnel: constant for the flow, 49152 to 65535, spread over a DUT's queues by
/// multiplicative hashing (Knuth, The Art of Computer Programming 6.4). "It is recommended that the UDP source port
/// number be calculated using a hash of fields from the inner packet" (RFC 7348 section 5): a flow number stands for
/// all of them.
#[inline]
pub const fn outer_sport(flow: u32) -> u16 {
    0xc000 | (flow.wrapping_mul(0x9e37_79b1) >> 18) as u16
}

/// The ranges of a stream, ready to divide by. Spans are 1 or more, and at most [`MAX_FLOWS`]: no flow has a higher
/// digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Radix {
    /// First source port or identifier.
    pub sport_first: u16,
    /// How many.
    pub sport_span: u32,
    /// Destination addresses.
    pub dst_span: u32,
    /// Source addresses.
    pub src_span: u32,
    /// First destination port. How many there are does not matter: it is the last digit.
    pub dport_first: u16,
}

impl Radix {
    /// The ranges of `stream`.
    pub fn new(stream: &Stream) -> Self {
        let (src_span, dst_span) = match &stream.ip {
            Ip::V4 { src, dst } => (
                span(src.start().to_bits().into(), src.end().to_bits().into()),
                span(dst.start().to_bits().into(), dst.end().to_bits().into()),
            ),
            Ip::V6 { src, dst } => (
                span(src.start().to_bits(), src.end().to_bits()),
                span(dst.start().to_bits(), dst.end().to_bits()),
            ),
        };
        let (sport, dport_first) = match &stream.transport {
            Transport::Udp { sport, dport } | Transport::Tcp { sport, dport } => {
                (sport, *dport.start())
            }
            Transport::Icmp { id } => (id, 0),
        };
        Radix {
            sport_first: *sport.start(),
            sport_span: span((*sport.start()).into(), (*sport.end()).into()),
            dst_span,
            src_span,
            dport_first,
        }
    }

    /// The fields of a flow.
    #[inline]
    pub fn fields(&self, flow: u32) -> FlowFields {
        let mut rest = flow;
        let sport = digit(&mut rest, self.sport_span);
        let dst = digit(&mut rest, self.dst_span);
        let src = digit(&mut rest, self.src_span);
        FlowFields {
            src,
            dst,
            sport: self.sport_first.wrapping_add(sport as u16),
            dport: self.dport_first.wrapping_add(rest as u16),
        }
    }
}

/// Takes the lowest digit. The comparison saves most divisions, of some 10 ns each on older machines: few streams use
/// more than one range.
#[inline]
fn digit(rest: &mut u32, span: u32) -> u32 {
    let digit = *rest;
    *rest = 0;
    if digit < span {
        return digit;
    }
    *rest = digit / span;
    digit % span
}

fn span(first: u128, last: u128) -> u32 {
    last.saturating_sub(first)
        .saturating_add(1)
        .min(MAX_FLOWS.into()) as u32
}

/// Which flow comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowOrder {
    /// 0, 1, 2, ... and again.
    RoundRobin {
        /// The next one.
        next: u32,
        /// Their number.
        count: u32,
    },
    /// Uniform, independent.
    Random {
        /// Where from.
        draw: Draw,
        /// Their number.
        count: u32,
    },
}

impl FlowOrder {
    /// The order of `flows` on `lane`.
    pub fn new(flows: Flows, seed: u64, lane: Lane) -> Self {
        let count = flows.count;
        match flows.order {
            Order::RoundRobin => FlowOrder::RoundRobin { next: 0, count },
            Order::Random => FlowOrder::Random {
                draw: Draw::new(seed, Purpose::Flow(lane)),
                count,
            },
        }
    }

    /// The next flow.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "it never ends: no Option")]
    pub fn next(&mut self) -> u32 {
        match self {
            FlowOrder::RoundRobin { next, count } => {
                let flow = *next;
                *next = if flow + 1 < *count { flow + 1 } else { 0 };
                flow
            }
            FlowOrder::Random { draw, count } => draw.below(*count),
        }
    }
}
