//! Builds frames: a [`Template`] made once; per frame the varying fields, and checksums of sums that are known but for
//! what varies. No byte of the body is read or written, so a frame of any length costs the same.

pub use super::body::body;
use super::checksum::{fold, negative, sum};
use super::flow::{FlowFields, FlowOrder, Radix, outer_sport};
use super::signature::{Lane, SIGNATURE_LEN, Signature};
use super::sizes::Sizes;
pub use super::template::len_of;
use super::template::{HEAD_ROOM, Kind, Template};
use crate::profile::{Mac, Payload, Stream};

/// Ethernet addresses of a stream, found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Macs {
    /// Source.
    pub src: Mac,
    /// Destination.
    pub dst: Mac,
}

/// Makes the frames of one lane, in order.
#[derive(Clone, Debug)]
pub struct Builder {
    template: Template,
    radix: Radix,
    order: FlowOrder,
    sizes: Sizes,
    run: u16,
    lane: Lane,
    written: u64,
}

impl Builder {
    /// For `stream`, as worker `lane.worker()` sends it. `seed` is the profile's, the same for all lanes: they share
    /// the [`body`], and draw flows and sizes each in its own order.
    pub fn new(
        stream: &Stream,
        macs: Macs,
        run: u16,
        lane: Lane,
        payload: Payload,
        seed: u64,
    ) -> Self {
        Builder {
            template: Template::new(stream, macs, payload, seed),
            radix: Radix::new(stream),
            order: FlowOrder::new(stream.flows, seed, lane),
            sizes: Sizes::new(&stream.size, seed, lane),
            run,
            lane,
            written: 0,
        }
    }

    /// Writes the head of the next frame into `frame`, which has [`FRAME_ROOM`](crate::io::FRAME_ROOM) bytes and holds
    /// the [`body`] (and perhaps the head of an earlier frame, of any stream). Returns its length, without FCS.
    ///
    /// # Panics
    /// If `frame` has fewer than [`HEAD_ROOM`] bytes.
    #[inline]
    pub fn write(&mut self, frame: &mut [u8], stamp: u64) -> usize {
        let len = self.sizes.next();
        let flow = self.order.next();
        let signature = Signature {
            run: self.run,
            lane: self.lane,
            flow,
            sequence: self.written as u32,
            stamp,
        };
        self.written += 1;
        let head = frame.first_chunk_mut().expect("room for a head");
        let fields = self.radix.fields(flow);
        write_head(&self.template, head, len, fields, signature);
        len
    }

    /// Frames written.
    pub fn written(&self) -> u64 {
        self.written
    }
}

fn write_head(
    template: &Template,
    head: &mut [u8; HEAD_ROOM],
    len: usize,
    fields: FlowFields,
    signature: Signature,
) {
    *head = template.head;
    let Template { ip, transport, .. } = *template;
    let src = template.src.wrapping_add(fields.src);
    let dst = template.dst.wrapping_add(fields.dst);
    let l4_len = len - transport;
    let ports = u32::from(fields.sport) << 16 | u32::from(fields.dport);

    if template.v6 {
        put16(head, ip + 4, l4_len as u16);
        put32(head, ip + 20, src);
        put32(head, ip + 36, dst);
    } else {
        let total = len - ip;
        put16(head, ip + 2, total as u16);
        put32(head, ip + 12, src);
        put32(head, ip + 16, dst);
        let sum = u64::from(template.ip_sum) + total as u64 + u64::from(src) + u64::from(dst);
        put16(head, ip + 10, !fold(sum));
    }

    let second = match template.kind {
        Kind::Udp => (l4_len as u32) << 16,
        Kind::Tcp => signature.sequence,
        Kind::Icmp => u32::from(fields.sport) << 16 | signature.sequence & 0xffff,
    };
    let first = if template.kind == Kind::Icmp {
        0
    } else {
        ports
    };
    if template.kind != Kind::Icmp {
        put32(head, transport, first);
    }
    put32(head, transport + 4, second);

    let bytes = signature.to_bytes();
    head[template.signature..][..SIGNATURE_LEN].copy_from_slice(&bytes);
    let pseudo = if template.pseudo {
        u64::from(src) + u64::from(dst) + l4_len as u64
    } else {
        0
    };
    let whole = u64::from(template.transport_sum)
        + pseudo
        + u64::from(first)
        + u64::from(second)
        + sum(&bytes)
        + u64::from(template.body_sums[len]);
    let check = match (!fold(whole), template.kind) {
        // "An all zero transmitted checksum value means that the transmitter generated no checksum" (RFC 768).
        (0, Kind::Udp) => 0xffff,
        (check, _) => check,
    };
    put16(head, transport + template.kind.check(), check);

    let Some(outer) = &template.outer else { return };
    put16(head, 16, (len - 14) as u16);
    put16(head, 24, !fold(u64::from(outer.ip_sum) + (len - 14) as u64));
    let (sport, udp_len) = (outer_sport(signature.flow), len - 34);
    put16(head, 34, sport);
    put16(head, 38, udp_len as u16);
    if let Some(udp_sum) = outer.udp_sum {
        let inner = if template.v6 { 0 } else { negative(pseudo) };
        let whole = u64::from(udp_sum) + u64::from(sport) + 2 * udp_len as u64 + inner;
        let check = !fold(whole);
        put16(head, 40, if check == 0 { 0xffff } else { check });
    }
}

#[inline]
fn put16(head: &mut [u8; HEAD_ROOM], at: usize, value: u16) {
    head[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

#[inline]
fn put32(head: &mut [u8; HEAD_ROOM], at: usize, value: u32) {
    head[at..at + 4].copy_from_slice(&value.to_be_bytes());
}
