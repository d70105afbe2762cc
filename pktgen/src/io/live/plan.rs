//! A [`LivePlan`] as the program reads it: words, in the order of bpf/live.h, and two tables.
//!
//! Invariant: everything here comes from what [`Builder`](crate::frame::build::Builder) builds from (template, radix,
//! orders, draws), so that both make the same frames; tests/live.rs compares them byte by byte. Sums are turned here
//! from big-endian words into words of this machine, once, so that the program need not turn what it adds.

use super::LivePlan;
use super::pace::Pace;
use crate::error::{Failure, Result};
use crate::frame::FCS_LEN;
use crate::frame::body::{body, sums};
use crate::frame::checksum::{fold, negative};
use crate::frame::flow::{FlowOrder, Radix};
use crate::frame::interleave::interleave;
use crate::frame::signature::{Lane, MAGIC, SIGNATURE_LEN};
use crate::frame::sizes::Sizes;
use crate::frame::template::{Kind, Template};
use crate::io::FRAME_ROOM;
use crate::profile::Stream;

/// Bytes that the kernel has room for in a live frame, without FCS: a page of 4 KiB less what it keeps there itself
/// (net/bpf/test_run.c, `TEST_XDP_FRAME_SIZE`). Where its cache lines are longer than those of x86-64 it is somewhat
/// less, and the kernel refuses the run.
pub const ROOM: usize = 3408;

/// Entries of `body_sums` in live.h.
const BODY_ROOM: usize = 4096;

/// Flow numbers below this can be divided by multiplication (`struct field` of live.h).
const MAX_FLOWS: u32 = 1 << 20;

/// 64-bit words of `struct stream`.
const STREAM_WORDS: usize = 57;

/// Words of `struct plan`.
const PLAN_WORDS: usize = 9 + Lane::MAX * STREAM_WORDS;

/// What the program is given.
pub struct Tables {
    /// `plan`.
    pub plan: Vec<u64>,
    /// `body_sums`.
    pub body_sums: Vec<u16>,
    /// Entries of the map `order`; at least one.
    pub order: Vec<u32>,
    /// The longest frame, for the kernel to fill its pages with. Only its body matters: the program writes the head.
    pub frame: Vec<u8>,
}

impl Tables {
    /// Those of `plan`.
    ///
    /// # Errors
    /// [`Failure::Usage`], if the plan asks for what the program cannot do.
    pub fn new(plan: &LivePlan, pace: &Pace) -> Result<Self> {
        if !(1..=Lane::MAX).contains(&plan.streams.len()) {
            let n = plan.streams.len();
            return Err(Failure::Usage(format!(
                "stream: {n} streams; 1 to {}",
                Lane::MAX
            )));
        }
        let lens = plan.streams.iter().map(|(stream, _)| longest(stream));
        let longest = lens
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .max()
            .unwrap_or(0);
        let body = body(plan.payload, plan.seed);
        let mut body_sums = sums(&body, 0).to_vec();
        body_sums.resize(BODY_ROOM, 0);

        let weights: Vec<u16> = plan
            .streams
            .iter()
            .map(|(stream, _)| stream.weight)
            .collect();
        let mut order: Vec<u32> = interleave(&weights).into_iter().map(u32::from).collect();
        let orders = order.len() as u64;

        let templates: Vec<_> = (plan.streams.iter())
            .map(|(stream, macs)| Template::new(stream, *macs, plan.payload, plan.seed))
            .collect();
        let heads = templates
            .iter()
            .map(|template| template.signature + SIGNATURE_LEN);
        let longest_head = heads.max().unwrap_or(0);

        let mut words = vec![
            plan.streams.len() as u64,
            orders,
            plan.count.unwrap_or(u64::MAX),
        ];
        words.extend(pace.words());
        words.push(plan.intended.into());
        for (index, ((stream, _), template)) in plan.streams.iter().zip(&templates).enumerate() {
            let lane = Lane::new(index as u8, plan.worker);
            let behind = template.signature + SIGNATURE_LEN;
            // Of frames with equally long heads only the headers: what lies behind the signature is body for ever.
            let restore = if behind == longest_head {
                template.signature.next_multiple_of(8)
            } else {
                longest_head
            };
            let mut one = StreamWords(Vec::with_capacity(STREAM_WORDS));
            one.head(template, restore, body_sums[behind]);
            one.flows(stream, template, lane, plan.seed)?;
            one.sizes(stream, lane, plan.seed, &mut order);
            one.signature(plan.run, lane);
            one.outer(template);
            debug_assert_eq!(one.0.len(), STREAM_WORDS);
            words.append(&mut one.0);
        }
        words.resize(PLAN_WORDS, 0);
        for sum in &mut body_sums {
            *sum = sum.to_be();
        }
        Ok(Tables {
            plan: words,
            body_sums,
            order,
            frame: body[..longest].to_vec(),
        })
    }
}

/// Bytes of the longest frame of a stream, if it has room.
fn longest(stream: &Stream) -> Result<usize> {
    let size = stream.size.largest();
    let len = usize::from(size).saturating_sub(FCS_LEN);
    if len > ROOM || len > FRAME_ROOM {
        return Err(Failure::Usage(format!(
            "size of stream {}: {size} bytes; XDP live frames have room for {} (with FCS): use --io xdp or --io packet",
            stream.name,
            ROOM + FCS_LEN
        )));
    }
    Ok(len)
}

/// A sum of big-endian words as one of words in the machine's order.
fn native(sum: u64) -> u64 {
    fold(sum).to_be().into()
}

/// `struct stream`, in order.
struct StreamWords(Vec<u64>);

impl StreamWords {
    fn push(&mut self, words: impl IntoIterator<Item = u64>) {
        self.0.extend(words);
    }

    fn head(&mut self, template: &Template, restore: usize, body_before: u16) {
        let (head, _) = template.head.as_chunks::<8>();
        self.push(head.iter().map(|word| u64::from_ne_bytes(*word)));
        let offsets = [restore, template.ip, template.transport, template.signature];
        self.push(offsets.map(|offset| offset as u64));
        let transport = match template.kind {
            Kind::Udp => 0,
            Kind::Tcp => 1,
            Kind::Icmp => 2,
        };
        // The program adds the body's sum from the frame's start; what is in front of the body goes off again.
        let l4_sum = u64::from(template.transport_sum) + negative(body_before.into());
        self.push([
            template.v6.into(),
            transport,
            native(template.ip_sum.into()),
            native(l4_sum),
        ]);
    }

    fn flows(&mut self, stream: &Stream, template: &Template, lane: Lane, seed: u64) -> Result<()> {
        let count = stream.flows.count;
        if !(1..=MAX_FLOWS).contains(&count) {
            return Err(Failure::Usage(format!(
                "flows of stream {}: {count}; 1 to {MAX_FLOWS} with --io xdp-live",
                stream.name
            )));
        }
        let radix = Radix::new(stream);
        self.push(field(template.src, radix.src_span));
        self.push(field(template.dst, radix.dst_span));
        self.push(field(radix.sport_first.into(), radix.sport_span));
        self.push(field(radix.dport_first.into(), 1));
        let state = match FlowOrder::new(stream.flows, seed, lane) {
            FlowOrder::RoundRobin { .. } => [0, 0],
            FlowOrder::Random { draw, .. } => [1, draw.state],
        };
        self.push([count.into()]);
        self.push(state);
        Ok(())
    }

    fn sizes(&mut self, stream: &Stream, lane: Lane, seed: u64, order: &mut Vec<u32>) {
        let words = match Sizes::new(&stream.size, seed, lane) {
            Sizes::Fixed(len) => [0, len.into(), 1, 0, 0],
            Sizes::Range { least, span, draw } => [1, least.into(), span.into(), 0, draw.state],
            Sizes::Mix { order: lens, .. } => {
                let first = order.len() as u64;
                order.extend(lens.iter().copied().map(u32::from));
                [2, 0, lens.len() as u64, first, 0]
            }
        };
        self.push(words);
    }

    fn signature(&mut self, run: u16, lane: Lane) {
        let words = [MAGIC, run, u16::from(lane.0) << 8, 0];
        self.push([words
            .iter()
            .fold(0, |all, word| all << 16 | u64::from(*word))]);
    }

    fn outer(&mut self, template: &Template) {
        let words = match &template.outer {
            None => [0; 4],
            Some(outer) => [
                1,
                native(outer.ip_sum.into()),
                outer.udp_sum.is_some().into(),
                native(outer.udp_sum.unwrap_or(0).into()),
            ],
        };
        self.push(words);
    }
}

/// `struct field`.
fn field(first: u32, span: u32) -> [u64; 3] {
    let span = u64::from(span.max(1));
    [first.into(), span, (1u64 << 40).div_ceil(span)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The program divides by multiplication; the largest numbers of each span are where it would go wrong first.
        #[test]
        fn division_is_exact(span in 1u32..=1 << 24, quotient in 0u32..MAX_FLOWS, below in 0u32..2) {
            let [_, count, inverse] = field(0, span);
            for flow in [quotient, (u64::from(quotient) * count).saturating_sub(below.into()) as u32] {
                let flow = u64::from(flow % MAX_FLOWS);
                prop_assert_eq!((flow * inverse) >> 40, flow / count);
            }
        }
    }

    #[test]
    fn division_is_exact_at_the_edges() {
        for span in (1..5_000)
            .chain((1 << 20) - 50..(1 << 20) + 50)
            .chain([1 << 24, (1 << 24) - 1])
        {
            let [_, count, inverse] = field(0, span);
            let edges = (0..MAX_FLOWS as u64).step_by((count as usize).max(4_099));
            for flow in edges
                .flat_map(|edge| [edge.saturating_sub(1), edge])
                .chain([MAX_FLOWS as u64 - 1])
            {
                assert_eq!((flow * inverse) >> 40, flow / count, "{flow} / {count}");
            }
        }
    }
}
